//! Carrying one paid packet of 1,200 bytes on credit, in process, beside the hashes that it cannot do without.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench stops where something is not as it expects"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use mesh_manager::Step;
use mesh_protocol::PacketView;
use mesh_types::Msat;
use std::hint::black_box;
use support::{RELAY_PRICE, START, compose, data, engine, gated, id, open};

fn carry(criterion: &mut Criterion) {
    let source = engine(1, open(), &[2]);
    let relay = engine(2, gated(RELAY_PRICE), &[1, 3]);
    // Not in the loop: making an id takes longer than carrying a packet.
    let from = id(1);
    let credit = Msat::from_msat(1_000_000_000_000_000);
    relay.accounts().put_in(from, credit).unwrap();
    let make = || {
        compose(
            &source,
            data(&[1, 2, 3], &[7; 1_200], Msat::from_msat(10_000)),
            START,
        )
        .bytes
    };
    let mut group = criterion.benchmark_group("carry a paid 1,200-byte packet");
    group.bench_function("ours", |bencher| {
        bencher.iter_batched(
            make,
            |bytes| match relay.receive(&from, &bytes, START) {
                Ok(Step::Forward { ticket, .. }) => ticket.carried(),
                other => panic!("{other:?}"),
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("floor: its body digest", |bencher| {
        let bytes = make();
        let packet = PacketView::parse(&bytes).unwrap();
        bencher.iter(|| black_box(&packet).body_digest());
    });
    group.finish();
}

criterion_group!(benches, carry);
criterion_main!(benches);
