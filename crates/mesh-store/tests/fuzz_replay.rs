//! Runs the fuzz harness over its corpus, over mutations of it, and over arbitrary bytes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

#[path = "harness/ledger_export.rs"]
mod ledger_export;

use proptest::{collection::vec, prelude::*, sample::Index, sample::select};
use std::{fs, path::Path};

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/ledger_export");
    let files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_export_of_the_corpus_keeps_the_promises() {
    corpus().iter().for_each(|data| ledger_export::run(data));
}

#[test]
fn the_corpus_has_exports_that_are_taken_and_others() {
    let taken = |data: &Vec<u8>| mesh_store::check_export(data.as_slice()).is_ok();
    let (whole, broken): (Vec<_>, Vec<_>) = corpus().into_iter().partition(taken);
    assert!(whole.len() >= 3 && broken.len() >= 4);
}

/// An export with a few bytes changed, and a few lines taken out, doubled or moved.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<Index>(), any::<u8>()), 0..3);
    let moves = vec((any::<Index>(), any::<Index>(), 0..3_u8), 0..3);
    (select(corpus()), changes, moves).prop_map(|(mut data, changes, moves)| {
        for (at, byte) in changes {
            if !data.is_empty() {
                let at = at.index(data.len());
                data[at] = byte;
            }
        }
        let mut lines: Vec<_> = data.split_inclusive(|byte| *byte == b'\n').collect();
        for (from, to, what) in moves {
            if lines.is_empty() {
                break;
            }
            let line = lines.remove(from.index(lines.len()));
            let to = to.index(lines.len() + 1);
            (0..what).for_each(|_| lines.insert(to, line));
        }
        lines.concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_keep_the_promises(data in vec(any::<u8>(), 0..256)) {
        ledger_export::run(&data);
    }

    #[test]
    fn mutated_exports_keep_the_promises(data in mutated()) {
        ledger_export::run(&data);
    }
}
