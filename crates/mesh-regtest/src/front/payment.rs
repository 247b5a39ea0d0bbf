use super::{Faults, Loss};
use crate::{
    Peer,
    network::{DeskError, Outgoing},
};
use ldk_node::{lightning_invoice::Bolt11Invoice, payment::PaymentStatus};
use std::time::Duration;
use tokio::{sync::watch, time::sleep};

/// The longest time between two looks at a payment; an event of the node makes it shorter.
const INTERVAL: Duration = Duration::from_millis(100);

/// Why there is no answer: the node does not run any more, or the answer is to be lost.
#[derive(Debug)]
pub(super) struct NoAnswer;

/// Pays an invoice, and waits for what becomes of it, however long that takes.
pub(super) async fn pay(
    peer: &Peer,
    faults: &Faults,
    invoice: &Bolt11Invoice,
    max_fee_msat: u64,
) -> Result<Result<Outgoing, DeskError>, NoAnswer> {
    let hash = *invoice.payment_hash().as_ref();
    let mut events = {
        let (node, desk) = peer.both().map_err(|_| NoAnswer)?;
        let events = desk.events();
        if let Err(error) = desk.send(&node, invoice, max_fee_msat) {
            return Ok(Err(error));
        }
        events
    };
    if faults.strikes(Loss::AfterSending) {
        return Err(NoAnswer);
    }
    loop {
        if let Some(outgoing) = look_up(peer, &hash)? {
            let is_known = match outgoing.status {
                PaymentStatus::Pending => false,
                // Its event, which says why, comes a moment later.
                PaymentStatus::Failed => outgoing.reason.is_some(),
                PaymentStatus::Succeeded => true,
            };
            if is_known && faults.strikes(Loss::AfterOutcome) {
                return Err(NoAnswer);
            }
            if is_known {
                return Ok(Ok(outgoing));
            }
        }
        next_event(&mut events).await;
    }
}

pub(super) fn look_up(peer: &Peer, hash: &[u8; 32]) -> Result<Option<Outgoing>, NoAnswer> {
    let (node, desk) = peer.both().map_err(|_| NoAnswer)?;
    Ok(desk.outgoing(&node, hash))
}

/// Waits for the next event, or a moment.
pub(super) async fn next_event(events: &mut watch::Receiver<u64>) {
    tokio::select! {
        Ok(()) = events.changed() => {}
        () = sleep(INTERVAL) => {}
    }
}
