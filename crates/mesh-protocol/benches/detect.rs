//! What a verdict costs, beside what its SHA-256 costs.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench stops where something is not as it expects"
)]

#[path = "../tests/messages/mod.rs"]
mod messages;

use bitcoin::consensus::deserialize;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::p2p::message::{NetworkMessage, RawNetworkMessage};
use criterion::{Criterion, criterion_group, criterion_main};
use mesh_protocol::{BITCOIN_HEADER_LEN, BitcoinFrame, BitcoinHeader, detect};
use messages::{frame, inventory, transaction, wire};
use sha2::{Digest, Sha256};
use std::hint::black_box;

fn header(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("header verdict");
    let known = wire(NetworkMessage::GetHeaders(
        bitcoin::p2p::message_blockdata::GetHeadersMessage::new(vec![], Hash::all_zeros()),
    ));
    let mut other_magic = known.clone();
    other_magic[0] ^= 0xff;
    for (name, bytes) in [
        ("known", known),
        ("unknown magic", other_magic),
        ("unknown command", frame("getfilm", &[0; 37])),
        ("implausible length", frame("getheaders", &[0; 36])),
    ] {
        let head = *bytes.first_chunk::<BITCOIN_HEADER_LEN>().unwrap();
        group.bench_function(name, |b| b.iter(|| BitcoinHeader::parse(black_box(&head))));
    }
    // Headers one after the other, so that no branch predictor learns the one.
    let heads: Vec<[u8; BITCOIN_HEADER_LEN]> = messages::bitcoin()
        .into_iter()
        .map(|message| *wire(message).first_chunk().unwrap())
        .collect();
    let mut next = heads.iter().cycle();
    group.bench_function("all commands in turn", |b| {
        b.iter(|| BitcoinHeader::parse(black_box(next.next().unwrap())))
    });
    group.finish();
}

fn message(criterion: &mut Criterion) {
    for (name, message) in [
        ("ping", NetworkMessage::Ping(7)),
        ("inv of 100", NetworkMessage::Inv(inventory(100))),
        ("tx", NetworkMessage::Tx(transaction())),
        ("block of 2", NetworkMessage::Block(messages::block())),
        ("inv of 50,000", NetworkMessage::Inv(inventory(50_000))),
    ] {
        let bytes = wire(message);
        let payload = &bytes[BITCOIN_HEADER_LEN..];
        let mut group = criterion.benchmark_group(format!("{name}, {} bytes", payload.len()));
        group.bench_function("floor: double SHA-256 (bitcoin_hashes)", |b| {
            b.iter(|| sha256d::Hash::hash(black_box(payload)))
        });
        group.bench_function("floor: double SHA-256 (sha2)", |b| {
            b.iter(|| Sha256::digest(Sha256::digest(black_box(payload))))
        });
        group.bench_function("floor: double SHA-256 (sha2, one hasher)", |b| {
            b.iter(|| {
                let mut hasher = Sha256::new();
                hasher.update(black_box(payload));
                let inner = hasher.finalize_reset();
                hasher.update(inner);
                hasher.finalize_reset()
            })
        });
        group.bench_function("framing and checksum", |b| {
            b.iter(|| BitcoinFrame::parse(black_box(&bytes)).is_ok())
        });
        group.bench_function("whole verdict, decoded", |b| {
            b.iter(|| detect(black_box(&bytes)))
        });
        group.bench_function("rust-bitcoin's RawNetworkMessage", |b| {
            b.iter(|| deserialize::<RawNetworkMessage>(black_box(&bytes)).is_ok())
        });
        group.finish();
    }
}

fn others(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("other bytes");
    let share = [&[0, 0x80, 0x1a, 24, 0, 0][..], &[7; 24]].concat();
    for (name, bytes) in [
        ("stratum share", share),
        ("mesh packet", [&b"MESH\x01"[..], &[0; 1_200]].concat()),
        ("1,200 unknown bytes", vec![0x99; 1_200]),
    ] {
        group.bench_function(name, |b| b.iter(|| detect(black_box(&bytes))));
    }
    group.finish();
}

criterion_group!(benches, header, message, others);
criterion_main!(benches);
