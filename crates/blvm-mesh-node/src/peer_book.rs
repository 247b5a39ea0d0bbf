use blvm_mesh::NodeId;
use parking_lot::RwLock;
use std::{collections::HashMap, net::SocketAddr};

/// Which linked node is at which address: one to one, and no longer than the link.
///
/// It is bounded by the links themselves.
#[derive(Debug, Default)]
pub(crate) struct PeerBook(RwLock<Pages>);

#[derive(Debug, Default)]
struct Pages {
    by_address: HashMap<String, NodeId>,
    by_node: HashMap<NodeId, String>,
}

impl PeerBook {
    /// Enters a node whose link is up, and answers with its address as text.
    ///
    /// What the book says of that address or of that node is over, even where the end has not been told yet: the system
    /// gives a port to the next connection as soon as the last one is closed.
    pub(crate) fn enter(&self, node_id: NodeId, address: SocketAddr) -> String {
        let address = address.to_string();
        let mut pages = self.0.write();
        if let Some(before) = pages.by_address.insert(address.clone(), node_id)
            && before != node_id
        {
            pages.by_node.remove(&before);
        }
        if let Some(before) = pages.by_node.insert(node_id, address.clone())
            && before != address
        {
            pages.by_address.remove(&before);
        }
        address
    }

    /// Strikes a node whose link is down; answers with its address, unless another node has it meanwhile.
    pub(crate) fn strike(&self, node_id: &NodeId) -> Option<String> {
        let mut pages = self.0.write();
        let address = pages.by_node.remove(node_id)?;
        pages.by_address.remove(&address);
        Some(address)
    }

    /// Who is at the address.
    pub(crate) fn at(&self, address: &str) -> Option<NodeId> {
        self.0.read().by_address.get(address).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId::from_bytes([1; 32]);
    const B: NodeId = NodeId::from_bytes([2; 32]);

    fn port(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn a_node_is_found_while_its_link_is_up() {
        let book = PeerBook::default();
        assert_eq!(book.enter(A, port(1)), "127.0.0.1:1");
        assert_eq!(book.at("127.0.0.1:1"), Some(A));
        assert_eq!(book.strike(&A), Some("127.0.0.1:1".to_owned()));
        assert_eq!(book.at("127.0.0.1:1"), None);
    }

    #[test]
    fn a_late_end_does_not_strike_the_next_node_at_the_same_address() {
        let book = PeerBook::default();
        book.enter(A, port(1));
        book.enter(B, port(1));
        assert_eq!(book.strike(&A), None);
        assert_eq!(book.at("127.0.0.1:1"), Some(B));
    }

    #[test]
    fn a_node_that_comes_back_elsewhere_leaves_nothing_behind() {
        let book = PeerBook::default();
        book.enter(A, port(1));
        book.enter(A, port(2));
        assert_eq!(book.at("127.0.0.1:1"), None);
        assert_eq!(book.at("127.0.0.1:2"), Some(A));
    }
}
