//! What a configuration file may say, and what is said about one that is wrong.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

use blvm_mesh::{MeshMode, Network};
use blvm_mesh_node::NodeConfig;
use blvm_mesh_node::config::{
    ConfigFileError, LightningSection, MAX_CONFIG_BYTES, MAX_SOCKET_PATH,
};
use std::{fs, path::Path};

const ID: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

fn parse(text: &str) -> NodeConfig {
    NodeConfig::parse(text, Path::new("/srv/mesh")).unwrap()
}

/// What is said about a wrong configuration; it has to contain each of `parts`.
#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    let said = NodeConfig::parse(text, Path::new("/srv/mesh"))
        .unwrap_err()
        .to_string();
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
}

#[test]
fn an_empty_mesh_table_is_enough() {
    let config = parse("[mesh]");
    assert_eq!(config.mesh.mode, MeshMode::PaymentGated);
    assert_eq!(config.lightning, LightningSection::None);
    assert_eq!(config.node.data_dir, Path::new("/srv/mesh"));
    assert_eq!(
        config.node.control_socket,
        Path::new("/srv/mesh/control/node.sock")
    );
    assert_eq!(config.node.store.to_string(), "redb:/srv/mesh/store.redb");
    assert_eq!(config.identity_path(), Path::new("/srv/mesh/identity.key"));
}

#[test]
fn every_setting_is_read() {
    let text = format!(
        r#"
        [mesh]
        enabled = true
        mode = "open"
        listen_addr = "127.0.0.1:9000"
        network = "regtest"
        identity_path = "keys/id"
        price_per_packet_msat = 7
        price_per_kib_msat = 8
        quote_lifetime_secs = 60
        peers = ["{ID}@relay.example:8334"]
        [mesh.free_lane]
        bytes_per_second_per_source = 1
        burst_bytes_per_source = 2
        bytes_per_second_total = 3
        [[mesh.known_nodes]]
        node_id = "{ID}"
        price_per_packet_msat = 9
        linked_with = []
        [node]
        data_dir = "state"
        control_socket = "/run/mesh/c.sock"
        store = "redb:money/a.redb"
        [lightning]
        backend = "sandbox"
        path = "../sandbox"
        "#
    );
    let config = parse(&text);
    assert_eq!(config.mesh.mode, MeshMode::Open);
    assert_eq!(config.mesh.network, Network::Regtest);
    assert_eq!(config.mesh.peers[0].address, "relay.example:8334");
    assert_eq!(config.mesh.known_nodes[0].price_per_packet_msat, 9);
    assert_eq!(config.mesh.free_lane.bytes_per_second_total, 3);
    assert_eq!(config.identity_path(), Path::new("/srv/mesh/state/keys/id"));
    assert_eq!(config.node.control_socket, Path::new("/run/mesh/c.sock"));
    assert_eq!(
        config.node.store.to_string(),
        "redb:/srv/mesh/state/money/a.redb"
    );
    let path = "/srv/mesh/../sandbox".into();
    assert_eq!(config.lightning, LightningSection::Sandbox { path });
}

#[test]
fn what_is_in_force_is_printed_and_read_back_the_same() {
    let config = parse(&format!(
        "[mesh]\nnetwork = \"regtest\"\npeers = [\"{ID}@h:1\"]\n\
         [[mesh.known_nodes]]\nnode_id = \"{ID}\"\nlinked_with = [\"{ID}\"]\n\
         [lightning]\nbackend = \"sandbox\"\npath = \"s\""
    ));
    let printed = config.to_toml().unwrap();
    assert!(printed.contains("quote_lifetime_secs = 600"), "{printed}");
    assert_eq!(parse(&printed), config);
}

#[test]
fn a_missing_mesh_table_is_an_error_and_not_a_default() {
    assert_says("", &["there is no [mesh] table"]);
    assert_says("[node]", &["there is no [mesh] table"]);
}

