//! The books of a file: read at one moment, and moved to another file.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

use mesh_store::{Exported, ImportError, MeshStore, StoreLocation, check_export};
use mesh_types::{
    CLAIM_SKEW, Claim, ClaimKey, ClaimOutcome, ClaimStore as _, CreditStore as _, Msat, NodeId,
    NodeStore as _, PacketTag, PaymentProof, Settlement, Standing, StoreError, TxHash, UnixTime,
};
use std::{
    io::Cursor,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

struct Opened {
    store: MeshStore,
    _folder: TempDir,
}

async fn empty() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Redb(folder.path().join("mesh.redb"));
    Opened {
        store: MeshStore::open(&location).await.unwrap(),
        _folder: folder,
    }
}

fn payer(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}

fn proof() -> PaymentProof {
    PaymentProof::Lightning {
        invoice: "lnbc1".to_owned(),
        preimage: [9; 32],
        amount_msats: 1,
        timestamp: 2,
        expires_at: 3,
    }
}

fn claim(number: u32) -> Claim {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    Claim {
        key: ClaimKey::from_payment_hash(key),
        payer: payer(number.to_le_bytes()[0] % 7),
        amount: Msat::from_msat(u64::from(number)),
        expires_at: NOW.plus(Duration::from_secs(u64::from(number % 3) * 3_600)),
        on_chain: number.is_multiple_of(4).then(|| TxHash::from_bytes(key)),
    }
}

async fn told(store: &MeshStore, number: u32) -> Result<ClaimOutcome, StoreError> {
    let by = PacketTag::from_bytes([1; 16]);
    store.claim(claim(number), by, NOW).await
}

/// A store in which everything has happened that can.
async fn lived() -> Opened {
    let opened = empty().await;
    let store = &opened.store;
    let numbers: Vec<_> = (0..60).map(|number| told(store, number)).collect();
    for answer in numbers {
        assert_eq!(answer.await, Ok(ClaimOutcome::New));
    }
    for number in 0..30 {
        let standing = match number % 3 {
            0 => Standing::Gone,
            1 => Standing::Holds,
            _ => Standing::Final,
        };
        let judged = store.judge(claim(number).key, standing).await;
        assert_eq!(judged, Ok(()));
    }
    for hour in 0..3_u64 {
        for number in 0..7 {
            let drawn = store.draw(payer(number), Msat::MAX).await.unwrap().amount;
            let spent = Msat::from_msat(drawn.to_msat() / 5);
            let settlement = Settlement {
                payer: payer(number),
                spent,
                packets: 3,
                back: drawn.saturating_sub(spent),
            };
            let at = NOW.plus(Duration::from_secs(3_600 * hour));
            store.settle(vec![settlement], at).await.unwrap();
        }
    }
    assert_eq!(store.remove_expired(NOW.plus(CLAIM_SKEW)).await, Ok(20));
    store.keep_identity([5; 32]).await.unwrap();
    store.reserve_sequences(1_000).await.unwrap();
    store.keep_proof(payer(9), proof()).await.unwrap();
    opened
}

async fn export(store: &MeshStore) -> (Vec<u8>, Exported) {
    let mut lines = Vec::new();
    let exported = store.ledger().export(&mut lines).await.unwrap();
    (lines, exported)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_moves_to_another_file_with_all_it_holds() {
    let from = lived().await;
    let (lines, exported) = export(&from.store).await;
    let to = empty().await;
    let imported = to.store.ledger().import(Cursor::new(lines)).await.unwrap();
    assert_eq!(imported, exported);

    let (old, new) = (&from.store, &to.store);
    assert!(new.ledger().verify().await.unwrap().is_right());
    assert_eq!(new.books(9).await, old.books(9).await);
    let watched = old.watched().await.unwrap();
    assert_eq!(watched.len(), 13, "of 15 on the chain two are final");
    let frozen: Vec<_> = watched.iter().filter(|it| it.is_frozen).collect();
    assert_eq!(frozen.len(), 3);
    assert_eq!(new.watched().await, Ok(watched.clone()));
    for number in 0..7 {
        let credit = new.credit(payer(number)).await;
        assert_eq!(credit, old.credit(payer(number)).await);
    }
    assert_eq!(new.identity().await, Ok(Some([5; 32])));
    assert_eq!(new.kept_proofs().await, Ok(vec![(payer(9), proof())]));
    for store in [old, new] {
        let forgotten = told(store, 3).await;
        assert!(matches!(forgotten, Err(StoreError::Expired(_))));
        assert_eq!(told(store, 4).await, Ok(ClaimOutcome::Again));
        assert_eq!(told(store, 1_000).await, Ok(ClaimOutcome::New));
        let block = store.reserve_sequences(0).await.unwrap();
        assert_eq!(block.next, 9_192);
        let later = NOW.plus(Duration::from_secs(9 * 3_600));
        assert_eq!(store.remove_expired(later).await, Ok(41));
        assert!(store.ledger().verify().await.unwrap().is_right());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_holds_anything_takes_no_other_ledger_and_goes_on() {
    let (lines, _) = export(&lived().await.store).await;
    let to = empty().await;
    to.store.keep_identity([8; 32]).await.unwrap();
    assert_eq!(told(&to.store, 1).await, Ok(ClaimOutcome::New));
    let refused = to.store.ledger().import(Cursor::new(lines)).await;
    assert!(
        matches!(refused, Err(ImportError::Store(StoreError::Unavailable(_)))),
        "{refused:?}"
    );
    assert_eq!(to.store.identity().await, Ok(Some([8; 32])));
    assert_eq!(told(&to.store, 1).await, Ok(ClaimOutcome::Again));
    assert_eq!(told(&to.store, 2).await, Ok(ClaimOutcome::New));
    assert_eq!(to.store.books(0).await.unwrap().accounts, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_export_that_is_cut_off_nothing_is_taken() {
    let (lines, exported) = export(&lived().await.store).await;
    let to = empty().await;
    let cut = lines.get(..lines.len() - 10).unwrap().to_vec();
    assert!(to.store.ledger().import(Cursor::new(cut)).await.is_err());
    assert_eq!(to.store.books(0).await.unwrap().accounts, 0);
    assert_eq!(to.store.identity().await, Ok(None));
    let imported = to.store.ledger().import(Cursor::new(lines)).await.unwrap();
    assert_eq!(imported, exported, "it was left empty, and takes the whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_of_one_moment_while_claims_come_and_go() {
    let Opened { store, _folder } = empty().await;
    let over = Arc::new(AtomicBool::new(false));
    let claiming = tokio::spawn({
        let (store, over) = (store.clone(), Arc::clone(&over));
        async move {
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                let _ = told(&store, number).await;
                let of = claim(number).payer;
                let drawn = store.draw(of, Msat::MAX).await.unwrap().amount;
                let settlement = Settlement {
                    payer: of,
                    spent: drawn,
                    packets: 1,
                    back: Msat::ZERO,
                };
                store.settle(vec![settlement], NOW).await.unwrap();
                number += 1;
            }
        }
    });
    for _ in 0..10 {
        let (lines, exported) = export(&store).await;
        assert_eq!(check_export(Cursor::new(lines)).unwrap(), exported);
        assert!(store.ledger().verify().await.unwrap().is_right());
    }
    over.store(true, Ordering::Relaxed);
    claiming.await.unwrap();
}
