//! The official vectors of BIP-119 and BIP-446, read from outside the repository where they are there.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops where something is not as it expects"
)]

use bitcoin::{Transaction, Witness, consensus::deserialize};
use mesh_payment::{ctv, op_template_hash};
use serde_json::Value;
use std::fs;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/");

/// The cases of one file, without the comments among them; `None` when the file is not there.
fn cases(name: &str) -> Option<Vec<Value>> {
    let Ok(text) = fs::read_to_string(format!("{FOLDER}{name}")) else {
        println!("skipped: {FOLDER}{name} is not there");
        return None;
    };
    let mut cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    cases.retain(Value::is_object);
    assert!(!cases.is_empty());
    Some(cases)
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn transaction(case: &Value, key: &str) -> Transaction {
    deserialize(&bytes(case[key].as_str().unwrap())).unwrap()
}

#[test]
fn every_template_hash_of_bip_119_is_the_official_one() {
    let mut pairs = 0;
    for case in cases("bip119/ctvhash.json").unwrap_or_default() {
        let tx = transaction(&case, "hex_tx");
        let template = ctv::Template::of(&tx);
        let indexes = case["spend_index"].as_array().unwrap().iter();
        for (index, hash) in indexes.zip(case["result"].as_array().unwrap()) {
            let index = u32::try_from(index.as_u64().unwrap()).unwrap();
            let expected = bytes(hash.as_str().unwrap());
            assert_eq!(ctv::template_hash(&tx, index).as_slice(), expected);
            assert_eq!(template.hash(index).as_slice(), expected);
            pairs += 1;
        }
    }
    println!("{pairs} pairs of transaction and index");
}

/// The script that the witness shows, and its annex.
fn shown(witness: &Witness) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut stack = witness.to_vec();
    let annex = stack.pop_if(|last| stack_has_annex(last));
    (stack[stack.len() - 2].clone(), annex)
}

fn stack_has_annex(last: &[u8]) -> bool {
    last.first() == Some(&0x50)
}

#[test]
fn every_spend_of_bip_446_is_judged_as_its_vector_says() {
    for case in cases("bip446/basics.json").unwrap_or_default() {
        let tx = transaction(&case, "spending_tx");
        let index = case["input_index"].as_u64().unwrap();
        let input = &tx.input[usize::try_from(index).unwrap()];
        let (script, annex) = shown(&input.witness);
        let index = u32::try_from(index).unwrap();
        let hash = op_template_hash::template_hash(&tx, index, annex.as_deref());
        // Push the hash, OP_TEMPLATEHASH, OP_EQUAL.
        let is_satisfied = script == [&[32], hash.as_slice(), &[0xce, 0x87]].concat();
        assert_eq!(Value::Bool(is_satisfied), case["valid"], "{case}");
    }
}
