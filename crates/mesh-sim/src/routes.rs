use crate::{
    Property, node::ADDRESS, oracle::Oracle, report::PairCounts, watch::name, world::World,
};
use mesh_routing::RoutingTable;
use mesh_types::NodeId;
use std::time::Duration;

/// How many destinations are tried from each source of a large mesh.
const SAMPLED_DESTINATIONS: usize = 64;

/// A mesh up to this size has the routes between all pairs checked.
const ALL_PAIRS_UP_TO: usize = 100;

/// How long it takes until nothing is left of what a source held against relays.
const FADED_AFTER: Duration = Duration::from_secs(3_600);

/// What sources know in the end, held against somebody who knows everything.
impl World {
    /// Holds the routes that sources find against the best there are.
    pub(crate) fn check_routes(&mut self) -> PairCounts {
        let mut counts = PairCounts::default();
        if self.watch.violation.is_some() {
            return counts;
        }
        let mut oracle = Oracle::new(self);
        let up_and_honest = |world: &Self| -> Vec<u32> {
            let all = 0..world.plan.nodes;
            all.filter(|node| world.node(*node).is_up() && world.node(*node).is_honest())
                .collect()
        };
        let mut destinations = up_and_honest(self);
        let sources = destinations.iter().copied();
        let sources: Vec<u32> = sources.filter(|node| self.node(*node).is_source).collect();
        if self.nodes.len() > ALL_PAIRS_UP_TO {
            self.chance.sample.shuffle(&mut destinations);
            destinations.truncate(SAMPLED_DESTINATIONS);
        }
        for source in sources {
            let ways = oracle.ways_from(source);
            let engine = self.engine(source);
            let unlearned = (self.plan.quiet < FADED_AFTER).then(|| self.unlearned_table(source));
            let table = unlearned.as_ref().unwrap_or(engine.routes());
            for destination in destinations.iter().copied().filter(|it| *it != source) {
                counts.checked += 1;
                let best = ways.least[destination as usize];
                counts.reachable += u64::from(ways.is_honest[destination as usize]);
                let id = self.node(destination).id;
                let found = table.find_routes(&id, 0, 1).into_iter().next();
                let (property, wrong) = match (best, found) {
                    (None, None) => continue,
                    (Some(least), Some(found)) => {
                        counts.found += 1;
                        let wrong = oracle.wrong(self, &found.nodes, found.price, least);
                        (Property::CheapestIsFound, wrong)
                    }
                    (Some(least), None) => {
                        let total = oracle.total_msat(destination, least);
                        let pair = (format!("a route for {total} msat"), "none".to_owned());
                        (Property::ReachableHasRoute, Some(pair))
                    }
                    (None, Some(found)) => {
                        let pair = ("no route".to_owned(), format!("{:?}", found.nodes));
                        (Property::ReachableHasRoute, Some(pair))
                    }
                };
                if let Some(pair) = wrong {
                    let pair_of_nodes = [source, destination];
                    let names = pair_of_nodes.map(|number| name(number, self.node(number)));
                    self.watch.violate(property, names.to_vec(), pair, self.now);
                    return counts;
                }
            }
        }
        counts
    }

    /// A table with what a node holds, that has learned nothing from packets.
    fn unlearned_table(&self, number: u32) -> RoutingTable {
        let node = self.node(number);
        let table = RoutingTable::new(node.id);
        for (peer, _) in self.linked(number) {
            table.add_direct_peer(peer, ADDRESS.to_owned());
        }
        let Some(gossip) = &node.gossip else {
            return table;
        };
        let gives_its_word = |of: &NodeId, other: &NodeId| {
            let item = gossip.announcement(of);
            item.is_some_and(|item| item.announcement.link_with(other).is_some())
        };
        for item in gossip.announcements() {
            let said = &item.announcement;
            let others = said.links.iter().map(|link| link.node_id);
            // The local node's links are its connections, which the table has.
            let other = others.filter(|other| gives_its_word(other, &said.node_id));
            let is_full = table.set_price(said.node_id, said.price).is_err()
                | other.fold(false, |full, other| {
                    full | table.add_link(said.node_id, other).is_err()
                });
            debug_assert!(!is_full, "a plan has no more nodes than a table takes");
        }
        table
    }
}
