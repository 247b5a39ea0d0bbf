//! Credit that goes back, between two running programs: with the command, over the control socket, over a kill.

mod program;

use program::{Home, free_port, stranger::pay};

#[tokio::test]
async fn what_was_not_spent_goes_back_where_that_is_offered_and_the_books_say_so() {
    let root = tempfile::tempdir().unwrap();
    let port = free_port();
    let listening = format!("listen_addr = \"127.0.0.1:{port}\"");
    let relay = Home::new(root.path(), "relay", &listening);
    let peers = format!("peers = [\"{}@127.0.0.1:{port}\"]", relay.id);
    let any = "listen_addr = \"127.0.0.1:0\"";
    let payer = Home::new(root.path(), "payer", &format!("{any}\n{peers}"));

    let running = relay.start();
    let paying = payer.start();
    paying.expect("link up");
    let quoted = relay.ask(&["quote", &payer.id.to_string(), "--amount", "5000"]);
    pay(root.path(), quoted["invoice"].as_str().unwrap()).await;
    running.expect("credited");
    let id = relay.id.to_string();
    let refused = payer.command(&["refund", &id], &[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("does not offer this"),
        "{}",
        refused.err
    );

    running.kill();
    relay.configure(&format!("{listening}\nrefunds = true"));
    let running = relay.start();
    paying.expect("link up");
    let some = payer.ask(&["refund", &id, "--amount", "1000"]);
    assert_eq!(some["amount_msat"], 1_000_000);
    assert_eq!(some["credit_msat"], 4_000_000);
    assert_eq!(some["arrived"], true);
    let shown = payer.command(&["refund", &id], &[]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    // 2 % stay behind: so much routing could have cost.
    assert!(shown.out.contains("refunded    3,921"), "{}", shown.out);

    running.kill();
    let _running = relay.start();
    let status = relay.ask(&["status"]);
    assert_eq!(status["money"]["refunded_msat"], 4_921_000, "{status}");
    let totals = &relay.ask(&["ledger"])["totals"];
    assert_eq!(totals["refunded_msat"], 4_921_000, "{totals}");
    assert_eq!(totals["credit_msat"], 79_000);
    assert_eq!(relay.command(&["ledger", "verify"], &[]).code, Some(0));
    let backup = root.path().join("backup.jsonl");
    let exported = relay.command(&["ledger", "export", backup.to_str().unwrap()], &[]);
    assert_eq!(exported.code, Some(0), "{}", exported.err);
    let text = std::fs::read_to_string(backup).unwrap();
    assert_eq!(text.matches("{\"refund\":").count(), 2);
}
