use crate::{RoutingError, RoutingTable};
use mesh_types::{NodeId, Price};

/// What the announcements change of the graph that routes are searched in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphChange {
    /// Both ends announce the link now, or its latency is another one.
    Link {
        /// One end.
        a: NodeId,
        /// The other.
        b: NodeId,
        /// The larger of what the two ends say, there and back, milliseconds.
        latency_ms: u32,
    },
    /// Not both ends announce the link any more.
    Unlink {
        /// One end.
        a: NodeId,
        /// The other.
        b: NodeId,
    },
    /// The node asks another price; none when nothing is known of it any more.
    Price {
        /// The node.
        node: NodeId,
        /// What it asks.
        price: Price,
    },
    /// The node carries payloads up to another size.
    Room {
        /// The node.
        node: NodeId,
        /// The largest, bytes; 0 when it does not say, or nothing is known of it any more.
        max_payload_bytes: u32,
    },
}

impl GraphChange {
    /// Makes the change in a table.
    ///
    /// # Errors
    /// [`RoutingError`] when a bound of the table is reached; the table is then as it was.
    pub fn apply_to(self, table: &RoutingTable) -> Result<(), RoutingError> {
        match self {
            Self::Link { a, b, latency_ms } => {
                table.add_link(a, b)?;
                // Said is there and back, and a route counts one way.
                table.set_link_latency(&a, &b, latency_ms.div_ceil(2));
                Ok(())
            }
            Self::Unlink { a, b } => {
                table.remove_link(&a, &b);
                Ok(())
            }
            Self::Price { node, price } => table.set_price(node, price),
            Self::Room {
                node,
                max_payload_bytes,
            } => {
                let said = usize::try_from(max_payload_bytes).ok().filter(|it| *it > 0);
                table.set_node_room(node, said.unwrap_or(usize::MAX))
            }
        }
    }
}
