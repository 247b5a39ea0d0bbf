//! Payments on the chain: watched, frozen while they are undone, and drawn when they hold.

use super::*;
use mesh_types::{CLAIM_SKEW, MAX_BALANCE, MAX_WATCHED};
use std::time::Duration;
use tokio::task::JoinSet;

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn judge(store: &impl Store, number: u64, standing: Standing) {
    assert_eq!(store.judge(key(number), standing).await, Ok(()));
}

/// Checks how many payments are watched, and what is frozen of all of them.
async fn check_watched(store: &impl Store, count: usize, frozen: u64) {
    let watched = store.watched().await.unwrap();
    assert_eq!(watched.len(), count);
    assert!(watched.windows(2).all(|pair| pair[0].key < pair[1].key));
    let sum = watched.iter().filter(|it| it.is_frozen);
    let sum: u64 = sum.map(|it| it.amount.to_msat()).sum();
    assert_eq!(sum, frozen);
    let books = store.books(0).await.unwrap();
    assert_eq!((books.watched, books.frozen), (count as u64, msat(frozen)));
}

pub(crate) async fn a_payment_on_the_chain_is_watched_from_its_claim_on(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 30)).await;
    check_watched(&*store, 0, 0).await;
    deposit(&*store, on_chain(2, 50)).await;
    let watched = Watched {
        key: key(2),
        payer: payer(1),
        amount: msat(50),
        tx_hash: tx(2),
        is_frozen: false,
    };
    assert_eq!(store.watched().await, Ok(vec![watched]));
    check_watched(&*store, 1, 0).await;
    check_credit(&*store, payer(1), 80).await;
    check_books(&*store, 80, 0).await;
}

pub(crate) async fn asking_again_watches_nothing_again(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, on_chain(1, 50)).await;
    let before = store.watched().await;
    let others = [
        (on_chain(1, 50), 0, ClaimOutcome::Again),
        (on_chain(1, 99), 1, ClaimOutcome::AlreadyClaimed),
        (
            Claim {
                payer: payer(2),
                on_chain: Some(tx(9)),
                ..claim(1, 50)
            },
            2,
            ClaimOutcome::AlreadyClaimed,
        ),
    ];
    for (claim, by, outcome) in others {
        assert_eq!(store.claim(claim, tag(by), NOW).await, Ok(outcome));
        assert_eq!(store.watched().await, before);
    }
    judge(&*store, 1, Standing::Gone).await;
    let asked = store.claim(on_chain(1, 50), tag(0), NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::Again));
    check_watched(&*store, 1, 50).await;
}

pub(crate) async fn a_payment_that_is_refused_is_not_watched(mut place: impl Place) {
    let store = place.open().await;
    let asked = store
        .claim(on_chain(1, MAX_BALANCE.to_msat() + 1), tag(0), NOW)
        .await;
    assert!(matches!(asked, Err(StoreError::TooMuch(_))), "{asked:?}");
    assert_eq!(store.remove_expired(LATER.plus(CLAIM_SKEW)).await, Ok(0));
    let asked = store.claim(on_chain(2, 5), tag(0), NOW).await;
    assert!(is_expired(&asked), "{asked:?}");
    check_watched(&*store, 0, 0).await;
    check_books(&*store, 0, 0).await;
}

pub(crate) async fn what_is_frozen_is_not_drawn_until_it_holds_again(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 30)).await;
    deposit(&*store, on_chain(2, 50)).await;
    judge(&*store, 2, Standing::Gone).await;
    check_watched(&*store, 1, 50).await;
    check_credit(&*store, payer(1), 30).await;
    check_books(&*store, 80, 0).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(30));
    check_credit(&*store, payer(1), 0).await;

    judge(&*store, 2, Standing::Holds).await;
    check_watched(&*store, 1, 0).await;
    check_credit(&*store, payer(1), 50).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(50));
    settle(&*store, payer(1), 80, 0).await;
    check_books(&*store, 80, 80).await;
}

pub(crate) async fn saying_the_same_again_changes_nothing(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, on_chain(1, 50)).await;
    deposit(&*store, on_chain(2, 7)).await;
    for _ in 0..3 {
        judge(&*store, 1, Standing::Holds).await;
        check_watched(&*store, 2, 0).await;
    }
    for _ in 0..3 {
        judge(&*store, 1, Standing::Gone).await;
        check_watched(&*store, 2, 50).await;
        check_credit(&*store, payer(1), 7).await;
    }
    for _ in 0..3 {
        judge(&*store, 1, Standing::Holds).await;
        check_watched(&*store, 2, 0).await;
        check_credit(&*store, payer(1), 57).await;
    }
    for _ in 0..3 {
        judge(&*store, 1, Standing::Final).await;
        check_watched(&*store, 1, 0).await;
        check_credit(&*store, payer(1), 57).await;
    }
}

