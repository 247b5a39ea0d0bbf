use crate::Refusal;
use mesh_types::{NodeId, Route};
use parking_lot::Mutex;
use std::collections::VecDeque;
use tokio::sync::Notify;

/// The most packets that wait for the application.
///
/// A full inbox refuses; it never pushes out what it holds. Unpaid packets may take half of it, so that no flood of
/// them shuts paid ones out.
pub const INBOX_PACKETS: usize = 1_024;

/// A packet that arrived at its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Who sent it, authenticated.
    pub source: NodeId,
    /// The source's number for the packet.
    pub sequence: u64,
    /// The source's number for what it carries: that of the first packet which carried the same. It is delivered once, over
    /// however many routes the source has sent it.
    pub message: u64,
    /// What it carried, opened.
    pub payload: Vec<u8>,
    /// Whether it came sealed, so that nobody on the way has read it.
    pub is_sealed: bool,
    /// The way back, when the source wants a receipt.
    pub receipt: Option<Route>,
}

/// What waits for the application.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: Mutex<VecDeque<Delivery>>,
    arrived: Notify,
}

impl Inbox {
    pub(crate) fn put(&self, delivery: Delivery, is_paid: bool) -> Result<(), Refusal> {
        let mut waiting = self.waiting.lock();
        let room = if is_paid {
            INBOX_PACKETS
        } else {
            INBOX_PACKETS / 2
        };
        if waiting.len() >= room {
            return Err(Refusal::Busy("the destination's inbox is full".to_owned()));
        }
        waiting.push_back(delivery);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    pub(crate) fn poll(&self, most: usize) -> Vec<Delivery> {
        let mut waiting = self.waiting.lock();
        let count = most.min(waiting.len());
        waiting.drain(..count).collect()
    }

    pub(crate) async fn next(&self) -> Delivery {
        loop {
            let arrived = self.arrived.notified();
            if let Some(delivery) = self.waiting.lock().pop_front() {
                return delivery;
            }
            arrived.await;
        }
    }
}
