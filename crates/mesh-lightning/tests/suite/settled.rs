use super::{
    AMOUNT, LIMITS, Pair, request,
    wallet::{Fault, Op, Stage},
};
use crate::assert_fails;
use lightning_invoice::Bolt11Invoice;
use mesh_types::{LightningError, LightningNode, MAX_SETTLED, SettledInvoice};
use std::time::Duration;
use tokio::time::Instant;

/// Long, in times that are not waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Issues an invoice of this number.
pub(crate) async fn issue(pair: &impl Pair, number: u8) -> [u8; 32] {
    let mut asked = request(number);
    asked.description = format!("mesh {number}");
    let text = pair.node().create_invoice(asked).await.unwrap();
    let invoice: Bolt11Invoice = text.parse().unwrap();
    *invoice.payment_hash().as_ref()
}

/// Has invoices of these numbers paid, in this order.
pub(crate) async fn settle(pair: &impl Pair, numbers: impl IntoIterator<Item = u8>) {
    for number in numbers {
        let hash = issue(pair, number).await;
        pair.wallet().set_stage(&hash, Stage::Paid);
    }
}

pub(crate) async fn told(node: &dyn LightningNode, place: u64) -> Vec<SettledInvoice> {
    node.settled_behind(place, PATIENCE).await.unwrap()
}

/// Asks from each last place on until `count` are told.
pub(crate) async fn all_told(
    pair: &impl Pair,
    mut place: u64,
    count: usize,
) -> Vec<SettledInvoice> {
    let mut all = Vec::new();
    while all.len() < count {
        let more = told(pair.node(), place).await;
        assert!(more.len() <= MAX_SETTLED && !more.is_empty());
        place = more.last().unwrap().place;
        all.extend(more);
    }
    all
}

pub(crate) fn names(told: &[SettledInvoice]) -> Vec<String> {
    told.iter().map(|it| it.description.clone()).collect()
}

pub(crate) fn named(numbers: impl IntoIterator<Item = u8>) -> Vec<String> {
    let name = |number| format!("mesh {number}");
    numbers.into_iter().map(name).collect()
}

pub(crate) async fn what_is_settled_is_told_in_its_order(pair: impl Pair) {
    let hashes = [issue(&pair, 1).await, issue(&pair, 2).await];
    for hash in [hashes[1], hashes[0]] {
        pair.wallet().set_stage(&hash, Stage::Paid);
    }
    let all = all_told(&pair, 0, 2).await;
    assert_eq!(names(&all), named([2, 1]));
    assert_eq!(
        [all[0].payment_hash, all[1].payment_hash],
        [hashes[1], hashes[0]]
    );
    assert!(all.iter().all(|it| it.amount == AMOUNT));
    assert!(0 < all[0].place && all[0].place <= all[1].place);
}

pub(crate) async fn what_was_told_is_not_told_again_behind_its_place(pair: impl Pair) {
    settle(&pair, 1..=3).await;
    let all = all_told(&pair, 0, 3).await;
    settle(&pair, [4]).await;
    let more = told(pair.node(), all[2].place).await;
    assert_eq!(names(&more), named([4]));
}

pub(crate) async fn what_is_not_settled_is_not_told(pair: impl Pair) {
    let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
    pair.node().pay_invoice(&text, LIMITS).await.unwrap();
    settle(&pair, [1]).await;
    issue(&pair, 2).await;
    for (number, stage) in [(3, Stage::Held), (4, Stage::Over)] {
        let hash = issue(&pair, number).await;
        pair.wallet().set_stage(&hash, stage);
    }
    settle(&pair, [6]).await;
    assert_eq!(names(&all_told(&pair, 0, 2).await), named([1, 6]));
}

pub(crate) async fn where_there_is_none_the_patience_is_waited_for(pair: impl Pair) {
    settle(&pair, [1]).await;
    let last = all_told(&pair, 0, 1).await[0].place;
    tokio::time::pause();
    for place in [last, last] {
        let before = Instant::now();
        assert_eq!(told(pair.node(), place).await, []);
        let waited = before.elapsed();
        assert!(PATIENCE <= waited && waited < PATIENCE + Duration::from_secs(5));
    }
}

