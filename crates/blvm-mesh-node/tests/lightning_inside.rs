//! A node with LDK inside: the demo on three of them, and the operator's commands.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod program;

use mesh_regtest::{Chain, RpcServer};
use program::{Ran, Running, free_port, run};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

#[test]
fn the_demo_tells_its_story_on_three_lightning_nodes_and_ends_well() {
    let Ran { code, out, err } = run(&["demo", "--lightning"]);
    assert_eq!(code, Some(0), "{err}\n{out}");
    assert_eq!(err, "");
    for part in [
        "regtest money is worth nothing",
        "source -> relay, 500,000 sats",
        "all channels can be used",
        "payment required: the price is 3,000 msat, 3,000 msat are missing",
        "signed by the relay's Lightning node",
        "no routing fee: the payee is at the other end of the channel",
        "a routing fee of 1,000 msat on top, for the relay",
        "\"Hello from the far side of the mesh.\"",
        "refused as replayed: the payment was claimed before",
        "398,778 ->   398,762",
    ] {
        assert!(out.contains(part), "{part:?} is not in:\n{out}");
    }
}

/// Writes the configuration of a node with LDK inside.
fn configure(folder: &Path, rpc: &RpcServer) -> PathBuf {
    let password = folder.join("password");
    fs::write(&password, &rpc.access().password).unwrap();
    fs::set_permissions(&password, Permissions::from_mode(0o600)).unwrap();
    let (address, user) = (rpc.access().address, &rpc.access().user);
    let config = folder.join("mesh.toml");
    let text = format!(
        "[mesh]\nnetwork = \"regtest\"\nlisten_addr = \"127.0.0.1:0\"\n\n\
         [lightning]\nbackend = \"ldk\"\nfolder = \"ldk\"\n\
         listening_addresses = [\"127.0.0.1:{}\"]\nalias = \"mesh\"\n\
         chain = {{ bitcoind = {{ address = \"{address}\", user = \"{user}\", password = {{ file = \"password\" }} }} }}\n",
        free_port()
    );
    fs::write(&config, text).unwrap();
    config
}

#[test]
fn an_operator_sees_the_wallet_and_gets_an_address_and_clear_words() {
    let chain = Chain::new().unwrap();
    let rpc = RpcServer::start(chain).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = configure(folder.path(), &rpc);
    let config = config.to_str().unwrap();
    let node = Running::start(&["run", "--config", config]);
    let ask = |args: &[&str]| run(&[&["lightning"], args, &["--config", config]].concat());

    let Ran { code, out, err } = ask(&["status"]);
    assert_eq!(code, Some(0), "{err}");
    for part in [
        "known up to block 101",
        "can be paid  nothing",
        "channels     0",
    ] {
        assert!(out.contains(part), "{part:?} is not in:\n{out}");
    }
    let status = ask(&["status", "--json"]).out;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let node_id = status["status"]["node_id"].as_str().unwrap().to_owned();
    assert_eq!(node_id.len(), 66);
    assert!(ask(&["address"]).out.starts_with("bcrt1"));
    let peer = format!("{node_id}@127.0.0.1:1");
    let Ran { code, err, .. } = ask(&["open", &peer, "--amount", "100000"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("the Lightning back end refused"), "{err}");
    let Ran { code, err, .. } = ask(&["close", "0011223344556677"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("there is no such channel"), "{err}");
    assert_eq!(ask(&["open", "nobody", "--amount", "1"]).code, Some(2));

    let seed = folder.path().join("ldk/seed");
    let mode = fs::metadata(&seed).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(node.stop(), Some(0));

    // It is the same node when it is started again, and refuses when its seed is gone.
    let node = Running::start(&["run", "--config", config]);
    let again = ask(&["status", "--json"]).out;
    assert!(again.contains(&node_id), "{again}");
    node.kill();
    fs::rename(&seed, folder.path().join("elsewhere")).unwrap();
    let Ran { code, err, .. } = run(&["run", "--config", config]);
    assert_eq!(code, Some(1));
    assert!(err.contains("is missing"), "{err}");
}
