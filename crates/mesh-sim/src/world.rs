use crate::{
    bank::Bank,
    node::Node,
    plan::{Plan, purpose},
    queue::Queue,
    report::Tally,
    topology::links,
    trade::appoint_liars,
    watch::Watch,
    wire::{Weather, Wire},
};
use mesh_types::{ClaimKey, GossipMessage, Msat, NodeId, UnixTime};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// All nodes, all links, and what is about to happen.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) now: UnixTime,
    pub(crate) queue: Queue<Event>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) numbers: BTreeMap<NodeId, u32>,
    pub(crate) wires: Vec<Wire>,
    pub(crate) weather: Weather,
    pub(crate) bank: Bank,
    pub(crate) watch: Watch,
    /// Payments whose proofs were refused.
    pub(crate) void: BTreeMap<ClaimKey, Msat>,
    pub(crate) tally: Tally,
    pub(crate) chance: Chances,
    /// Nodes that are known and not simulated.
    pub(crate) strangers: Vec<NodeId>,
    /// Whether nobody hears what is sent about announcements, and nobody is woken.
    pub(crate) is_mute: bool,
    /// Whether packets are sent and liars are busy.
    pub(crate) is_stormy: bool,
}

/// Chance for each purpose.
#[derive(Debug)]
pub(crate) struct Chances {
    pub(crate) nodes: fastrand::Rng,
    pub(crate) links: fastrand::Rng,
    pub(crate) storm: fastrand::Rng,
    pub(crate) traffic: fastrand::Rng,
    pub(crate) liars: fastrand::Rng,
    pub(crate) sample: fastrand::Rng,
}

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// A node begins to run.
    Start(u32),
    /// A node is killed.
    Stop(u32),
    /// A link is cut.
    Cut(u32),
    /// A link is whole again.
    Mend(u32),
    /// A node's gossip has something to do.
    Wake(u32),
    /// A message about announcements arrives.
    Gossip(Hop, GossipMessage),
    /// A packet arrives.
    Packet(Hop, Arc<[u8]>),
    /// Somebody sends somebody something.
    Send,
    /// A node has waited long enough for an answer to its packet.
    Impatient(u32, u64),
    /// What tables have learned fades.
    Refresh,
    /// Somebody who is not simulated says the same again.
    Stranger(u32),
    /// A liar does what it does.
    Mischief(u32),
}

/// From whom to whom something goes over which wire, and in which of its lives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hop {
    pub(crate) wire: u32,
    pub(crate) life: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// When virtual time begins.
const START: UnixTime = UnixTime::from_secs(1_800_000_000);

/// All nodes start within ten seconds, as after a power cut.
pub(crate) const START_WITHIN: Duration = Duration::from_secs(10);

/// How often tables forget what is over.
const REFRESH_EVERY: Duration = Duration::from_secs(5);

/// The most nodes that send packets and whose routes are checked: all of a small mesh, a sample of a large one.
const MOST_SOURCES: usize = 100;

/// The sources of a mesh that has more nodes than that.
const SAMPLE: usize = 32;

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let mut chance = Chances {
            nodes: plan.chance(purpose::NODES),
            links: plan.chance(purpose::LINKS),
            storm: plan.chance(purpose::STORM),
            traffic: plan.chance(purpose::TRAFFIC),
            liars: plan.chance(purpose::LIARS),
            sample: plan.chance(purpose::SAMPLE),
        };
        let mut nodes: Vec<Node> = (0..plan.nodes)
            .map(|_| Node::new(&mut chance.nodes))
            .collect();
        let wires: Vec<Wire> = links(&plan).into_iter().map(Wire::new).collect();
        for (number, wire) in (0..).zip(&wires) {
            for end in wire.ends {
                let beyond = wire.beyond(end);
                let peer = nodes[beyond as usize].id;
                nodes[end as usize].peers.insert(peer, (beyond, number));
            }
        }
        appoint_liars(&mut nodes, plan.liars_percent, &mut chance.liars);
        let mut honest: Vec<usize> = (0..nodes.len())
            .filter(|node| nodes[*node].is_honest())
            .collect();
        if nodes.len() > MOST_SOURCES {
            chance.sample.shuffle(&mut honest);
            honest.truncate(SAMPLE);
        }
        honest
            .into_iter()
            .for_each(|node| nodes[node].is_source = true);
        let numbers = (0..).zip(&nodes).map(|(number, node)| (node.id, number));
        Self {
            now: START,
            queue: Queue::new(),
            numbers: numbers.collect(),
            bank: Bank::new(nodes.len()),
            watch: Watch::new(nodes.len(), plan.seed, START),
            void: BTreeMap::new(),
            tally: Tally::default(),
            weather: Weather::FAIR,
            strangers: Vec::new(),
            is_mute: false,
            is_stormy: false,
            plan,
            nodes,
            wires,
            chance,
        }
    }

    /// Lets all nodes start.
    pub(crate) fn begin(&mut self) {
        for node in 0..self.plan.nodes {
            let wait = self.chance.nodes.u64(0..START_WITHIN.as_millis() as u64);
            let at = self.now.plus(Duration::from_millis(wait));
            self.queue.note(at, Event::Start(node));
        }
        self.queue.note(self.now, Event::Refresh);
    }

    /// Lets time pass, until `end` or until something is not as it has to be.
    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.now.plus(span);
        while self.watch.violation.is_none()
            && let Some((at, event)) = self.queue.next_until(end)
        {
            self.now = self.now.max(at);
            self.tally.events += 1;
            self.happen(event);
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start(node) => self.start(node),
            Event::Stop(node) => self.stop(node),
            Event::Cut(wire) => self.set_cut(wire, true),
            Event::Mend(wire) => self.set_cut(wire, false),
            Event::Wake(node) => self.wake(node),
            Event::Gossip(hop, message) => self.hear_gossip(hop, message),
            Event::Packet(hop, bytes) => self.receive(hop, &bytes),
            Event::Send => self.send_something(),
            Event::Impatient(node, sequence) => self.lose_patience(node, sequence),
            Event::Refresh => self.refresh(),
            Event::Stranger(stranger) => self.hear_stranger(stranger),
            Event::Mischief(node) => self.do_mischief(node),
        }
    }

    fn refresh(&mut self) {
        let engines = self.nodes.iter().filter_map(Node::made_engine);
        engines.for_each(|engine| engine.routes().refresh(self.now));
        self.queue
            .note(self.now.plus(REFRESH_EVERY), Event::Refresh);
    }

    pub(crate) fn node(&self, number: u32) -> &Node {
        &self.nodes[number as usize]
    }

    pub(crate) fn node_mut(&mut self, number: u32) -> &mut Node {
        &mut self.nodes[number as usize]
    }

    /// The nodes that `node` is linked with now.
    pub(crate) fn linked(&self, node: u32) -> impl Iterator<Item = (NodeId, u32)> {
        let peers = self.node(node).peers.iter();
        let up = peers.filter(|(_, (_, wire))| self.wires[*wire as usize].is_up);
        up.map(|(peer, (number, _))| (*peer, *number))
    }
}
