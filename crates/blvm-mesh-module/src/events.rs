use crate::{node_source::NodeSource, outbox::Outbox};
use blvm_mesh::{MeshEvent, MeshManager, NodeEvent, Refusal};
use blvm_mesh_node::{NodeLog, Passage, Watcher};
use blvm_node::module::{
    ipc::protocol::{EventPayload, ModuleMessage},
    traits::EventType,
};
use mesh_link::LinkEvent;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

/// What a mesh wants to hear of its node.
const SUBSCRIBED: [EventType; 4] = [
    EventType::PeerConnected,
    EventType::PeerDisconnected,
    EventType::MessageReceived,
    EventType::PaymentVerified,
];

/// What of it is asked for.
///
/// The node makes an event of each message of the Bitcoin protocol as soon as one module hears of them, and a mesh does no more
/// with it than to write it down at the finest level of its log: where that is not on, the relay is left alone.
pub(crate) fn wanted() -> Vec<EventType> {
    let is_traced = tracing::enabled!(target: "mesh_manager::manager", tracing::Level::TRACE);
    let wanted = SUBSCRIBED.into_iter();
    wanted
        .filter(|event| is_traced || *event != EventType::MessageReceived)
        .collect()
}

/// How long the node's other modules are left alone between two events: twenty a second.
const PAUSE: Duration = Duration::from_millis(50);

/// What has passed between a node and its mesh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventCounts {
    /// Hints of the node that the mesh has heard.
    pub heard: u64,
    /// Events of the mesh that the node has been told.
    pub told: u64,
    /// Events of the mesh that were too many, or that the node did not take.
    pub lost: u64,
}

/// Counts what passes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    heard: AtomicU64,
    told: AtomicU64,
    lost: AtomicU64,
}

impl Tally {
    pub(crate) fn counts(&self) -> EventCounts {
        EventCounts {
            heard: self.heard.load(Ordering::Relaxed),
            told: self.told.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }
}

fn count(of: &AtomicU64) {
    of.fetch_add(1, Ordering::Relaxed);
}

/// Hears what the node says, until it says no more.
pub(crate) async fn listen(
    manager: MeshManager,
    mut heard: mpsc::Receiver<ModuleMessage>,
    tally: Arc<Tally>,
) {
    while let Some(message) = heard.recv().await {
        let ModuleMessage::Event(event) = message else {
            continue;
        };
        if let Some(hint) = hint(event.payload) {
            manager.handle_event(hint);
            count(&tally.heard);
        }
    }
}

/// What an event of the node means to the mesh, which is little: any module can forge any event.
///
/// So it names no node of the mesh, and the addresses in it are marked, for a Bitcoin peer has no link of ours: the end of
/// the one is not the end of the other.
fn hint(payload: EventPayload) -> Option<NodeEvent> {
    let bitcoin = |peer_addr: String| format!("bitcoin:{peer_addr}");
    Some(match payload {
        EventPayload::PeerConnected { peer_addr, .. } => NodeEvent::PeerConnected {
            peer_addr: bitcoin(peer_addr),
            peer_node_id: None,
        },
        EventPayload::PeerDisconnected { peer_addr, reason } => NodeEvent::PeerDisconnected {
            peer_addr: bitcoin(peer_addr),
            reason,
        },
        EventPayload::MessageReceived {
            peer_addr,
            message_type,
            message_size,
            ..
        } => NodeEvent::MessageReceived {
            peer_addr: bitcoin(peer_addr),
            message_type,
            message_size,
        },
        EventPayload::PaymentVerified {
            payment_id,
            amount_msats,
            ..
        } => NodeEvent::PaymentVerified {
            payment_id,
            amount_msats,
        },
        _ => return None,
    })
}

/// An event of the mesh as the node's other modules know it.
fn told(event: MeshEvent) -> Option<(EventType, EventPayload)> {
    Some(match event {
        MeshEvent::RouteDiscovered {
            destination,
            route_path,
            route_cost,
        } => (
            EventType::RouteDiscovered,
            EventPayload::RouteDiscovered {
                destination: destination.to_bytes().to_vec(),
                route_path: route_path.iter().map(ToString::to_string).collect(),
                route_cost: route_cost.to_msat().div_ceil(1_000),
            },
        ),
        MeshEvent::RouteFailed {
            destination,
            reason,
        } => (
            EventType::RouteFailed,
            EventPayload::RouteFailed {
                destination: destination.to_bytes().to_vec(),
                reason,
            },
        ),
        MeshEvent::PaymentVerified {
            payment_id, amount, ..
        } => (
            EventType::PaymentVerified,
            EventPayload::PaymentVerified {
                payment_id,
                amount_msats: amount.to_msat(),
                // Whoever has it can look up the payment, and it is nobody else's business.
                invoice: String::new(),
            },
        ),
        _ => return None,
    })
}

/// Tells the node what the mesh publishes, one event after another, from when the node has started.
pub(crate) async fn tell(node: Arc<NodeSource>, outbox: Arc<Outbox>, tally: Arc<Tally>) {
    node.started().await;
    let mut pace = interval(PAUSE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let Some((kind, payload)) = told(outbox.next().await) else {
            continue;
        };
        pace.tick().await;
        match node.publish(kind, payload).await {
            Ok(()) => count(&tally.told),
            Err(error) => {
                count(&tally.lost);
                tracing::debug!(%error, "an event of the mesh was not published");
            }
        }
    }
}

/// Writes what happens on the mesh to the log, and hands on what the node's other modules are told.
#[derive(Default)]
pub(crate) struct Publisher {
    log: NodeLog,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) tally: Arc<Tally>,
}

