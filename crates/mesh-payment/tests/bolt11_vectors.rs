//! The examples of BOLT 11 itself, read from outside the repository where they are there.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops where something is not as it expects"
)]

use lightning_invoice::Bolt11Invoice;
use mesh_payment::Invoice;
use mesh_types::from_hex;
use secp256k1::{PublicKey, Secp256k1, SecretKey};
use serde_json::Value;
use std::fs;

const VECTORS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/vectors/bolt11.json"
);
/// The key that the specification signs its examples with.
const KEY: &str = "e126f68f7eafcc8b74f54d269fe206be715000f94dac067d1c04a8ca3b2db734";
/// Title and text of each example of one kind; `None` when the file is not there.
fn examples(kind: &str) -> Option<Vec<(String, String)>> {
    let Ok(text) = fs::read_to_string(VECTORS) else {
        println!("skipped: {VECTORS} is not there");
        return None;
    };
    let json: Value = serde_json::from_str(&text).unwrap();
    let word = |example: &Value, key: &str| example[key].as_str().unwrap().to_owned();
    let examples = json[kind].as_array().unwrap().iter();
    let examples: Vec<_> = examples
        .map(|example| (word(example, "title"), word(example, "invoice")))
        .collect();
    assert!(!examples.is_empty());
    Some(examples)
}

fn spec_key() -> PublicKey {
    let secret = SecretKey::from_slice(&from_hex::<32>(KEY).unwrap()).unwrap();
    PublicKey::from_secret_key(&Secp256k1::new(), &secret)
}

#[test]
fn every_valid_example_is_accepted_as_signed_by_the_specifications_key() {
    for (title, text) in examples("valid").unwrap_or_default() {
        let invoice = Invoice::parse(&text).unwrap_or_else(|error| panic!("{title}: {error}"));
        assert!(invoice.is_signed_by(&spec_key()), "{title}");
        let by_library: Bolt11Invoice = text.parse().unwrap();
        let payee = by_library.get_payee_pub_key();
        assert_eq!(invoice.payee(), Ok(payee), "{title}");
    }
}

#[test]
fn every_invalid_example_is_refused() {
    for (title, text) in examples("invalid").unwrap_or_default() {
        assert!(Invoice::parse(&text).is_err(), "{title}");
    }
}