pub(crate) async fn a_final_payment_is_drawn_and_watched_no_more(mut place: impl Place) {
    let store = place.open().await;
    for number in 1..=3 {
        deposit(&*store, on_chain(number, 10 * number)).await;
    }
    judge(&*store, 1, Standing::Gone).await;
    judge(&*store, 1, Standing::Final).await;
    judge(&*store, 2, Standing::Final).await;
    judge(&*store, 3, Standing::Gone).await;
    // Nothing brings back what was final.
    for standing in [Standing::Gone, Standing::Holds, Standing::Gone] {
        judge(&*store, 1, standing).await;
    }
    check_watched(&*store, 1, 30).await;
    check_credit(&*store, payer(1), 30).await;
    let asked = store.claim(on_chain(1, 10), tag(5), NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::AlreadyClaimed));
    check_watched(&*store, 1, 30).await;
}

pub(crate) async fn what_is_not_watched_is_left_alone(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 30)).await;
    for standing in [Standing::Gone, Standing::Holds, Standing::Final] {
        judge(&*store, 1, standing).await;
        judge(&*store, 9, standing).await;
    }
    check_watched(&*store, 0, 0).await;
    check_credit(&*store, payer(1), 30).await;
    assert_eq!(store.books(0).await.unwrap().accounts, 1);
}

pub(crate) async fn only_its_own_payer_has_less(mut place: impl Place) {
    let store = place.open().await;
    for number in 1..=3_u8 {
        let claim = Claim {
            payer: payer(number),
            ..on_chain(number.into(), 10)
        };
        deposit(&*store, claim).await;
    }
    judge(&*store, 2, Standing::Gone).await;
    for (number, credit) in [(1, 10), (2, 0), (3, 10)] {
        check_credit(&*store, payer(number), credit).await;
    }
    let books = store.books(9).await.unwrap();
    assert_eq!(books.largest.len(), 3, "frozen or not, it is not spent");
}

pub(crate) async fn what_was_spent_and_then_undone_freezes_other_deposits(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, on_chain(1, 100)).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(100));
    settle(&*store, payer(1), 90, 10).await;
    judge(&*store, 1, Standing::Gone).await;
    check_credit(&*store, payer(1), 0).await;

    deposit(&*store, claim(2, 60)).await;
    check_credit(&*store, payer(1), 0).await;
    let drawn = store.draw(payer(1), msat(1)).await.unwrap();
    assert_eq!((drawn.amount, drawn.elsewhere), (Msat::ZERO, Msat::ZERO));
    deposit(&*store, claim(3, 50)).await;
    check_credit(&*store, payer(1), 20).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(20));
    settle(&*store, payer(1), 5, 15).await;
    check_credit(&*store, payer(1), 15).await;
    check_watched(&*store, 1, 100).await;
    check_books(&*store, 210, 95).await;

    judge(&*store, 1, Standing::Final).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(115));
}

pub(crate) async fn what_is_drawn_is_taken_from_nobody_and_not_handed_out_twice(
    mut place: impl Place,
) {
    let store = place.open().await;
    deposit(&*store, on_chain(1, 100)).await;
    deposit(&*store, claim(2, 40)).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(140));
    judge(&*store, 1, Standing::Gone).await;
    check_credit(&*store, payer(1), 0).await;
    // Some of it is spent on what was under way, and booked as ever.
    settle(&*store, payer(1), 15, 0).await;
    check_books(&*store, 140, 15).await;
    settle(&*store, payer(1), 0, 125).await;
    check_credit(&*store, payer(1), 25).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(25));
    judge(&*store, 1, Standing::Holds).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(100));
    settle(&*store, payer(1), 125, 0).await;
    check_books(&*store, 140, 140).await;
}

pub(crate) async fn a_payment_stays_watched_when_its_claim_is_forgotten(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, on_chain(1, 50)).await;
    assert_eq!(store.remove_expired(LATER.plus(CLAIM_SKEW)).await, Ok(1));
    check_watched(&*store, 1, 0).await;
    judge(&*store, 1, Standing::Gone).await;
    check_credit(&*store, payer(1), 0).await;
    // It says that the payment was claimed, as long as it is there.
    let shown_later = Claim {
        payer: payer(2),
        expires_at: LATER.plus(A_DAY),
        ..on_chain(1, 50)
    };
    let asked = store.claim(shown_later, tag(0), LATER).await;
    assert_eq!(asked, Ok(ClaimOutcome::AlreadyClaimed));
    check_watched(&*store, 1, 50).await;
    check_credit(&*store, payer(2), 0).await;
    check_books(&*store, 50, 0).await;
    judge(&*store, 1, Standing::Holds).await;
    check_credit(&*store, payer(1), 50).await;
}

