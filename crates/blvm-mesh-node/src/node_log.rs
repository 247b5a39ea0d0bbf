use crate::watcher::{Passage, Watcher};
use blvm_mesh::{Clock, MeshEvent, PacketKind, Refusal, SystemClock};
use mesh_link::LinkEvent;
use parking_lot::Mutex;
use std::io;
use tracing::Level;

/// Lines that the log takes in one second.
///
/// 50, because a person can still follow them, and because whoever sends a lot must not fill the disk. What is left out
/// is counted, and the count is logged.
pub(crate) const LINES_PER_SECOND: u32 = 50;

/// Writes what happens on a node to the log: a line for each link that comes or goes, each delivery, each payment.
#[derive(Debug, Default)]
pub struct NodeLog {
    budget: Mutex<Budget>,
}

#[derive(Debug, Default)]
struct Budget {
    second: u64,
    lines: u32,
    left_out: u64,
}

/// What a line costs, and whether lines were left out before it.
#[derive(Debug, PartialEq, Eq)]
enum Room {
    Yes { left_out: u64 },
    No,
}

/// Sends the log to the standard error stream; refused packets too when `verbose`.
pub(crate) fn start(verbose: bool) {
    let level = if verbose { Level::DEBUG } else { Level::INFO };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(false)
        .with_writer(io::stderr)
        .finish();
    // A program that has a log already keeps it.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

impl NodeLog {
    /// Whether another line may be written now.
    fn has_room(&self) -> bool {
        let room = self.budget.lock().take(SystemClock.now().to_secs());
        if let Room::Yes {
            left_out: left_out @ 1..,
        } = room
        {
            tracing::info!(left_out, "lines left out of this log");
        }
        room != Room::No
    }
}

impl Budget {
    fn take(&mut self, second: u64) -> Room {
        if self.second != second {
            self.second = second;
            self.lines = 0;
        }
        if self.lines >= LINES_PER_SECOND {
            self.left_out = self.left_out.saturating_add(1);
            return Room::No;
        }
        self.lines += 1;
        let left_out = std::mem::take(&mut self.left_out);
        Room::Yes { left_out }
    }
}

impl Watcher for NodeLog {
    fn link(&self, event: &LinkEvent) {
        if matches!(event, LinkEvent::Packet { .. }) || !self.has_room() {
            return;
        }
        match event {
            LinkEvent::Up {
                node_id,
                address,
                outbound,
            } => tracing::info!(peer = %node_id, %address, outbound, "link up"),
            LinkEvent::Down { node_id, reason } => {
                tracing::info!(peer = %node_id, %reason, "link down");
            }
            LinkEvent::DialFailed { node_id, error } => {
                tracing::info!(peer = %node_id, %error, "no link yet, trying again");
            }
            LinkEvent::Packet { .. } => {}
        }
    }

    fn decided(&self, passage: &Passage, outcome: Result<(), &Refusal>) {
        match (outcome, &passage.header) {
            (Ok(()), Some(header)) if header.kind == PacketKind::Data && passage.is_for_us => {
                if self.has_room() {
                    let (bytes, sealed) = (header.payload_len, header.is_sealed);
                    tracing::info!(source = %header.source, bytes, sealed, "packet delivered");
                }
            }
            (Ok(()), _) => {}
            (Err(refusal), _) => {
                if tracing::enabled!(Level::DEBUG) && self.has_room() {
                    tracing::debug!(from = %passage.from, %refusal, "packet refused");
                }
            }
        }
    }

    fn published(&self, event: &MeshEvent) {
        if !self.has_room() {
            return;
        }
        match event {
            MeshEvent::PaymentVerified { payer, amount, .. } => {
                tracing::info!(%payer, %amount, "payment claimed");
            }
            MeshEvent::RouteDiscovered {
                destination,
                route_path,
                route_cost,
            } => {
                let nodes = route_path.len();
                tracing::info!(%destination, nodes, cost = %route_cost, "route found");
            }
            MeshEvent::RouteFailed {
                destination,
                reason,
            } => tracing::info!(%destination, %reason, "route lost"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_takes_so_many_lines_and_the_next_says_what_was_left_out() {
        let mut budget = Budget::default();
        for _ in 0..LINES_PER_SECOND {
            assert_eq!(budget.take(7), Room::Yes { left_out: 0 });
        }
        assert_eq!(budget.take(7), Room::No);
        assert_eq!(budget.take(7), Room::No);
        assert_eq!(budget.take(8), Room::Yes { left_out: 2 });
        assert_eq!(budget.take(8), Room::Yes { left_out: 0 });
    }
}