#[test]
fn an_unknown_key_is_named_beside_the_known_ones() {
    assert_says(
        "[mesh]\nmod = \"open\"",
        &["unknown field `mod`", "`mode`", "`listen_addr`", "line 2"],
    );
    assert_says(
        "[msh]",
        &["unknown field `msh`", "`mesh`", "`node`", "`lightning`"],
    );
    assert_says("mode = \"open\"\n[mesh]", &["unknown field `mode`"]);
    assert_says(
        "[mesh]\n[mesh.free_lane]\nburst = 1",
        &["unknown field `burst`", "`burst_bytes_per_source`"],
    );
    assert_says(
        "[mesh]\n[[mesh.known_nodes]]\nid = 1",
        &["unknown field `id`", "`node_id`", "`linked_with`"],
    );
    assert_says(
        "[mesh]\n[node]\ndir = \"x\"",
        &[
            "unknown field `dir`",
            "`data_dir`",
            "`control_socket`",
            "`store`",
        ],
    );
    assert_says(
        "[mesh]\n[lightning]\nkind = \"x\"",
        &["unknown field `kind`", "`backend`"],
    );
}

#[test]
fn a_key_that_stands_twice_is_an_error() {
    assert_says(
        "[mesh]\nmode = \"open\"\nmode = \"open\"",
        &["duplicate key"],
    );
}

#[test]
fn an_unknown_mode_lists_the_three() {
    let three = [
        "unknown mode \"paid\"",
        "bitcoin_only",
        "payment_gated",
        "open",
    ];
    assert_says("[mesh]\nmode = \"paid\"", &three);
    assert_says("[mesh]\nmode = \"Open\"", &["unknown mode \"Open\""]);
}

#[test]
fn an_unknown_network_or_back_end_lists_the_known_ones() {
    assert_says(
        "[mesh]\nnetwork = \"mainnet\"",
        &["`mainnet`", "`bitcoin`", "`regtest`"],
    );
    assert_says(
        "[mesh]\n[lightning]\nbackend = \"eclair\"",
        &[
            "`eclair`",
            "`none`",
            "`sandbox`",
            "`cln`",
            "`lnd`",
            "`lnbits`",
            "`ldk`",
        ],
    );
}

#[test]
fn a_peer_that_is_no_address_says_what_one_looks_like() {
    let shape = ["expected <node id>@<host>:<port>"];
    for peer in [
        "",
        "abc",
        "h:1",
        &format!("{ID}@h"),
        &format!("{ID}@:1"),
        &format!("{ID}@h:99999"),
    ] {
        assert_says(&format!("[mesh]\npeers = [\"{peer}\"]"), &shape);
    }
    let upper = ID.to_uppercase();
    assert_says(
        &format!("[mesh]\npeers = [\"{upper}@h:1\"]"),
        &["not a node id", "0-9a-f"],
    );
    assert_says(
        "[mesh]\npeers = [\"abcd@h:1\"]",
        &["expected 64 hex characters, found 4"],
    );
}

#[test]
fn a_peer_that_stands_twice_is_named() {
    assert_says(
        &format!("[mesh]\npeers = [\"{ID}@h:1\", \"{ID}@i:2\"]"),
        &[ID, "stands twice"],
    );
}

