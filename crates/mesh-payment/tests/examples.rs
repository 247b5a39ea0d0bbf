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
use std::{
    env, fs,
    path::Path,
    process,
    sync::atomic::{AtomicUsize, Ordering},
};

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
    fs::remove_dir_all(Path::new(path).parent().unwrap()).unwrap();
    assert!(
        again
            .text
            .contains("level     confirmed\nverdict   good: 5000000 msat for")
    );
}

/// Verifies the sample with some fields changed.
fn changed(fields: &[(&str, Value)]) -> Result<Report, String> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let mut file = ctv_proof::sample().unwrap();
    for (key, value) in fields {
        file[*key] = value.clone();
    }
    let name = format!(
        "ctv_proof-{}-{}",
        process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let path = env::temp_dir().join(name);
    fs::write(&path, file.to_string()).unwrap();
    let report = ctv_proof::run(&[path.to_str().unwrap().to_owned()]);
    fs::remove_file(path).unwrap();
    report.map_err(|error| error.to_string())
}

#[test]
fn the_covenant_example_says_level_and_reason() {
    let refused = |key: &str, value| {
        let report = changed(&[(key, value)]).unwrap();
        assert!(!report.is_good, "{}", report.text);
        let (found, reason) = report.text.split_once("verdict   refused: ").unwrap();
        let level = found
            .lines()
            .find_map(|line| line.strip_prefix("level     "));
        (level.unwrap_or("none").to_owned(), reason.to_owned())
    };
    for (key, value, level, reason) in [
        (
            "coin",
            json!("missing"),
            "not funded",
            "the covenant does not count: it is not funded (show it again later)\n",
        ),
        (
            "coin",
            json!("spent"),
            "spent",
            "the covenant does not count: it is spent\n",
        ),
        (
            "least_depth",
            json!(3),
            "funded, 2 blocks deep",
            "the covenant does not count: it is funded, 2 blocks deep (show it again later)\n",
        ),
        (
            "ctv_enforced",
            json!(false),
            "none",
            "regtest does not enforce OP_CHECKTEMPLATEVERIFY: anybody can spend such an output there\n",
        ),
        (
            "output_index",
            json!(1),
            "none",
            "it pays no script of this node\n",
        ),
        (
            "quote_key_seed",
            json!("00".repeat(32)),
            "none",
            "the quote was not made by this node\n",
        ),
    ] {
        assert_eq!(refused(key, value), (level.to_owned(), reason.to_owned()));
    }
}

#[test]
fn the_covenant_example_takes_a_coin_that_its_own_template_has_spent() {
    let with_depth = |depth| changed(&[("coin", json!("spent")), ("spend_depth", json!(depth))]);
    assert!(with_depth(2).unwrap().is_good);
    let shallow = with_depth(1).unwrap();
    assert!(
        shallow
            .text
            .contains("level     spent\nasks      whether there is ")
    );
    assert!(!shallow.is_good && shallow.text.ends_with("(show it again later)\n"));
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
        assert_eq!(changed(&[(key, value)]).err().as_deref(), Some(expected));
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
