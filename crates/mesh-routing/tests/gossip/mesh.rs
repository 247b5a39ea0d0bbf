//! A mesh of engines: what the program around one engine does, for many of them, without sockets and clocks.

use mesh_routing::{Gossip, GossipSetup, OwnWords, RoutingTable, Signatures};
use mesh_types::{
    AnnouncedLink, Announcement, CarryLimits, GossipMessage, NodeId, Price, SignedAnnouncement,
    UnixTime,
};
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const START: UnixTime = UnixTime::from_secs(1_800_000_000);

/// How long a message takes over a link.
const HOP: Duration = Duration::from_millis(20);

/// Spread over the whole range of ids, as keys are.
pub(crate) fn id(number: u32) -> NodeId {
    let mut bytes = [0; 32];
    let mixed = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes[..8].copy_from_slice(&(mixed ^ mixed >> 29).to_be_bytes());
    bytes[28..].copy_from_slice(&number.to_be_bytes());
    NodeId::from_bytes(bytes)
}

/// Signatures that cost next to nothing, and that nobody else makes by accident.
#[derive(Debug)]
pub(crate) struct StandIn;

impl Signatures for StandIn {
    fn sign(&self, announcement: Announcement) -> Option<SignedAnnouncement> {
        Some(signed(announcement))
    }

    fn holds(&self, signed: &SignedAnnouncement) -> bool {
        signed.signature == stamp(&signed.announcement)
    }
}

pub(crate) fn signed(announcement: Announcement) -> SignedAnnouncement {
    SignedAnnouncement {
        signature: stamp(&announcement),
        announcement,
    }
}

fn stamp(announcement: &Announcement) -> [u8; 64] {
    let mut hasher = DefaultHasher::new();
    announcement.hash(&mut hasher);
    let mut signature = [7; 64];
    signature[..8].copy_from_slice(&hasher.finish().to_be_bytes());
    signature
}

/// What a node that is not simulated says.
pub(crate) fn announcement(
    node: NodeId,
    links: impl IntoIterator<Item = NodeId>,
    now: UnixTime,
) -> Announcement {
    let links: BTreeSet<NodeId> = links.into_iter().collect();
    Announcement {
        node_id: node,
        sequence: now.to_millis(),
        made_at: now.to_secs(),
        price: Price::FREE,
        limits: CarryLimits::default(),
        addresses: Vec::new(),
        links: links
            .into_iter()
            .map(|node_id| AnnouncedLink {
                node_id,
                latency_ms: 10,
            })
            .collect(),
    }
}

pub(crate) fn engine(number: u32, now: UnixTime) -> Gossip<StandIn> {
    let setup = GossipSetup {
        local: id(number),
        words: OwnWords::default(),
        signatures: StandIn,
        seed: [number as u8; 16],
    };
    Gossip::new(setup, now).unwrap()
}

/// One engine and the table that its changes are made in.
pub(crate) struct Node {
    pub(crate) gossip: Gossip<StandIn>,
    pub(crate) table: RoutingTable,
}

/// What went over the links.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) item_bytes: usize,
    pub(crate) items: usize,
    /// How often each announcement went over each link, in either direction.
    pub(crate) crossings: BTreeMap<(NodeId, NodeId, NodeId, u64), usize>,
}

#[derive(Default)]
pub(crate) struct Mesh {
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    links: BTreeSet<(NodeId, NodeId)>,
    queue: BTreeMap<(UnixTime, u64), (NodeId, NodeId, GossipMessage)>,
    sent: u64,
    pub(crate) now: UnixTime,
    pub(crate) traffic: Traffic,
}

impl Mesh {
    pub(crate) fn of(count: u32) -> Self {
        let mut mesh = Self {
            now: START,
            ..Self::default()
        };
        (0..count).for_each(|number| mesh.start(number));
        mesh
    }

    /// Nodes in a ring, each linked with the next and with one across.
    pub(crate) fn ring(count: u32) -> Self {
        let mut mesh = Self::of(count);
        for number in 0..count {
            mesh.link(number, (number + 1) % count);
            mesh.link(number, (number * 7 + count / 2) % count);
        }
        mesh
    }

