use crate::{
    node::ADDRESS,
    signer::{Signer, signed},
    world::{Event, World},
};
use mesh_routing::{Gossip, LIFETIME, REPEAT_EVERY};
use mesh_types::{
    AnnouncedLink, Announcement, CarryLimits, GossipMessage, Held, MAX_ITEMS, MAX_NAMED, Msat,
    NodeId, Price, SignedAnnouncement, UnixTime,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// How long a node is taught at most, in virtual time: at 256 announcements a second from each peer, with two peers at least,
/// sixteen thousand take half a minute.
const TAUGHT_WITHIN: u64 = 120;

/// When the world goes on after that: a little before the first nodes say the same again.
const GOES_ON_AFTER: Duration = REPEAT_EVERY.saturating_sub(Duration::from_secs(150));
const _: () = assert!(GOES_ON_AFTER.as_secs() < LIFETIME.as_secs());

type Known = BTreeMap<NodeId, Arc<SignedAnnouncement>>;

/// Begins as a mesh that has run for long.
///
/// Of the work to let all nodes learn all the others from each other most is telling what they know already, which takes
/// hours for ten thousand. Here each is told all by its own peers while nobody else hears anything: by the same messages,
/// within the same limits.
impl World {
    pub(crate) fn begin_warm(&mut self, mut tell: impl FnMut(&Self)) {
        self.is_mute = true;
        (0..self.plan.nodes).for_each(|node| self.start(node));
        self.now = self.now.plus(Duration::from_secs(1));
        let now = self.now;
        let mut known = Known::new();
        for node in &mut self.nodes {
            let Some(gossip) = &mut node.gossip else {
                continue;
            };
            gossip.tick(now);
            if let Some(said) = gossip.announcement(&node.id) {
                known.insert(node.id, Arc::clone(said));
            }
        }
        self.meet_strangers(&mut known);
        for number in 0..self.plan.nodes {
            let node = &mut self.nodes[number as usize];
            let peers: Vec<NodeId> = node.peers.keys().copied().collect();
            if let Some(gossip) = &mut node.gossip {
                teach(gossip, &peers, &known, now);
            }
            self.after_gossip(number);
            self.tally.events += 1;
            if number % 500 == 0 {
                tell(self);
            }
        }
        self.is_mute = false;
        self.now = self.now.plus(GOES_ON_AFTER);
        (0..self.plan.nodes).for_each(|node| self.note_wake(node));
        if !self.strangers.is_empty() {
            self.queue.note(self.now, Event::Stranger(0));
        }
    }

    fn meet_strangers(&mut self, known: &mut Known) {
        let chance = &mut self.chance.sample;
        let id = |_| NodeId::from_bytes(std::array::from_fn(|_| chance.u8(..)));
        self.strangers = (0..self.plan.strangers).map(id).collect();
        for number in 0..self.strangers.len() {
            let said = self.said_by_stranger(number);
            known.insert(said.announcement.node_id, Arc::new(said));
        }
    }

    /// What a stranger says: that it is linked with the three before it and the three behind.
    fn said_by_stranger(&self, number: usize) -> SignedAnnouncement {
        let (count, id) = (self.strangers.len(), self.strangers[number]);
        let others = (1..=3).flat_map(|step| [number + step, number + count - step]);
        let others: BTreeSet<NodeId> = others.map(|other| self.strangers[other % count]).collect();
        let links = others.into_iter().filter(|other| *other != id);
        signed(Announcement {
            node_id: id,
            sequence: self.now.to_millis(),
            made_at: self.now.to_secs(),
            price: Price {
                per_packet: Msat::from_msat(1_000),
                per_kib: Msat::ZERO,
            },
            limits: CarryLimits::default(),
            addresses: vec![ADDRESS.to_owned()],
            links: links
                .map(|node_id| AnnouncedLink {
                    node_id,
                    latency_ms: 50,
                })
                .collect(),
        })
    }

    /// A stranger says the same again, and some node hears it of a peer of its; the next one's turn comes soon.
    pub(crate) fn hear_stranger(&mut self, number: u32) {
        let count = self.plan.strangers;
        let next = Event::Stranger((number + 1) % count);
        self.queue.note(self.now.plus(REPEAT_EVERY / count), next);
        self.tally.announced += 1;
        let said = Arc::new(self.said_by_stranger(number as usize));
        let hearer = self.chance.sample.u32(0..self.plan.nodes);
        let (id, now) = (said.announcement.node_id, self.now);
        let held = Held {
            node_id: id,
            sequence: said.announcement.sequence,
        };
        let peer = self.linked(hearer).next().map(|(peer, _)| peer);
        if let Some(gossip) = &mut self.node_mut(hearer).gossip
            && let Some(peer) = peer
        {
            gossip.message(peer, GossipMessage::Have(vec![held]), now);
            serve(gossip, &Known::from([(id, said)]), now);
        }
        self.after_gossip(hearer);
    }
}

/// Lets each peer offer its part of all that is known, and send what is wanted of it.
fn teach(gossip: &mut Gossip<Signer>, peers: &[NodeId], known: &Known, now: UnixTime) {
    let all: Vec<&Arc<SignedAnnouncement>> = known.values().collect();
    let part = all.len().div_ceil(peers.len().max(1)).max(1);
    let mut now = now;
    for (peer, part) in peers.iter().zip(all.chunks(part)) {
        for items in part.chunks(MAX_NAMED) {
            let held = items.iter().map(|item| Held {
                node_id: item.announcement.node_id,
                sequence: item.announcement.sequence,
            });
            gossip.message(*peer, GossipMessage::Have(held.collect()), now);
            serve(gossip, known, now);
        }
    }
    for _ in 0..TAUGHT_WITHIN {
        if gossip.known_nodes() >= known.len() {
            break;
        }
        now = now.plus(Duration::from_secs(1));
        gossip.tick(now);
        serve(gossip, known, now);
    }
    // What it would tell its peers now, they know.
    gossip.tick(now.plus(Duration::from_secs(1)));
    gossip.take_messages();
}

/// Sends what was asked for, until nothing more is.
fn serve(gossip: &mut Gossip<Signer>, known: &Known, now: UnixTime) {
    loop {
        let mut is_idle = true;
        for (peer, message) in gossip.take_messages() {
            let GossipMessage::Want(ids) = message else {
                continue;
            };
            let items: Vec<_> = ids.iter().filter_map(|id| known.get(id)).cloned().collect();
            for items in items.chunks(MAX_ITEMS) {
                gossip.message(peer, GossipMessage::Items(items.to_vec()), now);
                is_idle = false;
            }
        }
        if is_idle {
            return;
        }
    }
}
