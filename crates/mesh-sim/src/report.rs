use crate::{Plan, Violation, world::World};
use mesh_routing::REPEAT_EVERY;
use mesh_types::GossipMessage;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// What came of a simulation. The same plan gives the same report, byte for byte as JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How many nodes there were.
    pub nodes: u32,
    /// How many more all knew of, that were not simulated.
    pub strangers: u32,
    /// How many links there were between the simulated ones.
    pub links: usize,
    /// Who was linked with whom.
    pub topology: &'static str,
    /// What chance was drawn from.
    pub seed: u64,
    /// How many liars of each trade.
    pub liars: BTreeMap<&'static str, u32>,
    /// How long it took, from the last start on, until all knew all; nothing when that was not within an hour, or
    /// the mesh began warm.
    pub converged_secs: Option<u64>,
    /// How long it took in the end, in milliseconds, until all knew what one node had changed; nothing when that was not within
    /// ten minutes, as where the mesh has come apart.
    pub news_ms: Option<u128>,
    /// What announcements cost in the quiet.
    pub quiet: Rates,
    /// What a node's knowledge takes. Not part of the JSON: hash maps grow by keys that are drawn anew each time.
    #[serde(skip)]
    pub memory: Memory,
    /// What became of packets and money.
    pub traffic: Tally,
    /// What all nodes owe their payers in the end, in millisatoshi.
    pub credit_msat: u64,
    /// What they have earned.
    pub earned_msat: u64,
    /// What was paid to them.
    pub paid_msat: u64,
    /// What of that payers have not shown yet.
    pub unshown_msat: u64,
    /// What of it they have shown in vain.
    pub void_msat: u64,
    /// The routes that were checked.
    pub pairs: PairCounts,
    /// The first thing that was not as it has to be.
    pub violation: Option<Violation>,
}

/// What announcements cost a node in an hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// For how long was counted.
    pub counted_secs: u64,
    /// How many announcements nodes made of themselves meanwhile.
    pub announced: u64,
    /// Bytes that a node sends in an hour, with what is around a message in its packet.
    pub bytes_per_node_hour: u64,
    /// Messages that it sends in an hour.
    pub messages_per_node_hour: u64,
    /// Announcements among these bytes.
    pub item_bytes_per_node_hour: u64,
    /// Names of announcements among them: offers and wishes.
    pub name_bytes_per_node_hour: u64,
    /// Comparisons among them.
    pub compare_bytes_per_node_hour: u64,
}

/// What a node's knowledge takes, in the mean, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Announcements, as if no other node shared them.
    pub announcements_bytes: u64,
    /// The graph in which routes are searched.
    pub graph_bytes: u64,
}

/// How many pairs were looked at in the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PairCounts {
    /// All that were.
    pub checked: u64,
    /// Those between which a way of honest nodes leads.
    pub reachable: u64,
    /// Those for which a route was found.
    pub found: u64,
}

/// What went over links for announcements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GossipTally {
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those with announcements.
    pub item_bytes: u64,
    /// Those with names.
    pub name_bytes: u64,
    /// Comparisons.
    pub comparisons: u64,
    /// Their bytes.
    pub compare_bytes: u64,
}

impl GossipTally {
    pub(crate) fn count(&mut self, message: &GossipMessage, len: usize) {
        let len = len as u64;
        self.messages += 1;
        self.comparisons += u64::from(matches!(message, GossipMessage::Compare(_)));
        self.bytes += len;
        *match message {
            GossipMessage::Items(_) => &mut self.item_bytes,
            GossipMessage::Compare(_) => &mut self.compare_bytes,
            _ => &mut self.name_bytes,
        } += len;
    }
}

/// What happened, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Things that happened, all in all.
    pub events: u64,
    /// What went over links for announcements.
    pub gossip: GossipTally,
    /// Announcements that nodes made of themselves.
    pub announced: u64,
    /// Changes that were made in tables.
    pub changes: u64,
    /// Changes for which a table had no room.
    pub table_full: u64,
    /// Things that sources wanted to have delivered.
    pub errands: u64,
    /// Of those: acknowledged.
    pub delivered: u64,
    /// Of those: given up after something was tried.
    pub undelivered: u64,
    /// Of those: nothing led there.
    pub unroutable: u64,
    /// Ways that were tried for those that were delivered.
    pub ways_to_deliver: u64,
    /// Answers that did not come in time.
    pub silences: u64,
    /// Packets that a node handed on or delivered, those of liars too.
    pub carried: u64,
    /// Packets that arrived.
    pub arrived: u64,
    /// Packets that a node refused.
    pub refused: u64,
    /// Payments that were claimed.
    pub claims: u64,
    /// Proofs that were refused as shown before.
    pub proofs_refused: u64,
    /// Packets that black holes took the money for.
    pub swallowed: u64,
    /// Packets that replayers sent once more.
    pub replayed: u64,
    /// Proofs of others that replayers showed.
    pub proofs_stolen: u64,
    /// Requests for invoices that flooders sent.
    pub floods: u64,
    /// Invoices that were not issued to who had enough.
    pub invoices_denied: u64,
}

