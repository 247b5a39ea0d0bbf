//! The configuration parser against any bytes: what it reads, it prints, and reads back the same.

#![expect(
    clippy::expect_used,
    reason = "a test stops where something is not as it expects"
)]

use blvm_mesh_node::NodeConfig;
use mesh_store::StoreLocation;
use std::path::Path;

/// Panics when a promise of the parser does not hold for `data`.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let folder = Path::new("/srv/mesh");
    match NodeConfig::parse(text, folder) {
        Ok(config) => {
            let printed = config.to_toml().expect("UTF-8 came in");
            let again = NodeConfig::parse(&printed, folder).expect("it is in force");
            assert_eq!(again.to_toml().expect("UTF-8 came in"), printed);
            assert!(config.node.data_dir.is_absolute());
            assert!(config.node.control_socket.is_absolute());
            match (&config.node.store, &again.node.store) {
                (StoreLocation::Redb(path), _) => {
                    assert!(path.is_absolute());
                    assert_eq!(again, config);
                }
                // A password is not printed; all else is.
                (StoreLocation::Postgres(_), printed) => {
                    assert_eq!(printed.to_string(), config.node.store.to_string());
                    assert_eq!(
                        (&again.mesh, &again.lightning),
                        (&config.mesh, &config.lightning)
                    );
                }
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