    pub(crate) fn start(&mut self, number: u32) {
        let node = Node {
            gossip: engine(number, self.now),
            table: RoutingTable::new(id(number)),
        };
        self.nodes.insert(id(number), node);
    }

    /// Links two nodes. One of them may be no engine, but somebody whose messages a test makes up.
    pub(crate) fn link(&mut self, a: u32, b: u32) {
        let (a, b) = (id(a).min(id(b)), id(a).max(id(b)));
        if a == b || !self.links.insert((a, b)) {
            return;
        }
        for (node, peer) in [(a, b), (b, a)] {
            if let Some(node) = self.nodes.get_mut(&node) {
                node.gossip.peer_up(peer, 20, self.now).unwrap();
                node.table.add_direct_peer(peer, "there:8334".to_owned());
            }
        }
        self.send_all(a);
        self.send_all(b);
    }

    pub(crate) fn unlink(&mut self, a: u32, b: u32) {
        let (a, b) = (id(a).min(id(b)), id(a).max(id(b)));
        if !self.links.remove(&(a, b)) {
            return;
        }
        for (node, peer) in [(a, b), (b, a)] {
            if let Some(node) = self.nodes.get_mut(&node) {
                node.gossip.peer_down(&peer, self.now);
                node.table.remove_direct_peer(&peer);
            }
        }
    }

    pub(crate) fn find(&mut self, number: u32, target: NodeId) -> bool {
        let now = self.now;
        let is_asked = self.node_mut(number).gossip.find(target, now);
        self.send_all(id(number));
        is_asked
    }

    /// A node is gone: its links go down at the other ends.
    pub(crate) fn kill(&mut self, number: u32) {
        self.nodes.remove(&id(number));
        let with = |(a, b): &&(NodeId, NodeId)| [*a, *b].contains(&id(number));
        let links: Vec<_> = self.links.iter().filter(with).copied().collect();
        for (a, b) in links {
            self.links.remove(&(a, b));
            for (node, peer) in [(a, b), (b, a)] {
                if let Some(node) = self.nodes.get_mut(&node) {
                    node.gossip.peer_down(&peer, self.now);
                    node.table.remove_direct_peer(&peer);
                }
            }
        }
    }

    pub(crate) fn neighbours(&self, number: u32) -> Vec<NodeId> {
        let of = |(a, b): &(NodeId, NodeId)| match (*a == id(number), *b == id(number)) {
            (true, _) => Some(*b),
            (_, true) => Some(*a),
            _ => None,
        };
        self.links.iter().filter_map(of).collect()
    }

    pub(crate) fn node(&self, number: u32) -> &Node {
        &self.nodes[&id(number)]
    }

    pub(crate) fn node_mut(&mut self, number: u32) -> &mut Node {
        self.nodes.get_mut(&id(number)).unwrap()
    }