impl Watcher for Publisher {
    fn link(&self, event: &LinkEvent) {
        self.log.link(event);
    }

    fn decided(&self, passage: &Passage, outcome: Result<(), &Refusal>) {
        self.log.decided(passage, outcome);
    }

    fn published(&self, event: &MeshEvent) {
        self.log.published(event);
        if self.outbox.put(event.clone()) {
            count(&self.tally.lost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blvm_mesh::{Msat, NodeId};

    #[test]
    fn an_event_of_the_node_names_no_node_of_the_mesh_and_no_address_of_a_link() {
        let connected = EventPayload::PeerConnected {
            peer_addr: "192.0.2.1:8334".to_owned(),
            transport_type: "tcp".to_owned(),
            services: 0,
            version: 0,
            peer_node_id: Some(vec![7; 32]),
        };
        let expected = NodeEvent::PeerConnected {
            peer_addr: "bitcoin:192.0.2.1:8334".to_owned(),
            peer_node_id: None,
        };
        assert_eq!(hint(connected), Some(expected));
        let gone = EventPayload::PeerDisconnected {
            peer_addr: "192.0.2.1:8334".to_owned(),
            reason: "forged".to_owned(),
        };
        let expected = NodeEvent::PeerDisconnected {
            peer_addr: "bitcoin:192.0.2.1:8334".to_owned(),
            reason: "forged".to_owned(),
        };
        assert_eq!(hint(gone), Some(expected));
    }

    #[test]
    fn messages_of_the_relay_are_not_asked_for_where_nothing_is_made_of_them() {
        let wanted = wanted();
        assert!(!wanted.contains(&EventType::MessageReceived));
        let all = SUBSCRIBED.into_iter();
        let others: Vec<_> = all
            .filter(|event| *event != EventType::MessageReceived)
            .collect();
        assert_eq!(wanted, others);
        let all_of_it = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        let in_full = tracing::subscriber::with_default(all_of_it.finish(), super::wanted);
        assert_eq!(in_full, SUBSCRIBED);
    }

    #[test]
    fn a_payment_is_told_without_its_payer_and_a_cost_in_whole_satoshi() {
        let id = NodeId::from_bytes([7; 32]);
        let paid = MeshEvent::PaymentVerified {
            payment_id: "ab".to_owned(),
            payer: id,
            amount: Msat::from_msat(1_500),
        };
        let Some((
            EventType::PaymentVerified,
            EventPayload::PaymentVerified {
                payment_id,
                amount_msats,
                invoice,
            },
        )) = told(paid)
        else {
            panic!("it is another event");
        };
        assert_eq!(
            (payment_id.as_str(), amount_msats, invoice.as_str()),
            ("ab", 1_500, "")
        );
        let found = MeshEvent::RouteDiscovered {
            destination: id,
            route_path: vec![id],
            route_cost: Msat::from_msat(1_500),
        };
        let Some((
            EventType::RouteDiscovered,
            EventPayload::RouteDiscovered {
                destination,
                route_path,
                route_cost,
            },
        )) = told(found)
        else {
            panic!("it is another event");
        };
        assert_eq!(
            (destination, route_path, route_cost),
            (vec![7; 32], vec![id.to_string()], 2)
        );
    }
}
