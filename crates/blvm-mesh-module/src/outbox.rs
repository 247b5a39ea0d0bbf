use blvm_mesh::{MeshEvent, NodeId};
use parking_lot::Mutex;
use std::collections::VecDeque;
use tokio::sync::Notify;

/// Events that wait to be told to the node, or to be heard.
///
/// 100, as the node itself keeps for a module: they are hints, and nobody's memory should grow for them.
pub(crate) const MOST_WAITING: usize = 100;

/// What the mesh has published and the node has not been told yet, in order.
///
/// What is said of the way to a destination takes the place of what was said of it before, so that a route which changes
/// often is told as it is now. Beyond [`MOST_WAITING`] the oldest event is lost.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Mutex<VecDeque<MeshEvent>>,
    news: Notify,
}

impl Outbox {
    /// Adds an event, and says whether one was lost for it.
    pub(crate) fn put(&self, event: MeshEvent) -> bool {
        let mut waiting = self.waiting.lock();
        let mut is_full = false;
        let destination = destination(&event);
        let older = waiting
            .iter_mut()
            .find(|older| destination.is_some() && self::destination(older) == destination);
        if let Some(older) = older {
            *older = event;
        } else {
            is_full = waiting.len() >= MOST_WAITING;
            if is_full {
                waiting.pop_front();
            }
            waiting.push_back(event);
        }
        drop(waiting);
        self.news.notify_one();
        is_full
    }

    /// Takes the event that has waited longest, or waits for one.
    pub(crate) async fn next(&self) -> MeshEvent {
        loop {
            if let Some(event) = self.take() {
                return event;
            }
            self.news.notified().await;
        }
    }

    fn take(&self) -> Option<MeshEvent> {
        self.waiting.lock().pop_front()
    }
}

/// Where the way leads that an event is about, if it is about one.
fn destination(event: &MeshEvent) -> Option<NodeId> {
    match event {
        MeshEvent::RouteDiscovered { destination, .. }
        | MeshEvent::RouteFailed { destination, .. } => Some(*destination),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blvm_mesh::Msat;

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    fn lost(to: u8) -> MeshEvent {
        MeshEvent::RouteFailed {
            destination: node(to),
            reason: "no route is known".to_owned(),
        }
    }

    fn found(to: u8) -> MeshEvent {
        MeshEvent::RouteDiscovered {
            destination: node(to),
            route_path: vec![node(to)],
            route_cost: Msat::ZERO,
        }
    }

    fn paid(number: usize) -> MeshEvent {
        MeshEvent::PaymentVerified {
            payment_id: number.to_string(),
            payer: node(1),
            amount: Msat::ZERO,
        }
    }

    fn all(outbox: &Outbox) -> Vec<MeshEvent> {
        std::iter::from_fn(|| outbox.take()).collect()
    }

    #[test]
    fn of_a_route_that_flaps_the_last_change_waits_where_the_first_did() {
        let outbox = Outbox::default();
        for event in [lost(1), paid(1), lost(2)] {
            assert!(!outbox.put(event));
        }
        for _ in 0..1_000 {
            assert!(!outbox.put(lost(1)) && !outbox.put(found(1)));
        }
        assert_eq!(all(&outbox), [found(1), paid(1), lost(2)]);
    }

    #[test]
    fn payments_all_wait_and_beyond_the_bound_the_oldest_event_is_lost() {
        let outbox = Outbox::default();
        outbox.put(lost(1));
        let are_lost: Vec<bool> = (0..MOST_WAITING)
            .map(|number| outbox.put(paid(number)))
            .collect();
        let only_last = (1..MOST_WAITING)
            .map(|_| false)
            .chain([true])
            .collect::<Vec<_>>();
        assert_eq!(are_lost, only_last);
        let payments: Vec<_> = (0..MOST_WAITING).map(paid).collect();
        assert_eq!(all(&outbox), payments);
    }
}
