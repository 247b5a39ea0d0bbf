//! Claims made durable in PostgreSQL, by how many ask at once; beside one commit for each claim, and the server's own
//! inserts of what a claim alone says, one and a thousand in a commit, and of the two rows that each claim adds.
//!
//! `cargo bench -p mesh-store --bench postgres`; the folder of the data is `TMPDIR`. Owed: at least 40 times as fast as a
//! commit for each claim, at least 60 % of the server's inserts of the same rows, and 99 of 100 answers within three commits. Skipped where PostgreSQL is not installed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench measures time, stops where something is not as it expects, and says what it found"
)]

#[path = "../tests/postgres/server.rs"]
mod server;

use criterion::{Criterion, SamplingMode, criterion_group};
use mesh_store::MeshStore;
use mesh_types::{
    Claim, ClaimKey, ClaimOutcome, ClaimStore as _, Msat, NodeId, PacketTag, UnixTime,
};
use server::{Server, name};
use sqlx::{Connection as _, PgConnection};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, task::JoinSet};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// Claims that are there before the clock starts, so that the trees have the height and the spread of a busy node's.
const BEFORE: u64 = 100_000;

/// What a sample of batches has at least; its time is scaled to what was asked for.
const SAMPLE: u64 = 16_384;

/// How many payers there are.
const PAYERS: u64 = 1_000;

/// How many ask at once.
const CLAIMERS: [u64; 2] = [1_024, 4_096];

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

/// A store, and the number of the next claim.
struct Filled {
    runtime: Runtime,
    store: MeshStore,
    next: Arc<AtomicU64>,
}

impl Filled {
    fn new(server: &Server) -> Self {
        let runtime = Runtime::new().unwrap();
        let location = server.database();
        let store = runtime.block_on(MeshStore::open(&location)).unwrap();
        let filled = Self {
            runtime,
            store,
            next: Arc::default(),
        };
        filled.claim(BEFORE, 4_096);
        server.sql(&name(&location), "vacuum analyze");
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
}

/// One table of what a claim says, another of its line in the journal perhaps, and one connection.
struct Raw {
    runtime: Runtime,
    conn: PgConnection,
    /// Whether each claim has its line, too.
    with_lines: bool,
    next: u64,
}

impl Raw {
    fn new(server: &Server, with_lines: bool) -> Self {
        let location = server.database();
        let table = "create table raw (key bytea primary key, by bytea not null,
            expires_at bigint not null); create index on raw (expires_at);
            create table line (serial bigint generated always as identity primary key,
            payer bytea not null, amount bigint not null, key bytea not null)";
        server.sql(&name(&location), table);
        let runtime = Runtime::new().unwrap();
        let url = location.to_string();
        let conn = runtime.block_on(PgConnection::connect(&url)).unwrap();
        let mut raw = Self {
            runtime,
            conn,
            with_lines,
            next: 0,
        };
        raw.insert(BEFORE, 4_096);
        server.sql(&name(&location), "vacuum analyze");
        raw
    }

    /// Inserts `count` claims, `batch` in each commit.
    fn insert(&mut self, count: u64, batch: u64) {
        let end = self.next + count;
        while self.next < end {
            let numbers = self.next..end.min(self.next + batch);
            self.next = numbers.end;
            let claims: Vec<_> = numbers.map(|number| (number, claim(number))).collect();
            let (conn, with_lines) = (&mut self.conn, self.with_lines);
            self.runtime.block_on(async {
                let mut transaction = conn.begin().await.unwrap();
                insert_claims(&mut transaction, &claims).await;
                if with_lines {
                    insert_lines(&mut transaction, &claims).await;
                }
                transaction.commit().await.unwrap();
            });
        }
    }
}

async fn insert_claims(conn: &mut PgConnection, claims: &[(u64, Claim)]) {
    let sql = "insert into raw select * from unnest($1::bytea[], $2::bytea[], $3::bigint[])
        on conflict do nothing";
    let keys: Vec<_> = claims.iter().map(|(_, it)| *it.key.as_bytes()).collect();
    let tags: Vec<_> = claims.iter().map(|(it, _)| [*it as u8; 16]).collect();
    let ends = claims
        .iter()
        .map(|(_, it)| it.expires_at.to_millis() as i64);
    let inserting = sqlx::query(sql).bind(keys).bind(tags);
    let inserting = inserting.bind(ends.collect::<Vec<_>>());
    inserting.execute(conn).await.unwrap();
}

async fn insert_lines(conn: &mut PgConnection, claims: &[(u64, Claim)]) {
    let sql = "insert into line (payer, amount, key)
        select * from unnest($1::bytea[], $2::bigint[], $3::bytea[])";
    let payers: Vec<_> = claims.iter().map(|(_, it)| it.payer.to_bytes()).collect();
    let amounts = claims.iter().map(|(_, it)| it.amount.to_msat() as i64);
    let keys: Vec<_> = claims.iter().map(|(_, it)| *it.key.as_bytes()).collect();
    let inserting = sqlx::query(sql).bind(payers);
    let inserting = inserting.bind(amounts.collect::<Vec<_>>()).bind(keys);
    inserting.execute(conn).await.unwrap();
}

fn scaled(elapsed: Duration, asked: u64, done: u64) -> Duration {
    elapsed.mul_f64(asked as f64 / done as f64)
}

fn claims(c: &mut Criterion) {
    let Some(server) = Server::start("-c shared_buffers=256MB -c max_wal_size=4GB") else {
        return;
    };
    let mut group = c.benchmark_group("durable claim in PostgreSQL");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.measurement_time(Duration::from_secs(2));

    for (label, batch, least, with_lines) in [
        ("floor_one_insert_each", 1, 64, false),
        ("floor_batched_1000", 1_000, SAMPLE, false),
        ("floor_batched_1000_with_their_lines", 1_000, SAMPLE, true),
    ] {
        let mut raw = Raw::new(&server, with_lines);
        group.bench_function(label, |b| {
            b.iter_custom(|asked| {
                let count = asked.max(least);
                let started = Instant::now();
                raw.insert(count, batch);
                scaled(started.elapsed(), asked, count)
            });
        });
    }

    let filled = Filled::new(&server);
    group.bench_function("floor_one_commit_per_claim", |b| {
        b.iter_custom(|asked| {
            let started = Instant::now();
            filled.claim(asked, 1);
            started.elapsed()
        });
    });
    for claimers in CLAIMERS {
        let mut waited = Vec::new();
        group.bench_function(format!("mesh_store_{claimers}_claimers"), |b| {
            b.iter_custom(|asked| {
                let count = asked.max(SAMPLE);
                let started = Instant::now();
                waited.extend(filled.claim(count, claimers));
                scaled(started.elapsed(), asked, count)
            });
        });
        waited.sort_unstable();
        let at = |part: usize| waited[waited.len() * part / 100];
        println!(
            "{claimers} claimers: median {:?}, 99 of 100 within {:?}",
            at(50),
            at(99)
        );
    }
    group.finish();
}

criterion_group!(benches, claims);

fn main() {
    // Only when it is to measure: `cargo test` may run it too.
    if std::env::args().any(|given| given == "--bench") {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
