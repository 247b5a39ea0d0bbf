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
