use mesh_types::Msat;

/// Who gets what of a packet's fee: the three kinds of shares sum to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// The destination's share, the remainders included.
    pub destination: Msat,
    /// The share of each relay.
    pub per_relay: Msat,
    /// How many relays there are.
    pub relays: usize,
    /// The source's share.
    pub source: Msat,
}

/// Splits a fee: 60 % for the destination, 30 % for the relays in equal parts, 10 % for the source.
pub fn split(_total: Msat, _relays: usize) -> Split {
    todo!()
}

impl Split {
    /// The share of the node at `position` of the route, the source being 0; nothing beyond its end.
    pub fn share_at(&self, _position: usize) -> Msat {
        todo!()
    }
}
