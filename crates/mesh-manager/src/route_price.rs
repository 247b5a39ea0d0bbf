use crate::{
    MeshManager, SendOptions,
    failed::Failed,
    funding::{fee_of, no_amount},
    questions::Terms,
    send::wire_len,
    sending::nothing_tried,
};
use mesh_routing::{Tries, TryLimits, split};
use mesh_types::{MAX_PACKET_AGE, MeshError, Msat, NodeId, Route};
use tokio::time::Instant;

/// What a packet costs over a route, as its nodes have said themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePrice {
    /// The way.
    pub route: Route,
    /// Bytes of payload in a packet, sealed where it is.
    pub packet_bytes: usize,
    /// What a packet has to offer: the least of which every share covers the price of its node.
    pub total: Msat,
    /// What of that its source keeps.
    pub source_share: Msat,
    /// The nodes behind the source, in the order of the route.
    pub nodes: Vec<NodePrice>,
}

/// What a node of a route asks, and gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodePrice {
    /// The node.
    pub node: NodeId,
    /// What it asks for the packet.
    pub asks: Msat,
    /// What it gets of the total: no less.
    pub share: Msat,
    /// What this node can already spend there.
    pub credit: Msat,
}

impl MeshManager {
    /// Asks what it costs to send `payload_len` bytes to `destination`: the total, and each party's share. Nothing is paid, and
    /// no invoice asked for.
    ///
    /// All nodes of the best route are asked at once. Where one does not answer, the next best is asked.
    ///
    /// # Errors
    /// [`MeshError`] says why no route could be asked, or that no packet carries so much.
    pub async fn quote_route(
        &self,
        destination: NodeId,
        payload_len: usize,
        options: &SendOptions,
    ) -> Result<RoutePrice, MeshError> {
        let packet_bytes = wire_len(payload_len, options.is_sealed)?;
        let (clock, instant) = (&self.shared.node_api, Instant::now());
        let began = clock.now();
        let mut tries = Tries::new(TryLimits {
            destination,
            payload_bytes: packet_bytes,
            is_free: false,
            budget: Msat::MAX,
            deadline: began.plus(options.deadline.min(MAX_PACKET_AGE)),
            patience: options.timeout,
        });
        let mut last = None;
        loop {
            self.watch_route(&destination).await;
            let routes = self.engine().routes();
            let next = match tries.next(routes, began.plus(instant.elapsed())) {
                Ok(next) => next,
                Err(why) => return Err(last.unwrap_or_else(|| nothing_tried(&destination, why))),
            };
            let terms = self.ask_terms(&next.route, next.patience).await;
            let price = terms
                .and_then(|terms| price_of(next.route, packet_bytes, &terms).ok_or_else(no_amount));
            match price {
                Ok(price) => return Ok(price),
                Err(error) => {
                    let failed = Failed::unfunded(error);
                    tries.ended(routes, failed.end, clock.now());
                    last = Some(failed.error);
                }
            }
        }
    }
}

fn price_of(route: Route, packet_bytes: usize, terms: &[Terms]) -> Option<RoutePrice> {
    let total = fee_of(terms, packet_bytes)?;
    let shares = split(total, route.relay_count());
    let node = |terms: &Terms| {
        let Terms {
            position,
            price,
            credit,
        } = *terms;
        Some(NodePrice {
            node: *route.get(position)?,
            asks: price.of(packet_bytes)?,
            share: shares.share_at(position),
            credit,
        })
    };
    let nodes = terms.iter().map(node).collect::<Option<Vec<_>>>()?;
    Some(RoutePrice {
        route,
        packet_bytes,
        total,
        source_share: shares.source,
        nodes,
    })
}
