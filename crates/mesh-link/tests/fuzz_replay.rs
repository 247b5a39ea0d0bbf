//! Runs the fuzz harnesses over their corpora and over a bounded number of inputs made here.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

#[path = "harness/frames.rs"]
mod frames;
#[path = "harness/hello.rs"]
mod hello;

use proptest::{collection::vec, prelude::*};
use std::{fs, path::Path};

fn replay(name: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name);
    let mut count = 0;
    for file in fs::read_dir(corpus).unwrap() {
        run(&fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the corpus of {name} is empty");
}

#[test]
fn the_corpus_of_frames_holds() {
    replay("frames", frames::run);
}

#[test]
fn the_corpus_of_hellos_holds() {
    replay("hello", hello::run);
}

/// Frames of possible lengths, one after the other, with a cut or a wrong byte somewhere.
fn nearly_good_frames() -> impl Strategy<Value = Vec<u8>> {
    let frame = prop_oneof![Just(16_usize), 16..200_usize, Just(65_535_usize)];
    (
        any::<u8>(),
        vec(frame, 0..6),
        any::<(bool, prop::sample::Index, u8)>(),
    )
        .prop_map(|(piece, lens, (cut, at, byte))| {
            let mut data = vec![piece];
            for len in lens {
                data.extend(u16::try_from(len).unwrap().to_be_bytes());
                data.resize(data.len() + len, 0xaa);
            }
            let at = at.index(data.len());
            if cut {
                data.truncate(at);
            } else {
                data[at] = byte;
            }
            data
        })
}

fn nearly_good_hello() -> impl Strategy<Value = Vec<u8>> {
    (
        vec(any::<u8>(), 96),
        any::<prop::sample::Index>(),
        any::<u8>(),
    )
        .prop_map(|(rest, at, byte)| {
            let mut data = [vec![1], rest].concat();
            let at = at.index(data.len());
            data[at] = byte;
            data
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_frames_or_an_error(data in vec(any::<u8>(), 0..2_000)) {
        frames::run(&data);
    }

    #[test]
    fn nearly_good_frames_are_frames_or_an_error(data in nearly_good_frames()) {
        frames::run(&data);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_no_handshake(data in vec(any::<u8>(), 0..400)) {
        hello::run(&data);
    }

    #[test]
    fn a_nearly_good_hello_is_a_hello_or_an_error(data in nearly_good_hello()) {
        hello::run(&data);
    }
}
