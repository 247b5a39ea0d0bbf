//! The mesh as a module in a process of its own.

use crate::{
    module::{Module, module_program, settings},
    on_chain::{count_at_depth, mine, our_script, settle},
    payer::{PAID, PRICE, Payer},
    program,
    wallet::{Wallet, broadcast},
};
use blvm_mesh::{
    IdentityKey,
    bitcoin::{Address, Network},
};
use blvm_mesh_module::{
    CONFIG_FILE, MODULE_NAME,
    regtest::{RPC_PASSWORD, RPC_USER, RealHome, RealNode, Settings},
};
use serde_json::json;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};
use tokio::net::TcpStream;

/// The node's own limit of address space for a module, in bytes.
const NODE_LIMIT: u64 = 512 * 1024 * 1024;

/// What the manifest says that a module needs, in KiB.
const PROMISED_KIB: u64 = 256 * 1024;

/// Settings of a module that is paid on the chain, two blocks deep.
fn paid_on_chain(home: &RealHome) -> String {
    let address = Address::from_script(&our_script(), Network::Regtest).unwrap();
    let price = PRICE.to_msat();
    settings(
        home,
        &format!(
            "price_per_packet_msat = {price}\nprice_per_kib_msat = 0\non_chain.addresses = [\"{address}\"]\non_chain.least_depth = 2\n"
        ),
    )
}

async fn node_in(home: &RealHome) -> RealNode {
    home.configure(Settings::default()).unwrap();
    RealNode::start(program(), home).await.unwrap()
}

#[tokio::test]
async fn a_module_by_hand_knows_the_chain_of_its_node_hears_it_and_finds_it_again_after_a_power_cut()
 {
    let root = tempfile::tempdir().unwrap();
    let home = RealHome::new(root.path(), "node").unwrap();
    let beside = RealHome::new(root.path(), "module").unwrap();
    fs::write(beside.mesh_dir().join(CONFIG_FILE), paid_on_chain(&beside)).unwrap();
    let module = Module::by_hand(&[], &home.modules_socket(), beside.mesh_dir());
    module.says("no events of the node are heard", 1).await;
    module.says("busy", 1).await;
    let rpc = module.rpc(&beside);
    let polled = rpc.call("meshpollreceived", json!([{}])).await.unwrap();
    assert_eq!(polled, json!({"packets": []}));

    let node = node_in(&home).await;
    let mut wallet = Wallet::mined_on(&node).await;
    let payer = Payer::of(&beside).await;
    let (transaction, proof) = settle(&mut wallet, &payer.quote(&beside));
    count_at_depth(&node, &payer, &transaction, &proof).await;
    module.says("covenants are refused", 1).await;
    module.says("other modules are told no events", 1).await;
    let _peer = TcpStream::connect(("127.0.0.1", home.p2p.port()))
        .await
        .unwrap();
    module.says("the node tells its events", 1).await;

    node.kill().await.unwrap();
    module
        .says("the node cannot be asked about the chain", 2)
        .await;
    let node = RealNode::start(program(), &home).await.unwrap();
    let (transaction, proof) = settle(&mut wallet, &payer.quote(&beside));
    broadcast(&node, &transaction).await.unwrap();
    mine(&node, 2).await;
    assert_eq!(payer.send(Some(&proof)).await, Ok(()));
    let money = module.status().await.unwrap().money;
    assert_eq!(money.watched, 2, "both payments are");

    let file = beside.mesh_dir().join(CONFIG_FILE);
    let opened = paid_on_chain(&beside) + "mode = \"open\"\n";
    fs::write(&file, opened.clone() + "mode = \"open\"\n").unwrap();
    module.hang_up();
    module.says("the configuration stays as it was", 1).await;
    fs::write(&file, opened).unwrap();
    module.hang_up();
    module.says("mesh.mode", 1).await;

    assert_eq!(node.stop().await.unwrap(), Some(0));
    assert!(module.stop().await.success());
}

