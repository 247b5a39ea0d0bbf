//! Claims in a set of a million, beside the floor: inserts into plain sharded hash maps of the same size.
//!
//! `cargo bench -p mesh-replay --bench claims`

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench stops where something is not as it expects, and says what it measured"
)]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use mesh_replay::ClaimSet;
use mesh_types::{ClaimKey, UnixTime};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::sync::Mutex;
use std::time::Duration;

const MILLION: u64 = 1_000_000;
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const SHARDS: usize = 32;

/// 32 bytes that no cache has seen, from a number.
fn bytes(number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut state = number;
    for chunk in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_be_bytes());
    }
    bytes
}

fn key(number: u64) -> ClaimKey {
    ClaimKey::from_payment_hash(bytes(number))
}

fn expiry(number: u64) -> UnixTime {
    NOW.plus(Duration::from_secs(600 + number % 600))
}

fn filled() -> ClaimSet {
    let claims = ClaimSet::new(usize::MAX);
    for number in 0..MILLION {
        claims.claim(key(number), expiry(number), NOW).unwrap();
    }
    claims
}

/// The floor: what exactness costs without expiry, in as many shards.
struct Maps {
    shards: Vec<Mutex<HashMap<[u8; 32], u64>>>,
    hash_keys: RandomState,
}

impl Maps {
    fn filled() -> Self {
        let maps = Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hash_keys: RandomState::new(),
        };
        for number in 0..MILLION {
            maps.insert(bytes(number), number);
        }
        maps
    }

    fn insert(&self, key: [u8; 32], value: u64) -> bool {
        let shard = self.hash_keys.hash_one(key) as usize % SHARDS;
        let mut map = self.shards[shard].lock().unwrap();
        map.insert(key, value).is_none()
    }
}

fn claim(c: &mut Criterion) {
    let mut group = c.benchmark_group("claims/at 1 M");
    // Each sample adds claims, so samples are few and small beside the million.
    group.sample_size(20);
    group.warm_up_time(Duration::from_millis(50));
    group.measurement_time(Duration::from_millis(200));
    let claims = filled();
    let mut next = MILLION;
    group.bench_function("claim", |b| {
        b.iter(|| {
            next += 1;
            claims.claim(key(next), expiry(next), NOW)
        });
    });
    println!(
        "claims: {:.1} bytes each at {}",
        claims.memory_bytes() as f64 / claims.len() as f64,
        claims.len()
    );
    let mut known = 0;
    group.bench_function("claim again", |b| {
        b.iter(|| {
            known = (known + 7_919) % MILLION;
            claims.claim(key(known), expiry(known), NOW)
        });
    });
    drop(claims);
    let maps = Maps::filled();
    let mut next = MILLION;
    group.bench_function("floor: insert into sharded std HashMap", |b| {
        b.iter(|| {
            next += 1;
            maps.insert(bytes(next), next)
        });
    });
    group.bench_function("floor: the key alone", |b| {
        b.iter(|| {
            next += 1;
            black_box(bytes(next))
        });
    });
    group.finish();
}

fn clean_up(c: &mut Criterion) {
    let mut group = c.benchmark_group("claims/clean-up");
    group.sample_size(10);
    group.bench_function("1 M expired", |b| {
        let later = NOW.plus(Duration::from_secs(2_000));
        b.iter_batched(
            filled,
            |claims| assert_eq!(claims.remove_expired(later) as u64, MILLION),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("a tenth of 1 M expired", |b| {
        let later = NOW.plus(Duration::from_secs(660));
        b.iter_batched(
            filled,
            |claims| (claims.remove_expired(later), claims),
            BatchSize::PerIteration,
        );
    });
    let claims = filled();
    group.bench_function("none of 1 M expired", |b| {
        b.iter(|| claims.remove_expired(black_box(NOW)));
    });
    group.finish();
}

criterion_group!(benches, claim, clean_up);
criterion_main!(benches);
