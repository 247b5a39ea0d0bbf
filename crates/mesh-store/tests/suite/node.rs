//! What makes a node itself.

use super::*;
use mesh_types::MAX_KEPT_PROOFS;
use tokio::task::JoinSet;

pub(crate) async fn the_first_key_is_kept(mut place: impl Place) {
    let store = place.open().await;
    assert_eq!(store.identity().await, Ok(None));
    assert_eq!(store.keep_identity([1; 32]).await, Ok([1; 32]));
    assert_eq!(store.keep_identity([2; 32]).await, Ok([1; 32]));
    assert_eq!(store.identity().await, Ok(Some([1; 32])));
}

pub(crate) async fn of_keys_kept_at_once_one_is_everybodys(mut place: impl Place) {
    let store = place.open().await;
    let mut tasks = JoinSet::new();
    for number in 0..16 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.keep_identity([number; 32]).await.unwrap() });
    }
    let kept = tasks.join_all().await;
    assert!(kept.iter().all(|secret| *secret == kept[0]));
    assert_eq!(store.identity().await, Ok(Some(kept[0])));
}

pub(crate) async fn sequence_blocks_rise_and_never_meet(mut place: impl Place) {
    let store = place.open().await;
    let mut end = 0;
    for _ in 0..5 {
        let block = store.reserve_sequences(0).await.unwrap();
        assert!(block.next >= end && block.next < block.end, "{block:?}");
        end = block.end;
    }
}

pub(crate) async fn a_block_begins_no_lower_than_asked(mut place: impl Place) {
    let store = place.open().await;
    let micros = 1_800_000_000_000_000;
    let block = store.reserve_sequences(micros).await.unwrap();
    assert_eq!(block.next, micros);
    let lower = store.reserve_sequences(micros / 2).await.unwrap();
    assert!(lower.next >= block.end, "{lower:?} follows {block:?}");
    let higher = store.reserve_sequences(micros * 2).await.unwrap();
    assert_eq!(higher.next, micros * 2);
}

pub(crate) async fn blocks_reserved_at_once_never_meet(mut place: impl Place) {
    let store = place.open().await;
    let mut tasks = JoinSet::new();
    for at_least in 0..32 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.reserve_sequences(at_least).await.unwrap() });
    }
    let mut blocks = tasks.join_all().await;
    blocks.sort_by_key(|block| block.next);
    for pair in blocks.windows(2) {
        assert!(pair[0].end <= pair[1].next, "{pair:?}");
    }
}

pub(crate) async fn a_proof_is_kept_until_it_is_forgotten(mut place: impl Place) {
    let store = place.open().await;
    assert_eq!(store.kept_proofs().await, Ok(Vec::new()));
    store.keep_proof(payer(1), proof(1)).await.unwrap();
    store.keep_proof(payer(1), proof(2)).await.unwrap();
    assert_eq!(store.kept_proofs().await.unwrap().len(), 2);
    store.forget_proof(payer(1), proof(1)).await.unwrap();
    store.forget_proof(payer(1), proof(1)).await.unwrap();
    store.forget_proof(payer(2), proof(2)).await.unwrap();
    assert_eq!(store.kept_proofs().await, Ok(vec![(payer(1), proof(2))]));
}

pub(crate) async fn one_proof_is_kept_once_for_each_payee(mut place: impl Place) {
    let store = place.open().await;
    for payee in [1, 2, 1] {
        store.keep_proof(payer(payee), proof(1)).await.unwrap();
    }
    let mut kept = store.kept_proofs().await.unwrap();
    kept.sort_by_key(|(payee, _)| *payee);
    assert_eq!(kept, [(payer(1), proof(1)), (payer(2), proof(1))]);
}

/// One of each kind, with what is hard to write down.
pub(crate) fn all_kinds() -> [PaymentProof; 4] {
    [
        proof(u64::MAX),
        PaymentProof::Lightning {
            invoice: "quote \" backslash \\ newline \n NUL \0 ₿".to_owned(),
            preimage: [0xff; 32],
            amount_msats: u64::MAX,
            timestamp: 0,
            expires_at: u64::MAX,
        },
        PaymentProof::OnChainSettlement {
            payment_request_id: String::new(),
            tx_hash: [1; 32],
            amount_sats: 0,
            timestamp: u64::MAX,
        },
        PaymentProof::InstantSettlement {
            covenant_proof: vec![0; 4_096],
            output_index: u32::MAX,
            merkle_proof: vec![[3; 32]; 32],
            amount_sats: 1,
            timestamp: 2,
        },
    ]
}

pub(crate) async fn proofs_of_all_kinds_come_back_as_they_were(mut place: impl Place) {
    let store = place.open().await;
    for proof in all_kinds() {
        store.keep_proof(payer(1), proof).await.unwrap();
    }
    let kept = store.kept_proofs().await.unwrap();
    assert_eq!(kept.len(), all_kinds().len());
    for proof in all_kinds() {
        assert!(kept.contains(&(payer(1), proof)));
    }
}

pub(crate) async fn at_the_bound_no_proof_is_kept_and_none_is_lost(mut place: impl Place) {
    let store = place.open().await;
    let mut tasks = JoinSet::new();
    for number in 0..MAX_KEPT_PROOFS as u64 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.keep_proof(payer(1), proof(number)).await });
    }
    assert!(tasks.join_all().await.iter().all(Result::is_ok));

    let one_more = store.keep_proof(payer(1), proof(u64::MAX)).await;
    assert!(
        matches!(one_more, Err(StoreError::Unavailable(_))),
        "{one_more:?}"
    );
    store.keep_proof(payer(1), proof(7)).await.unwrap();
    assert_eq!(store.kept_proofs().await.unwrap().len(), MAX_KEPT_PROOFS);

    store.forget_proof(payer(1), proof(7)).await.unwrap();
    store.keep_proof(payer(1), proof(u64::MAX)).await.unwrap();
    assert_eq!(store.kept_proofs().await.unwrap().len(), MAX_KEPT_PROOFS);
}

pub(crate) async fn the_place_of_each_wallet_is_kept_and_never_falls(mut place: impl Place) {
    let store = place.open().await;
    assert_eq!(store.settled_place([2; 33]).await, Ok(None));
    store.keep_settled_place([2; 33], 0).await.unwrap();
    assert_eq!(store.settled_place([2; 33]).await, Ok(Some(0)));
    for place in [7, 5] {
        store.keep_settled_place([2; 33], place).await.unwrap();
        assert_eq!(store.settled_place([2; 33]).await, Ok(Some(7)));
    }
    store.keep_settled_place([3; 33], 1).await.unwrap();
    assert_eq!(store.settled_place([2; 33]).await, Ok(Some(7)));
    assert_eq!(store.settled_place([3; 33]).await, Ok(Some(1)));
}