    /// Puts a message on a link, whoever it is that sends it.
    pub(crate) fn inject(&mut self, from: u32, to: u32, message: GossipMessage) {
        self.queue_message(id(from), id(to), message);
    }

    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.now.plus(span);
        loop {
            let wakes = self.nodes.iter();
            let wake = wakes.map(|(id, node)| (node.gossip.wake_at(), *id)).min();
            let arrival = self.queue.keys().next().map(|(at, _)| *at);
            let wake_at = wake.map(|(at, _)| at);
            let Some(next) = [wake_at, arrival].into_iter().flatten().min() else {
                break;
            };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, (from, to, message)) = self.queue.pop_first().unwrap();
                self.deliver(from, to, message);
            } else if let Some((_, id)) = wake {
                let now = self.now;
                self.nodes.get_mut(&id).unwrap().gossip.tick(now);
                let again = self.nodes[&id].gossip.wake_at();
                assert!(again > now, "a tick does all that is due");
                self.send_all(id);
            }
        }
        self.now = end;
    }

    /// What each node knows of all nodes' announcements.
    pub(crate) fn agree(&self) -> bool {
        let said = |node: &Node| -> Vec<(NodeId, u64)> {
            let said = node.gossip.announcements();
            said.map(|item| (item.announcement.node_id, item.announcement.sequence))
                .collect()
        };
        let mut all = self.nodes.values().map(said);
        let first = all.next();
        all.all(|other| Some(&other) == first.as_ref())
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, message: GossipMessage) {
        let now = self.now;
        if self.links.contains(&(from.min(to), from.max(to)))
            && let Some(node) = self.nodes.get_mut(&to)
        {
            node.gossip.message(from, message, now);
            self.send_all(to);
        }
    }

    /// What a program does after each event: makes the changes, sends the messages.
    fn send_all(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        for change in node.gossip.take_changes() {
            change.apply_to(&node.table).unwrap();
        }
        for (to, message) in node.gossip.take_messages() {
            self.queue_message(id, to, message);
        }
    }

    fn queue_message(&mut self, from: NodeId, to: NodeId, message: GossipMessage) {
        let traffic = &mut self.traffic;
        traffic.messages += 1;
        traffic.bytes += len(&message);
        if let GossipMessage::Items(items) = &message {
            traffic.items += items.len();
            traffic.item_bytes += len(&message);
            for item in items {
                let said = &item.announcement;
                let crossing = (from.min(to), from.max(to), said.node_id, said.sequence);
                *traffic.crossings.entry(crossing).or_default() += 1;
            }
        }
        self.sent += 1;
        let at = self.now.plus(HOP);
        self.queue.insert((at, self.sent), (from, to, message));
    }
}

/// How many bytes a message has on the wire, by docs/wire-format.md.
pub(crate) fn len(message: &GossipMessage) -> usize {
    match message {
        GossipMessage::Have(held) => 3 + 40 * held.len(),
        GossipMessage::Want(ids) => 3 + 32 * ids.len(),
        GossipMessage::Items(items) => {
            3 + items.iter().map(|item| item.encoded_len()).sum::<usize>()
        }
        GossipMessage::Compare(comparison) => {
            let ranges = comparison.ranges.iter().map(|range| match &range.content {
                mesh_types::RangeContent::Fingerprint(_) => 77,
                mesh_types::RangeContent::List(list) => 66 + 40 * list.len(),
            });
            19 + ranges.sum::<usize>()
        }
        GossipMessage::Find { .. } => 34,
    }
}

/// Hands an engine announcements as a peer would, and lets time pass as far as its limits ask for it.
pub(crate) fn teach(
    gossip: &mut Gossip<StandIn>,
    peer: NodeId,
    items: &[SignedAnnouncement],
    now: &mut UnixTime,
) {
    let known: BTreeMap<NodeId, Arc<SignedAnnouncement>> = items
        .iter()
        .map(|item| (item.announcement.node_id, Arc::new(item.clone())))
        .collect();
    for part in items.chunks(mesh_types::MAX_NAMED) {
        let held = part.iter().map(|item| mesh_types::Held {
            node_id: item.announcement.node_id,
            sequence: item.announcement.sequence,
        });
        gossip.message(peer, GossipMessage::Have(held.collect()), *now);
        let mut quiet = 0;
        while quiet < 3 {
            let messages = gossip.take_messages();
            let wanted = messages
                .into_iter()
                .filter_map(|(to, message)| match message {
                    GossipMessage::Want(ids) if to == peer => Some(ids),
                    _ => None,
                });
            let wanted: Vec<NodeId> = wanted.flatten().collect();
            quiet = if wanted.is_empty() { quiet + 1 } else { 0 };
            let items: Vec<_> = wanted.iter().filter_map(|id| known.get(id)).collect();
            for items in items.chunks(mesh_types::MAX_ITEMS) {
                let items = items.iter().map(|item| Arc::clone(item)).collect();
                gossip.message(peer, GossipMessage::Items(items), *now);
            }
            *now = now.plus(Duration::from_millis(500));
            gossip.tick(*now);
        }
    }
}
