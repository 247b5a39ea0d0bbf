//! The examples are compiled here, run, and print what they say they print.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

#[path = "../examples/ctv_proof.rs"]
#[allow(dead_code, reason = "its main reads the arguments of a program")]
mod ctv_proof;
#[path = "../examples/lightning_handler.rs"]
mod lightning_handler;

use ctv_proof::Report;
use serde_json::{Value, json};
use std::fs;

#[test]
fn the_lightning_handler_answers_as_it_says() {
    lightning_handler::main().unwrap();
}

#[test]
fn the_covenant_example_verifies_the_file_that_it_writes() {
    let first = ctv_proof::run(&[]).unwrap();
    assert!(first.is_good, "{}", first.text);
    let path = first.text.strip_prefix("wrote ").unwrap();
    let (path, rest) = path.split_once(": ").unwrap();
    let again = ctv_proof::run(&[path.to_owned()]).unwrap();
    assert!(rest.ends_with(&again.text) && again.is_good);
    assert!(
        again
            .text
            .contains("level     confirmed\nverdict   good: 5000000 msat for")
    );
}

/// Verifies the sample with one field changed.
fn changed(key: &str, value: Value) -> Result<Report, String> {
    let mut file = ctv_proof::sample().unwrap();
    file[key] = value;
    let folder = std::env::temp_dir().join(format!("ctv_proof-{}-{key}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("changed.json");
    fs::write(&path, file.to_string()).unwrap();
    let report = ctv_proof::run(&[path.to_str().unwrap().to_owned()]);
    fs::remove_dir_all(folder).unwrap();
    report.map_err(|error| error.to_string())
}

#[test]
fn the_covenant_example_says_level_and_reason() {
    for (key, value, expected) in [
        (
            "coin",
            json!("missing"),
            "level     not funded\nverdict   refused: the covenant does not count: it is not funded (show it again later)\n",
        ),
        (
            "coin",
            json!("spent"),
            "level     spent\nverdict   refused: the covenant does not count: it is spent\n",
        ),
        (
            "least_depth",
            json!(3),
            "level     funded, 2 blocks deep\nverdict   refused: the covenant does not count: it is funded, 2 blocks deep (show it again later)\n",
        ),
        (
            "ctv_enforced",
            json!(false),
            "verdict   refused: regtest does not enforce OP_CHECKTEMPLATEVERIFY: anybody can spend such an output there\n",
        ),
        (
            "output_index",
            json!(1),
            "verdict   refused: it pays no script of this node\n",
        ),
        (
            "quote_key_seed",
            json!("00".repeat(32)),
            "verdict   refused: the quote was not made by this node\n",
        ),
    ] {
        let report = changed(key, value).unwrap();
        assert!(
            !report.is_good && report.text.ends_with(expected),
            "{}",
            report.text
        );
    }
}

#[test]
fn the_covenant_example_names_what_is_wrong_with_a_file() {
    for (key, value, expected) in [
        ("coins", json!(1), "unknown field \"coins\""),
        ("now", json!("soon"), "expected a whole number in \"now\""),
        (
            "our_script",
            json!("0g"),
            "expected bytes in hex in \"our_script\"",
        ),
        (
            "least_level",
            json!("hoped"),
            "least_level \"hoped\": expected confirmed or funded",
        ),
    ] {
        assert_eq!(changed(key, value).err().as_deref(), Some(expected));
    }
}

#[test]
fn the_covenant_example_helps() {
    let help = ctv_proof::run(&["--help".to_owned()]).unwrap();
    assert!(
        help.text
            .contains("Example: cargo run -p mesh-payment --example ctv_proof -- proof.json")
    );
    for wrong in [&["--fast"][..], &["a.json", "b.json"]] {
        let wrong: Vec<String> = wrong.iter().map(|it| (*it).to_owned()).collect();
        assert!(ctv_proof::run(&wrong).is_err());
    }
}
