//! What a mesh starts from: settings, the identity key, a node that fits it.

mod support;

use mesh_manager::{IdentityError, MeshManager, load_or_create_identity};
use mesh_types::*;
use std::{collections::HashMap, fs, os::unix::fs::PermissionsExt, sync::Arc, sync::Mutex};
use support::*;

fn node(id: NodeId) -> Arc<dyn NodeAPI> {
    Arc::new(WiredNode {
        id,
        wires: Wires::default(),
        clock: ManualClock::start(),
        wallet: None,
        store: Arc::new(mesh_manager::ForgetfulStore::default()),
        blocks: Arc::default(),
        events: Mutex::default(),
    })
}

fn context(data_dir: &std::path::Path, config: &[(&str, &str)]) -> ModuleContext {
    let config = config
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    ModuleContext {
        data_dir: data_dir.display().to_string(),
        config: config.collect::<HashMap<_, _>>(),
        ..ModuleContext::default()
    }
}

#[test]
fn an_identity_is_made_once_and_only_its_owner_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/identity.key");
    let first = load_or_create_identity(&path).unwrap().node_id();
    assert_eq!(load_or_create_identity(&path).unwrap().node_id(), first);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1,
        "no draft is left behind"
    );
}

#[test]
fn a_key_that_others_can_read_or_that_is_none_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.key");
    load_or_create_identity(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(
        load_or_create_identity(&path),
        Err(IdentityError::Exposed { mode: 0o644, .. })
    ));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for bad in ["", "xyz", &"0".repeat(64), &"F".repeat(64), &"f".repeat(64)] {
        fs::write(&path, bad).unwrap();
        assert!(load_or_create_identity(&path).is_err(), "{bad:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), bad);
    }
}

#[tokio::test]
async fn a_manager_starts_from_a_module_context_and_keeps_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let identity = load_or_create_identity(&folder.path().join("identity.key")).unwrap();
    let ctx = context(folder.path(), &[("mode", "open"), ("network", "regtest")]);
    let mesh = MeshManager::new(&ctx, node(identity.node_id()))
        .await
        .unwrap();
    assert_eq!(mesh.node_id(), identity.node_id());
    assert_eq!(mesh.status().await.mode, MeshMode::Open);
}

#[tokio::test]
async fn wrong_settings_are_errors_that_say_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let identity = load_or_create_identity(&folder.path().join("identity.key")).unwrap();
    for (setting, expected) in [
        (
            ("mode", "paid"),
            "\"bitcoin_only\", \"payment_gated\" or \"open\"",
        ),
        (("colour", "red"), "price_per_packet_msat"),
        (("listen_addr", "here"), "an IP address and a port"),
        (("enabled", "false"), "enabled = true"),
        (("quote_lifetime_secs", "0"), "expected 120 to 86400"),
        (("debit_interval_ms", "0"), "expected 10 to 10000"),
        (("peers", "nobody"), "<node id>@<host>:<port>"),
    ] {
        let ctx = context(folder.path(), &[setting]);
        let error = MeshManager::new(&ctx, node(identity.node_id()))
            .await
            .unwrap_err();
        assert!(matches!(error, MeshError::ConfigError(_)));
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_node_that_proves_another_id_than_the_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = MeshManager::new(&context(folder.path(), &[]), node(id(9)))
        .await
        .unwrap_err();
    assert!(matches!(error, MeshError::ConfigError(_)), "{error}");
}

#[tokio::test]
async fn a_share_of_fees_beyond_the_whole_is_refused_and_none_at_all_is_taken() {
    for (permille, is_right) in [("0", true), ("1000", true), ("1001", false)] {
        let folder = tempfile::tempdir().unwrap();
        let settings = [
            ("network", "regtest"),
            ("spending.fee_share_permille", permille),
        ];
        let ctx = context(folder.path(), &settings);
        let identity = load_or_create_identity(&folder.path().join("identity.key")).unwrap();
        let started = MeshManager::new(&ctx, node(identity.node_id())).await;
        match started {
            Ok(_) => assert!(is_right),
            Err(error) => {
                assert!(
                    !is_right && error.to_string().contains("expected 0 to 1000"),
                    "{error}"
                );
            }
        }
    }
}
