//! What is left when the disk fails: at each write, at each sync, in each way.

use super::{
    faulty_disk::{FaultyDisk, Plan},
    open::{builder, check_schema, start, write_schema},
};
use crate::store::MeshStore;
use mesh_types::{
    Claim, ClaimKey, ClaimOutcome, ClaimStore as _, CreditStore as _, Msat, NodeId, NodeStore as _,
    PacketTag, Settlement, Standing, StoreError, TxHash, UnixTime,
};
use std::{collections::BTreeMap, path::Path};
use tokio::task::JoinSet;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const LATER: UnixTime = UnixTime::from_secs(1_800_100_000);
const PAYER: NodeId = NodeId::from_bytes([1; 32]);
const BY: PacketTag = PacketTag::from_bytes([3; 16]);

fn claim(number: u8) -> Claim {
    Claim {
        key: ClaimKey::from_payment_hash([number; 32]),
        payer: PAYER,
        amount: Msat::from_msat(100 + u64::from(number)),
        expires_at: if number % 5 == 4 { NOW } else { LATER },
        on_chain: (number % 5 == 2).then(|| TxHash::from_bytes([number; 32])),
    }
}

/// When the claims that end at [`NOW`] are forgotten.
fn sweep_time() -> UnixTime {
    NOW.plus(mesh_types::CLAIM_SKEW)
}

/// Opens what is there: at once, without reading all of it.
fn open(disk: &FaultyDisk) -> MeshStore {
    let mut builder = builder();
    builder.set_repair_callback(|_| panic!("all of the file would have to be read"));
    let database = builder.create_with_backend(disk.clone()).unwrap();
    check_schema(Path::new("disk"), &database).unwrap();
    start(database, None)
}

/// An empty store, as it is on the disk.
fn fresh() -> Vec<u8> {
    let disk = FaultyDisk::new(Vec::new(), Plan::Never);
    let database = builder().create_with_backend(disk.clone()).unwrap();
    write_schema(&database).unwrap();
    drop(database);
    disk.left_over(0).swap_remove(0).1
}

/// What was heard of one node's life.
#[derive(Debug, Default)]
struct Heard {
    claims: BTreeMap<u8, Result<ClaimOutcome, StoreError>>,
    swept: bool,
    spent: Vec<(u64, Result<(), StoreError>)>,
    /// What was said of payments that all are gone.
    judged: BTreeMap<u8, Result<(), StoreError>>,
    reserved_until: u64,
    failed: bool,
}

impl Heard {
    /// After the first failure nothing may succeed.
    fn note<T>(&mut self, answer: &Result<T, StoreError>) {
        match answer {
            Ok(_) | Err(StoreError::Expired(_)) => {
                assert!(!self.failed, "a success after a failure");
            }
            Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => self.failed = true,
            Err(other) => panic!("{other}"),
        }
    }
}

/// Claims alone and together, draws and spends, forgets, and reserves.
async fn live(store: &MeshStore) -> Heard {
    let mut heard = Heard::default();
    for round in 0..3_u8 {
        let first = round * 5;
        let alone = store.claim(claim(first), BY, NOW).await;
        heard.note(&alone);
        heard.claims.insert(first, alone);
        let (a, b, c, d) = tokio::join!(
            store.claim(claim(first + 1), BY, NOW),
            store.claim(claim(first + 2), BY, NOW),
            store.claim(claim(first + 3), BY, NOW),
            store.claim(claim(first + 4), BY, NOW),
        );
        for (number, answer) in (first + 1..).zip([a, b, c, d]) {
            heard.note(&answer);
            heard.claims.insert(number, answer);
        }
        let judged = store.judge(claim(first + 2).key, Standing::Gone).await;
        heard.note(&judged);
        heard.judged.insert(first + 2, judged);
        if let Ok(drawn) = store.draw(PAYER, Msat::MAX).await {
            let spent = 10 + u64::from(round);
            let settlement = Settlement {
                payer: PAYER,
                spent: Msat::from_msat(spent),
                packets: 1,
                back: drawn.amount.saturating_sub(Msat::from_msat(spent)),
            };
            let settled = store.settle(vec![settlement], NOW).await.map(drop);
            heard.note(&settled);
            heard.spent.push((spent, settled));
        }
        let block = store.reserve_sequences(0).await;
        heard.note(&block);
        if let Ok(block) = block {
            assert!(block.next >= heard.reserved_until);
            heard.reserved_until = block.end;
        }
        if round == 1 {
            let swept = store.remove_expired(sweep_time()).await;
            heard.note(&swept);
            heard.swept = true;
        }
    }
    heard
}

