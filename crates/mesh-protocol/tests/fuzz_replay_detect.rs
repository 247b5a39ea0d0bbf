//! Runs the detector's fuzz harness over its corpus, over mutations of it, and over arbitrary bytes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

#[path = "harness/detect.rs"]
mod harness;

use mesh_protocol::detect;
use mesh_types::DetectedProtocol;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::fs;
use std::path::Path;

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/detect");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_file_of_the_corpus_keeps_the_promises() {
    for (_, data) in corpus() {
        harness::run(&data);
    }
}

#[test]
fn every_file_of_the_corpus_is_what_its_name_says() {
    for (name, data) in corpus() {
        let expected = match name.split('-').next().unwrap() {
            "bitcoin" => DetectedProtocol::BitcoinP2P,
            "governance" => DetectedProtocol::CommonsGovernance,
            "stratum" => DetectedProtocol::StratumV2,
            "mesh" => DetectedProtocol::MeshPacket,
            "unknown" => DetectedProtocol::Unknown,
            other => panic!("{other} is no verdict"),
        };
        assert_eq!(detect(&data), expected, "{name}");
    }
}

/// A file of the corpus with a few bytes changed, cut or added.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let files: Vec<_> = corpus().into_iter().map(|(_, data)| data).collect();
    let flips = vec((any::<Index>(), any::<u8>()), 0..4);
    (select(files), flips, any::<Index>(), vec(any::<u8>(), 0..8)).prop_map(
        |(mut data, flips, cut, tail)| {
            for (at, byte) in flips {
                if !data.is_empty() {
                    let at = at.index(data.len());
                    data[at] = byte;
                }
            }
            data.truncate(data.len() - cut.index(data.len() + 1) / 2);
            data.extend(tail);
            data
        },
    )
}

/// A file of the corpus with changed payload, framed again, so that only layout and decoder can tell.
fn reframed() -> impl Strategy<Value = Vec<u8>> {
    use bitcoin::hashes::{Hash, sha256d};
    mutated().prop_map(|mut data| {
        if let Some((head, payload)) = data.split_at_mut_checked(24) {
            head[16..20].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
            head[20..].copy_from_slice(&sha256d::Hash::hash(payload)[..4]);
        }
        data
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_keep_the_promises(data in vec(any::<u8>(), 0..512)) {
        harness::run(&data);
    }

    #[test]
    fn mutated_messages_keep_the_promises(data in mutated()) {
        harness::run(&data);
    }

    #[test]
    fn messages_with_a_changed_payload_and_a_right_checksum_keep_the_promises(data in reframed()) {
        harness::run(&data);
    }
}
