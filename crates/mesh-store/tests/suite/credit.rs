//! Credit is drawn, spent and given back, and never made or lost.

use super::*;
use tokio::task::JoinSet;

pub(crate) async fn credit_is_drawn_spent_and_given_back(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 100)).await;
    let drawn = store.draw(payer(1), msat(40)).await.unwrap();
    assert!((msat(40)..=msat(100)).contains(&drawn.amount), "{drawn:?}");
    assert_eq!(drawn.elsewhere, Msat::ZERO);
    let drawn = drawn.amount.to_msat();
    check_credit(&*store, payer(1), 100 - drawn).await;

    settle(&*store, payer(1), 15, 5).await;
    check_credit(&*store, payer(1), 100 - drawn + 5).await;
    check_books(&*store, 100, 15).await;
    settle(&*store, payer(1), 0, drawn - 20).await;
    check_credit(&*store, payer(1), 85).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(85));
}

pub(crate) async fn nobody_draws_what_is_not_there(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 100)).await;
    let drawn = store.draw(payer(1), msat(101)).await.unwrap();
    assert_eq!(drawn.amount, msat(100));
    let drawn = store.draw(payer(1), msat(1)).await.unwrap();
    assert_eq!(drawn.amount, Msat::ZERO);
    check_credit(&*store, payer(1), 0).await;
    deposit(&*store, claim(2, 5)).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(5));
}

pub(crate) async fn a_stranger_has_nothing_to_draw(mut place: impl Place) {
    let store = place.open().await;
    let drawn = store.draw(payer(9), msat(1)).await.unwrap();
    assert_eq!(drawn.amount, Msat::ZERO);
    check_credit(&*store, payer(9), 0).await;
    assert_eq!(store.books(9).await.unwrap().accounts, 0);
}

pub(crate) async fn draws_at_once_hand_out_no_more_than_there_is(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 1_000)).await;
    let mut tasks = JoinSet::new();
    for wanted in 1..=64 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.draw(payer(1), msat(wanted)).await.unwrap().amount });
    }
    let drawn: u64 = tasks.join_all().await.iter().map(|it| it.to_msat()).sum();
    assert!(drawn <= 1_000, "{drawn}");
    check_credit(&*store, payer(1), 1_000 - drawn).await;
    check_books(&*store, 1_000, 0).await;
}

pub(crate) async fn settlements_of_one_payer_in_one_call_add_up(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 100)).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(100));
    let one = Settlement {
        payer: payer(1),
        spent: msat(10),
        packets: 2,
        back: msat(1),
    };
    let settled = store.settle(vec![one, one, one], NOW).await;
    assert_eq!(settled, Ok(Settled::Booked));
    check_credit(&*store, payer(1), 3).await;
    check_books(&*store, 100, 30).await;
}

pub(crate) async fn what_was_not_drawn_is_not_spent(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 100)).await;
    let drawn = store.draw(payer(1), msat(30)).await.unwrap().amount;
    settle(&*store, payer(1), 1_000, 0).await;
    check_books(&*store, 100, drawn.to_msat()).await;
    check_credit(&*store, payer(1), 100 - drawn.to_msat()).await;
    settle(&*store, payer(1), 1, 1).await;
    check_books(&*store, 100, drawn.to_msat()).await;
    check_credit(&*store, payer(1), 100 - drawn.to_msat()).await;
}

pub(crate) async fn settling_for_a_stranger_books_nothing(mut place: impl Place) {
    let store = place.open().await;
    settle(&*store, payer(9), 10, 10).await;
    check_books(&*store, 0, 0).await;
    check_credit(&*store, payer(9), 0).await;
}

pub(crate) async fn settling_nothing_is_booked(mut place: impl Place) {
    let store = place.open().await;
    assert_eq!(store.settle(Vec::new(), NOW).await, Ok(Settled::Booked));
    check_books(&*store, 0, 0).await;
}

pub(crate) async fn the_books_name_the_largest_credits_first(mut place: impl Place) {
    let store = place.open().await;
    for (number, amount) in [(1, 10), (2, 40), (3, 20), (4, 30)] {
        let claim = Claim {
            payer: payer(number),
            ..claim(u64::from(number), amount)
        };
        deposit(&*store, claim).await;
    }
    assert_eq!(draw_all(&*store, payer(2)).await, msat(40));
    settle(&*store, payer(2), 25, 15).await;

    let books = store.books(3).await.unwrap();
    let largest = [(4, 30), (3, 20), (2, 15)].map(|(who, amount)| (payer(who), msat(amount)));
    assert_eq!(books.largest, largest);
    assert_eq!(books.accounts, 4);
    assert_eq!(store.books(9).await.unwrap().largest.len(), 4);
}

pub(crate) async fn what_is_drawn_is_in_the_books_until_it_is_spent(mut place: impl Place) {
    let store = place.open().await;
    deposit(&*store, claim(1, 100)).await;
    assert_eq!(draw_all(&*store, payer(1)).await, msat(100));
    check_books(&*store, 100, 0).await;
    let books = store.books(1).await.unwrap();
    assert_eq!(books.largest, [(payer(1), msat(100))]);
    settle(&*store, payer(1), 60, 0).await;
    check_books(&*store, 100, 60).await;
    check_credit(&*store, payer(1), 0).await;
}

pub(crate) async fn deposits_are_credit_and_earnings_whatever_happens(mut place: impl Place) {
    let store = place.open().await;
    let mut tasks = JoinSet::new();
    for number in 0..32_u64 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let of = payer((number % 3) as u8);
            let claim = Claim {
                payer: of,
                ..claim(number, 100 + number)
            };
            store.claim(claim, tag(number), NOW).await.unwrap();
            let drawn = store.draw(of, msat(50)).await.unwrap().amount.to_msat();
            settle(&*store, of, drawn / 2, drawn - drawn / 2).await;
        });
    }
    tasks.join_all().await;
    let deposited = (0..32).map(|number| 100 + number).sum::<u64>();
    let books = store.books(3).await.unwrap();
    assert_eq!(books.deposited, msat(deposited));
    let both = books.credit.checked_add(books.earned);
    assert_eq!(both, Some(books.deposited));
    assert!(books.earned > Msat::ZERO);
    let largest: u64 = books.largest.iter().map(|(_, it)| it.to_msat()).sum();
    assert_eq!(books.credit, msat(largest));
    for number in 0..3 {
        let credit = store.credit(payer(number)).await.unwrap();
        assert_eq!(draw_all(&*store, payer(number)).await, credit);
    }
}
