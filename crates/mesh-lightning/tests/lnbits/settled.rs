//! What is particular to LNbits, which has times and no list that only grows.

use crate::{
    double::{LnbitsPair, Trait},
    suite::{
        Pair as _,
        settled::{PATIENCE, all_told, named, names, settle, told},
    },
    with_key,
};
use mesh_lightning::Lnbits;
use mesh_types::{LightningError, LightningNode as _, Network};

#[tokio::test]
async fn of_the_same_instant_none_is_left_out_and_none_is_told_twice() {
    let pair = LnbitsPair::with(&[Trait::AllAtOnce]).await;
    settle(&pair, 1..=3).await;
    let first = all_told(&pair, 0, 3).await;
    settle(&pair, 4..=5).await;
    let more = told(pair.node(), first[2].place).await;
    let told: Vec<_> = first.iter().chain(&more).collect();
    let mut hashes: Vec<_> = told.iter().map(|it| it.payment_hash).collect();
    assert!(told.windows(2).all(|pair| pair[0].place < pair[1].place));
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 5);
}

#[tokio::test]
async fn more_than_a_page_of_the_same_instant_is_told() {
    let pair = LnbitsPair::with(&[Trait::AllAtOnce]).await;
    settle(&pair, 1..=205).await;
    let mut all = names(&all_told(&pair, 0, 205).await);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 205);
}

#[tokio::test]
async fn it_is_not_asked_without_a_pause() {
    let mut pair = LnbitsPair::with(&[]).await;
    settle(&pair, 1..=2).await;
    let last = all_told(&pair, 0, 2).await[1].place;
    pair.reopen();
    let again = told(pair.node(), last).await;
    assert_eq!(names(&again), named([1, 2]));
    let before = pair.wallet().state().asked.len();
    tokio::time::pause();
    assert_eq!(told(pair.node(), again[1].place).await, []);
    let asked = pair.wallet().state().asked.len() - before;
    assert!((2..30).contains(&asked), "{asked} in {PATIENCE:?}");
}

#[tokio::test]
async fn a_server_without_times_is_said_to_be_too_old() {
    let pair = LnbitsPair::with(&[Trait::OldName]).await;
    settle(&pair, [1]).await;
    let refused = pair.node().settled_behind(0, PATIENCE).await.unwrap_err();
    assert!(matches!(refused, LightningError::Refused(_)), "{refused}");
    assert!(refused.to_string().contains("1.0 or later"), "{refused}");
}

#[tokio::test]
async fn a_key_of_another_server_is_told_nothing() {
    let pair = LnbitsPair::with(&[]).await;
    let other = "00000000000000000000000000000000";
    let node = Lnbits::open(&with_key(&pair, other), Network::Regtest).unwrap();
    let refused = node.settled_behind(0, PATIENCE).await.unwrap_err();
    assert!(matches!(refused, LightningError::Refused(_)), "{refused}");
    let says = refused.to_string();
    assert!(says.contains("does not take this key"), "{says}");
}
