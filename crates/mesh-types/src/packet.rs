use crate::{ProofForHop, Route};

/// Bytes of a per-hop MAC.
pub const MAC_LEN: usize = 16;

/// One hop's message authentication code.
pub type Mac = [u8; MAC_LEN];

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PacketKind {
    /// It carries a payload of the application.
    Data,
    /// It carries a message between meshes: a refusal, a quote, a deposit, a receipt.
    Control,
}

/// A packet, owned: what `mesh-protocol` parses from bytes and emits to bytes.
///
/// Relays forward the bytes as they came; nothing in a packet changes on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshPacket {
    /// What the packet is for.
    pub kind: PacketKind,
    /// Whether the payload is sealed between source and destination.
    pub sealed: bool,
    /// Whether the source wants a receipt from the destination.
    pub receipt: bool,
    /// The whole way, source first.
    pub route: Route,
    /// The source's own number for this packet, never used twice.
    pub sequence: u64,
    /// The number of the packet of which this is a copy that the source sends once more, perhaps over another route; of the
    /// two the destination delivers one.
    pub copy_of: Option<u64>,
    /// When the source made it, Unix seconds.
    pub timestamp: u64,
    /// What the source offers in total for this packet; each party's share follows from it and the route.
    pub fee_msat: u64,
    /// A proof of payment for one of the hops.
    pub proof: Option<ProofForHop>,
    /// What the packet carries.
    pub payload: Vec<u8>,
    /// One MAC for each node after the source, in route order.
    pub macs: Vec<Mac>,
}
