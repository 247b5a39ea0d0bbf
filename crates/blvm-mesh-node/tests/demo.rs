//! The demo, as somebody runs it for the first time.

mod program;

use lightning_invoice::{Bolt11Invoice, Currency};
use program::{Ran, blvm_mesh, run};
use std::process::Stdio;

#[test]
fn the_demo_tells_its_story_and_ends_well() {
    let Ran { code, out, err } = run(&["demo"]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(err, "");
    for part in [
        "sandbox",
        "no real money",
        "payment required: the price is 3,000 msat, 3,000 msat are missing",
        "3,000 msat to the relay's sandbox wallet",
        "claimed payment",
        "debited 3,000 msat",
        "debited 6,000 msat",
        "\"Hello from the far side of the mesh.\"",
        "refused as replayed: the payment was claimed before",
        "refused as duplicate: sequence",
        "A Bitcoin ping rides free",
        "What each party earned",
    ] {
        assert!(out.contains(part), "{part:?} is not in:\n{out}");
    }
    assert!(out.lines().count() <= 62, "{} lines", out.lines().count());
}

#[test]
fn the_durable_demo_kills_a_relay_and_finds_claim_and_credit_in_its_file() {
    let Ran { code, out, err } = run(&["demo", "--durable"]);
    assert_eq!(code, Some(0), "{err}\n{out}");
    for part in [
        "no real money",
        "it is on disk",
        "kill -9",
        "before it could forward the packet",
        "refused as replayed: the payment was claimed before",
        "credit left: 3,000 msat",
        "earned                   3.000 sats",
    ] {
        assert!(out.contains(part), "{part:?} is not in:\n{out}");
    }
}

#[test]
fn the_invoice_that_it_prints_is_whole_and_signed() {
    let out = run(&["demo"]).out;
    let line = out.lines().find(|line| line.starts_with("lnbcrt")).unwrap();
    let invoice: Bolt11Invoice = line.parse().unwrap();
    assert_eq!(invoice.currency(), Currency::Regtest);
    assert_eq!(invoice.amount_milli_satoshis(), Some(3_000));
    assert!(invoice.check_signature().is_ok());
}

#[test]
fn the_shares_that_it_prints_sum_to_the_fee() {
    let out = run(&["demo"]).out;
    let first_number = |label: &str| -> u64 {
        let table = out.split("What each party earned").nth(1).unwrap();
        let line = table
            .lines()
            .find(|line| line.trim_start().starts_with(label))
            .unwrap();
        let number = line.split_whitespace().nth(1).unwrap();
        number.replace(',', "").parse().unwrap()
    };
    let shares = ["source", "relay", "destination"].map(first_number);
    assert_eq!(shares.iter().sum::<u64>(), first_number("fee"));
}

#[test]
fn what_is_no_terminal_gets_no_codes_for_one() {
    assert!(!run(&["demo"]).out.contains('\x1b'));
}

#[test]
fn a_reader_that_has_gone_away_does_not_break_the_demo() {
    let mut command = blvm_mesh(&["demo"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn two_demos_at_once_do_not_meet() {
    let start = || blvm_mesh(&["demo"]).stdout(Stdio::null()).spawn().unwrap();
    let mut both = [start(), start()];
    for demo in &mut both {
        assert_eq!(demo.wait().unwrap().code(), Some(0));
    }
}
