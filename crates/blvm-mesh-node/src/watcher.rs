use blvm_mesh::{MeshEvent, NodeId, PacketKind, PacketView, Refusal};
use mesh_link::LinkEvent;

/// Is told what happens on a node, as it happens; it must not wait for anything.
pub trait Watcher: Send + Sync {
    /// A link came or went, and the mesh knows; or it brought a packet that is not decided yet.
    fn link(&self, event: &LinkEvent);

    /// A packet was carried or delivered, or refused.
    fn decided(&self, passage: &Passage, outcome: Result<(), &Refusal>);

    /// The mesh has published an event.
    fn published(&self, event: &MeshEvent);
}

/// Looks at nothing: for a node that nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watcher for Unwatched {
    fn link(&self, _: &LinkEvent) {}
    fn decided(&self, _: &Passage, _: Result<(), &Refusal>) {}
    fn published(&self, _: &MeshEvent) {}
}

/// What a packet says of itself, authentic or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// The peer that handed it over.
    pub from: NodeId,
    /// Whether it is addressed to the node that is told.
    pub is_for_us: bool,
    /// Its header; `None` when it is no packet.
    pub header: Option<PassageHeader>,
}

/// The fields of a packet's header that tell one packet from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassageHeader {
    /// What the packet is for.
    pub kind: PacketKind,
    /// Who made it.
    pub source: NodeId,
    /// Where it goes.
    pub destination: NodeId,
    /// The source's number for it.
    pub sequence: u64,
    /// Bytes of payload, as they travel.
    pub payload_len: usize,
    /// Whether the payload is sealed.
    pub is_sealed: bool,
}

impl Passage {
    /// Reads the header of a packet that `from` handed to `us`.
    pub(crate) fn read(from: NodeId, us: NodeId, bytes: &[u8]) -> Self {
        let packet = PacketView::parse(bytes).ok();
        let header = packet.map(|packet| PassageHeader {
            kind: packet.kind(),
            source: packet.source(),
            destination: packet.destination(),
            sequence: packet.sequence(),
            payload_len: packet.payload().len(),
            is_sealed: packet.is_sealed(),
        });
        Self {
            from,
            is_for_us: header.is_some_and(|header| header.destination == us),
            header,
        }
    }
}
