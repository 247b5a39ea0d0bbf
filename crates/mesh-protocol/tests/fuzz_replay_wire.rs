//! The fuzz harnesses of the wire format over their corpora, and over a bounded number of fresh inputs.
#![expect(
    clippy::unwrap_used,
    reason = "a corpus that cannot be read fails the test"
)]

#[path = "harness/announcement.rs"]
mod announcement;
#[path = "harness/control.rs"]
mod control;
#[path = "harness/packet.rs"]
mod packet;

use proptest::{collection::vec, prelude::*, sample::Index};
use std::{fs, path::Path};

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name);
    let files = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn the_packet_corpus_breaks_nothing() {
    for data in corpus("packet") {
        packet::run(&data);
    }
}

#[test]
fn the_control_corpus_breaks_nothing() {
    for data in corpus("control") {
        control::run(&data);
    }
}

#[test]
fn the_announcement_corpus_breaks_nothing() {
    for data in corpus("announcement") {
        announcement::run(&data);
    }
}

/// One change to an input.
#[derive(Debug, Clone)]
enum Mutation {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Copy(Index, Index, usize),
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        any::<(Index, u8)>().prop_map(|(at, value)| Mutation::Set(at, value)),
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        (any::<Index>(), vec(any::<u8>(), 1..40)).prop_map(|(at, run)| Mutation::Insert(at, run)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, len)| Mutation::Remove(at, len)),
        (any::<(Index, Index)>(), 1..40_usize)
            .prop_map(|((from, to), len)| Mutation::Copy(from, to, len)),
    ]
}

fn mutate(data: &mut Vec<u8>, mutation: &Mutation) {
    if data.is_empty() {
        return;
    }
    let len = data.len();
    match mutation {
        Mutation::Set(at, value) => {
            if let Some(byte) = data.get_mut(at.index(len)) {
                *byte = *value;
            }
        }
        Mutation::Flip(at, bit) => {
            if let Some(byte) = data.get_mut(at.index(len)) {
                *byte ^= 1 << bit;
            }
        }
        Mutation::Insert(at, run) => {
            let at = at.index(len);
            data.splice(at..at, run.iter().copied());
        }
        Mutation::Remove(at, count) => {
            let at = at.index(len);
            data.drain(at..len.min(at + count));
        }
        Mutation::Copy(from, to, count) => {
            let from = from.index(len);
            let to = to.index(len);
            let count = (*count).min(len - from).min(len - to);
            data.copy_within(from..from + count, to);
        }
    }
}

fn mutated(name: &str) -> impl Strategy<Value = Vec<u8>> {
    let seeds = proptest::sample::select(corpus(name));
    (seeds, vec(any_mutation(), 1..6)).prop_map(|(mut data, mutations)| {
        for mutation in &mutations {
            mutate(&mut data, mutation);
        }
        data
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn arbitrary_bytes_break_nothing(data in vec(any::<u8>(), 0..400)) {
        packet::run(&data);
        control::run(&data);
        announcement::run(&data);
    }

    #[test]
    fn arbitrary_bytes_behind_a_packet_header_break_nothing(
        node_count in 0..20_u8,
        flags in 0..10_u8,
        rest in vec(any::<u8>(), 0..400),
    ) {
        let start = [b"MESH".as_slice(), &[1, flags, 0, node_count]].concat();
        packet::run(&[start, rest].concat());
    }

    #[test]
    fn mutated_packets_break_nothing(data in mutated("packet")) {
        packet::run(&data);
    }

    #[test]
    fn mutated_announcements_break_nothing(data in mutated("announcement")) {
        announcement::run(&data);
    }

    #[test]
    fn mutated_control_messages_break_nothing(data in mutated("control")) {
        control::run(&data);
    }
}
