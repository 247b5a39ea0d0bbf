//! No balance is larger than what there is.

use super::*;
use mesh_types::MAX_BALANCE;

const MOST: u64 = MAX_BALANCE.to_msat();

pub(crate) async fn a_balance_holds_all_the_bitcoin_there_is_and_no_more(mut place: impl Place) {
    let store = place.open().await;
    let asked = store.claim(claim(1, MOST + 1), tag(1), NOW).await;
    assert!(matches!(asked, Err(StoreError::TooMuch(_))), "{asked:?}");
    let asked = store.claim(claim(1, u64::MAX), tag(1), NOW).await;
    assert!(matches!(asked, Err(StoreError::TooMuch(_))), "{asked:?}");
    check_books(&*store, 0, 0).await;

    deposit(&*store, claim(1, MOST)).await;
    let asked = store.claim(claim(2, 1), tag(1), NOW).await;
    assert!(matches!(asked, Err(StoreError::TooMuch(_))), "{asked:?}");
    check_credit(&*store, payer(1), MOST).await;
    check_books(&*store, MOST, 0).await;
}

pub(crate) async fn what_is_drawn_counts_towards_the_largest_balance(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, MOST)).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(MOST));
    let asked = store.claim(claim(2, 1), tag(1), NOW).await;
    assert!(matches!(asked, Err(StoreError::TooMuch(_))), "{asked:?}");
}

pub(crate) async fn a_refused_claim_takes_no_others_with_it(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, MOST - 10)).await;
    let (too_much, same_again, fits, of_another) = tokio::join!(
        store.claim(claim(2, 11), tag(1), NOW),
        store.claim(claim(3, 11), tag(2), NOW),
        store.claim(claim(4, 10), tag(3), NOW),
        store.claim(
            Claim {
                payer: payer(2),
                ..claim(5, 11)
            },
            tag(4),
            NOW
        ),
    );
    for refused in [too_much, same_again] {
        assert!(matches!(refused, Err(StoreError::TooMuch(_))));
    }
    assert_eq!(fits, Ok(ClaimOutcome::New));
    assert_eq!(of_another, Ok(ClaimOutcome::New));
    check_credit(&*store, payer(1), MOST).await;
    check_credit(&*store, payer(2), 11).await;
}

pub(crate) async fn what_is_spent_makes_room_again(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 1_000_000)).await;
    let refused = store.claim(claim(2, MOST), tag(0), NOW).await;
    assert!(matches!(refused, Err(StoreError::TooMuch(_))));
    assert_eq!(draw_all(&*store, payer(1)).await, msat(1_000_000));
    settle(&*store, payer(1), 1_000_000, 0).await;
    deposit(&*store, claim(2, MOST)).await;
    check_books(&*store, MOST + 1_000_000, 1_000_000).await;
}
