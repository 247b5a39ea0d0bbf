//! What this node has paid to others.

use super::*;
use mesh_types::{
    Begun, DayCaps, DaySums, MAX_KEPT_PROOFS, OwnPayment, PaymentEnd, PaymentOutcome,
    PaymentReason, Route, SpendingStore as _, Spent,
};
use std::time::Duration;
use tokio::task::JoinSet;

/// A payment of `amount` to [`payer`] `payee`, of which routing costs up to 10.
pub(crate) fn payment(number: u64, payee: u8, amount: u64) -> OwnPayment {
    let nodes = [1, 2, 3].map(payer).to_vec();
    OwnPayment {
        payment_hash: bytes(number),
        at: NOW,
        payee: payer(payee),
        amount: msat(amount),
        fee: msat(10),
        reason: PaymentReason::Packet {
            route: Route::new(nodes).unwrap(),
            sequence: number,
        },
        outcome: PaymentOutcome::Unknown,
    }
}

pub(crate) fn caps(per_day: u64, per_payee: u64) -> DayCaps {
    DayCaps {
        per_day: msat(per_day),
        per_payee: msat(per_payee),
    }
}

pub(crate) const NO_CAPS: DayCaps = DayCaps {
    per_day: Msat::MAX,
    per_payee: Msat::MAX,
};

pub(crate) fn paid(payment: &OwnPayment, number: u64, fee: u64) -> PaymentEnd {
    PaymentEnd {
        payment_hash: payment.payment_hash,
        payee: payment.payee,
        outcome: PaymentOutcome::Paid { at: LATER },
        fee: msat(fee),
        note: note(number),
        proof: Some(proof(number)),
    }
}

pub(crate) fn failed(payment: &OwnPayment, number: u64) -> PaymentEnd {
    PaymentEnd {
        outcome: PaymentOutcome::Failed { at: LATER },
        proof: None,
        ..paid(payment, number, 0)
    }
}

fn note(number: u64) -> PaymentProof {
    proof(number + 1_000_000)
}

pub(crate) async fn begin(
    store: &impl Store,
    payment: &OwnPayment,
    number: u64,
    caps: DayCaps,
) -> Begun {
    let begun = store.begin_payment(payment.clone(), note(number), caps);
    begun.await.unwrap()
}

pub(crate) fn spent(payments: u64, amount: u64, fee: u64) -> Spent {
    Spent {
        payments,
        amount: msat(amount),
        fee: msat(fee),
    }
}

async fn check_day(store: &impl Store, at: UnixTime, payee: u8, all: Spent, on_payee: Spent) {
    let sums = store.spent_on_day(at, payer(payee)).await;
    let expected = DaySums {
        all,
        payee: on_payee,
    };
    assert_eq!(sums, Ok(expected));
}

async fn kept(store: &impl Store) -> Vec<PaymentProof> {
    let kept = store.kept_proofs().await.unwrap();
    kept.into_iter().map(|(_, proof)| proof).collect()
}

pub(crate) async fn a_payment_counts_from_before_it_is_made_until_it_failed(mut place: impl Place) {
    let store = place.open().await;
    let (one, two) = (payment(1, 4, 500), payment(2, 5, 700));
    assert_eq!(begin(&*store, &one, 1, NO_CAPS).await, Begun::Noted);
    assert_eq!(begin(&*store, &two, 2, NO_CAPS).await, Begun::Noted);
    check_day(&*store, NOW, 4, spent(2, 1_200, 20), spent(1, 500, 10)).await;
    assert_eq!(kept(&*store).await, [note(1), note(2)]);
    store.end_payment(failed(&one, 1)).await.unwrap();
    check_day(&*store, NOW, 4, spent(1, 700, 10), Spent::default()).await;
    store.end_payment(paid(&two, 2, 3)).await.unwrap();
    check_day(&*store, NOW, 5, spent(1, 700, 3), spent(1, 700, 3)).await;
    assert_eq!(kept(&*store).await, [proof(2)]);
    let lines = store.last_payments(9).await.unwrap();
    let expected = [
        OwnPayment {
            fee: msat(3),
            outcome: PaymentOutcome::Paid { at: LATER },
            ..two
        },
        OwnPayment {
            fee: Msat::ZERO,
            outcome: PaymentOutcome::Failed { at: LATER },
            ..one
        },
    ];
    assert_eq!(lines, expected);
    assert_eq!(store.last_payments(1).await.unwrap(), expected[..1]);
}

pub(crate) async fn saying_twice_what_became_of_a_payment_changes_nothing(mut place: impl Place) {
    let store = place.open().await;
    let one = payment(1, 4, 500);
    begin(&*store, &one, 1, NO_CAPS).await;
    store.end_payment(paid(&one, 1, 3)).await.unwrap();
    store.end_payment(paid(&one, 1, 9)).await.unwrap();
    store.end_payment(failed(&one, 1)).await.unwrap();
    store
        .end_payment(failed(&payment(2, 4, 1), 2))
        .await
        .unwrap();
    let unknown = PaymentEnd {
        outcome: PaymentOutcome::Unknown,
        ..failed(&one, 1)
    };
    store.end_payment(unknown).await.unwrap();
    check_day(&*store, NOW, 4, spent(1, 500, 3), spent(1, 500, 3)).await;
    assert_eq!(store.last_payments(9).await.unwrap().len(), 1);
}

