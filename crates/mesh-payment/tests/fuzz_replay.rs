//! Runs the fuzz harnesses over their corpora and over a bounded number of random inputs.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod chain;
#[path = "harness/covenant.rs"]
mod covenant;
mod issuer;
#[path = "harness/proof.rs"]
mod proof;
#[path = "harness/quote.rs"]
mod quote;

use bitcoin::consensus::serialize;
use chain::{AMOUNT_SATS, Covenant, FORMS, Form, OnChain};
use covenant::on_chain::{self, template};
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

#[test]
fn the_corpus_of_covenants_replays_and_its_good_ones_are_verified() {
    for (path, data) in corpus("covenant") {
        covenant::run(&data);
        let case = covenant::Case::read(&data);
        let is_verified = case.and_then(|case| case.judge()).is_some();
        let name = path.file_name().unwrap().to_string_lossy();
        assert_eq!(is_verified, name.starts_with("good"), "{name}");
    }
}

#[test]
fn the_corpus_of_on_chain_settlements_replays_and_its_good_ones_are_verified() {
    for (path, data) in corpus("on_chain") {
        on_chain::run(&data);
        let case = on_chain::Case::read(&data);
        let is_verified = case.and_then(|case| case.judge()).is_some();
        let name = path.file_name().unwrap().to_string_lossy();
        assert_eq!(is_verified, name.starts_with("good"), "{name}");
    }
}

#[test]
fn the_corpus_of_templates_replays_and_its_good_ones_are_transactions() {
    for (path, data) in corpus("template") {
        template::run(&data);
        let is_read = template::read(&data).is_some();
        let name = path.file_name().unwrap().to_string_lossy();
        assert_eq!(is_read, name.starts_with("good"), "{name}");
    }
}

/// A covenant as the tests of the rules make it, all of it right without being mended.
fn good_covenant(form: Form) -> covenant::Case {
    let good = Covenant::good(form);
    covenant::Case {
        flags: covenant::RIGHT_SCRIPT,
        least_depth: 0,
        coin: covenant::Coin {
            state: 2,
            script: 0,
            value_sats: good.out_sats(),
            depth: 1,
        },
        path_len: 0,
        output_index: good.output_index,
        amount_sats: AMOUNT_SATS,
        timestamp: good.quote.expires_at.to_secs(),
        covenant_proof: good.covenant_proof().to_bytes(),
    }
}

/// A transaction as the tests of the rules make it, all of it right without being mended.
fn good_on_chain() -> on_chain::Case {
    let good = OnChain::good();
    on_chain::Case {
        flags: on_chain::FOUND,
        least_depth: 0,
        depth: 1,
        amount_sats: AMOUNT_SATS,
        timestamp: good.quote.expires_at.to_secs(),
        tx_hash: *good.tx_hash().as_bytes(),
        payment_request_id: good.quote.to_text(),
        found: serialize(&good.transaction),
    }
}

#[test]
fn what_the_rules_call_good_is_good_to_the_harnesses() {
    for form in FORMS {
        let claim = covenant::Case::read(&good_covenant(form).write())
            .unwrap()
            .judge();
        let expected = Covenant::good(form).judge().unwrap().claim();
        assert_eq!(claim, Some(expected));
    }
    let claim = on_chain::Case::read(&good_on_chain().write())
        .unwrap()
        .judge();
    assert_eq!(claim, Some(OnChain::good().judge().unwrap().claim()));
}

/// Bytes with some changed, and the rest of them cut off.
fn changed(
    mut data: Vec<u8>,
    changes: Vec<(prop::sample::Index, u8)>,
    cut: Option<prop::sample::Index>,
) -> Vec<u8> {
    for (at, byte) in changes {
        let at = at.index(data.len());
        data[at] = byte;
    }
    if let Some(cut) = cut {
        data.truncate(cut.index(data.len()));
    }
    data
}

proptest! {
    #[test]
    fn any_bytes_as_a_covenant(data in prop::collection::vec(any::<u8>(), 0..1_024)) {
        covenant::run(&data);
    }

    #[test]
    fn a_changed_covenant(
        form in prop::sample::select(FORMS.to_vec()),
        flags in 0..2_048_u16,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let case = covenant::Case { flags, ..good_covenant(form) };
        covenant::run(&changed(case.write(), changes, cut));
    }

    #[test]
    fn any_bytes_as_an_on_chain_settlement(data in prop::collection::vec(any::<u8>(), 0..1_024)) {
        on_chain::run(&data);
    }

    #[test]
    fn a_changed_on_chain_settlement(
        flags in 0..128_u8,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let case = on_chain::Case { flags, ..good_on_chain() };
        on_chain::run(&changed(case.write(), changes, cut));
    }

    #[test]
    fn any_bytes_as_a_template(data in prop::collection::vec(any::<u8>(), 0..512)) {
        template::run(&data);
    }

    #[test]
    fn a_changed_template(
        head in any::<[u8; 4]>(),
        annex in prop::collection::vec(any::<u8>(), 0..=255),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let transaction = changed(good_on_chain().found, changes, cut);
        let len = u8::try_from(annex.len()).unwrap();
        template::run(&[head.as_slice(), &[len], &annex, &transaction].concat());
    }

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
