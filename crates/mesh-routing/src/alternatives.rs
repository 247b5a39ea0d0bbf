use crate::graph::Graph;
use crate::link::Room;
use crate::search::{Avoid, Found, Search};
use mesh_types::NodeId;

/// How many routes can be asked for at once.
///
/// 8, because a packet that failed over eight ways will not arrive over a ninth in time, and because each may take a
/// search of its own.
pub const MAX_ALTERNATIVES: usize = 8;

/// How many times as much as the cheapest an alternative may cost.
///
/// 3, because whoever retries or spreads load would rather wait than pay more than that.
pub const MAX_TIMES_DEARER: u64 = 3;

/// What an alternative may cost whatever the cheapest costs, in millisatoshi.
///
/// A satoshi, because where the cheapest is free no multiple of it leaves a choice.
pub const ALWAYS_FAIR_MSAT: u64 = 1_000;

/// Routes to one destination.
#[derive(Debug, Default)]
pub(crate) struct Alternatives {
    /// The best first.
    pub(crate) routes: Vec<Found>,
    /// There are as many as were asked for, and no two share a relay: only what is better than the last can change them.
    pub(crate) are_apart: bool,
}

/// The best route, then up to `count` in all that a fault of it leaves alone, best first.
///
/// First those that share no relay with any before: what makes a route fail is a relay, and load is spread over relays, so
/// that is what alternatives must not share. Where there are no more such ways, those that do without one relay of the best
/// route each, since one of its relays is the faulty one. Each is the best of its kind, and none is dearer than
/// [`MAX_TIMES_DEARER`] allows.
pub(crate) fn alternatives(
    graph: &Graph,
    destination: u32,
    payload: Room,
    payload_bytes: usize,
    count: usize,
) -> Alternatives {
    let search =
        |avoid: &Avoid| Search::new(graph, destination, payload, payload_bytes, avoid).best();
    let Some(best) = search(&Avoid::dearer_than(u64::MAX)) else {
        return Alternatives::default();
    };
    let fair = best
        .price
        .saturating_mul(MAX_TIMES_DEARER)
        .max(ALWAYS_FAIR_MSAT);
    let mut avoid = Avoid::dearer_than(fair);
    let is_fair = |found: &Found| found.price <= fair;
    let indices = |found: &Found| {
        relays(found)
            .filter_map(|id| graph.index(id))
            .collect::<Vec<_>>()
    };
    let mut routes = vec![best.clone()];
    let mut last = best.clone();
    while routes.len() < count {
        avoid.direct |= last.hops == 1;
        indices(&last)
            .into_iter()
            .for_each(|relay| avoid.relay(relay));
        let Some(found) = search(&avoid).filter(is_fair) else {
            break;
        };
        routes.push(found.clone());
        last = found;
    }
    let are_apart = routes.len() >= count;
    if !are_apart {
        let without_one = indices(&best).into_iter().filter_map(|relay| {
            let mut avoid = Avoid::dearer_than(fair);
            avoid.relay(relay);
            search(&avoid).filter(is_fair)
        });
        let mut more: Vec<Found> = without_one
            .filter(|found| !routes.contains(found))
            .collect();
        more.sort_unstable();
        more.dedup();
        more.truncate(count.saturating_sub(routes.len()));
        routes.extend(more);
        routes.sort_unstable();
    }
    Alternatives { routes, are_apart }
}

/// The best way where links in doubt and places without room serve, too; but never relays that have fallen.
pub(crate) fn last_resort(
    graph: &Graph,
    destination: u32,
    payload: Room,
    payload_bytes: usize,
) -> Option<Found> {
    let mut avoid = Avoid::dearer_than(u64::MAX);
    avoid.only_fallen = true;
    Search::new(graph, destination, payload, payload_bytes, &avoid).best()
}

fn relays(found: &Found) -> impl Iterator<Item = &NodeId> {
    let relays = found.hops.saturating_sub(1);
    found.nodes.iter().skip(1).take(relays as usize)
}