pub(crate) async fn one_that_is_settled_meanwhile_is_told(pair: impl Pair) {
    let hash = issue(&pair, 1).await;
    let settling = async {
        pair.wallet().is_waited_for().await;
        // Others are issued meanwhile, which is not what is waited for.
        issue(&pair, 2).await;
        pair.wallet().set_stage(&hash, Stage::Paid);
        // What asks again and again would be asleep.
        tokio::time::pause();
    };
    let (told, ()) = tokio::join!(told(pair.node(), 0), settling);
    assert_eq!(names(&told), named([1]));
}

pub(crate) async fn nothing_is_left_out_whatever_the_place(pair: impl Pair) {
    settle(&pair, 1..=4).await;
    let all = all_told(&pair, 0, 4).await;
    settle(&pair, [6]).await;
    for (index, from) in (1_u8..).zip(&all) {
        let more = told(pair.node(), from.place).await;
        let expected = named((index + 1..=4).chain([6]));
        assert!(more.iter().all(|it| it.place >= from.place));
        assert_eq!(names(&more), expected);
    }
}

pub(crate) async fn places_stay_when_the_program_is_started_again(mut pair: impl Pair) {
    settle(&pair, 1..=3).await;
    let all = all_told(&pair, 0, 3).await;
    pair.reopen();
    settle(&pair, [4]).await;
    let again = told(pair.node(), all[1].place).await;
    if pair.tells_again() {
        assert_eq!(names(&again), named(1..=4));
        assert!(again.iter().all(|it| it.place >= all[1].place));
    } else {
        assert_eq!(again[0], all[2]);
        assert_eq!(names(&again), named([3, 4]));
    }
    settle(&pair, [6]).await;
    let more = told(pair.node(), again.last().unwrap().place).await;
    assert_eq!(names(&more), named([6]));
}

pub(crate) async fn more_than_fit_are_told_in_pages(pair: impl Pair) {
    let count = 2 * MAX_SETTLED + 5;
    settle(&pair, (1..).take(count)).await;
    let all = all_told(&pair, 0, count).await;
    assert_eq!(names(&all), named((1..).take(count)));
}

/// A caller that has lost what it was told asks from the same place.
pub(crate) async fn one_that_is_asked_for_again_is_told_again(pair: impl Pair) {
    settle(&pair, 1..=2).await;
    let first = told(pair.node(), 0).await;
    let again = told(pair.node(), 0).await;
    assert_eq!(names(&first), names(&again));
}

pub(crate) async fn a_bad_answer_to_the_wait_is_unreachable(pair: impl Pair) {
    settle(&pair, [1]).await;
    for fault in [Fault::Closes, Fault::Garbage, Fault::Truncated] {
        for place in [0, 1] {
            pair.wallet().breaks(Op::Settled, fault);
            let error = pair.node().settled_behind(place, PATIENCE).await;
            assert!(
                matches!(error, Err(LightningError::Unreachable(_))),
                "{fault:?}: {error:?}"
            );
        }
    }
    assert_eq!(names(&told(pair.node(), 0).await), named([1]));
}

pub(crate) async fn a_silent_answer_to_the_wait_is_unreachable(pair: impl Pair) {
    pair.wallet().breaks(Op::Settled, Fault::Silent);
    let error = pair.node().settled_behind(0, PATIENCE).await;
    assert_fails!(error, Unreachable);
}

pub(crate) async fn an_endless_answer_to_the_wait_is_cut(pair: impl Pair) {
    for place in [0, 1] {
        pair.wallet().breaks(Op::Settled, Fault::Huge);
        let error = pair.node().settled_behind(place, PATIENCE).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("longer than"), "{error}");
    }
}

pub(crate) async fn a_back_end_that_is_away_tells_nothing(mut pair: impl Pair) {
    pair.stop().await;
    for place in [0, 1] {
        let error = pair.node().settled_behind(place, PATIENCE).await;
        assert_fails!(error, Unreachable);
    }
}
