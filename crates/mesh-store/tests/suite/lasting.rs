//! What was answered is there after any end.

use super::*;
use mesh_types::CLAIM_SKEW;

pub(crate) async fn claims_and_credit_outlive_a_crash(mut place: impl Place) {
    let mut store = place.open().await;
    for round in 0..3 {
        deposit(&*store, claim(round, 50)).await;
        store = place.crash(store).await;
        for number in 0..=round {
            let asked = store.claim(claim(number, 50), tag(1), NOW).await;
            assert_eq!(asked, Ok(ClaimOutcome::AlreadyClaimed));
            let asked = store.claim(claim(number, 50), tag(0), NOW).await;
            assert_eq!(asked, Ok(ClaimOutcome::Again));
        }
        check_credit(&*store, payer(1), 50 * (round + 1)).await;
        check_books(&*store, 50 * (round + 1), 0).await;
    }
}

pub(crate) async fn what_was_drawn_comes_back_after_a_crash(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 100)).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(100));
    let store = place.crash(store).await;
    check_credit(&*store, payer(1), 100).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(100));
}

pub(crate) async fn what_was_settled_stays_settled_after_a_crash(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 100)).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(100));
    settle(&*store, payer(1), 60, 10).await;
    let store = place.crash(store).await;
    check_credit(&*store, payer(1), 40).await;
    check_books(&*store, 100, 60).await;
}

pub(crate) async fn claims_stay_forgotten_after_a_crash(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 50)).await;
    assert_eq!(store.remove_expired(LATER.plus(CLAIM_SKEW)).await, Ok(1));
    let store = place.crash(store).await;
    let asked = store.claim(claim(1, 50), tag(0), NOW).await;
    assert!(is_expired(&asked), "{asked:?}");
    check_books(&*store, 50, 0).await;
}

pub(crate) async fn sequences_rise_over_crashes_and_reopenings(mut place: impl Place) {
    let mut store = place.open().await;
    let mut end = 0;
    for round in 0..6 {
        let block = store.reserve_sequences(round).await.unwrap();
        assert!(block.next >= end && block.next < block.end, "{block:?}");
        end = block.end;
        store = if round % 2 == 0 {
            place.crash(store).await
        } else {
            place.reopen(store).await
        };
    }
}

pub(crate) async fn the_key_and_the_proofs_outlive_a_crash(mut place: impl Place) {
    let store = place.open().await;
    store.keep_identity([1; 32]).await.unwrap();
    for proof in node::all_kinds() {
        store.keep_proof(payer(1), proof).await.unwrap();
    }
    store.forget_proof(payer(1), proof(u64::MAX)).await.unwrap();
    let store = place.crash(store).await;
    assert_eq!(store.identity().await, Ok(Some([1; 32])));
    assert_eq!(store.keep_identity([2; 32]).await, Ok([1; 32]));
    let kept = store.kept_proofs().await.unwrap();
    assert_eq!(kept.len(), node::all_kinds().len() - 1);
    assert!(!kept.contains(&(payer(1), proof(u64::MAX))));
}

pub(crate) async fn everything_outlives_an_orderly_end(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 100)).await;
    store.keep_identity([1; 32]).await.unwrap();
    store.keep_proof(payer(2), proof(1)).await.unwrap();
    assert_eq!(draw_all(&*store, payer(1)).await, msat(100));
    settle(&*store, payer(1), 30, 0).await;
    let store = place.reopen(store).await;
    check_credit(&*store, payer(1), 70).await;
    check_books(&*store, 100, 30).await;
    let asked = store.claim(claim(1, 100), tag(0), NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::Again));
    assert_eq!(store.identity().await, Ok(Some([1; 32])));
    assert_eq!(store.kept_proofs().await, Ok(vec![(payer(2), proof(1))]));
}

pub(crate) async fn a_store_opens_often(mut place: impl Place) {
    let mut store = place.open().await;
    for _ in 0..5 {
        store = place.reopen(store).await;
        store = place.crash(store).await;
    }
    check_books(&*store, 0, 0).await;
}

pub(crate) async fn what_the_wallet_said_outlives_a_crash(mut place: impl Place) {
    let store = place.open().await;
    for number in [1, 2] {
        let asked = store.claim(claim(number, 50), PacketTag::NONE, NOW).await;
        assert_eq!(asked, Ok(ClaimOutcome::New));
    }
    let asked = store.claim(claim(1, 50), tag(1), NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::Again));
    store.keep_settled_place([2; 33], 9).await.unwrap();
    let store = place.crash(store).await;
    for (number, outcome) in [(1, ClaimOutcome::AlreadyClaimed), (2, ClaimOutcome::Again)] {
        let asked = store.claim(claim(number, 50), tag(2), NOW).await;
        assert_eq!(asked, Ok(outcome));
    }
    assert_eq!(store.settled_place([2; 33]).await, Ok(Some(9)));
    check_books(&*store, 100, 0).await;
}
