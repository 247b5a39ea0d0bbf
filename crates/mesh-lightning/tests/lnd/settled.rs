//! What is particular to LND's list and stream of invoices.

use crate::{
    double::{LndPair, Trait},
    suite::{
        Pair as _,
        settled::{PATIENCE, issue, named, names, settle, told},
        wallet::{Fault, Op, Stage},
    },
};
use mesh_types::{LightningError, MAX_SETTLED};
use std::time::Duration;

/// Behind 0 the stream tells nothing of the past, so what is settled after the list and before the stream is in neither.
#[tokio::test]
async fn nothing_is_lost_between_the_list_and_the_stream() {
    let pair = LndPair::with(&[Trait::SettlesUnseen]).await;
    let _first = issue(&pair, 1).await;
    let second = issue(&pair, 2).await;
    let settling = async {
        pair.wallet().is_waited_for().await;
        pair.wallet().set_stage(&second, Stage::Paid);
    };
    let (both, ()) = tokio::join!(told(pair.node(), 0), settling);
    assert_eq!(names(&both), named([1, 2]));
}

#[tokio::test]
async fn the_only_one_that_was_settled_unseen_is_told_after_the_patience() {
    let pair = LndPair::with(&[Trait::SettlesUnseen]).await;
    issue(&pair, 1).await;
    let one = pair.node().settled_behind(0, Duration::ZERO).await;
    assert_eq!(names(&one.unwrap()), named([1]));
}

#[tokio::test]
async fn the_first_is_found_behind_many_that_were_never_paid() {
    let pair = LndPair::with(&[]).await;
    for number in 1..=120 {
        issue(&pair, number).await;
    }
    settle(&pair, [130]).await;
    assert_eq!(names(&told(pair.node(), 0).await), named([130]));
}

#[tokio::test]
async fn all_that_is_there_is_told_at_once() {
    let pair = LndPair::with(&[]).await;
    settle(&pair, 1..=200).await;
    let told = told(pair.node(), 1).await;
    assert_eq!(names(&told), named((2..).take(MAX_SETTLED)));
}

/// LND does not begin an answer before it has something to tell.
#[tokio::test]
async fn a_stream_that_tells_nothing_is_not_taken_for_a_node_that_lives() {
    let pair = LndPair::with(&[]).await;
    pair.wallet().breaks(Op::Settled, Fault::Silent);
    let dying = async {
        while pair.wallet().state().faults.contains_key(&Op::Settled) {
            tokio::task::yield_now().await;
        }
        pair.wallet().breaks(Op::Settled, Fault::Closes);
    };
    let (error, ()) = tokio::join!(pair.node().settled_behind(1, PATIENCE), dying);
    assert_fails!(error, Unreachable);
}

#[tokio::test]
async fn a_node_that_stops_while_it_tells_is_unreachable() {
    let pair = LndPair::with(&[Trait::Stops]).await;
    let error = pair.node().settled_behind(1, PATIENCE).await;
    assert_fails!(error, Unreachable);
}

#[tokio::test]
async fn a_stream_without_end_is_cut() {
    let pair = LndPair::with(&[Trait::TellsWithoutEnd]).await;
    let error = pair.node().settled_behind(1, PATIENCE).await.unwrap_err();
    assert!(matches!(error, LightningError::Unreachable(_)), "{error}");
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[tokio::test]
async fn a_macaroon_that_may_not_read_is_said_to_be_one() {
    let pair = LndPair::with(&[Trait::MayNotRead]).await;
    for place in [0, 1] {
        let refused = pair.node().settled_behind(place, PATIENCE).await;
        let refused = refused.unwrap_err();
        assert!(matches!(refused, LightningError::Refused(_)), "{refused}");
        assert!(refused.to_string().contains("invoices:read"), "{refused}");
    }
}
