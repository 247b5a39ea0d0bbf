//! Window checks, alone and in a full set of sources; the floor is one bit of one hash map's entry.
//!
//! `cargo bench -p mesh-replay --bench window`

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench stops where something is not as it expects"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use mesh_replay::{MAX_SOURCES, SequenceWindow, SequenceWindows};
use mesh_types::{NodeId, UnixTime};
use std::collections::HashMap;

const START: u64 = 1_800_000_000_000_000;
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// Numbers that rise by one on average, each up to 500 away from its place.
struct Jitter {
    next: u64,
    state: u64,
}

impl Jitter {
    fn next(&mut self) -> u64 {
        self.next += 1;
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.next + self.state % 500
    }
}

fn jitter() -> Jitter {
    Jitter {
        next: START,
        state: 88_172_645_463_325_252,
    }
}

fn id(number: u64) -> NodeId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    NodeId::from_bytes(bytes)
}

fn one(c: &mut Criterion) {
    let mut group = c.benchmark_group("window/one");
    group.bench_function("mark in order", |b| {
        let (mut window, mut sequence) = (SequenceWindow::new(), START);
        b.iter(|| {
            sequence += 1;
            window.mark(sequence)
        });
    });
    group.bench_function("mark with jitter", |b| {
        let (mut window, mut jitter) = (SequenceWindow::new(), jitter());
        b.iter(|| window.mark(jitter.next()));
    });
    group.bench_function("check with jitter", |b| {
        let (mut window, mut jitter) = (SequenceWindow::new(), jitter());
        window.mark(START).unwrap();
        b.iter(|| window.check(jitter.next()));
    });
    group.bench_function("floor: the jitter alone", |b| {
        let mut jitter = jitter();
        b.iter(|| jitter.next());
    });
    group.finish();
}

fn many(c: &mut Criterion) {
    let mut group = c.benchmark_group("window/of 65,536 sources");
    let windows = SequenceWindows::new();
    let sources: Vec<NodeId> = (0..MAX_SOURCES as u64)
        .map(id)
        .filter(|source| windows.mark(source, START, NOW).is_ok())
        .collect();
    let mut turn = 0;
    group.bench_function("mark", |b| {
        b.iter(|| {
            turn += 1;
            let source = &sources[turn * 7_919 % sources.len()];
            windows.mark(source, START + turn as u64, NOW)
        });
    });
    group.bench_function("refuse a new source", |b| {
        b.iter(|| {
            turn += 1;
            windows.mark(&id((MAX_SOURCES + turn) as u64), START, NOW)
        });
    });
    let mut map: HashMap<NodeId, u64> = sources.iter().map(|source| (*source, 0)).collect();
    group.bench_function("floor: one word of a std HashMap's entry", |b| {
        b.iter(|| {
            turn += 1;
            let source = &sources[turn * 7_919 % sources.len()];
            map.get_mut(source).map(|word| *word |= 1 << (turn % 64))
        });
    });
    group.finish();
}

criterion_group!(benches, one, many);
criterion_main!(benches);