/// How often a node says the same again.
pub const ANNOUNCED_AN_HOUR: u64 = 3_600 / REPEAT_EVERY.as_secs();

impl Rates {
    pub(crate) fn between(before: &Tally, after: &Tally, counted: Duration, plan: &Plan) -> Self {
        let announced = after.announced - before.announced;
        let (before, after, secs) = (before.gossip, after.gossip, counted.as_secs());
        // Comparisons come with time, everything else with announcements, of which each node makes three an hour.
        let (nodes, all) = (
            u64::from(plan.nodes),
            u64::from(plan.nodes + plan.strangers),
        );
        let by_time = |of: fn(&GossipTally) -> u64| {
            let sum = (of(&after) - of(&before)) * 3_600;
            sum.checked_div(secs * nodes).unwrap_or(0)
        };
        let by_news = |of: fn(&GossipTally) -> u64| {
            let sum = (of(&after) - of(&before)) * ANNOUNCED_AN_HOUR * all;
            sum.checked_div(announced * nodes).unwrap_or(0)
        };
        let item_bytes_per_node_hour = by_news(|tally| tally.item_bytes);
        let name_bytes_per_node_hour = by_news(|tally| tally.name_bytes);
        let compare_bytes_per_node_hour = by_time(|tally| tally.compare_bytes);
        Self {
            counted_secs: secs,
            announced,
            bytes_per_node_hour: item_bytes_per_node_hour
                + name_bytes_per_node_hour
                + compare_bytes_per_node_hour,
            messages_per_node_hour: by_time(|tally| tally.comparisons)
                + by_news(|tally| tally.messages - tally.comparisons),
            item_bytes_per_node_hour,
            name_bytes_per_node_hour,
            compare_bytes_per_node_hour,
        }
    }
}

impl Report {
    pub(crate) fn of(
        world: &World,
        [converged_after, news_after]: [Option<Duration>; 2],
        quiet: Rates,
        pairs: PairCounts,
    ) -> Self {
        let Plan {
            nodes,
            strangers,
            topology,
            seed,
            ..
        } = world.plan;
        let mut liars = BTreeMap::new();
        for trade in world.nodes.iter().filter_map(|node| node.trade.as_ref()) {
            *liars.entry(trade.name()).or_default() += 1;
        }
        let (credit_msat, earned_msat) = world.watch.sums_msat();
        Self {
            nodes,
            strangers,
            links: world.wires.len(),
            topology: topology.name(),
            seed,
            liars,
            converged_secs: converged_after.map(|span| span.as_secs()),
            news_ms: news_after.map(|span| span.as_millis()),
            quiet,
            memory: Memory::of(world),
            traffic: world.tally.clone(),
            credit_msat,
            earned_msat,
            paid_msat: world.bank.paid_msat,
            unshown_msat: world.unshown_msat(),
            void_msat: world.void_msat(),
            pairs,
            violation: world.watch.violation.clone(),
        }
    }
}

impl Memory {
    fn of(world: &World) -> Self {
        let gossip = world.nodes.iter().filter_map(|node| node.gossip.as_ref());
        let tables = world.nodes.iter().filter(|node| node.keeps_table());
        let tables = tables.filter_map(|node| node.made_engine());
        Self {
            announcements_bytes: mean(gossip.map(|gossip| gossip.memory_bytes())),
            graph_bytes: mean(tables.map(|engine| engine.routes().memory_bytes())),
        }
    }
}

fn mean(all: impl Iterator<Item = usize>) -> u64 {
    let (sum, count) = all.fold((0, 0), |(sum, count), one| (sum + one as u64, count + 1));
    u64::checked_div(sum, count).unwrap_or(0)
}
