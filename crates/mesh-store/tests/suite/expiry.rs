//! A claim is kept as long as its proof may be shown, and forgotten then.

use super::*;
use mesh_types::CLAIM_SKEW;
use std::time::Duration;
use tokio::task::JoinSet;

/// When a claim whose proof ends at [`LATER`] may be forgotten.
fn over() -> UnixTime {
    LATER.plus(CLAIM_SKEW)
}

fn before(time: UnixTime) -> UnixTime {
    UnixTime::from_millis(time.to_millis() - 1)
}

fn ending(number: u64, expires_at: UnixTime) -> Claim {
    Claim {
        expires_at,
        ..claim(number, 10)
    }
}

pub(crate) async fn a_claim_is_kept_until_its_end_and_the_skew_have_passed(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 50)).await;
    assert_eq!(store.remove_expired(NOW).await, Ok(0));
    assert_eq!(store.remove_expired(before(over())).await, Ok(0));
    let asked = store.claim(claim(1, 50), tag(1), LATER).await;
    assert_eq!(asked, Ok(ClaimOutcome::AlreadyClaimed));

    assert_eq!(store.remove_expired(over()).await, Ok(1));
    assert_eq!(store.remove_expired(over()).await, Ok(0));
}

pub(crate) async fn a_payment_whose_time_is_forgotten_is_refused_and_never_new(
    mut place: impl Place,
) {
    let store = place.open().await;
    deposit(&*store, claim(1, 50)).await;
    assert_eq!(store.remove_expired(over()).await, Ok(1));
    for by in [0, 1] {
        let asked = store.claim(claim(1, 50), tag(by), NOW).await;
        assert!(is_expired(&asked), "{asked:?}");
    }
    let asked = store.claim(claim(2, 50), tag(1), NOW).await;
    assert!(is_expired(&asked), "nobody can tell whether it was claimed");
    let asked = store.claim(ending(3, NOW), tag(1), NOW).await;
    assert!(is_expired(&asked), "{asked:?}");
    check_books(&*store, 50, 0).await;
}

pub(crate) async fn a_payment_that_ends_just_behind_what_is_forgotten_is_taken(
    mut place: impl Place,
) {
    let store = place.open().await;
    assert_eq!(store.remove_expired(over()).await, Ok(0));
    let behind = UnixTime::from_millis(LATER.to_millis() + 1);
    deposit(&*store, ending(1, behind)).await;
    let asked = store.claim(ending(2, LATER), tag(1), NOW).await;
    assert!(is_expired(&asked), "{asked:?}");
}

pub(crate) async fn forgetting_earlier_times_again_forgets_nothing(mut place: impl Place) {
    let store = place.open().await;
    assert_eq!(store.remove_expired(over()).await, Ok(0));
    assert_eq!(store.remove_expired(NOW).await, Ok(0));
    let asked = store.claim(claim(1, 50), tag(1), NOW).await;
    assert!(is_expired(&asked), "the latest time counts: {asked:?}");
}

pub(crate) async fn what_is_claimed_is_told_even_when_its_time_is_forgotten(mut place: impl Place) {
    let store = place.open().await;
    let hour = Duration::from_secs(3_600);
    deposit(&*store, ending(1, LATER.plus(hour))).await;
    assert_eq!(store.remove_expired(over()).await, Ok(0));
    let asked = store.claim(ending(1, LATER), tag(1), NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::AlreadyClaimed));
    let asked = store.claim(ending(1, LATER), tag(0), NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::Again));
}

pub(crate) async fn credit_stays_when_its_claims_are_forgotten(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 50)).await;
    assert_eq!(store.remove_expired(over()).await, Ok(1));
    check_credit(&*store, payer(1), 50).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(50));
    settle(&*store, payer(1), 20, 30).await;
    check_books(&*store, 50, 20).await;
}

/// More than are forgotten in one transaction, a third of them at each of three times.
const MANY: u64 = 9_000;

pub(crate) async fn only_what_has_ended_is_forgotten_of_many(mut place: impl Place) {
    let store = place.open().await;
    let minute = Duration::from_secs(60);
    let at = |number: u64| LATER.plus(minute * (number % 3) as u32);
    let mut tasks = JoinSet::new();
    for number in 0..MANY {
        let store = Arc::clone(&store);
        let claim = ending(number, at(number));
        tasks.spawn(async move { store.claim(claim, tag(0), NOW).await.unwrap() });
    }
    let outcomes = tasks.join_all().await;
    assert!(outcomes.iter().all(|heard| *heard == ClaimOutcome::New));

    let third = MANY as usize / 3;
    assert_eq!(store.remove_expired(over()).await, Ok(third));
    for (number, known) in [(0, false), (1, true), (2, true), (MANY - 1, true)] {
        let asked = store.claim(ending(number, at(number)), tag(1), NOW).await;
        assert_eq!(asked == Ok(ClaimOutcome::AlreadyClaimed), known, "{number}");
        assert_eq!(is_expired(&asked), !known, "{number}");
    }
    let last = over().plus(minute * 2);
    assert_eq!(store.remove_expired(last).await, Ok(2 * third));
    check_books(&*store, 10 * MANY, 0).await;
}

pub(crate) async fn forgetting_goes_on_while_claims_come(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1_000, 10)).await;
    let removing = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.remove_expired(over()).await }
    });
    let mut accepted = 1;
    for number in 0..50 {
        match store.claim(claim(number, 10), tag(0), NOW).await {
            Ok(ClaimOutcome::New) => accepted += 1,
            other => assert!(is_expired(&other), "{other:?}"),
        }
    }
    let removed = removing.await.unwrap().unwrap();
    let rest = store.remove_expired(over()).await.unwrap();
    assert_eq!(removed + rest, accepted);
    check_books(&*store, 10 * accepted as u64, 0).await;
}
