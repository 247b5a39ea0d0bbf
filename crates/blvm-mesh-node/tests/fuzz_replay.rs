//! Runs the fuzz harnesses over their corpora, over mutations of them, and over arbitrary bytes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

#[path = "harness/config.rs"]
mod config;
#[path = "harness/control_call.rs"]
mod control_call;

use proptest::{collection::vec, prelude::*, sample::Index, sample::select};
use std::{fs, path::Path};

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name);
    let files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_configuration_of_the_corpus_keeps_the_promises() {
    corpus("config").iter().for_each(|data| config::run(data));
}

#[test]
fn every_call_of_the_corpus_keeps_the_promises() {
    corpus("control_call")
        .iter()
        .for_each(|data| control_call::run(data));
}

/// A file of the corpus with a few bytes changed, one piece cut out and one put in.
fn mutated(name: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<Index>(), any::<u8>()), 0..4);
    let pieces = vec(select(corpus(name)), 2);
    (pieces, changes, any::<[Index; 4]>()).prop_map(|(pieces, changes, cuts)| {
        let [cut, to, from, until] = cuts;
        let mut data = pieces[0].clone();
        for (at, byte) in changes {
            if !data.is_empty() {
                let at = at.index(data.len());
                data[at] = byte;
            }
        }
        let start = cut.index(data.len() + 1);
        let end = start + to.index(data.len() - start + 1) / 4;
        let first = from.index(pieces[1].len() + 1);
        let last = first + until.index(pieces[1].len() - first + 1) / 4;
        data.splice(start..end, pieces[1][first..last].iter().copied());
        data
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_keep_the_promises(data in vec(any::<u8>(), 0..256)) {
        config::run(&data);
        control_call::run(&data);
    }

    #[test]
    fn arbitrary_text_keeps_the_promises(text in "(\\[?mesh\\]?|[a-z_\\.]{1,20}|=|\"|\\[|\\]|\\{|\\}|[0-9]{1,20}|\n| ){0,40}") {
        config::run(text.as_bytes());
        control_call::run(text.as_bytes());
    }

    #[test]
    fn mutated_configurations_keep_the_promises(data in mutated("config")) {
        config::run(&data);
    }

    #[test]
    fn mutated_calls_keep_the_promises(data in mutated("control_call")) {
        control_call::run(&data);
    }
}
