//! Claims made durable, by how many ask at once; beside one commit for each claim, redb's own batched inserts, and what
//! the disk takes to make one page durable.
//!
//! `cargo bench -p mesh-store --bench claims`; the folder of the files is `TMPDIR`. Owed: at least 40 times as fast as a
//! commit for each claim, at least 60 % of the batched inserts, and 99 of 100 answers within three commits.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench measures time, stops where something is not as it expects, and says what it found"
)]

use criterion::{Criterion, SamplingMode, criterion_group};
use mesh_store::{MeshStore, StoreLocation};
use mesh_types::{
    Claim, ClaimKey, ClaimOutcome, ClaimStore as _, Msat, NodeId, PacketTag, UnixTime,
};
use redb::{Database, TableDefinition};
use std::{
    fs::OpenOptions,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinSet};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// Claims that are there before the clock starts, so that the trees have the height and the spread of a busy node's; the
/// samples double them.
const BEFORE: u64 = 200_000;

/// What a sample has at least; its time is scaled to what was asked for.
const SAMPLE: u64 = 16_384;

/// How many payers there are.
const PAYERS: u64 = 1_000;

/// How many ask at once.
const CLAIMERS: [u64; 3] = [256, 1_024, 4_096];

const ROWS: TableDefinition<'_, &[u8; 32], (&[u8; 16], u64)> = TableDefinition::new("rows");

/// 32 bytes that look random, from a number.
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

fn claim(number: u64) -> Claim {
    Claim {
        key: ClaimKey::from_payment_hash(bytes(number)),
        payer: NodeId::from_bytes(bytes(u64::MAX - number % PAYERS)),
        amount: Msat::from_msat(1_000),
        expires_at: NOW.plus(Duration::from_millis(3_600_000 + number)),
        on_chain: None,
    }
}

/// A store with [`BEFORE`] claims, and the number of the next.
struct Filled {
    runtime: Runtime,
    store: MeshStore,
    next: Arc<AtomicU64>,
    _folder: TempDir,
}

impl Filled {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let location = StoreLocation::Redb(folder.path().join("mesh.redb"));
        let store = runtime.block_on(MeshStore::open(&location)).unwrap();
        let filled = Self {
            runtime,
            store,
            next: Arc::default(),
            _folder: folder,
        };
        filled.claim(BEFORE, 4_096);
        filled
    }

    /// Lets `claimers` make `count` claims, each waiting for its answer before the next, and says how long each waited.
    fn claim(&self, count: u64, claimers: u64) -> Vec<Duration> {
        self.runtime.block_on(async {
            let first = self.next.load(Ordering::Relaxed);
            let mut tasks = JoinSet::new();
            for _ in 0..claimers {
                let (store, next) = (self.store.clone(), Arc::clone(&self.next));
                tasks.spawn(async move {
                    let mut waited = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= first + count {
                            return waited;
                        }
                        let by = PacketTag::from_bytes([number as u8; 16]);
                        let asked = Instant::now();
                        let outcome = store.claim(claim(number), by, NOW).await;
                        assert_eq!(outcome, Ok(ClaimOutcome::New));
                        waited.push(asked.elapsed());
                    }
                });
            }
            let waited = tasks.join_all().await.concat();
            self.next.store(first + count, Ordering::Relaxed);
            waited
        })
    }

    fn time(&self, asked: u64, least: u64, claimers: u64) -> Duration {
        let count = asked.max(least);
        let started = Instant::now();
        self.claim(count, claimers);
        scaled(started.elapsed(), asked, count)
    }
}

fn scaled(elapsed: Duration, asked: u64, done: u64) -> Duration {
    elapsed.mul_f64(asked as f64 / done as f64)
}

/// redb as it comes, with one table of what a claim says.
struct Raw {
    database: Database,
    /// Whether it commits as safely as the store does.
    sound: bool,
    next: u64,
    _folder: TempDir,
}

impl Raw {
    fn new(sound: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(folder.path().join("raw.redb")).unwrap();
        let mut raw = Self {
            database,
            sound,
            next: 0,
            _folder: folder,
        };
        raw.insert(BEFORE, 4_096);
        raw
    }

    fn insert(&mut self, count: u64, batch: u64) {
        let end = self.next + count;
        while self.next < end {
            let mut transaction = self.database.begin_write().unwrap();
            transaction.set_quick_repair(self.sound);
            let mut rows = transaction.open_table(ROWS).unwrap();
            for number in self.next..end.min(self.next + batch) {
                let claim = claim(number);
                let row = (&[number as u8; 16], claim.expires_at.to_millis());
                rows.insert(claim.key.as_bytes(), row).unwrap();
            }
            drop(rows);
            transaction.commit().unwrap();
            self.next += batch;
        }
        self.next = end;
    }
}

fn claims(c: &mut Criterion) {
    let mut group = c.benchmark_group("durable claim");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_secs(1));
    group.measurement_time(Duration::from_secs(2));

    let folder = tempfile::tempdir().unwrap();
    let mut options = OpenOptions::new();
    let path = folder.path().join("pages");
    let mut file = options.append(true).create(true).open(path).unwrap();
    group.bench_function("floor_fsync", |b| {
        b.iter(|| {
            file.write_all(&[7; 4_096]).unwrap();
            file.sync_data().unwrap();
        });
    });

    for (name, sound) in [
        ("floor_redb_batched_1000", false),
        ("floor_redb_batched_1000_in_two_phases", true),
    ] {
        let mut raw = Raw::new(sound);
        group.bench_function(name, |b| {
            b.iter_custom(|count| {
                let all = count.max(SAMPLE);
                let started = Instant::now();
                raw.insert(all, 1_000);
                scaled(started.elapsed(), count, all)
            });
        });
    }

    let filled = Filled::new();
    group.bench_function("floor_one_commit_per_claim", |b| {
        b.iter_custom(|count| filled.time(count, 1, 1));
    });
    drop(filled);
    for claimers in CLAIMERS {
        let filled = Filled::new();
        group.bench_function(format!("{claimers} at once"), |b| {
            b.iter_custom(|count| filled.time(count, SAMPLE, claimers));
        });
    }
    group.finish();
}

/// Prints how long answers take, in commits of as many claims as ask.
fn latencies() {
    for claimers in CLAIMERS {
        let filled = Filled::new();
        let mut commits: Vec<_> = (0..16)
            .map(|_| {
                let started = Instant::now();
                filled.claim(claimers, claimers);
                started.elapsed()
            })
            .collect();
        commits.sort();
        let commit = commits[commits.len() / 2];
        let started = Instant::now();
        let mut waited = filled.claim(claimers * 20, claimers);
        let all = started.elapsed();
        waited.sort();
        let at = |share: f64| waited[(waited.len() as f64 * share) as usize];
        println!(
            "{claimers} at once: {:.0} claims/s; one commit {commit:?}; waited p50 {:?}, p99 {:?} = {:.2} commits, most {:?}",
            waited.len() as f64 / all.as_secs_f64(),
            at(0.5),
            at(0.99),
            at(0.99).as_secs_f64() / commit.as_secs_f64(),
            waited[waited.len() - 1],
        );
    }
}

criterion_group!(benches, claims);

fn main() {
    // Only when it is to measure: `cargo test` may run it too.
    if !std::env::args().any(|given| given == "--bench") {
        return;
    }
    latencies();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
