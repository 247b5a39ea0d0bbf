use crate::RoutingError;
use mesh_types::{NodeId, Price};
use std::collections::HashMap;
use std::sync::Arc;

/// How many nodes the table knows, the local one included.
///
/// 16,384, because that is more than the 10,000-node mesh that we owe speed for, and because at the most links each
/// they take less than 40 MB: a node some 180 bytes, and a link 8 bytes, at each of its ends, where lists doubled.
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

/// The nodes, their links in both directions, their prices, and who of them is connected here.
#[derive(Debug)]
pub(crate) struct Graph {
    indices: HashMap<NodeId, u32>,
    nodes: Vec<Node>,
    free: Vec<u32>,
    direct_peers: usize,
}

/// What is known of one node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) price: Price,
    /// Where it is connected; `None` when it is not.
    pub(crate) address: Option<Arc<str>>,
    pub(crate) links: Vec<u32>,
}

impl Node {
    const fn new(id: NodeId) -> Self {
        Self {
            id,
            price: Price::FREE,
            address: None,
            links: Vec::new(),
        }
    }

    fn says_nothing(&self) -> bool {
        self.price == Price::FREE && self.address.is_none() && self.links.is_empty()
    }
}

impl Graph {
    pub(crate) fn new(local: NodeId) -> Self {
        Self {
            indices: HashMap::from([(local, LOCAL)]),
            nodes: vec![Node::new(local)],
            free: Vec::new(),
            direct_peers: 0,
        }
    }

    /// Connects a peer, or changes its address; says whether that changed what routes there are.
    pub(crate) fn connect(&mut self, id: NodeId, address: &str) -> Result<bool, RoutingError> {
        if address.len() > MAX_ADDRESS_BYTES {
            let bytes = address.len();
            return Err(RoutingError::AddressTooLong { bytes });
        }
        let known = self.index(&id);
        if known == Some(LOCAL) {
            return Err(RoutingError::Local);
        }
        let connected = self.address(&id).is_some();
        if !connected && self.direct_peers >= MAX_DIRECT_PEERS {
            return Err(RoutingError::PeersFull);
        }
        self.check_room(usize::from(known.is_none()))?;
        let index = self.take(id);
        if let Some(node) = self.nodes.get_mut(index as usize) {
            node.address = Some(Arc::from(address));
        }
        if !connected {
            self.direct_peers += 1;
        }
        Ok(!connected)
    }

    /// Says whether the peer was connected.
    pub(crate) fn disconnect(&mut self, id: &NodeId) -> bool {
        let Some(index) = self.index(id) else {
            return false;
        };
        let node = self.nodes.get_mut(index as usize);
        let connected = node.and_then(|node| node.address.take()).is_some();
        if connected {
            self.direct_peers -= 1;
            self.forget_if_idle(index);
        }
        connected
    }

    /// Says whether the price is another one than before.
    pub(crate) fn set_price(&mut self, id: NodeId, price: Price) -> Result<bool, RoutingError> {
        let known = self.index(&id);
        if known.is_none() {
            if price == Price::FREE {
                return Ok(false);
            }
            self.check_room(1)?;
        }
        let index = self.take(id);
        let Some(node) = self.nodes.get_mut(index as usize) else {
            return Ok(false);
        };
        let changed = node.price != price;
        node.price = price;
        self.forget_if_idle(index);
        Ok(changed)
    }

    /// Says whether the link is new. A link of the local node is a connection and nothing else, so it is not taken.
    pub(crate) fn link(&mut self, a: NodeId, b: NodeId) -> Result<bool, RoutingError> {
        if a == b {
            return Err(RoutingError::SelfLink { node: a });
        }
        let known = [self.index(&a), self.index(&b)];
        if known.contains(&Some(LOCAL)) || self.are_linked(known) {
            return Ok(false);
        }
        self.check_room(known.iter().filter(|index| index.is_none()).count())?;
        for (index, node) in known.into_iter().zip([a, b]) {
            let links = index.and_then(|index| self.node(index));
            if links.is_some_and(|node| node.links.len() >= MAX_LINKS_PER_NODE) {
                return Err(RoutingError::LinksFull { node });
            }
        }
        let (a, b) = (self.take(a), self.take(b));
        for (from, to) in [(a, b), (b, a)] {
            if let Some(node) = self.nodes.get_mut(from as usize) {
                node.links.push(to);
            }
        }
        Ok(true)
    }

    /// Says whether the link was known.
    pub(crate) fn unlink(&mut self, a: &NodeId, b: &NodeId) -> bool {
        let (Some(a), Some(b)) = (self.index(a), self.index(b)) else {
            return false;
        };
        let mut known = false;
        for (from, to) in [(a, b), (b, a)] {
            if let Some(node) = self.nodes.get_mut(from as usize)
                && let Some(at) = node.links.iter().position(|link| *link == to)
            {
                node.links.swap_remove(at);
                known = true;
            }
        }
        self.forget_if_idle(a);
        self.forget_if_idle(b);
        known
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
        self.node(self.index(id)?)?.address.as_ref()
    }

    /// The connected peers and where they are connected, in no order.
    pub(crate) fn direct_peers(&self) -> impl Iterator<Item = (NodeId, &Arc<str>)> {
        let nodes = self.nodes.iter();
        nodes.filter_map(|node| Some((node.id, node.address.as_ref()?)))
    }

    /// How many indices there are: each is below this.
    pub(crate) const fn index_count(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let of_node = |node: &Node| {
            let address = node.address.as_ref();
            node.links.capacity() * size_of::<u32>() + address.map_or(0, |text| text.len() + 16)
        };
        // A hash map has a byte beside each item, and fills seven eighths of its places.
        self.indices.capacity() * 8 / 7 * (size_of::<(NodeId, u32)>() + 1)
            + self.nodes.capacity() * size_of::<Node>()
            + self.free.capacity() * size_of::<u32>()
            + self.nodes.iter().map(of_node).sum::<usize>()
    }

    fn are_linked(&self, ends: [Option<u32>; 2]) -> bool {
        let [Some(a), Some(b)] = ends else {
            return false;
        };
        self.node(a).is_some_and(|node| node.links.contains(&b))
    }

    fn check_room(&self, new_nodes: usize) -> Result<(), RoutingError> {
        if self.indices.len() + new_nodes > MAX_NODES {
            return Err(RoutingError::NodesFull);
        }
        Ok(())
    }

    /// The index of a node, which becomes known now if it was not. Whoever calls has checked that there is room.
    fn take(&mut self, id: NodeId) -> u32 {
        if let Some(index) = self.index(&id) {
            return index;
        }
        // There are at most MAX_NODES indices, so the next one fits.
        let index = self.free.pop().unwrap_or(self.nodes.len() as u32);
        match self.nodes.get_mut(index as usize) {
            Some(place) => *place = Node::new(id),
            None => self.nodes.push(Node::new(id)),
        }
        self.indices.insert(id, index);
        index
    }

    fn forget_if_idle(&mut self, index: u32) {
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
