use crate::watcher::{Passage, Watcher};
use blvm_mesh::{MeshEvent, Refusal};
use mesh_link::LinkEvent;
use tokio::sync::mpsc;

/// Things seen on one node that nobody has asked for yet. The whole story is some fifty of them.
const MAX_SEEN: usize = 1_024;

/// Notes what happens on a node, so that the story can be checked.
#[derive(Debug)]
pub(super) struct Witness {
    seen: mpsc::Sender<Seen>,
}

/// One thing that happened on a node.
#[derive(Debug)]
pub(super) enum Seen {
    /// A link is up.
    Linked,
    /// A packet came over a link.
    Packet(Vec<u8>),
    /// A packet was carried or delivered, or refused.
    Decided(Passage, Result<(), Refusal>),
    /// The mesh published an event.
    Published(MeshEvent),
}

impl Witness {
    pub(super) fn new() -> (Self, mpsc::Receiver<Seen>) {
        let (seen, receiver) = mpsc::channel(MAX_SEEN);
        (Self { seen }, receiver)
    }

    fn note(&self, seen: Seen) {
        // What does not fit is missed by whoever waits for it, and that fails the demo.
        let _ = self.seen.try_send(seen);
    }
}

impl Watcher for Witness {
    fn link(&self, event: &LinkEvent) {
        match event {
            LinkEvent::Up { .. } => self.note(Seen::Linked),
            LinkEvent::Packet { bytes, .. } => self.note(Seen::Packet(bytes.clone())),
            LinkEvent::Down { .. } | LinkEvent::DialFailed { .. } => {}
        }
    }

    fn decided(&self, passage: &Passage, outcome: Result<(), &Refusal>) {
        self.note(Seen::Decided(*passage, outcome.map_err(Clone::clone)));
    }

    fn published(&self, event: &MeshEvent) {
        self.note(Seen::Published(event.clone()));
    }
}
