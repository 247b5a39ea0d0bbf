//! One payment, accepted once.

use super::*;
use tokio::task::JoinSet;

pub(crate) async fn a_claim_is_new_once_and_credits_its_payer(mut place: impl Place) {
    let store = place.open().await;
    check_books(&*store, 0, 0).await;
    deposit(&*store, claim(1, 50)).await;
    deposit(&*store, claim(2, 30)).await;
    let of_another = Claim {
        payer: payer(2),
        ..claim(3, 7)
    };
    deposit(&*store, of_another).await;

    check_credit(&*store, payer(1), 80).await;
    check_credit(&*store, payer(2), 7).await;
    check_credit(&*store, payer(3), 0).await;
    check_books(&*store, 87, 0).await;
    assert_eq!(store.books(0).await.unwrap().accounts, 2);
}

pub(crate) async fn the_packet_that_claimed_may_ask_again(mut place: impl Place) {
    let store = place.open().await;
    let asked = store.claim(claim(1, 50), tag(9), NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::New));
    for _ in 0..3 {
        let asked = store.claim(claim(1, 50), tag(9), NOW).await;
        assert_eq!(asked, Ok(ClaimOutcome::Again));
    }
    check_books(&*store, 50, 0).await;
}

pub(crate) async fn another_packet_is_told_that_it_was_claimed(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 50)).await;
    for other in [1, 2, 1] {
        let asked = store.claim(claim(1, 50), tag(other), NOW).await;
        assert_eq!(asked, Ok(ClaimOutcome::AlreadyClaimed));
    }
    let asked = store.claim(claim(1, 50), tag(0), NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::Again), "the first one stays known");
    check_books(&*store, 50, 0).await;
}

pub(crate) async fn a_claim_known_by_another_payer_amount_or_end_stays_what_it_was(
    mut place: impl Place,
) {
    let store = place.open().await;
    deposit(&*store, claim(1, 50)).await;
    let others = [
        Claim {
            payer: payer(2),
            ..claim(1, 50)
        },
        claim(1, 1_000),
        Claim {
            expires_at: UnixTime::from_secs(1),
            ..claim(1, 50)
        },
    ];
    for other in others {
        let asked = store.claim(other, tag(1), NOW).await;
        assert_eq!(asked, Ok(ClaimOutcome::AlreadyClaimed));
        let asked = store.claim(other, tag(0), NOW).await;
        assert_eq!(asked, Ok(ClaimOutcome::Again));
    }
    check_credit(&*store, payer(1), 50).await;
    check_credit(&*store, payer(2), 0).await;
    check_books(&*store, 50, 0).await;
    assert_eq!(store.books(0).await.unwrap().accounts, 1);
}

/// Lets 64 tasks claim, and says how often each outcome was heard: new, again, already claimed.
async fn race<S: Store + 'static>(store: &Arc<S>, of: fn(u64) -> (Claim, PacketTag)) -> [usize; 3] {
    let mut tasks = JoinSet::new();
    for number in 0..64 {
        let store = Arc::clone(store);
        let (claim, by) = of(number);
        tasks.spawn(async move { store.claim(claim, by, NOW).await.unwrap() });
    }
    let outcomes = tasks.join_all().await;
    [
        ClaimOutcome::New,
        ClaimOutcome::Again,
        ClaimOutcome::AlreadyClaimed,
    ]
    .map(|outcome| outcomes.iter().filter(|heard| **heard == outcome).count())
}

pub(crate) async fn of_64_packets_with_one_payment_one_is_new(mut place: impl Place) {
    let store = place.open().await;
    let heard = race(&store, |number| (claim(1, 50), tag(number))).await;
    assert_eq!(heard, [1, 0, 63]);
    check_books(&*store, 50, 0).await;
}

pub(crate) async fn one_packet_asking_64_times_is_credited_once(mut place: impl Place) {
    let store = place.open().await;
    let heard = race(&store, |_| (claim(1, 50), tag(5))).await;
    assert_eq!(heard, [1, 63, 0]);
    check_books(&*store, 50, 0).await;
}

pub(crate) async fn claims_of_many_packets_at_once_are_all_credited(mut place: impl Place) {
    let store = place.open().await;
    let heard = race(&store, |number| {
        let of = Claim {
            payer: payer((number % 4) as u8),
            ..claim(number / 2, 10)
        };
        (of, tag(number))
    })
    .await;
    assert_eq!(heard, [32, 0, 32]);
    check_books(&*store, 320, 0).await;
}

pub(crate) async fn a_payment_of_nothing_is_claimed_too(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 0)).await;
    let asked = store.claim(claim(1, 0), tag(1), NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::AlreadyClaimed));
    check_books(&*store, 0, 0).await;
}

pub(crate) async fn the_first_packet_takes_a_claim_over_that_none_has_made(mut place: impl Place) {
    let store = place.open().await;
    let asked = store.claim(claim(1, 50), PacketTag::NONE, NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::New));
    let asked = store.claim(claim(1, 50), PacketTag::NONE, NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::Again));
    for _ in 0..2 {
        let asked = store.claim(claim(1, 50), tag(3), NOW).await;
        assert_eq!(asked, Ok(ClaimOutcome::Again));
        for other in [tag(4), PacketTag::NONE] {
            let asked = store.claim(claim(1, 50), other, NOW).await;
            assert_eq!(asked, Ok(ClaimOutcome::AlreadyClaimed), "{other:?}");
        }
    }
    check_books(&*store, 50, 0).await;
}

pub(crate) async fn of_64_packets_one_takes_a_claim_over(mut place: impl Place) {
    let store = place.open().await;
    let asked = store.claim(claim(1, 50), PacketTag::NONE, NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::New));
    let heard = race(&store, |number| (claim(1, 50), tag(number))).await;
    assert_eq!(heard, [0, 1, 63]);
    check_books(&*store, 50, 0).await;
}

pub(crate) async fn a_payment_that_a_packet_and_the_wallet_claim_at_once_is_credited_once(
    mut place: impl Place,
) {
    let store = place.open().await;
    // Each payment is claimed by its packet, by no packet, and by its packet again.
    let heard = race(&store, |number| {
        let by = if number % 3 == 1 {
            PacketTag::NONE
        } else {
            tag(0)
        };
        (claim(number / 3, 10), by)
    })
    .await;
    assert_eq!(heard[0], 22);
    check_books(&*store, 220, 0).await;
    for number in 0..22 {
        let asked = store.claim(claim(number, 10), tag(0), NOW).await;
        assert_eq!(asked, Ok(ClaimOutcome::Again), "{number}");
    }
}
