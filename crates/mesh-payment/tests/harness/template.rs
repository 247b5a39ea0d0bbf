//! Any transaction: the template hashes of BIP-119 and BIP-446 are those of an encoder written by hand.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]
#![allow(dead_code, reason = "each test file uses its own part of it")]

use bitcoin::{Transaction, consensus::deserialize};
use mesh_payment::{ctv, op_template_hash};
use sha2::{Digest, Sha256};

/// Hashes `data` as a transaction, for an input and with an annex that stand before it.
pub(crate) fn run(data: &[u8]) {
    let Some((index, annex, transaction)) = read(data) else {
        return;
    };
    let template = ctv::Template::of(&transaction);
    for index in [0, 1, index, u32::MAX] {
        let hash = ctv::template_hash(&transaction, index);
        assert_eq!(hash, naive_ctv(&transaction, index));
        assert_eq!(template.hash(index), hash);
        for annex in [None, Some(annex)] {
            assert_eq!(
                op_template_hash::template_hash(&transaction, index, annex),
                naive_template_hash(&transaction, index, annex)
            );
        }
    }
}

/// Reads four bytes of index, one of the annex's length, the annex, and a transaction.
pub(crate) fn read(data: &[u8]) -> Option<(u32, &[u8], Transaction)> {
    let (index, rest) = data.split_first_chunk()?;
    let (&[len], rest) = rest.split_first_chunk()?;
    let (annex, rest) = rest.split_at_checked(usize::from(len))?;
    let transaction = deserialize(rest).ok()?;
    Some((u32::from_be_bytes(*index), annex, transaction))
}

/// The hash of BIP-119, "Detailed Specification", step by step.
pub(crate) fn naive_ctv(transaction: &Transaction, index: u32) -> [u8; 32] {
    let scripts = transaction.input.iter().map(|it| it.script_sig.as_bytes());
    let scripts: Vec<_> = scripts.collect();
    let count = |items: usize| u32::try_from(items).unwrap().to_le_bytes();
    let mut bytes = head(transaction);
    if scripts.iter().any(|script| !script.is_empty()) {
        let scripts: Vec<_> = scripts.into_iter().map(with_len).collect();
        bytes.extend(sha256(&scripts.concat()));
    }
    bytes.extend(count(transaction.input.len()));
    bytes.extend(sha256(&sequences(transaction)));
    bytes.extend(count(transaction.output.len()));
    bytes.extend(sha256(&outputs(transaction)));
    bytes.extend(index.to_le_bytes());
    sha256(&bytes)
}

/// The hash of BIP-446, "Specification", step by step.
pub(crate) fn naive_template_hash(
    transaction: &Transaction,
    index: u32,
    annex: Option<&[u8]>,
) -> [u8; 32] {
    let mut bytes = head(transaction);
    bytes.extend(sha256(&sequences(transaction)));
    bytes.extend(sha256(&outputs(transaction)));
    bytes.push(if annex.is_some() { 1 } else { 0 });
    bytes.extend(index.to_le_bytes());
    if let Some(annex) = annex {
        bytes.extend(sha256(&with_len(annex)));
    }
    tagged("TemplateHash", &bytes)
}

/// The transaction's id, over the form that has no witness.
pub(crate) fn naive_txid(transaction: &Transaction) -> [u8; 32] {
    let mut bytes = transaction.version.0.to_le_bytes().to_vec();
    bytes.extend(len(transaction.input.len()));
    for input in &transaction.input {
        bytes.extend(AsRef::<[u8; 32]>::as_ref(&input.previous_output.txid));
        bytes.extend(input.previous_output.vout.to_le_bytes());
        bytes.extend(with_len(input.script_sig.as_bytes()));
        bytes.extend(input.sequence.0.to_le_bytes());
    }
    bytes.extend(len(transaction.output.len()));
    bytes.extend(outputs(transaction));
    bytes.extend(transaction.lock_time.to_consensus_u32().to_le_bytes());
    sha256(&sha256(&bytes))
}

/// The hash of BIP-340, "Tagged Hashes".
pub(crate) fn tagged(tag: &str, bytes: &[u8]) -> [u8; 32] {
    let tag = sha256(tag.as_bytes());
    sha256(&[&tag, &tag, bytes].concat())
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Bytes behind their length, as a compact size.
pub(crate) fn with_len(bytes: &[u8]) -> Vec<u8> {
    [len(bytes.len()).as_slice(), bytes].concat()
}

fn len(items: usize) -> Vec<u8> {
    let items = u32::try_from(items).unwrap();
    let bytes = items.to_le_bytes();
    match items {
        0..=0xfc => bytes.iter().copied().take(1).collect(),
        0xfd..=0xffff => [0xfd].into_iter().chain(bytes).take(3).collect(),
        _ => [0xfe].into_iter().chain(bytes).collect(),
    }
}

fn head(transaction: &Transaction) -> Vec<u8> {
    let lock_time = transaction.lock_time.to_consensus_u32();
    [transaction.version.0.to_le_bytes(), lock_time.to_le_bytes()].concat()
}

fn sequences(transaction: &Transaction) -> Vec<u8> {
    let inputs = transaction.input.iter();
    inputs.flat_map(|it| it.sequence.0.to_le_bytes()).collect()
}

fn outputs(transaction: &Transaction) -> Vec<u8> {
    let mut bytes = Vec::new();
    for output in &transaction.output {
        bytes.extend(output.value.to_sat().to_le_bytes());
        bytes.extend(with_len(output.script_pubkey.as_bytes()));
    }
    bytes
}
