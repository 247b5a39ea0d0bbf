//! The section `[chain]` of a configuration.

use mesh_chain::{ChainConfig, SecretFrom};
use std::path::Path;

#[test]
fn a_cookie_or_a_user_reads_and_begins_at_the_folder() {
    let config: ChainConfig =
        toml::from_str("address = \"127.0.0.1:8332\"\ncookie = \"bitcoin/.cookie\"").unwrap();
    let config = config.rooted(Path::new("/etc/mesh"));
    assert_eq!(
        config.cookie.unwrap(),
        Path::new("/etc/mesh/bitcoin/.cookie")
    );
    let text = "address = \"a:1\"\nuser = \"mesh\"\npassword = { file = \"rpc.password\" }";
    let config: ChainConfig = toml::from_str(text).unwrap();
    let password = SecretFrom::File("/etc/mesh/rpc.password".into());
    assert_eq!(
        config.rooted(Path::new("/etc/mesh")).password,
        Some(password)
    );
}

#[test]
fn unknown_keys_and_secrets_in_the_open_are_refused() {
    for text in [
        "",
        "address = \"a:1\"\nrpcpassword = \"hunter2\"",
        "address = \"a:1\"\nuser = \"mesh\"\npassword = \"hunter2\"",
        "address = 8332",
    ] {
        assert!(toml::from_str::<ChainConfig>(text).is_err(), "{text}");
    }
}