/// Installs the module as docs/blvm-node.md says, with the key of `beside`.
fn install(home: &RealHome, beside: &RealHome, settings: &str) -> Module {
    let folder = home.config().with_file_name("modules").join(MODULE_NAME);
    fs::create_dir_all(&folder).unwrap();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("module.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let program = folder.join("blvm-mesh-module");
    fs::copy(module_program(), &program).unwrap();
    let summed = Command::new("sha256sum").arg(&program).output().unwrap();
    let summed = String::from_utf8(summed.stdout).unwrap();
    let hash = summed.split(' ').next().unwrap();
    let manifest = format!("{manifest}\n[binary]\nhash = \"{hash}\"\n");
    fs::write(folder.join("module.toml"), manifest).unwrap();

    let data_dir = home
        .config()
        .with_file_name("module-data")
        .join(MODULE_NAME);
    fs::create_dir_all(&data_dir).unwrap();
    fs::write(data_dir.join(CONFIG_FILE), settings).unwrap();
    fs::copy(
        beside.mesh_dir().join("identity.key"),
        data_dir.join("identity.key"),
    )
    .unwrap();
    Module::of_node(data_dir)
}

/// A table `[chain]` with the JSON-RPC of a node, whose password is in a file that others cannot read.
fn chain_of(home: &RealHome) -> String {
    let password = home.config().with_file_name("password");
    fs::write(&password, RPC_PASSWORD).unwrap();
    fs::set_permissions(&password, Permissions::from_mode(0o600)).unwrap();
    format!(
        "[chain]\naddress = \"{}\"\nuser = \"{RPC_USER}\"\npassword = {{ file = {password:?} }}\n",
        home.rpc
    )
}

#[tokio::test]
async fn a_module_that_its_node_starts_is_within_the_limits_asks_where_it_is_answered_and_ends_with_the_node()
 {
    let root = tempfile::tempdir().unwrap();
    let home = RealHome::new(root.path(), "node").unwrap();
    let beside = RealHome::new(root.path(), "module").unwrap();
    let settings = paid_on_chain(&beside) + &chain_of(&home);
    let module = install(&home, &beside, &settings);
    let node = node_in(&home).await;
    let answers = async || module.status().await.is_some();
    module.until("the start of the module", answers).await;
    let limit = module.of_process("limits", "Max address space");
    assert!(limit.contains(&NODE_LIMIT.to_string()), "{limit}");

    let mut wallet = Wallet::mined_on(&node).await;
    let payer = Payer::of(&beside).await;
    let (transaction, proof) = settle(&mut wallet, &payer.quote(&beside));
    broadcast(&node, &transaction).await.unwrap();
    mine(&node, 2).await;
    assert_eq!(payer.send(Some(&proof)).await, Ok(()));
    module
        .says("does not answer, as blvm-node 0.1.83 does", 1)
        .await;
    assert!(module.peak_kib() < PROMISED_KIB, "{}", module.peak_kib());

    assert_eq!(node.stop().await.unwrap(), Some(0));
    assert_eq!(module.pid(), None, "the node has ended it");
    let node = RealNode::start(program(), &home).await.unwrap();
    module.until("the start of the module", answers).await;
    let money = module.status().await.unwrap().money;
    assert_eq!(money.deposited_msat, PAID.to_msat(), "it is all there");
    node.kill().await.unwrap();
    let has_ended = async || module.pid().is_none();
    module.until("the end of the module", has_ended).await;
    module
        .says("the node that has started this module is gone", 1)
        .await;
}

#[tokio::test]
async fn a_module_serves_without_a_node_in_its_address_space_while_nobody_reads_its_streams() {
    let root = tempfile::tempdir().unwrap();
    let beside = RealHome::new(root.path(), "module").unwrap();
    // Each of them is dialled again and again, and each time is a line.
    let peers: Vec<_> = (1..=200)
        .map(|seed| {
            let key = IdentityKey::from_secret_bytes([seed; 32]).unwrap();
            format!("\"{}@127.0.0.1:9\"", key.node_id())
        })
        .collect();
    let peers = format!("peers = [{}]\n", peers.join(", "));
    fs::write(
        beside.mesh_dir().join(CONFIG_FILE),
        settings(&beside, &peers),
    )
    .unwrap();
    let limited = format!("ulimit -v {} && exec \"$@\"", NODE_LIMIT / 1024);
    let line = ["sh", "-c", &limited, "sh"];
    let nowhere = root.path().join("no.sock");
    let module = Module::by_hand(&line, &nowhere, beside.mesh_dir());
    let more_than_a_pipe_holds = async || module.log().len() > 65_536;
    module.until("a long log", more_than_a_pipe_holds).await;
    let status = module.status().await.unwrap();
    assert_eq!(status.dialling.len(), 200);
    assert!(module.peak_kib() < PROMISED_KIB, "{}", module.peak_kib());
    assert!(module.stop().await.success());
}

#[tokio::test]
async fn a_module_with_a_wrong_setting_ends_and_says_which_in_its_log() {
    let root = tempfile::tempdir().unwrap();
    let beside = RealHome::new(root.path(), "module").unwrap();
    fs::write(beside.mesh_dir().join(CONFIG_FILE), "priec = 1\n").unwrap();
    let nowhere = root.path().join("no.sock");
    let module = Module::by_hand(&[], &nowhere, beside.mesh_dir());
    module.says("unknown key \"priec\"", 1).await;
    let has_ended = async || module.pid().is_none();
    module.until("the end of the module", has_ended).await;
}
