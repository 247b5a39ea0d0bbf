use crate::RoutingError;
use crate::effect::Place;
use crate::link::{Closed, Link, Room};
use crate::near::{FAR, Near};
use mesh_types::{NodeId, Price};
use std::collections::HashMap;
use std::sync::Arc;

/// How many nodes the table knows, the local one included.
///
/// 16,384, because that is more than the 10,000-node mesh that we owe speed for, and because at the most links each
/// they take less than 40 MB: a node some 200 bytes, and a link 8 bytes, at each of its ends.
pub const MAX_NODES: usize = 16_384;

/// How many links a node has.
///
/// 256, because nobody keeps more connections than that with nodes it knows, and because a search looks at all of them.
pub const MAX_LINKS_PER_NODE: usize = 256;

/// How many peers are connected.
///
/// 256, for the same reason; with their addresses they take less than 0.1 MB.
pub const MAX_DIRECT_PEERS: usize = 256;

/// How many bytes a peer's address has.
///
/// 259, because a DNS name has at most 253, and a colon and a port at most six.
pub const MAX_ADDRESS_BYTES: usize = 253 + 6;

/// The index of the local node.
pub(crate) const LOCAL: u32 = 0;

/// The nodes, their links in both directions, what they ask and take, and who of them is connected here.
///
/// What changes it stands in `change.rs`.
#[derive(Debug)]
pub(crate) struct Graph {
    indices: HashMap<NodeId, u32>,
    pub(super) nodes: Vec<Node>,
    free: Vec<u32>,
    /// The indices of the connected peers, in no order.
    pub(super) peers: Vec<u32>,
    /// In milliseconds.
    pub(super) near: Near,
    /// In hops.
    pub(super) near_hops: Near,
}

/// What is known of one node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) price: Price,
    pub(crate) room: Room,
    pub(crate) closed: Closed,
    /// Its connection here; `None` when there is none.
    pub(crate) peer: Option<Peer>,
    pub(crate) links: Vec<Link>,
}

/// A connection with the local node.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: Arc<str>,
    pub(crate) link: Link,
}

impl Node {
    const fn new(id: NodeId) -> Self {
        Self {
            id,
            price: Price::FREE,
            room: Room::UNBOUNDED,
            closed: Closed::OPEN,
            peer: None,
            links: Vec::new(),
        }
    }

    fn says_nothing(&self) -> bool {
        self.price == Price::FREE
            && self.room == Room::UNBOUNDED
            && self.closed.is_open()
            && self.peer.is_none()
            && self.links.is_empty()
    }
}

impl Graph {
    pub(crate) fn new(local: NodeId) -> Self {
        let mut near = Near::default();
        near.start(LOCAL, 0);
        let mut near_hops = Near::default();
        near_hops.start(LOCAL, 0);
        Self {
            indices: HashMap::from([(local, LOCAL)]),
            nodes: vec![Node::new(local)],
            free: Vec::new(),
            peers: Vec::new(),
            near,
            near_hops,
        }
    }

    pub(crate) fn index(&self, id: &NodeId) -> Option<u32> {
        self.indices.get(id).copied()
    }

    pub(crate) fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(index as usize)
    }

    pub(crate) fn price(&self, id: &NodeId) -> Option<Price> {
        Some(self.node(self.index(id)?)?.price)
    }

    pub(crate) fn address(&self, id: &NodeId) -> Option<&Arc<str>> {
        Some(&self.node(self.index(id)?)?.peer.as_ref()?.address)
    }

    /// The connected peers and where they are connected, in no order.
    pub(crate) fn direct_peers(&self) -> impl Iterator<Item = (NodeId, &Arc<str>)> {
        self.peer_indices().filter_map(|index| {
            let node = self.node(index)?;
            Some((node.id, &node.peer.as_ref()?.address))
        })
    }

    pub(crate) fn peer_indices(&self) -> impl Iterator<Item = u32> {
        self.peers.iter().copied()
    }

    /// The latency that no way from the local node to this one is below; [`FAR`] when there is none.
    pub(crate) fn near(&self, index: u32) -> u32 {
        self.near.of(index)
    }

    /// The hops that no way from the local node to this one is below; [`FAR`] when there is none.
    pub(crate) fn near_hops(&self, index: u32) -> u32 {
        self.near_hops.of(index)
    }

    /// The indices of all nodes, in no order.
    pub(crate) fn indices(&self) -> impl Iterator<Item = u32> {
        self.indices.values().copied()
    }

    /// How many indices there are: each is below this.
    pub(crate) const fn index_count(&self) -> usize {
        self.nodes.len()
    }

    /// The link between two nodes, or the connection where one of them is the local node.
    pub(crate) fn link_between(&self, a: &NodeId, b: &NodeId) -> Option<&Link> {
        let (a, b) = (self.index(a)?, self.index(b)?);
        match (a, b) {
            (LOCAL, peer) | (peer, LOCAL) => Some(&self.node(peer)?.peer.as_ref()?.link),
            _ => self.node(a)?.links.iter().find(|link| link.to() == b),
        }
    }

    pub(crate) fn knows(&self, place: Place) -> bool {
        match place {
            Place::Node(node) => self.index(&node).is_some(),
            Place::Link(a, b) => self.link_between(&a, &b).is_some(),
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let of_node = |node: &Node| {
            let address = node.peer.as_ref().map(|peer| &peer.address);
            node.links.capacity() * size_of::<Link>() + address.map_or(0, |text| text.len() + 16)
        };
        // A hash map has a byte beside each item, and fills seven eighths of its places.
        self.indices.capacity() * 8 / 7 * (size_of::<(NodeId, u32)>() + 1)
            + self.nodes.capacity() * size_of::<Node>()
            + (self.free.capacity() + self.peers.capacity()) * size_of::<u32>()
            + self.near.memory_bytes()
            + self.near_hops.memory_bytes()
            + self.nodes.iter().map(of_node).sum::<usize>()
    }

    pub(super) fn check_room(&self, new_nodes: usize) -> Result<(), RoutingError> {
        if self.indices.len() + new_nodes > MAX_NODES {
            return Err(RoutingError::NodesFull);
        }
        Ok(())
    }

    /// The index of a node, which becomes known now if it was not. Whoever calls has checked that there is room.
    pub(super) fn take(&mut self, id: NodeId) -> u32 {
        if let Some(index) = self.index(&id) {
            return index;
        }
        // There are at most MAX_NODES indices, so the next one fits.
        let index = self.free.pop().unwrap_or(self.nodes.len() as u32);
        match self.nodes.get_mut(index as usize) {
            Some(place) => *place = Node::new(id),
            None => self.nodes.push(Node::new(id)),
        }
        self.near.start(index, FAR);
        self.near_hops.start(index, FAR);
        self.indices.insert(id, index);
        index
    }

    pub(super) fn forget_if_idle(&mut self, index: u32) {
        if let Some(node) = self.nodes.get_mut(index as usize)
            && index != LOCAL
            && node.says_nothing()
            && self.indices.remove(&node.id).is_some()
        {
            node.links = Vec::new();
            self.free.push(index);
        }
    }
}
