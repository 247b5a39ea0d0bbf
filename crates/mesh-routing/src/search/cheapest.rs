use super::{MAX_RELAYS, Search};
use crate::link::Link;

/// A price that nobody can be paid, as relays get three tenths of a total; it stands for "not reached".
const UNREACHED: u64 = u64::MAX;

/// The parts of a bound below which the least is looked for. A pass that finds nothing sees little of the graph, and one
/// that does finds it the sooner the closer its limit is.
const SIXTEENTHS: [u64; 7] = [1, 2, 3, 4, 6, 8, 12];

/// A way from `node` to the destination, as long as its layer says.
#[derive(Debug, Clone, Copy)]
struct Label {
    node: u32,
    /// The dearest price among the relays behind `node`, in millisatoshi.
    dearest: u64,
}

impl Search<'_> {
    /// The least that relays have to get together, their number times the dearest's price; any that is at most `enough`
    /// will do. `None` when no relays connect, or only such that it is more than `most`.
    ///
    /// A way that is known to exist bounds it, and most of the graph is dearer than that. The least is mostly far below the
    /// bound, so it is looked for below parts of the bound first.
    pub(super) fn least_for_relays(&self, enough: u64, most: u64) -> Option<u64> {
        let way = self.some_way();
        if way.is_some_and(|way| way <= enough) {
            return way;
        }
        let bound = way.unwrap_or(most).min(most);
        let parts = SIXTEENTHS.map(|part| (bound / 16 * part).max(enough));
        for limit in parts.into_iter().chain([bound]) {
            let pass = self.least_within(limit, enough);
            if pass.least.is_some() || !pass.is_cut {
                return pass.least;
            }
        }
        None
    }

    /// What relays have to get on the way that the bounds of latency lead to the local node, where that is open.
    fn some_way(&self) -> Option<u64> {
        let (mut at, mut dearest) = (self.destination, 0_u64);
        for relays in 1.. {
            let links = self.links(at).map(Link::to);
            let open = links.filter_map(|link| Some((link, self.relay_price(link)?)));
            let (nearest, price) = open.min_by_key(|(link, _)| self.graph.near(*link))?;
            dearest = dearest.max(price);
            if relays > MAX_RELAYS as u64 {
                return None;
            }
            if self.peer_link(nearest).is_some() {
                return dearest.checked_mul(relays);
            }
            at = nearest;
        }
        None
    }

    /// The least of those that are at most `limit`.
    ///
    /// It goes back from the destination, one hop for each layer. A node has a label in a layer when that many hops give it a
    /// cheaper dearest relay than fewer do; so it has at most one in each, and at most [`MAX_RELAYS`] in all.
    fn least_within(&self, limit: u64, enough: u64) -> Pass {
        let beyond = limit.saturating_add(1);
        let mut cheapest = vec![UNREACHED; self.graph.index_count()];
        let mut layer = Vec::new();
        for link in self.links(self.destination) {
            if let Some(known) = cheapest.get_mut(link.to() as usize) {
                *known = 0;
                let (node, dearest) = (link.to(), 0);
                layer.push(Label { node, dearest });
            }
        }
        let mut next = Vec::new();
        let mut pass = Pass {
            least: None,
            is_cut: false,
        };
        for relays in (1_u64..).take(MAX_RELAYS) {
            let least = pass.least.unwrap_or(beyond);
            pass.expand(self, &layer, relays, least, &mut cheapest, &mut next);
            if pass.least.is_some_and(|least| least <= enough) || next.is_empty() {
                break;
            }
            next.retain(|label| cheapest.get(label.node as usize) == Some(&label.dearest));
            std::mem::swap(&mut layer, &mut next);
            next.clear();
        }
        pass
    }
}

/// What a pass found.
#[derive(Debug)]
struct Pass {
    least: Option<u64>,
    /// Whether it left out what is dearer than its limit.
    is_cut: bool,
}

impl Pass {
    /// Makes each label's node a relay: gathers the labels one hop further out, and notes the least that the ways cost that a
    /// connected peer completes. What is not below `below`, or that, is left out.
    fn expand(
        &mut self,
        search: &Search<'_>,
        layer: &[Label],
        relays: u64,
        mut below: u64,
        cheapest: &mut [u64],
        next: &mut Vec<Label>,
    ) {
        for label in layer {
            let Some(price) = search.relay_price(label.node) else {
                continue;
            };
            let dearest = label.dearest.max(price);
            // There are as many more before this one as the local node is away at least.
            let before = u64::from(search.graph.near_hops(label.node)).saturating_sub(1);
            let relays = relays.saturating_add(before);
            if relays > MAX_RELAYS as u64 {
                continue;
            }
            let Some(for_relays) = dearest.checked_mul(relays).filter(|all| *all < below) else {
                self.is_cut = true;
                continue;
            };
            if before == 0 && search.peer_link(label.node).is_some() {
                below = for_relays;
                self.least = Some(for_relays);
                continue;
            }
            for link in search.links(label.node) {
                if let Some(known) = cheapest.get_mut(link.to() as usize)
                    && dearest < *known
                {
                    *known = dearest;
                    let node = link.to();
                    next.push(Label { node, dearest });
                }
            }
        }
    }
}