/// Opens what is left and compares it with what was heard.
async fn check(left: Vec<u8>, heard: &Heard, what: &str) {
    let store = open(&FaultyDisk::new(left, Plan::Never));
    let books = store.books(0).await.unwrap();
    let sum = books.credit.checked_add(books.earned);
    assert_eq!(sum, Some(books.deposited), "{what}");
    let of = |sure: bool| {
        let spent = heard.spent.iter();
        spent
            .filter(|(_, settled)| matches!(settled, Ok(())) || !sure && is_unknown(settled))
            .map(|(spent, _)| spent)
            .sum::<u64>()
    };
    let earned = books.earned.to_msat();
    assert!((of(true)..=of(false)).contains(&earned), "{what}");
    let free = books.credit.saturating_sub(books.frozen);
    assert_eq!(store.credit(PAYER).await, Ok(free), "{what}");
    check_watched(&store, heard, what).await;

    let (mut least, mut most) = (0, 0);
    for (number, answer) in &heard.claims {
        let claim = claim(*number);
        if matches!(answer, Ok(ClaimOutcome::New)) {
            least += claim.amount.to_msat();
        }
        if !matches!(answer, Err(StoreError::Unavailable(_))) {
            most += claim.amount.to_msat();
        }
    }
    let deposited = books.deposited.to_msat();
    assert!((least..=most).contains(&deposited), "{what}: {deposited}");

    let mut asking = JoinSet::new();
    for number in heard.claims.keys().copied() {
        let store = store.clone();
        asking.spawn(async move { (number, store.claim(claim(number), BY, NOW).await) });
    }
    let told: BTreeMap<_, _> = asking.join_all().await.into_iter().collect();
    for (number, answer) in &heard.claims {
        let told = told[number].clone();
        let forgotten = heard.swept && matches!(told, Err(StoreError::Expired(_)));
        match answer {
            Ok(ClaimOutcome::New) => assert!(
                told == Ok(ClaimOutcome::Again) || forgotten,
                "{what}: claim {number} was acknowledged, and now {told:?}"
            ),
            Err(StoreError::Unavailable(_)) => assert!(
                told == Ok(ClaimOutcome::New) || forgotten,
                "{what}: claim {number} was surely not made, and now {told:?}"
            ),
            Err(StoreError::Unknown(_)) => assert!(
                matches!(told, Ok(ClaimOutcome::New | ClaimOutcome::Again)) || forgotten,
                "{what}: claim {number}: {told:?}"
            ),
            Err(StoreError::Expired(_)) if heard.swept => {}
            other => panic!("{what}: {other:?}"),
        }
    }
    let block = store.reserve_sequences(0).await.unwrap();
    assert!(block.next >= heard.reserved_until, "{what}");
}

/// What is watched is what was claimed, and frozen what was said to be gone.
async fn check_watched(store: &MeshStore, heard: &Heard, what: &str) {
    assert!(store.ledger().verify().await.unwrap().is_right(), "{what}");
    let watched = store.watched().await.unwrap();
    let deposits = store.ledger().deposits(None, 1_000).await.unwrap();
    for number in 0..15 {
        let claim = claim(number);
        let found = watched.iter().find(|it| it.key == claim.key);
        let is_claimed = deposits.iter().any(|it| it.key == claim.key);
        assert_eq!(
            found.is_some(),
            is_claimed && claim.on_chain.is_some(),
            "{what}: {number}"
        );
        match (heard.judged.get(&number), found) {
            (Some(Ok(())), Some(found)) => assert!(found.is_frozen, "{what}: {number}"),
            (None | Some(Err(StoreError::Unavailable(_))), Some(found)) => {
                assert!(!found.is_frozen, "{what}: {number}");
            }
            _ => {}
        }
    }
}

fn is_unknown<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unknown(_)))
}

/// Lives on a disk that fails as planned, and checks all that may be left: at the failure, and after an orderly end.
async fn survive(fresh: &[u8], plan: Plan) -> (u64, u64) {
    let disk = FaultyDisk::new(fresh.to_vec(), plan);
    let Ok(database) = builder().create_with_backend(disk.clone()) else {
        // It failed while it was opened: nothing was asked yet.
        for (how, left) in disk.left_over(0) {
            let what = format!("{plan:?} while opening, then {how}");
            check(left, &Heard::default(), &what).await;
        }
        return disk.counts();
    };
    let store = start(database, None);
    let heard = live(&store).await;
    assert_eq!(store.is_reachable(), !heard.failed, "{plan:?}");
    let (writes, syncs) = disk.counts();
    let mut seen = Vec::new();
    for end in ["ended", "closed"] {
        for (how, left) in disk.left_over(writes) {
            if !seen.contains(&left) {
                seen.push(left.clone());
                check(left, &heard, &format!("{plan:?}, {end}, then {how}")).await;
            }
        }
        if end == "ended" {
            store.close().await;
        }
    }
    drop(store);
    let planned = plan != Plan::Never;
    assert!(planned || !heard.failed, "a good disk failed");
    (writes, syncs)
}

/// Runs `plan` for each write or sync of a whole life.
fn at_each(plan: fn(u64) -> Plan, of: fn((u64, u64)) -> u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let fresh = fresh();
        let most = of(survive(&fresh, Plan::Never).await);
        assert!(most > 20, "there is little to fail: {most}");
        for number in 1..=most {
            survive(&fresh, plan(number)).await;
        }
    });
}

#[test]
fn nothing_acknowledged_is_lost_when_any_one_write_fails() {
    at_each(Plan::Write, |(writes, _)| writes);
}

#[test]
fn nothing_acknowledged_is_lost_when_any_one_sync_fails() {
    at_each(Plan::Sync, |(_, syncs)| syncs);
}

#[test]
fn nothing_acknowledged_is_lost_when_any_one_sync_fails_and_forgets() {
    at_each(Plan::SyncForgets, |(_, syncs)| syncs);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_disk_is_full_from_any_write_on() {
    at_each(Plan::Full, |(writes, _)| writes);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails_in_the_middle_of_any_write() {
    at_each(Plan::PowerCut, |(writes, _)| writes);
}
