//! Runs the fuzz harnesses over their corpora and over a bounded number of random inputs.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod issuer;
#[path = "harness/proof.rs"]
mod proof;
#[path = "harness/quote.rs"]
mod quote;

use issuer::Node;
use proptest::prelude::*;
use std::{fs, path::PathBuf};

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = [env!("CARGO_MANIFEST_DIR"), "tests", "corpus", name];
    let files = fs::read_dir(folder.iter().collect::<PathBuf>()).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let corpus: Vec<_> = paths
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    assert!(!corpus.is_empty());
    corpus
}

#[test]
fn the_corpus_of_quote_texts_replays() {
    for (_, data) in corpus("quote") {
        quote::run(&data);
    }
}

#[test]
fn the_corpus_of_proofs_replays_and_its_good_ones_are_verified() {
    for (path, data) in corpus("proof") {
        proof::run(&data);
        let is_verified = proof::read(&data).as_ref().and_then(proof::judge).is_some();
        let name = path.file_name().unwrap().to_string_lossy();
        assert_eq!(is_verified, name.starts_with("good"), "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_as_a_quote(data in prop::collection::vec(any::<u8>(), 0..512)) {
        quote::run(&data);
    }

    #[test]
    fn any_text_as_a_quote(data in "(mesh-quote:1:)?[0-9a-f]{0,240}|\\PC{0,64}") {
        quote::run(data.as_bytes());
    }

    #[test]
    fn a_changed_quote(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut data = Node::ours().quote().request.description.into_bytes();
        let at = at.index(data.len());
        data[at] = byte;
        quote::run(&data);
        data.truncate(cut.index(data.len()));
        quote::run(&data);
    }

    #[test]
    fn any_bytes_as_a_proof(data in prop::collection::vec(any::<u8>(), 0..1_024)) {
        proof::run(&data);
    }

    #[test]
    fn any_fields_behind_a_right_checksum(
        flags in 0..4u8,
        head in prop::collection::vec(any::<u8>(), proof::TEXT_AT - 1),
        text in "ln(bcrt|bc|tbs|q)[0-9]{0,21}[munp]?1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{0,400}",
    ) {
        proof::run(&[&[flags], head.as_slice(), text.as_bytes()].concat());
    }

    #[test]
    fn a_changed_proof(
        flags in 0..4u8,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut data = proof::write(flags, &Node::ours().paid());
        if flags & proof::ADD_CHECKSUM != 0 {
            data.truncate(data.len() - 6);
        }
        for (at, byte) in changes {
            let at = at.index(data.len());
            data[at] = byte;
        }
        if let Some(cut) = cut {
            data.truncate(cut.index(data.len()));
        }
        proof::run(&data);
    }
}
