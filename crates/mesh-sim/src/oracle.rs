use crate::{Trade, world::World};
use mesh_types::{MAX_ROUTE_NODES, Msat, NodeId, Price};
use std::collections::{BTreeMap, BTreeSet};

/// What somebody knows who sees all nodes and all links at once, and what the cheapest ways are by that.
///
/// It searches as no node does: for each price that anybody asks it walks outward over the relays that ask no more, hop by
/// hop. The fewest relays at each price, times the price, is what relays have to get; the least of that over all prices is the
/// least there is.
#[derive(Debug)]
pub(crate) struct Oracle {
    /// What each node says that it asks.
    announced: Vec<u64>,
    links: Vec<BTreeSet<u32>>,
    is_honest: Vec<bool>,
    prices: BTreeSet<u64>,
    totals: BTreeMap<(u64, Least), u64>,
}

/// What has to be paid for a way, besides the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Least {
    /// Nothing: the destination is a peer.
    Direct,
    /// So much for all relays together, in millisatoshi.
    Relays(u64),
}

/// The best ways from one node, by the number of the destination.
#[derive(Debug)]
pub(crate) struct Ways {
    /// What has to be paid on the way; nothing where no way leads.
    pub(crate) least: Vec<Option<Least>>,
    /// Whether a way of honest nodes leads there.
    pub(crate) is_honest: Vec<bool>,
}

impl Oracle {
    /// A link counts when it is up, or when both ends claim it, liars as they may be.
    pub(crate) fn new(world: &World) -> Self {
        let mut links = vec![BTreeSet::new(); world.nodes.len()];
        let mut join = |a: u32, b: u32| {
            links[a as usize].insert(b);
            links[b as usize].insert(a);
        };
        for wire in world.wires.iter().filter(|wire| wire.is_up) {
            join(wire.ends[0], wire.ends[1]);
        }
        let claims = |a: u32, b: u32| {
            let node = world.node(a);
            let claimed = match &node.trade {
                Some(Trade::FalseLinks(claimed)) if node.is_up() => claimed.as_slice(),
                _ => &[],
            };
            claimed.contains(&world.node(b).id)
        };
        let liars = (0..world.plan.nodes).filter(|node| !world.node(*node).is_honest());
        let liars: Vec<u32> = liars.collect();
        for a in &liars {
            for b in liars.iter().filter(|b| *b > a) {
                if claims(*a, *b) && claims(*b, *a) {
                    join(*a, *b);
                }
            }
        }
        let announced = |node: &crate::node::Node| match node.trade {
            Some(Trade::PriceBait) => Price::FREE.per_packet.to_msat(),
            _ => node.price.per_packet.to_msat(),
        };
        let announced: Vec<u64> = world.nodes.iter().map(announced).collect();
        Self {
            prices: announced.iter().copied().collect(),
            announced,
            links,
            is_honest: world.nodes.iter().map(|node| node.is_honest()).collect(),
            totals: BTreeMap::new(),
        }
    }

    pub(crate) fn ways_from(&self, source: u32) -> Ways {
        let mut least: Vec<Option<Least>> = vec![None; self.links.len()];
        for price in &self.prices {
            let hops = self.hops_from(source, |relay| self.announced[relay as usize] <= *price);
            for (least, hops) in least.iter_mut().zip(hops) {
                let needed = hops.map(|hops| match hops {
                    1 => Least::Direct,
                    _ => Least::Relays(price * (hops - 1)),
                });
                *least = [*least, needed].into_iter().flatten().min();
            }
        }
        let honest = self.hops_from(source, |relay| self.is_honest[relay as usize]);
        Ways {
            least,
            is_honest: honest.iter().map(Option::is_some).collect(),
        }
    }

    /// How many hops each node is away over relays that `may_relay`, as far as a route may lead.
    fn hops_from(&self, source: u32, may_relay: impl Fn(u32) -> bool) -> Vec<Option<u64>> {
        let mut hops = vec![None; self.links.len()];
        let mut layer = vec![source];
        for hop in 1..MAX_ROUTE_NODES as u64 {
            let mut next = Vec::new();
            for node in &layer {
                for other in &self.links[*node as usize] {
                    let known = &mut hops[*other as usize];
                    if *other != source && known.is_none() {
                        *known = Some(hop);
                        if may_relay(*other) {
                            next.push(*other);
                        }
                    }
                }
            }
            layer = next;
        }
        hops
    }

    /// The least fee of which nine tenths are what the destination asks; or six, and three what the relays have to get.
    pub(crate) fn total_msat(&mut self, destination: u32, least: Least) -> u64 {
        let asked = self.announced[destination as usize];
        let total = self.totals.entry((asked, least));
        *total.or_insert_with(|| {
            let is_enough = |total: &u64| {
                let (tenth, relays) = (total / 10, total * 3 / 10);
                match least {
                    Least::Direct => total - tenth >= asked,
                    Least::Relays(needed) => relays >= needed && total - tenth - relays >= asked,
                }
            };
            (asked..).find(is_enough).unwrap_or(u64::MAX)
        })
    }

    /// What is wrong with a route: that two of its nodes are not linked, or that it costs more than it has to.
    pub(crate) fn wrong(
        &mut self,
        world: &World,
        nodes: &[NodeId],
        price: Msat,
        least: Least,
    ) -> Option<(String, String)> {
        let numbers: Vec<u32> = nodes
            .iter()
            .filter_map(|node| world.numbers.get(node).copied())
            .collect();
        let is_linked = |pair: &[u32]| self.links[pair[0] as usize].contains(&pair[1]);
        if numbers.len() != nodes.len() || !numbers.windows(2).all(is_linked) {
            return Some((
                "a route of links that exist".to_owned(),
                format!("{numbers:?}"),
            ));
        }
        let destination = *numbers.last()?;
        let least = self.total_msat(destination, least);
        let found = price.to_msat();
        (found != least).then(|| {
            let asks = numbers.iter().map(|node| self.announced[*node as usize]);
            let asks: Vec<u64> = asks.collect();
            let found = format!("{found} msat over {numbers:?}, which ask {asks:?}");
            (format!("a route for {least} msat"), found)
        })
    }
}
