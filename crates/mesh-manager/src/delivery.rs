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

    /// Takes up to `most` of those that are `wanted`, the oldest first; the others stay where they are.
    pub(crate) fn take(
        &self,
        most: usize,
        mut wanted: impl FnMut(&Delivery) -> bool,
    ) -> Vec<Delivery> {
        let mut waiting = self.waiting.lock();
        let (mut taken, mut index) = (Vec::new(), 0_usize);
        while taken.len() < most
            && let Some(delivery) = waiting.get(index)
        {
            match wanted(delivery) {
                true => taken.extend(waiting.remove(index)),
                false => index = index.saturating_add(1),
            }
        }
        taken
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

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(sequence: u64) -> Delivery {
        Delivery {
            source: NodeId::from_bytes([1; 32]),
            sequence,
            message: sequence,
            payload: Vec::new(),
            is_sealed: true,
            receipt: None,
        }
    }

    #[test]
    fn what_is_not_wanted_stays_in_its_order() {
        let inbox = Inbox::default();
        for sequence in 0..7 {
            inbox.put(delivery(sequence), true).unwrap();
        }
        let is_odd = |delivery: &Delivery| delivery.sequence % 2 == 1;
        let sequences = |taken: Vec<Delivery>| -> Vec<u64> {
            taken.iter().map(|delivery| delivery.sequence).collect()
        };
        assert_eq!(sequences(inbox.take(2, is_odd)), [1, 3]);
        assert_eq!(sequences(inbox.take(9, is_odd)), [5]);
        assert_eq!(sequences(inbox.take(0, |_| true)), [0_u64; 0]);
        assert_eq!(sequences(inbox.take(9, |_| true)), [0, 2, 4, 6]);
    }
}
