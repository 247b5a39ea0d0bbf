//! What goes back to payers.

use super::*;
use mesh_types::{
    MAX_OPEN_REFUNDS, PaymentOutcome, Refund, RefundBegun, RefundEnd, RefundStore as _,
};
use tokio::task::JoinSet;

/// A refund of `amount` to [`payer`] `of`, of which routing costs up to 10.
pub(crate) fn refund(number: u64, of: u8, amount: u64) -> Refund {
    Refund {
        payment_hash: bytes(number),
        payer: payer(of),
        at: NOW,
        amount: msat(amount),
        fee: msat(10),
        invoice: format!("lnbc{number}"),
        outcome: PaymentOutcome::Unknown,
    }
}

pub(crate) fn returned(refund: &Refund, fee: u64) -> RefundEnd {
    RefundEnd {
        payment_hash: refund.payment_hash,
        payer: refund.payer,
        outcome: PaymentOutcome::Paid { at: LATER },
        fee: msat(fee),
    }
}

pub(crate) fn kept_back(refund: &Refund) -> RefundEnd {
    RefundEnd {
        outcome: PaymentOutcome::Failed { at: LATER },
        ..returned(refund, 7)
    }
}

pub(crate) async fn begin(store: &impl Store, refund: &Refund) -> RefundBegun {
    store.begin_refund(refund.clone()).await.unwrap()
}

async fn check(store: &impl Store, credit: u64, refunded: u64) {
    let books = store.books(0).await.unwrap();
    assert_eq!(
        (books.credit, books.refunded),
        (msat(credit), msat(refunded))
    );
    let whole = [books.credit, books.earned, books.refunded];
    let whole = whole.into_iter().map(Msat::to_msat).sum::<u64>();
    assert_eq!(books.deposited, msat(whole));
}

const fn too_little(free: u64, drawn: u64) -> RefundBegun {
    RefundBegun::TooLittle {
        free: Msat::from_msat(free),
        drawn: Msat::from_msat(drawn),
    }
}

pub(crate) async fn a_refund_is_taken_with_its_fee_and_gives_the_rest_of_it_back_when_paid(
    mut place: impl Place,
) {
    let store = place.open().await;
    deposit(&*store, claim(1, 1_000)).await;
    let one = refund(1, 1, 500);
    assert_eq!(begin(&*store, &one).await, RefundBegun::Noted);
    check(&*store, 490, 510).await;
    assert_eq!(store.open_refunds().await, Ok(vec![one.clone()]));
    store.end_refund(returned(&one, 3)).await.unwrap();
    check(&*store, 497, 503).await;
    assert_eq!(store.open_refunds().await, Ok(Vec::new()));
    let paid = Refund {
        fee: msat(3),
        invoice: String::new(),
        outcome: PaymentOutcome::Paid { at: LATER },
        ..one.clone()
    };
    assert_eq!(store.refund(one.payment_hash).await, Ok(Some(paid.clone())));
    assert_eq!(begin(&*store, &one).await, RefundBegun::Known(paid));
    check(&*store, 497, 503).await;
}

pub(crate) async fn a_refund_that_failed_gives_everything_back_and_is_never_begun_again(
    mut place: impl Place,
) {
    let store = place.open().await;
    deposit(&*store, claim(1, 1_000)).await;
    let one = refund(1, 1, 500);
    begin(&*store, &one).await;
    store.end_refund(kept_back(&one)).await.unwrap();
    check(&*store, 1_000, 0).await;
    let again = begin(&*store, &one).await;
    assert!(
        matches!(&again, RefundBegun::Known(it) if it.fee == Msat::ZERO),
        "{again:?}"
    );
    check(&*store, 1_000, 0).await;
}

pub(crate) async fn saying_again_what_became_of_a_refund_changes_nothing(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 1_000)).await;
    let (one, two) = (refund(1, 1, 500), refund(2, 1, 100));
    begin(&*store, &one).await;
    begin(&*store, &two).await;
    let unknown = RefundEnd {
        outcome: PaymentOutcome::Unknown,
        ..returned(&one, 0)
    };
    let of_another = RefundEnd {
        payer: payer(2),
        ..kept_back(&one)
    };
    for end in [unknown, of_another, kept_back(&refund(9, 1, 1))] {
        store.end_refund(end).await.unwrap();
        check(&*store, 380, 620).await;
    }
    store.end_refund(returned(&one, 10)).await.unwrap();
    for end in [returned(&one, 0), kept_back(&one), returned(&one, 10)] {
        store.end_refund(end).await.unwrap();
        check(&*store, 380, 620).await;
    }
    // The payer bears no more than was taken, whatever the wallet says.
    store.end_refund(returned(&two, 99)).await.unwrap();
    check(&*store, 380, 620).await;
}

pub(crate) async fn the_hash_of_another_payers_refund_is_refused(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 1_000)).await;
    let of_2 = Claim {
        payer: payer(2),
        ..claim(2, 1_000)
    };
    deposit(&*store, of_2).await;
    begin(&*store, &refund(1, 1, 500)).await;
    let anothers = begin(&*store, &refund(1, 2, 500)).await;
    assert_eq!(anothers, RefundBegun::Anothers);
    check(&*store, 1_490, 510).await;
}