pub(crate) async fn claims_and_judgements_at_once_add_up(mut place: impl Place) {
    let store = place.open().await;
    for number in 0..40 {
        deposit(&*store, on_chain(number, 1 + number)).await;
    }
    let mut tasks = JoinSet::new();
    for number in 0..40 {
        let standing = [Standing::Gone, Standing::Holds, Standing::Final][number as usize % 3];
        for _ in 0..3 {
            let store = Arc::clone(&store);
            tasks.spawn(async move { judge(&*store, number, standing).await });
        }
        let store = Arc::clone(&store);
        tasks.spawn(async move { deposit(&*store, on_chain(100 + number, 1)).await });
    }
    tasks.join_all().await;
    let frozen: u64 = (0..40).filter(|it| it % 3 == 0).map(|it| 1 + it).sum();
    check_watched(&*store, 40 - 13 + 40, frozen).await;
    let deposited = (1..=40).sum::<u64>() + 40;
    check_books(&*store, deposited, 0).await;
    check_credit(&*store, payer(1), deposited - frozen).await;
}

pub(crate) async fn at_the_bound_only_payments_on_the_chain_are_refused(mut place: impl Place) {
    const AT_ONCE: usize = 1_024;
    let store = place.open().await;
    for first in (0..MAX_WATCHED).step_by(AT_ONCE) {
        let mut tasks = JoinSet::new();
        for number in first..(first + AT_ONCE).min(MAX_WATCHED) {
            let store = Arc::clone(&store);
            tasks.spawn(async move { deposit(&*store, on_chain(number as u64, 1)).await });
        }
        tasks.join_all().await;
    }
    let many = MAX_WATCHED as u64;
    check_watched(&*store, MAX_WATCHED, 0).await;

    let refused = store.claim(on_chain(many, 1), tag(0), NOW).await;
    match refused {
        Err(StoreError::Unavailable(reason)) => assert!(reason.contains("65536"), "{reason}"),
        other => panic!("{other:?}"),
    }
    check_books(&*store, many, 0).await;
    deposit(&*store, claim(many + 1, 1)).await;
    let asked = store.claim(on_chain(7, 1), tag(0), NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::Again));

    judge(&*store, 7, Standing::Final).await;
    deposit(&*store, on_chain(many, 1)).await;
    check_watched(&*store, MAX_WATCHED, 0).await;
    check_books(&*store, many + 2, 0).await;
}

pub(crate) async fn what_is_watched_and_frozen_outlives_a_crash(mut place: impl Place) {
    let mut store = place.open().await;
    for number in 1..=4 {
        deposit(&*store, on_chain(number, 10 * number)).await;
    }
    deposit(&*store, claim(9, 5)).await;
    judge(&*store, 1, Standing::Gone).await;
    judge(&*store, 2, Standing::Gone).await;
    judge(&*store, 2, Standing::Holds).await;
    judge(&*store, 3, Standing::Gone).await;
    judge(&*store, 3, Standing::Final).await;
    let before = store.watched().await.unwrap();
    for ends in [true, false, true] {
        assert_eq!(draw_all(&*store, payer(1)).await, msat(95));
        store = if ends {
            place.crash(store).await
        } else {
            place.reopen(store).await
        };
        check_watched(&*store, 3, 10).await;
        assert_eq!(store.watched().await.unwrap(), before);
        check_credit(&*store, payer(1), 95).await;
        check_books(&*store, 105, 0).await;
    }
    judge(&*store, 1, Standing::Holds).await;
    let store = place.crash(store).await;
    check_watched(&*store, 3, 0).await;
    check_credit(&*store, payer(1), 105).await;
}

pub(crate) async fn a_debt_outlives_a_crash(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, on_chain(1, 100)).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(100));
    settle(&*store, payer(1), 100, 0).await;
    judge(&*store, 1, Standing::Gone).await;
    let store = place.crash(store).await;
    deposit(&*store, claim(2, 130)).await;
    check_credit(&*store, payer(1), 30).await;
    let store = place.crash(store).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(30));
}
