//! Which invoices of a sandbox wallet are settled, in an order that stays.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

use blvm_mesh::{
    Clock, InvoiceRequest, LightningError, LightningNode, MAX_SETTLED, Msat, Network, PayLimits,
    SettledInvoice, UnixTime,
};
use blvm_mesh_node::SandboxLightning;
use std::{collections::HashSet, fs, path::Path, sync::Arc, time::Duration};
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(40);

struct Still;

impl Clock for Still {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(1_790_000_000)
    }
}

fn wallet(folder: &Path, seed: u8) -> SandboxLightning {
    let clock = Arc::new(Still);
    SandboxLightning::open(folder, &[seed; 32], Network::Regtest, clock).unwrap()
}

async fn issue(payee: &SandboxLightning, number: u8) -> String {
    let request = InvoiceRequest {
        amount: Msat::from_msat(3_000),
        preimage: [number; 32],
        description: format!("mesh \"{number}\" \u{1}\n"),
        expiry: Duration::from_secs(600),
    };
    payee.create_invoice(request).await.unwrap()
}

async fn settle(payee: &SandboxLightning, payer: &SandboxLightning, number: u8) {
    let limits = PayLimits {
        max_fee: Msat::ZERO,
        patience: PATIENCE,
    };
    let invoice = issue(payee, number).await;
    payer.pay_invoice(&invoice, limits).await.unwrap();
}

async fn told(payee: &SandboxLightning, place: u64) -> Vec<SettledInvoice> {
    payee.settled_behind(place, Duration::ZERO).await.unwrap()
}

fn numbers(told: &[SettledInvoice]) -> Vec<u8> {
    let number = |it: &SettledInvoice| it.description.split('"').nth(1).unwrap().parse().unwrap();
    told.iter().map(number).collect()
}

fn places(told: &[SettledInvoice]) -> Vec<u64> {
    told.iter().map(|it| it.place).collect()
}

#[tokio::test]
async fn what_is_settled_is_told_from_a_place_on() {
    let folder = tempfile::tempdir().unwrap();
    let (payee, payer) = (wallet(folder.path(), 1), wallet(folder.path(), 2));
    for number in [9, 3, 7] {
        settle(&payee, &payer, number).await;
        // What is told one by one has the order in which it was paid.
        assert_eq!(*numbers(&told(&payee, 0).await).last().unwrap(), number);
    }
    issue(&payee, 4).await;
    let all = told(&payee, 0).await;
    assert_eq!(
        (numbers(&all), places(&all)),
        (vec![9, 3, 7], vec![1, 2, 3])
    );
    assert!(all.iter().all(|it| it.amount.to_msat() == 3_000));
    assert_eq!(numbers(&told(&payee, 2).await), [7]);
    assert_eq!(told(&payee, 3).await, []);
    assert_eq!(told(&payee, u64::MAX).await, []);
    // What it paid itself is the other's.
    assert_eq!(told(&payer, 0).await, []);
}

#[tokio::test]
async fn places_stay_when_the_wallet_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let (payee, payer) = (wallet(folder.path(), 1), wallet(folder.path(), 2));
    for number in [9, 3, 7] {
        settle(&payee, &payer, number).await;
    }
    let before = told(&payee, 0).await;
    let again = wallet(folder.path(), 1);
    settle(&again, &payer, 1).await;
    let after = told(&again, 0).await;
    assert_eq!(after[..3], before[..]);
    assert_eq!(numbers(&after[3..]), [1]);
    // The wallet that was open all the time goes on.
    assert_eq!(told(&payee, 3).await, after[3..]);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_none_the_patience_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let payee = wallet(folder.path(), 1);
    let before = Instant::now();
    assert_eq!(payee.settled_behind(0, PATIENCE).await, Ok(Vec::new()));
    let waited = before.elapsed();
    assert!(PATIENCE <= waited && waited < PATIENCE + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_settled_meanwhile_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (payee, payer) = (wallet(folder.path(), 1), wallet(folder.path(), 2));
    let paying = async {
        tokio::time::sleep(PATIENCE / 2).await;
        settle(&payee, &payer, 5).await;
    };
    let (told, ()) = tokio::join!(payee.settled_behind(0, PATIENCE), paying);
    assert_eq!(numbers(&told.unwrap()), [5]);
}

#[tokio::test]
async fn more_than_fit_are_told_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let (payee, payer) = (wallet(folder.path(), 1), wallet(folder.path(), 2));
    for number in 1..=120 {
        settle(&payee, &payer, number).await;
    }
    let first = told(&payee, 0).await;
    assert_eq!(first.len(), MAX_SETTLED);
    let rest = told(&payee, first.last().unwrap().place).await;
    let all: HashSet<_> = numbers(&first).into_iter().chain(numbers(&rest)).collect();
    assert_eq!(all.len(), 120);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_many_pay_and_two_programs_ask_none_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let payee = Arc::new(wallet(folder.path(), 1));
    let mut paying = tokio::task::JoinSet::new();
    for lane in 0..4 {
        let (payee, payer) = (Arc::clone(&payee), wallet(folder.path(), 2 + lane));
        paying.spawn(async move {
            for number in 0..25 {
                settle(&payee, &payer, lane * 25 + number).await;
            }
        });
    }
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let payee = wallet(folder.path(), 1);
        asking.spawn(async move {
            let mut all = Vec::new();
            while all.len() < 100 {
                let last = all.last().map_or(0, |it: &SettledInvoice| it.place);
                all.extend(payee.settled_behind(last, PATIENCE).await.unwrap());
            }
            all
        });
    }
    paying.join_all().await;
    for all in asking.join_all().await {
        let numbers: HashSet<_> = numbers(&all).into_iter().collect();
        assert_eq!(numbers, (0..100).collect());
        assert_eq!(places(&all), (1..=100).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn records_of_before_have_no_description() {
    let folder = tempfile::tempdir().unwrap();
    let (payee, payer) = (wallet(folder.path(), 1), wallet(folder.path(), 2));
    settle(&payee, &payer, 5).await;
    let own = folder.path().join(blvm_mesh::to_hex(&payee.payee_key()));
    let hash = blvm_mesh::to_hex(&told(&payee, 0).await[0].payment_hash);
    let preimage = blvm_mesh::to_hex(&[5; 32]);
    let record = format!("{{\"preimage\":\"{preimage}\",\"amount_msat\":3000,\"expires_at\":1}}");
    fs::write(own.join(format!("{hash}.invoice")), record).unwrap();
    assert_eq!(told(&payee, 0).await[0].description, "");
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    let (payee, payer) = (wallet(folder.path(), 1), wallet(folder.path(), 2));
    settle(&payee, &payer, 5).await;
    let own = folder.path().join(blvm_mesh::to_hex(&payee.payee_key()));
    fs::write(own.join("1.place"), "{}").unwrap();
    let error = payee.settled_behind(0, PATIENCE).await;
    assert!(
        matches!(error, Err(LightningError::Unreachable(_))),
        "{error:?}"
    );
    drop(folder);
    let error = payee.settled_behind(0, PATIENCE).await;
    assert!(
        matches!(error, Err(LightningError::Unreachable(_))),
        "{error:?}"
    );
}
