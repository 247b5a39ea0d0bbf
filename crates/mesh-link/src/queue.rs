use crate::{LinkConfig, SendError};
use parking_lot::Mutex;
use std::collections::VecDeque;
use tokio::sync::Notify;

/// Packets that wait for one link, bounded in number and in bytes.
///
/// It belongs to the node, not to the connection: a connection that takes another's place takes its queue over.
#[derive(Debug)]
pub(crate) struct SendQueue {
    waiting: Mutex<Waiting>,
    filled: Notify,
    max_packets: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    packets: VecDeque<Vec<u8>>,
    bytes: usize,
    closed: bool,
}

impl SendQueue {
    /// Starts empty.
    pub(crate) fn new(config: &LinkConfig) -> Self {
        Self {
            waiting: Mutex::default(),
            filled: Notify::new(),
            max_packets: config.send_queue_packets,
            max_bytes: config.send_queue_bytes,
        }
    }

    /// Takes a packet, or says that it is full or closed.
    pub(crate) fn push(&self, packet: Vec<u8>) -> Result<(), SendError> {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(SendError::NotConnected);
        }
        let bytes = waiting.bytes.saturating_add(packet.len());
        if waiting.packets.len() >= self.max_packets || bytes > self.max_bytes {
            return Err(SendError::QueueFull);
        }
        waiting.bytes = bytes;
        waiting.packets.push_back(packet);
        drop(waiting);
        self.filled.notify_one();
        Ok(())
    }

    /// Moves packets of together at most `max_bytes`, and at least one if there is one, to `batch`.
    pub(crate) fn take(&self, max_bytes: usize, batch: &mut Vec<Vec<u8>>) {
        let mut waiting = self.waiting.lock();
        let mut taken = 0_usize;
        while let Some(next) = waiting.packets.front() {
            let with_next = taken.saturating_add(next.len());
            if with_next > max_bytes && taken > 0 {
                break;
            }
            taken = with_next;
            batch.extend(waiting.packets.pop_front());
        }
        waiting.bytes = waiting.bytes.saturating_sub(taken);
    }

    /// Waits until a packet was pushed since the last wait; may also return without one.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Takes no more packets, and drops those that wait; answers how many.
    pub(crate) fn close(&self) -> usize {
        let mut waiting = self.waiting.lock();
        waiting.closed = true;
        waiting.bytes = 0;
        std::mem::take(&mut waiting.packets).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packets_leave_in_order_within_the_bounds(
            steps in prop::collection::vec((any::<bool>(), 1..400_usize), 1..200),
        ) {
            let config = LinkConfig {
                send_queue_packets: 5,
                send_queue_bytes: 1_000,
                ..LinkConfig::default()
            };
            let queue = SendQueue::new(&config);
            let mut oracle: Vec<Vec<u8>> = Vec::new();
            for (number, (push, size)) in (0..=255_u8).cycle().zip(steps) {
                let bytes: usize = oracle.iter().map(Vec::len).sum();
                if push {
                    let packet = vec![number; size];
                    let fits = oracle.len() < 5 && bytes + size <= 1_000;
                    prop_assert_eq!(queue.push(packet.clone()).is_ok(), fits);
                    if fits {
                        oracle.push(packet);
                    }
                } else {
                    let mut batch = Vec::new();
                    queue.take(size, &mut batch);
                    let taken: usize = batch.iter().map(Vec::len).sum();
                    prop_assert!(taken <= size || batch.len() == 1);
                    let rest = oracle.split_off(batch.len());
                    prop_assert_eq!(&batch, &oracle);
                    let next = rest.first().map_or(0, Vec::len);
                    prop_assert!(rest.is_empty() || taken + next > size, "it took too little");
                    oracle = rest;
                }
            }
            prop_assert_eq!(queue.close(), oracle.len());
            prop_assert!(queue.push(vec![1]).is_err());
        }
    }
}