pub(crate) async fn a_payment_is_under_way_once_and_may_be_tried_again_when_it_failed(
    mut place: impl Place,
) {
    let store = place.open().await;
    let one = payment(1, 4, 500);
    assert_eq!(begin(&*store, &one, 1, NO_CAPS).await, Begun::Noted);
    assert_eq!(begin(&*store, &one, 2, NO_CAPS).await, Begun::UnderWay);
    assert_eq!(kept(&*store).await, [note(1)]);
    store.end_payment(failed(&one, 1)).await.unwrap();
    assert_eq!(begin(&*store, &one, 2, NO_CAPS).await, Begun::Noted);
    check_day(&*store, NOW, 4, spent(1, 500, 10), spent(1, 500, 10)).await;
}

pub(crate) async fn of_64_payments_begun_at_once_none_is_beyond_a_cap(mut place: impl Place) {
    let store = place.open().await;
    let caps = caps(16 * 110, 5 * 110 + 109);
    let mut tasks = JoinSet::new();
    for number in 0..64 {
        let store = Arc::clone(&store);
        let payee = u8::try_from(number % 8).unwrap();
        tasks.spawn(async move {
            let payment = payment(number, payee, 100);
            (payee, begin(&*store, &payment, number, caps).await)
        });
    }
    let begun = tasks.join_all().await;
    let noted = |payee: u8| {
        let of = begun
            .iter()
            .filter(|(of, begun)| *of == payee && *begun == Begun::Noted);
        of.count()
    };
    assert_eq!((0..8).map(noted).sum::<usize>(), 16);
    assert!((0..8).all(|payee| noted(payee) <= 5));
    assert_eq!(kept(&*store).await.len(), 16);
    check_day(&*store, NOW, 99, spent(16, 1_600, 160), Spent::default()).await;
}

pub(crate) async fn what_is_refused_says_what_is_used_and_leaves_no_trace(mut place: impl Place) {
    let store = place.open().await;
    begin(&*store, &payment(1, 4, 500), 1, NO_CAPS).await;
    let used = msat(510);
    let of_day = begin(&*store, &payment(2, 5, 81), 2, caps(600, 600)).await;
    assert_eq!(of_day, Begun::OverDay { used });
    let of_payee = begin(&*store, &payment(2, 4, 81), 2, caps(1_000, 600)).await;
    assert_eq!(of_payee, Begun::OverPayee { used });
    let beyond = begin(&*store, &payment(2, 5, u64::MAX), 2, NO_CAPS).await;
    assert!(matches!(beyond, Begun::OverPayee { .. }), "{beyond:?}");
    assert_eq!(kept(&*store).await, [note(1)]);
    assert_eq!(
        begin(&*store, &payment(2, 4, 80), 2, caps(600, 600)).await,
        Begun::Noted
    );
}

pub(crate) async fn a_new_day_begins_at_midnight_utc(mut place: impl Place) {
    let store = place.open().await;
    let midnight = NOW.day().plus(Duration::from_secs(86_400));
    let caps = caps(510, 510);
    let at = |number, at| OwnPayment {
        at,
        ..payment(number, 4, 500)
    };
    let last = UnixTime::from_millis(midnight.to_millis() - 1);
    let one = at(1, last);
    assert_eq!(begin(&*store, &one, 1, caps).await, Begun::Noted);
    let same_day = begin(&*store, &at(2, NOW.day()), 2, caps).await;
    assert!(matches!(same_day, Begun::OverPayee { .. }), "{same_day:?}");
    assert_eq!(
        begin(&*store, &at(2, midnight), 2, caps).await,
        Begun::Noted
    );
    // What is found out later counts for the day on which it was begun.
    store.end_payment(failed(&one, 1)).await.unwrap();
    check_day(&*store, NOW, 4, Spent::default(), Spent::default()).await;
    check_day(&*store, midnight, 4, spent(1, 500, 10), spent(1, 500, 10)).await;
}

pub(crate) async fn without_room_for_its_note_no_payment_is_begun(mut place: impl Place) {
    let store = place.open().await;
    let mut tasks = JoinSet::new();
    for number in 0..MAX_KEPT_PROOFS as u64 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.keep_proof(payer(1), proof(number)).await.unwrap() });
    }
    tasks.join_all().await;
    let one = payment(1, 4, 500);
    let refused = store.begin_payment(one, note(1), NO_CAPS).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    check_day(&*store, NOW, 4, Spent::default(), Spent::default()).await;
    assert_eq!(store.last_payments(9).await, Ok(Vec::new()));
}

pub(crate) async fn payments_and_their_sums_outlive_a_crash(mut place: impl Place) {
    let store = place.open().await;
    let all = [payment(1, 4, 500), payment(2, 4, 70), payment(3, 5, 9)];
    for (payment, number) in all.iter().zip(1..) {
        begin(&*store, payment, number, NO_CAPS).await;
    }
    store.end_payment(paid(&all[0], 1, 2)).await.unwrap();
    store.end_payment(failed(&all[1], 2)).await.unwrap();
    let before = store.last_payments(9).await.unwrap();
    let store = place.crash(store).await;
    assert_eq!(store.last_payments(9).await.unwrap(), before);
    check_day(&*store, NOW, 4, spent(2, 509, 12), spent(1, 500, 2)).await;
    let again = begin(&*store, &all[2], 4, NO_CAPS).await;
    assert_eq!(again, Begun::UnderWay);
    store.end_payment(paid(&all[2], 3, 1)).await.unwrap();
    let store = place.reopen(store).await;
    check_day(&*store, NOW, 5, spent(2, 509, 3), spent(1, 9, 1)).await;
    let mut proofs = kept(&*store).await;
    proofs.sort_by_key(|proof| format!("{proof:?}"));
    assert_eq!(proofs, [proof(1), proof(3)]);
    assert_eq!(
        begin(&*store, &payment(9, 6, 1), 9, NO_CAPS).await,
        Begun::Noted
    );
    assert_eq!(store.last_payments(9).await.unwrap().len(), 4);
}