#[test]
fn more_peers_than_can_be_dialled_are_an_error() {
    let peers: Vec<_> = (0..1_025).map(|n| format!("\"{n:064x}@h:1\"")).collect();
    assert_says(
        &format!("[mesh]\npeers = [{}]", peers.join(",")),
        &["1025 nodes", "at most 1024"],
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_told_with_its_line() {
    assert_says(
        "[mesh]\n\nprice_per_packet_msat = -1",
        &["line 3", "price_per_packet_msat"],
    );
    assert_says(
        "[mesh]\nlisten_addr = \"8334\"",
        &["line 2", "socket address"],
    );
    assert_says("[mesh", &["line 1"]);
}

#[test]
fn the_sandbox_is_refused_anywhere_but_on_regtest() {
    for network in ["bitcoin", "testnet", "testnet4", "signet"] {
        let text = format!(
            "[mesh]\nnetwork = \"{network}\"\n[lightning]\nbackend = \"sandbox\"\npath = \"s\""
        );
        assert_says(&text, &["works on regtest alone", network]);
    }
}

#[test]
fn the_sandbox_needs_its_folder_and_nothing_else_takes_one() {
    let sandbox = "[mesh]\nnetwork = \"regtest\"\n[lightning]\nbackend = \"sandbox\"";
    assert_says(sandbox, &["needs path"]);
    assert_says("[mesh]\n[lightning]\npath = \"s\"", &["leave it out"]);
}

#[test]
fn a_store_that_there_is_not_says_what_there_is() {
    for store in [
        "",
        "sqlite:a",
        "store.redb",
        "postgre://mesh:s3cret@db/mesh",
    ] {
        let text = format!("[mesh]\n[node]\nstore = \"{store}\"");
        assert_says(
            &text,
            &["[node] store", "redb:PATH", "postgres://USER@HOST"],
        );
        let said = NodeConfig::parse(&text, Path::new("/")).unwrap_err();
        assert!(!format!("{said}{said:?}").contains("s3cret"));
    }
    assert_says("[mesh]\n[node]\nstore = \"redb:\"", &["the path of a file"]);
}

#[cfg(feature = "postgres")]
#[test]
fn the_password_of_a_store_is_not_printed() {
    let url = "postgres://mesh:s3cret@db.example/mesh?sslmode=require";
    let config = parse(&format!("[mesh]\n[node]\nstore = \"{url}\""));
    let printed = config.to_toml().unwrap();
    assert!(printed.contains("store = \"postgres://mesh@db.example/mesh?sslmode=require\""));
    assert!(!format!("{printed}{config:?}").contains("s3cret"));
    assert_eq!(
        config.node.store,
        mesh_store::StoreLocation::Postgres(url.to_owned())
    );
}

#[cfg(not(feature = "postgres"))]
#[test]
fn a_store_that_this_program_was_built_without_is_told() {
    assert_says(
        "[mesh]\n[node]\nstore = \"postgres://mesh@db/mesh\"",
        &["built without PostgreSQL", "--features postgres"],
    );
}

#[test]
fn a_socket_path_that_does_not_fit_is_told_before_the_start() {
    let longest = "/".to_owned() + &"x".repeat(MAX_SOCKET_PATH - 1);
    parse(&format!("[mesh]\n[node]\ncontrol_socket = \"{longest}\""));
    let text = format!("[mesh]\n[node]\ncontrol_socket = \"{longest}x\"");
    assert_says(
        &text,
        &["104 bytes", "set [node] control_socket to a shorter one"],
    );
}

#[test]
fn paths_begin_at_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mesh.toml");
    fs::write(&path, "[mesh]\n[node]\ndata_dir = \"state\"").unwrap();
    let config = NodeConfig::load(&path).unwrap();
    assert_eq!(config.node.data_dir, folder.path().join("state"));
}

#[test]
fn a_file_that_is_not_there_or_too_long_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = NodeConfig::load(&folder.path().join("no.toml")).unwrap_err();
    assert!(missing.to_string().contains("no.toml"), "{missing}");
    assert!(missing.to_string().contains("--config PATH"), "{missing}");
    let long = folder.path().join("long.toml");
    fs::write(
        &long,
        "#".repeat(usize::try_from(MAX_CONFIG_BYTES).unwrap() + 1),
    )
    .unwrap();
    let error = NodeConfig::load(&long).unwrap_err();
    assert!(matches!(error, ConfigFileError::TooLong { .. }), "{error}");
}

