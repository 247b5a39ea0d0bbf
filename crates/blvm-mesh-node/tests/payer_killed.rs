//! A node that is killed again and again while it pays: what it has paid is in its ledger, and within its limit.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod program;

use program::{Home, free_port, run};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
};

const ROUNDS: usize = 6;
const SENDERS: usize = 3;
const PER_DAY_MSAT: u64 = 153_000;

/// How often a round is tried: a payment that the last kill has cut off holds up others until it is looked up, some seconds
/// later, and at the day's limit none goes through.
const MOST_TRIES: usize = 200;

/// Sends, each packet with a payment of its own, until the node is killed behind `sends` packets that went through.
fn pay_until_killed(source: &Home, to: &str, sends: usize) {
    let running = source.start();
    running.expect("link up");
    let over = Arc::new(AtomicBool::new(false));
    let (sender, done) = channel();
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (over, sender) = (Arc::clone(&over), sender.clone());
            let send = ["send", to, "--data", "x", "--packets-ahead", "1"];
            let args = [&send, ["--config", source.config()].as_slice()].concat();
            let args: Vec<_> = args.into_iter().map(str::to_owned).collect();
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let args: Vec<_> = args.iter().map(String::as_str).collect();
                    let _ = sender.send(run(&args).code == Some(0));
                }
            })
        })
        .collect();
    let mut through = 0;
    for _ in 0..MOST_TRIES {
        through += usize::from(done.recv().unwrap());
        if through == sends {
            break;
        }
    }
    // The others are somewhere in the middle.
    running.kill();
    over.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.join().unwrap();
    }
}

#[test]
fn whatever_a_killed_payer_has_paid_is_a_line_of_its_ledger_and_within_its_limit() {
    let root = tempfile::tempdir().unwrap();
    let port = free_port();
    let priced = format!(
        "listen_addr = \"127.0.0.1:{port}\"\nprice_per_packet_msat = 9000\nprice_per_kib_msat = 0"
    );
    let destination = Home::new(root.path(), "destination", &priced);
    let to = destination.id.to_string();
    let source = format!(
        "listen_addr = \"127.0.0.1:0\"\npeers = [\"{to}@127.0.0.1:{port}\"]\nmode = \"open\"\n\
         spending.per_day_msat = {PER_DAY_MSAT}"
    );
    let source = Home::new(root.path(), "source", &source);
    let receiving = destination.start();
    for round in 0..ROUNDS {
        pay_until_killed(&source, &to, 1 + round % 4);
    }
    let spent = source.ask(&["ledger", "spent", "--last", "1000"]);
    let lines: HashMap<_, _> = spent["payments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["payment_hash"].as_str().unwrap(), line))
        .collect();
    let deposits = destination.ask(&["ledger", "--deposits", "--all"]);
    let deposits = deposits.as_array().unwrap();
    assert!(deposits.len() >= ROUNDS, "{deposits:?}");
    for deposit in deposits {
        let line = lines.get(deposit["key"].as_str().unwrap());
        let line = line.unwrap_or_else(|| panic!("{deposit} is in no line of {spent}"));
        assert_eq!(line["amount_msat"], deposit["amount_msat"]);
        assert_ne!(line["outcome"], "failed");
    }
    let sum = |list: &[serde_json::Value]| {
        let amounts = list.iter().map(|it| it["amount_msat"].as_u64().unwrap());
        amounts.sum::<u64>()
    };
    assert!(sum(deposits) <= spent["total"]["amount_msat"].as_u64().unwrap());
    assert!(spent["total"]["amount_msat"].as_u64().unwrap() <= PER_DAY_MSAT);
    let verified = source.command(&["ledger", "verify"], &[]);
    assert_eq!(verified.code, Some(0), "{}", verified.out);
    assert_eq!(receiving.stop(), Some(0));
}