pub(crate) async fn no_more_is_refunded_than_is_free(mut place: impl Place) {
    let store = place.open().await;
    let stranger = begin(&*store, &refund(1, 3, 1)).await;
    assert_eq!(stranger, too_little(0, 0));
    deposit(&*store, claim(1, 100)).await;
    assert_eq!(begin(&*store, &refund(1, 1, 91)).await, too_little(100, 0));
    let beyond = begin(&*store, &refund(1, 1, u64::MAX)).await;
    assert_eq!(beyond, too_little(100, 0));
    deposit(&*store, on_chain(2, 50)).await;
    store.judge(key(2), Standing::Gone).await.unwrap();
    assert_eq!(begin(&*store, &refund(1, 1, 91)).await, too_little(100, 0));
    assert_eq!(draw_all(&*store, payer(1)).await, msat(100));
    assert_eq!(begin(&*store, &refund(1, 1, 1)).await, too_little(0, 100));
    let back = Settlement {
        payer: payer(1),
        spent: msat(20),
        packets: 1,
        back: msat(80),
    };
    store.settle(vec![back], NOW).await.unwrap();
    assert_eq!(store.refund(bytes(1)).await, Ok(None));
    assert_eq!(begin(&*store, &refund(1, 1, 70)).await, RefundBegun::Noted);
    // What is left is frozen.
    check(&*store, 50, 80).await;
    assert_eq!(draw_all(&*store, payer(1)).await, Msat::ZERO);
}

pub(crate) async fn of_64_refunds_begun_at_once_no_more_is_taken_than_there_is(
    mut place: impl Place,
) {
    let store = place.open().await;
    deposit(&*store, claim(1, 1_000)).await;
    let mut tasks = JoinSet::new();
    for number in 0..64 {
        let store = Arc::clone(&store);
        // Each is asked for twice.
        tasks.spawn(async move { begin(&*store, &refund(number / 2, 1, 90)).await });
    }
    let begun = tasks.join_all().await;
    let noted = begun.iter().filter(|it| **it == RefundBegun::Noted);
    assert_eq!(noted.count(), 10);
    check(&*store, 0, 1_000).await;
    assert_eq!(store.open_refunds().await.unwrap().len(), 10);
}

pub(crate) async fn no_more_refunds_are_under_way_than_are_looked_after(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 1_000_000)).await;
    for number in 0..MAX_OPEN_REFUNDS as u64 {
        assert_eq!(
            begin(&*store, &refund(number, 1, 1)).await,
            RefundBegun::Noted
        );
    }
    let beyond = store.begin_refund(refund(99_999, 1, 1)).await;
    assert!(
        matches!(beyond, Err(StoreError::Unavailable(_))),
        "{beyond:?}"
    );
    let first = refund(0, 1, 1);
    store.end_refund(returned(&first, 0)).await.unwrap();
    assert_eq!(
        begin(&*store, &refund(99_999, 1, 1)).await,
        RefundBegun::Noted
    );
    assert_eq!(store.open_refunds().await.unwrap().len(), MAX_OPEN_REFUNDS);
}

pub(crate) async fn what_goes_back_waits_until_the_balance_has_room(mut place: impl Place) {
    let store = place.open().await;
    let most = mesh_types::MAX_BALANCE.to_msat();
    deposit(&*store, claim(1, most)).await;
    let one = refund(1, 1, 500);
    begin(&*store, &one).await;
    deposit(&*store, claim(2, 510)).await;
    let full = store.end_refund(kept_back(&one)).await;
    assert_eq!(full, Err(StoreError::TooMuch(msat(510))));
    assert_eq!(store.open_refunds().await.unwrap().len(), 1);
    let two = refund(2, 1, 500);
    begin(&*store, &two).await;
    store.end_refund(kept_back(&one)).await.unwrap();
    check(&*store, most, 510).await;
}

pub(crate) async fn refunds_outlive_a_crash_between_each_step(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 1_000)).await;
    let (one, two) = (refund(1, 1, 500), refund(2, 1, 100));
    begin(&*store, &one).await;
    let store = place.crash(store).await;
    assert_eq!(begin(&*store, &one).await, RefundBegun::Known(one.clone()));
    assert_eq!(store.open_refunds().await, Ok(vec![one.clone()]));
    begin(&*store, &two).await;
    check(&*store, 380, 620).await;
    let store = place.crash(store).await;
    store.end_refund(returned(&one, 4)).await.unwrap();
    let store = place.crash(store).await;
    store.end_refund(returned(&one, 4)).await.unwrap();
    store.end_refund(kept_back(&two)).await.unwrap();
    let store = place.reopen(store).await;
    check(&*store, 496, 504).await;
    assert_eq!(store.open_refunds().await, Ok(Vec::new()));
    assert!(matches!(begin(&*store, &two).await, RefundBegun::Known(_)));
}
