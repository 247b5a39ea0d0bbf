//! Exit codes and messages of a command line that is wrong.

mod program;

use program::{Ran, run};
use std::fs;

const ID: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

/// Runs the program, which has to fail with `code` and say each of `parts`.
#[track_caller]
fn assert_fails(args: &[&str], code: i32, parts: &[&str]) {
    let Ran {
        code: found,
        out,
        err,
    } = run(args);
    assert_eq!((found, out.as_str()), (Some(code), ""), "{args:?}: {err}");
    for part in parts {
        assert!(err.contains(part), "{part:?} is not in:\n{err}");
    }
}

#[test]
fn a_wrong_command_line_is_2_and_says_how_it_should_be() {
    assert_fails(&[], 2, &["Usage: blvm-mesh <COMMAND>"]);
    assert_fails(&["dance"], 2, &["unrecognized subcommand 'dance'"]);
    assert_fails(
        &["send", ID],
        2,
        &["--data <TEXT>", "--hex <HEX>", "--file <PATH>"],
    );
    assert_fails(
        &["send", ID, "--data", "x", "--hex", "00"],
        2,
        &["cannot be used with"],
    );
    assert_fails(
        &["send", "abc", "--data", "x"],
        2,
        &["64 characters of lower-case hex"],
    );
    assert_fails(&["send", ID, "--hex", "0"], 2, &["--hex", "odd number"]);
    assert_fails(
        &["send", ID, "--file", "/no/such/file"],
        2,
        &["/no/such/file"],
    );
    assert_fails(
        &["send", ID, "--data", "x", "--timeout", "0"],
        2,
        &["1..=3600"],
    );
    assert_fails(&["receive", "--max", "65"], 2, &["1..=64"]);
    assert_fails(&["quote", ID], 2, &["--amount <SATS>"]);
    assert_fails(&["quote", ID, "--amount", "0"], 2, &["1.."]);
    assert_fails(
        &["status", "--config", "a", "--control", "b"],
        2,
        &["cannot be used with"],
    );
}

#[test]
fn a_wrong_configuration_is_2_and_names_the_file_and_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mesh.toml");
    let config = path.to_str().unwrap();
    for command in ["run", "status", "receive", "ledger"] {
        assert_fails(
            &[command, "--config", config],
            2,
            &["mesh.toml", "--config PATH"],
        );
    }
    fs::write(&path, "[mesh]\nmod = \"open\"\n").unwrap();
    assert_fails(
        &["run", "--config", config],
        2,
        &["mesh.toml", "unknown field `mod`", "`mode`"],
    );
    fs::write(&path, "[mesh]\nquote_lifetime_secs = 0\n").unwrap();
    assert_fails(
        &["run", "--config", config, "--check"],
        2,
        &["quote_lifetime_secs = 0", "expected"],
    );
    fs::write(&path, "[mesh]\nenabled = false\n").unwrap();
    assert_fails(&["run", "--config", config], 2, &["enabled = false"]);
    let module = "[mesh]\n[lightning]\nbackend = \"blvm-lightning\"\n";
    fs::write(&path, module).unwrap();
    for args in [
        &["run", "--config", config][..],
        &["run", "--config", config, "--check"],
    ] {
        assert_fails(args, 2, &["blvm-lightning", "blvm-mesh-full-node"]);
    }
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing was made"
    );
}

#[test]
fn a_payload_that_no_packet_carries_is_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big");
    fs::write(&path, vec![0; 60_000]).unwrap();
    let file = path.to_str().unwrap();
    assert_fails(&["send", ID, "--file", file], 2, &["at most 56320 bytes"]);
}

#[test]
fn no_running_node_is_1_and_says_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("no.sock");
    let control = socket.to_str().unwrap();
    assert_fails(
        &["status", "--control", control],
        1,
        &["no node is running", "blvm-mesh run"],
    );
    assert_fails(
        &["send", ID, "--data", "x", "--control", control],
        1,
        &["no node is running"],
    );
}

#[test]
fn addresses_are_checked_where_there_is_a_chain_and_refused_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mesh.toml");
    let config = path.to_str().unwrap();
    let check = ["run", "--config", config, "--check"];
    let mesh = |address: &str| {
        format!("[mesh]\nnetwork = \"regtest\"\n[mesh.on_chain]\naddresses = [\"{address}\"]\n")
    };
    let ours = mesh("bcrt1qqszqgpqyqszqgpqyqszqgpqyqszqgpqyuza2rq");
    let chain = "[chain]\naddress = \"127.0.0.1:1\"\ncookie = \".cookie\"\n";
    fs::write(&path, &ours).unwrap();
    assert_fails(&check, 2, &["this node has no chain to ask"]);
    fs::write(&path, format!("{ours}{chain}")).unwrap();
    let Ran { code, out, err } = run(&check);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("address = \"127.0.0.1:1\""), "{out}");
    fs::write(&path, format!("{}{chain}", mesh("bcrt1qwrong"))).unwrap();
    assert_fails(&check, 2, &["bcrt1qwrong"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn check_prints_what_is_in_force_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mesh.toml");
    fs::write(&path, "[mesh]\nprice_per_packet_msat = 77\n").unwrap();
    let Ran { code, out, err } = run(&["run", "--config", path.to_str().unwrap(), "--check"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    for part in [
        "is valid",
        "price_per_packet_msat = 77",
        "mode = \"payment_gated\"",
        "[mesh.free_lane]",
        "control/node.sock",
        "store.redb\"",
    ] {
        assert!(out.contains(part), "{part:?} is not in:\n{out}");
    }
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing was made"
    );
}

#[test]
fn help_has_an_example_on_every_command() {
    for command in [
        "demo",
        "run",
        "send",
        "receive",
        "status",
        "ledger",
        "ledger verify",
        "ledger export",
        "ledger import",
    ] {
        let words: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let Ran { code, out, .. } = run(&words);
        assert_eq!(code, Some(0));
        assert!(out.contains("Example"), "{out}");
        assert!(out.contains(&format!("  blvm-mesh {command}")), "{out}");
    }
    let Ran { code, out, .. } = run(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("Exit codes"), "{out}");
}

#[test]
fn a_lightning_back_end_that_cannot_be_used_is_said_at_the_start_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("mesh.toml");
    let lnd = "backend = \"lnd\"\naddress = \"127.0.0.1:1\"\ntls_cert = \"tls.cert\"";
    for (lightning, parts) in [
        (
            format!("{lnd}\nmacaroon = {{ env = \"BLVM_MESH_NO_SUCH_VARIABLE\" }}"),
            ["[lightning]", "BLVM_MESH_NO_SUCH_VARIABLE"],
        ),
        (
            format!("{lnd}\nmacaroon = {{ file = \"mesh.macaroon\" }}"),
            ["[lightning]", "mesh.macaroon cannot be read"],
        ),
        (
            "backend = \"lnbits\"\nurl = \"http://lnbits.example\"\nkey = { env = \"PATH\" }"
                .to_owned(),
            ["[lightning]", "use https"],
        ),
    ] {
        let mesh = "[mesh]\nnetwork = \"regtest\"\nlisten_addr = \"127.0.0.1:0\"";
        fs::write(&config, format!("{mesh}\n[lightning]\n{lightning}")).unwrap();
        assert_fails(&["run", "--config", config.to_str().unwrap()], 1, &parts);
    }
}
