//! What a store takes: bytes for each claim and account, time and memory of opening, and what expiry gives back.
//!
//! `cargo bench -p mesh-store --bench size -- --claims 1000000`; the folder of the file is `TMPDIR`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement reads the time, stops where something is not as it expects, and says what it found"
)]

use mesh_store::{MeshStore, StoreLocation};
use mesh_types::{
    Claim, ClaimKey, ClaimOutcome, ClaimStore as _, CreditStore as _, Msat, NodeId, PacketTag,
    UnixTime,
};
use std::{
    env,
    fmt::Display,
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Command, exit},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// How many claims are made where nobody says how many.
const CLAIMS: u64 = 50_000;

/// How many ask at once.
const CLAIMERS: u64 = 4_096;

/// How many payers there are at first; then each claim has its own.
const PAYERS: u64 = 1_000;

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

fn claim(number: u64, payers: u64) -> Claim {
    Claim {
        key: ClaimKey::from_payment_hash(bytes(number)),
        payer: NodeId::from_bytes(bytes(u64::MAX - number % payers)),
        amount: Msat::from_msat(1_000),
        expires_at: NOW.plus(Duration::from_millis(3_600_000 + number)),
        on_chain: None,
    }
}

async fn open(path: &Path) -> MeshStore {
    MeshStore::open(&StoreLocation::Redb(path.to_owned()))
        .await
        .unwrap()
}

async fn make(store: &MeshStore, from: u64, to: u64, payers: u64) {
    let next = Arc::new(AtomicU64::new(from));
    let mut tasks = JoinSet::new();
    for _ in 0..CLAIMERS {
        let (store, next) = (store.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= to {
                    return;
                }
                let by = PacketTag::from_bytes([7; 16]);
                let outcome = store.claim(claim(number, payers), by, NOW).await;
                assert_eq!(outcome, Ok(ClaimOutcome::New));
            }
        });
    }
    tasks.join_all().await;
}

/// The file's length, and what of it is on the disk.
fn size(path: &Path) -> (u64, u64) {
    let found = fs::metadata(path).unwrap();
    (found.len(), found.blocks() * 512)
}

fn say_size(path: &Path, what: impl Display) {
    let (long, takes) = size(path);
    println!(
        "{what}: {:.1} MB long, {:.1} MB on the disk",
        mb(long),
        mb(takes)
    );
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A line of what the system says about this process, in MB.
fn memory(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1_024.0 / 1e6
}

/// Makes the claims, and ends without closing.
async fn fill(path: &Path, claims: u64) {
    let store = open(path).await;
    let started = Instant::now();
    make(&store, 0, claims, PAYERS).await;
    let rate = claims as f64 / started.elapsed().as_secs_f64();
    say_size(path, format!("{claims} claims, {rate:.0} a second"));
    println!("memory while claiming: at most {:.0} MB", memory("VmHWM"));
    exit(9);
}

/// Makes a tenth more claims, of a payer each.
async fn add_accounts(path: &Path, claims: u64) {
    let store = open(path).await;
    let before = store.books(0).await.unwrap().accounts;
    make(&store, claims, claims + claims / 10, u64::MAX).await;
    let books = store.books(0).await.unwrap();
    println!("{} more accounts", books.accounts - before);
    store.close().await;
}

async fn only_open(path: &Path) {
    let before = memory("VmRSS");
    let started = Instant::now();
    let store = open(path).await;
    let took = started.elapsed();
    let outcome = store.claim(claim(1, PAYERS), PacketTag::from_bytes([7; 16]), NOW);
    let outcome = outcome.await;
    println!(
        "opened in {took:?}; memory {:.0} MB, at most {:.0} MB, of which {before:.0} MB before; {outcome:?}",
        memory("VmRSS"),
        memory("VmHWM"),
    );
    store.close().await;
}

async fn expire(path: &Path, claims: u64) {
    let store = open(path).await;
    let started = Instant::now();
    let over = NOW.plus(Duration::from_secs(30 * 24 * 3_600));
    let removed = store.remove_expired(over).await.unwrap();
    let rate = removed as f64 / started.elapsed().as_secs_f64();
    println!("{removed} claims forgotten, {rate:.0} a second");
    assert_eq!(removed as u64, claims + claims / 10);
    store.close().await;
}

/// Runs one part in a process of its own.
fn part(name: &str, path: &Path, claims: u64) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([name, path.to_str().unwrap(), &claims.to_string()]);
    let _ = command.status().unwrap();
}

fn all(claims: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mesh.redb");
    part("fill", &path, claims);
    println!("after a kill:");
    part("open", &path, claims);
    say_size(&path, "closed");
    let for_claims = size(&path).1;
    println!("{:.0} bytes a claim", for_claims as f64 / claims as f64);
    println!("after an orderly end:");
    part("open", &path, claims);
    part("add", &path, claims);
    say_size(&path, "closed");
    let more = size(&path).1 as f64 - for_claims as f64 * 1.1;
    println!("{:.0} bytes an account", more / (claims as f64 / 10.0));
    part("expire", &path, claims);
    say_size(
        &path,
        "closed, with all claims forgotten and the journal kept",
    );
    part("open", &path, claims);
    say_size(&path, "opened and closed again");
}

#[tokio::main]
async fn main() {
    let given: Vec<_> = env::args().skip(1).collect();
    let given: Vec<_> = given.iter().map(String::as_str).collect();
    match given.as_slice() {
        ["fill", path, claims] => fill(Path::new(path), claims.parse().unwrap()).await,
        ["add", path, claims] => add_accounts(Path::new(path), claims.parse().unwrap()).await,
        ["open", path, _] => only_open(Path::new(path)).await,
        ["expire", path, claims] => expire(Path::new(path), claims.parse().unwrap()).await,
        ["--claims", claims, ..] => all(claims.parse().unwrap()),
        given if given.contains(&"--bench") => all(CLAIMS),
        // `cargo test` may run it too.
        _ => {}
    }
}