#[test]
fn every_lightning_back_end_is_read_and_its_paths_begin_at_the_folder() {
    let lightning = |text: &str| parse(&format!("[mesh]\n[lightning]\n{text}"));
    for (text, expected) in [
        (
            "backend = \"cln\"\nsocket = \"lightning-rpc\"",
            "socket = \"/srv/mesh/lightning-rpc\"",
        ),
        (
            "backend = \"lnd\"\naddress = \"127.0.0.1:8080\"\ntls_cert = \"tls.cert\"\n\
             macaroon = { file = \"mesh.macaroon\" }",
            "file = \"/srv/mesh/mesh.macaroon\"",
        ),
        (
            "backend = \"lnbits\"\nurl = \"https://lnbits.example\"\nkey = { env = \"KEY\" }",
            "env = \"KEY\"",
        ),
        (
            "backend = \"ldk\"\nfolder = \"ldk\"\nlistening_addresses = [\"0.0.0.0:9735\"]\nalias = \"a\"\n\
             chain = { bitcoind = { address = \"127.0.0.1:8332\", cookie = \".cookie\" } }",
            "cookie = \"/srv/mesh/.cookie\"",
        ),
        (
            "backend = \"ldk\"\nfolder = \"ldk\"\nseed = \"keys/seed\"\n\
             chain = { esplora = \"https://esplora.example/api\" }",
            "seed = \"/srv/mesh/keys/seed\"",
        ),
        (
            "backend = \"blvm-lightning\"",
            "backend = \"blvm-lightning\"",
        ),
    ] {
        let config = lightning(text);
        let printed = config.to_toml().unwrap();
        assert!(printed.contains(expected), "{printed}");
        assert_eq!(parse(&printed), config);
    }
    assert_says(
        "[mesh]\n[lightning]\nbackend = \"cln\"",
        &["[lightning]", "`socket`", "docs/lightning.md"],
    );
    assert_says(
        "[mesh]\n[lightning]\nbackend = \"cln\"\nsocket = \"s\"\nkey = 1",
        &["unknown field `key`"],
    );
    assert_says(
        "[mesh]\n[lightning]\nbackend = \"ldk\"\nfolder = \"ldk\"",
        &["[lightning]", "`chain`"],
    );
    assert_says(
        "[mesh]\n[lightning]\nbackend = \"ldk\"\nfolder = \"f\"\nchain = { electrum = \"a\" }",
        &["`electrum`", "`bitcoind`", "`esplora`"],
    );
}

#[test]
fn the_bitcoin_node_is_read_and_printed_without_secrets() {
    let none = parse("[mesh]");
    assert_eq!(none.chain, None);
    let text = "[mesh]\n[chain]\naddress = \"127.0.0.1:18443\"\ncookie = \"regtest/.cookie\"";
    let config = parse(text);
    let chain = config.chain.clone().unwrap();
    assert_eq!(
        chain.cookie.unwrap(),
        Path::new("/srv/mesh/regtest/.cookie")
    );
    assert_eq!(parse(&config.to_toml().unwrap()), config);
    assert_says(
        "[mesh]\n[chain]\nrpc_url = \"x\"",
        &[
            "[chain]",
            "unknown field `rpc_url`",
            "`address`",
            "`cookie`",
        ],
    );
    assert_says(
        "[mesh]\n[chain]\nuser = \"mesh\"",
        &["[chain]", "`address`"],
    );
    let open = "[mesh]\n[chain]\naddress = \"a:1\"\nuser = \"mesh\"\npassword = \"hunter2\"";
    assert_says(open, &["[chain] password belongs into a file"]);
    let said = NodeConfig::parse(open, Path::new("/")).unwrap_err();
    assert!(!said.to_string().contains("hunter2"), "{said}");
    let key =
        "[mesh]\n[lightning]\nbackend = \"lnbits\"\nurl = \"https://a.example\"\nkey = \"hunter2\"";
    assert_says(key, &["[lightning] a secret belongs into a file"]);
    let said = NodeConfig::parse(key, Path::new("/")).unwrap_err();
    assert!(!said.to_string().contains("hunter2"), "{said}");
}
