//! Real nodes on the chain pay each other.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

use mesh_regtest::{
    LightningNetwork, Peer,
    ldk_node::{
        lightning::ln::channelmanager::PaymentId,
        lightning_invoice::{Bolt11InvoiceDescription, Description},
        payment::{PaymentDetails, PaymentStatus},
    },
    wait_until,
};

const AMOUNT: u64 = 21_000;

/// Lets one node pay another, and says what became of it.
fn pay(payer: &Peer, payee: &Peer) -> PaymentDetails {
    let text = Description::new("mesh".to_owned()).unwrap();
    let text = Bolt11InvoiceDescription::Direct(text);
    let payee = payee.node().unwrap();
    let invoice = payee.bolt11_payment().receive(AMOUNT, &text, 600).unwrap();
    let payer = payer.node().unwrap();
    let id: PaymentId = payer.bolt11_payment().send(&invoice, None).unwrap();
    let found = || payer.payment(&id).unwrap();
    wait_until("a payment", || Ok(found().status != PaymentStatus::Pending)).unwrap();
    found()
}

#[test]
fn payments_go_both_ways_over_a_relay_and_again_after_a_restart() {
    let network = LightningNetwork::line().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| network.peer(name).unwrap());
    for (payer, payee) in [(a, c), (c, a)] {
        let paid = pay(payer, payee);
        assert_eq!(paid.status, PaymentStatus::Succeeded);
        assert_eq!(paid.fee_paid_msat, Some(1_000), "the relay's fee");
    }
    assert_eq!(pay(a, b).fee_paid_msat, Some(0));
    // Later blocks take the way out of the invoices: gossip has told it.
    network.mine(6).unwrap();
    network.restart("b").unwrap();
    assert_eq!(pay(a, c).status, PaymentStatus::Succeeded);
    network.restart("a").unwrap();
    network.restart("c").unwrap();
    assert_eq!(pay(a, c).status, PaymentStatus::Succeeded);
}

#[test]
fn a_node_that_was_stopped_says_so() {
    let network = LightningNetwork::start(&mesh_regtest::Plan::line(&["alone"])).unwrap();
    let peer = network.peer("alone").unwrap();
    peer.stop();
    assert!(peer.node().is_err() && !peer.is_running());
    peer.start_again().unwrap();
    peer.sync().unwrap();
    network.peer("nobody").unwrap_err();
}
