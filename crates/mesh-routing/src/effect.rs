use crate::link::Room;
use crate::near::FAR;
use crate::search::MAX_RELAYS;
use mesh_types::{NodeId, Price};

/// A node, or the link between two nodes in whichever order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A node.
    Node(NodeId),
    /// A link.
    Link(NodeId, NodeId),
}

impl Place {
    /// The same place with its ends in order, so that equal places are equal.
    pub(crate) fn in_order(self) -> Self {
        match self {
            Self::Link(a, b) if b < a => Self::Link(b, a),
            place => place,
        }
    }
}

/// What a change of the graph may do to answers that were found before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// What became dearer, slower or narrower, or went: routes over it are in question.
    pub(crate) lost: Option<Place>,
    /// What became cheaper, faster or wider, or is new: routes that it could better are in question.
    pub(crate) gained: Option<Gain>,
    /// Whose own terms changed: every route that ends there is in question.
    pub(crate) terms_of: Option<NodeId>,
}

/// What is known of any route over something that became better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gain {
    /// The nodes that such a route has, the local one left out; each is a relay unless it is the destination.
    pub(crate) nodes: Vec<Passed>,
    /// The largest payload that the better link takes.
    pub(crate) room: Room,
    /// No such route is faster.
    pub(crate) at_least_ms: u32,
}

/// A node that every route over a [`Gain`] passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) id: NodeId,
    pub(crate) price: Price,
    /// The largest payload that it takes; `None` when it relays nothing now.
    pub(crate) room_as_relay: Option<Room>,
    /// It is no nearer to the local node.
    pub(crate) hops: u32,
}

impl Gain {
    /// What the relays of a route to `destination` over this ask at least: their number times the dearest's price.
    ///
    /// `None` when there is no such route.
    pub(crate) fn least_for_relays(
        &self,
        destination: &NodeId,
        payload: Room,
        payload_bytes: usize,
    ) -> Option<u64> {
        if !self.room.holds(payload) || self.at_least_ms == FAR {
            return None;
        }
        // Over a link it is at least the hops to the end that it comes to first, and one more where the other end relays.
        let (mut others, mut nearest, mut dearest) = (0_u64, u64::MAX, 0);
        for node in self.nodes.iter().filter(|node| node.id != *destination) {
            if !node.room_as_relay?.holds(payload) {
                return None;
            }
            others += 1;
            nearest = nearest.min(u64::from(node.hops));
            dearest = dearest.max(node.price.of(payload_bytes)?.to_msat());
        }
        let relays = match others {
            0 => 0,
            others => nearest.saturating_add(others - 1),
        };
        (relays <= MAX_RELAYS as u64).then(|| relays.checked_mul(dearest))?
    }
}
