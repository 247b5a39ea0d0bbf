use crate::{
    control::{
        FaultReport, FaultWord, HopReport, LinkReport, MAX_LISTED_LINKS, MAX_LISTED_ROUTES,
        NeighbourReport, PlaceReport, RouteReport, RoutesCall, RoutesReport, StandingReport,
        TopologyReport,
    },
    hops::hops,
};
use blvm_mesh::{
    Clock, Engine, Fault, FoundRoute, MAX_ALTERNATIVES, MeshManager, Msat, NodeId, NodeStanding,
    Price, RoutingTable, SystemClock, Topology, TopologyNode, UnixTime,
};

/// The nodes that links are up with.
pub(crate) async fn neighbours(manager: &MeshManager) -> Vec<NeighbourReport> {
    let peers = manager.peers().await.into_iter();
    peers
        .map(|peer| NeighbourReport {
            node_id: peer.node_id,
            address: peer.address.to_string(),
            announced: peer.announced,
            latency_ms: peer.latency_ms,
            price: peer.price.into(),
            credit_msat: peer.credit.map(Msat::to_msat),
            standing: standing(&peer.standing),
            withheld: peer.is_withheld,
            muted: peer.is_muted,
        })
        .collect()
}

/// The routes to one node, or the best to each of the nearest.
pub(crate) fn routes(table: &RoutingTable, call: &RoutesCall) -> RoutesReport {
    let now = SystemClock.now();
    let payload_len = usize::try_from(call.payload_bytes).unwrap_or(usize::MAX);
    let (found, unlisted) = match call.destination {
        Some(destination) => {
            let found = table.find_routes(&destination, payload_len, MAX_ALTERNATIVES);
            (found, 0)
        }
        None => nearest(table, payload_len),
    };
    let report = |route: &FoundRoute| report(table, route, payload_len, now);
    RoutesReport {
        payload_bytes: call.payload_bytes,
        routes: found.iter().map(report).collect(),
        unlisted,
    }
}

/// All that routes are searched in, with what the node itself asks.
pub(crate) fn topology(engine: &Engine) -> TopologyReport {
    let (table, local) = (engine.routes(), engine.node_id());
    let known = table.topology();
    let unlisted_links = known.links.len().saturating_sub(MAX_LISTED_LINKS);
    let price = |node: &TopologyNode| match node.node_id == local {
        true => engine.price(),
        false => node.price,
    };
    let nodes = known.nodes.iter().map(|node| PlaceReport {
        node_id: node.node_id,
        price: price(node).into(),
        left_out: node.is_closed,
    });
    let links = known.links.iter().map(|link| LinkReport {
        a: link.a,
        b: link.b,
        latency_ms: link.latency_ms,
        left_out: link.is_closed,
    });
    TopologyReport {
        node_id: local,
        nodes: nodes.collect(),
        links: links.take(MAX_LISTED_LINKS).collect(),
        unlisted_links,
    }
}

/// To how many other nodes a way is known.
pub(crate) fn within_reach(table: &RoutingTable) -> usize {
    let known = table.topology();
    reached(&known, table.local()).count()
}

/// The best routes to the nodes that are the fewest hops away, and to how many more none was looked for.
fn nearest(table: &RoutingTable, payload_len: usize) -> (Vec<FoundRoute>, usize) {
    let known = table.topology();
    let mut reached: Vec<_> = reached(&known, table.local()).collect();
    reached.sort_unstable();
    let unlisted = reached.len().saturating_sub(MAX_LISTED_ROUTES);
    let best = |(_, destination)| table.find_routes(&destination, payload_len, 1);
    let found = reached.into_iter().take(MAX_LISTED_ROUTES).flat_map(best);
    (found.collect(), unlisted)
}

/// The other nodes to which links lead, and over how many.
fn reached(known: &Topology, local: NodeId) -> impl Iterator<Item = (usize, NodeId)> {
    let links = known.links.iter().map(|link| (link.a, link.b));
    let start = known.nodes.iter().position(|node| node.node_id == local);
    let distances = hops(known.nodes.len(), links, start.unwrap_or(usize::MAX));
    let nodes = distances.into_iter().zip(&known.nodes);
    nodes
        .filter_map(|(distance, node)| Some((distance?, node.node_id)))
        .filter(|(distance, _)| *distance > 0)
}

fn report(
    table: &RoutingTable,
    route: &FoundRoute,
    payload_len: usize,
    now: UnixTime,
) -> RouteReport {
    let quote = table.quote_route(&route.nodes, payload_len);
    let hops = route.nodes.iter().skip(1).map(|node| HopReport {
        node_id: *node,
        price: table.price(node).unwrap_or(Price::FREE).into(),
        standing: standing(&table.standing(node, now)),
    });
    RouteReport {
        price_msat: quote.map_or(route.price, |quote| quote.total).to_msat(),
        latency_ms: route.latency_ms,
        hops: hops.collect(),
    }
}

fn standing(standing: &NodeStanding) -> StandingReport {
    let reasons = standing.reasons.iter().map(|(fault, at)| FaultReport {
        fault: word(*fault),
        at: at.to_secs(),
    });
    StandingReport {
        score_permille: (standing.score.clamp(0.0, 1.0) * 1_000.0) as u16,
        left_out: standing.is_fallen,
        reasons: reasons.collect(),
    }
}

const fn word(fault: Fault) -> FaultWord {
    match fault {
        Fault::Silence => FaultWord::Silence,
        Fault::Late => FaultWord::Late,
        Fault::NoLink => FaultWord::NoLink,
        Fault::Busy => FaultWord::Busy,
        Fault::Dearer => FaultWord::Dearer,
        Fault::Other => FaultWord::Other,
    }
}
