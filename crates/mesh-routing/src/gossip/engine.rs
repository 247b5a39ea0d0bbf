use super::{
    GossipCounts, GraphChange, OwnWords,
    allowance::Allowance,
    asked::Asked,
    chance::Chance,
    conduct::Departed,
    limits::{
        COMPARISONS_FROM_ALL, ITEMS_FROM_ALL, MAX_PLACES, MAX_REFUSED, NEWS_EVERY, WATCH_EVERY,
    },
    neighbour::Neighbour,
    news::{News, Seats},
    own::Own,
    seek::Sought,
    shelf::Shelf,
    standing::cut,
};
use crate::RoutingError;
use mesh_types::{
    AnnouncedLink, Announcement, AnnouncementError, GossipMessage, NodeId, SignedAnnouncement,
    UnixTime,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Who signs and checks announcements: a node's key, or a cheap stand-in where a whole mesh is simulated.
pub trait Signatures {
    /// Signs what the local node says of itself; `None` when it cannot.
    fn sign(&self, announcement: Announcement) -> Option<SignedAnnouncement>;

    /// Whether the node that an announcement names has signed it.
    fn holds(&self, signed: &SignedAnnouncement) -> bool;
}

/// What a [`Gossip`] is made of.
#[derive(Debug)]
pub struct GossipSetup<S> {
    /// This node.
    pub local: NodeId,
    /// What it says of itself.
    pub words: OwnWords,
    /// Who signs and checks.
    pub signatures: S,
    /// What chance is drawn from: random and secret, or the same each time in a simulation.
    pub seed: [u8; 16],
}

/// All that is decided about announcements: synchronous, without input or output, for one owner.
///
/// Whoever drives it hands each event in, then sends what [`Gossip::take_messages`] gives and makes what
/// [`Gossip::take_changes`] gives in the [`RoutingTable`](crate::RoutingTable); and calls [`Gossip::tick`] when
/// [`Gossip::wake_at`] has come.
///
/// ```
/// use mesh_routing::{Gossip, GossipSetup, OwnWords, RoutingTable, Signatures};
/// use mesh_types::{Announcement, NodeId, SignedAnnouncement, UnixTime};
///
/// struct Key;
/// impl Signatures for Key {
///     fn sign(&self, announcement: Announcement) -> Option<SignedAnnouncement> {
///         Some(SignedAnnouncement { announcement, signature: [0; 64] })
///     }
///     fn holds(&self, _: &SignedAnnouncement) -> bool {
///         true
///     }
/// }
///
/// let [local, peer] = [1, 2].map(|byte| NodeId::from_bytes([byte; 32]));
/// let now = UnixTime::from_secs(1_800_000_000);
/// let setup = GossipSetup { local, words: OwnWords::default(), signatures: Key, seed: [7; 16] };
/// let mut gossip = Gossip::new(setup, now)?;
/// let table = RoutingTable::new(local);
///
/// gossip.peer_up(peer, 20, now)?;
/// gossip.tick(gossip.wake_at());
/// for change in gossip.take_changes() {
///     change.apply_to(&table)?;
/// }
/// for (to, _message) in gossip.take_messages() {
///     assert_eq!(to, peer);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Gossip<S> {
    pub(super) local: NodeId,
    pub(super) signatures: S,
    pub(super) chance: Chance,
    pub(super) own: Own,
    pub(super) shelf: Shelf,
    pub(super) neighbours: BTreeMap<NodeId, Neighbour>,
    pub(super) departed: Departed,
    /// What peers are to be told of.
    pub(super) news: News,
    /// What peers were asked for, whom, and when.
    pub(super) in_flight: BTreeMap<NodeId, Asked>,
    pub(super) items: Allowance,
    pub(super) comparisons: Allowance,
    pub(super) sought: Sought,
    /// What was refused or given up, and under which number.
    pub(super) refused: BTreeMap<NodeId, u64>,
    pub(super) refused_since: UnixTime,
    /// The nodes whose branches are as heavy as they may be.
    pub(super) closed: BTreeSet<NodeId>,
    pub(super) swept_at: UnixTime,
    pub(super) compared_at: UnixTime,
    pub(super) ticked_at: UnixTime,
    pub(super) watched_at: UnixTime,
    pub(super) counts: GossipCounts,
    pub(super) messages: Vec<(NodeId, GossipMessage)>,
    pub(super) changes: Vec<GraphChange>,
}

impl<S: Signatures> Gossip<S> {
    /// Starts without peers; half a second later the node first says something of itself.
    ///
    /// # Errors
    /// [`AnnouncementError`] when an address is too long, or there are too many.
    pub fn new(setup: GossipSetup<S>, now: UnixTime) -> Result<Self, AnnouncementError> {
        let GossipSetup {
            local,
            words,
            signatures,
            seed,
        } = setup;
        let chance = Chance::new(seed);
        let gossip = Self {
            local,
            signatures,
            own: Own::new(words, now),
            shelf: Shelf::new(local, chance.table_key()),
            chance,
            neighbours: BTreeMap::new(),
            departed: Departed::default(),
            news: News::default(),
            in_flight: BTreeMap::new(),
            items: Allowance::full(ITEMS_FROM_ALL, now),
            comparisons: Allowance::full(COMPARISONS_FROM_ALL, now),
            sought: Sought::default(),
            refused: BTreeMap::new(),
            refused_since: now,
            closed: BTreeSet::new(),
            swept_at: now,
            compared_at: now,
            ticked_at: now,
            watched_at: now,
            counts: GossipCounts::default(),
            messages: Vec::new(),
            changes: Vec::new(),
        };
        gossip.announcement_with(&gossip.own.words, now).check()?;
        Ok(gossip)
    }

    /// Takes a peer that a link is up with now, and begins to compare with it what the two know.
    ///
    /// # Errors
    /// [`RoutingError`] for the local node, and when there are [`MAX_DIRECT_PEERS`](crate::MAX_DIRECT_PEERS).
    pub fn peer_up(
        &mut self,
        peer: NodeId,
        latency_ms: u32,
        now: UnixTime,
    ) -> Result<(), RoutingError> {
        if peer == self.local {
            return Err(RoutingError::Local);
        }
        // A link that comes back may have lost what was under way.
        self.forget_peer(&peer, now);
        let mut seats = Seats::default();
        let taken = self.neighbours.values().map(|neighbour| neighbour.seat);
        taken.for_each(|seat| seats.put(seat, true));
        let seat = seats.free().ok_or(RoutingError::PeersFull)?;
        // One side begins, and learns as much from that as the other. When nothing comes, the other begins: one of the two
        // may have heard of the link a moment too late for the first message.
        let is_to_compare = peer < self.local;
        let neighbour = Neighbour {
            is_to_compare,
            ..Neighbour::new(seat, latency_ms, self.departed.take(&peer, now), now)
        };
        self.neighbours.insert(peer, neighbour);
        self.own.change(now);
        if !is_to_compare {
            self.begin_comparison(peer, now);
        }
        Ok(())
    }

    /// Forgets a peer whose link is down.
    pub fn peer_down(&mut self, peer: &NodeId, now: UnixTime) {
        if self.forget_peer(peer, now) {
            self.own.change(now);
        }
    }

    /// Takes how long a packet to a peer takes there and back; a change of less than a quarter is not worth telling.
    pub fn peer_latency(&mut self, peer: &NodeId, latency_ms: u32, now: UnixTime) {
        if let Some(neighbour) = self.neighbours.get_mut(peer)
            && neighbour.latency_ms.abs_diff(latency_ms) > neighbour.latency_ms / 4
        {
            neighbour.latency_ms = latency_ms;
            self.own.change(now);
        }
    }

    /// Leaves the link with a peer out of what the node announces, or takes it in again: of one that is suspended, or that
    /// refuses to pay. A link that goes down and comes back is announced until this is said again.
    pub fn withhold(&mut self, peer: &NodeId, is_withheld: bool, now: UnixTime) {
        if let Some(neighbour) = self.neighbours.get_mut(peer)
            && neighbour.is_withheld != is_withheld
        {
            neighbour.is_withheld = is_withheld;
            self.own.change(now);
        }
    }

    /// Changes what the node says of itself besides its links.
    ///
    /// # Errors
    /// [`AnnouncementError`] when an address is too long, or there are too many; nothing is changed then.
    pub fn say(&mut self, words: OwnWords, now: UnixTime) -> Result<(), AnnouncementError> {
        self.announcement_with(&words, now).check()?;
        if self.own.words != words {
            self.own.words = words;
            self.own.change(now);
        }
        Ok(())
    }

    /// What to send, to whom, in order.
    pub fn take_messages(&mut self) -> Vec<(NodeId, GossipMessage)> {
        std::mem::take(&mut self.messages)
    }

    /// What to change in the graph, in order.
    pub fn take_changes(&mut self) -> Vec<GraphChange> {
        std::mem::take(&mut self.changes)
    }

    /// Works no changes of the graph out from now on: for who hands announcements on and looks for no routes.
    pub fn tell_no_changes(&mut self) {
        self.shelf.tell_no_changes();
    }

    /// When [`Gossip::tick`] has something to do, unless something else happens before.
    pub fn wake_at(&self) -> UnixTime {
        let mut at = self.own.due_at().min(self.idle_until());
        if !self.in_flight.is_empty() {
            at = at.min(self.watched_at.plus(WATCH_EVERY));
        }
        if !self.news.is_empty() {
            at = at.min(self.ticked_at.plus(NEWS_EVERY));
        }
        let mut neighbours = self.neighbours.values();
        if neighbours.any(|it| !it.offers.is_empty() || it.has_to_go_on()) {
            at = at.min(self.ticked_at.plus(WATCH_EVERY));
        }
        at
    }

    /// The newest announcement of a node.
    pub fn announcement(&self, node: &NodeId) -> Option<&Arc<SignedAnnouncement>> {
        Some(&self.shelf.get(node)?.item)
    }

    /// The newest announcement of each node, in the order of their ids.
    pub fn announcements(&self) -> impl Iterator<Item = &Arc<SignedAnnouncement>> {
        let kept = self.shelf.in_order().into_iter();
        kept.map(|kept| &kept.item)
    }

    /// How many nodes are known by their announcements, this one included.
    pub fn known_nodes(&self) -> usize {
        self.shelf.len()
    }

    /// How many of the [`MAX_PLACES`](crate::MAX_PLACES) are taken.
    pub fn places(&self) -> usize {
        self.shelf.places()
    }

    /// Whether a peer handed on so much that nobody had signed that it is not heard now.
    pub fn is_muted(&self, peer: &NodeId, now: UnixTime) -> bool {
        let neighbour = self.neighbours.get(peer);
        neighbour.is_some_and(|it| it.conduct.is_muted(now))
    }

    /// What became of the announcements that peers sent.
    pub const fn counts(&self) -> GossipCounts {
        self.counts
    }

    /// How many bytes of the heap the announcements have.
    pub fn memory_bytes(&self) -> usize {
        self.shelf.memory_bytes()
    }

    /// What the node would say of itself now, without a number.
    pub(super) fn announcement_with(&self, words: &OwnWords, now: UnixTime) -> Announcement {
        let announced = self.neighbours.iter().filter(|(_, it)| !it.is_withheld);
        Announcement {
            node_id: self.local,
            sequence: 0,
            made_at: now.to_secs(),
            price: words.price,
            limits: words.limits,
            addresses: words.addresses.clone(),
            links: announced
                .map(|(peer, neighbour)| AnnouncedLink {
                    node_id: *peer,
                    latency_ms: neighbour.latency_ms,
                })
                .collect(),
        }
    }

    /// Lets go of what has to go when there are more announcements than places.
    pub(super) fn make_room(&mut self, now: UnixTime) {
        if self.shelf.places() <= MAX_PLACES {
            return;
        }
        let peers = self.neighbours.keys().copied().collect();
        let is_spared = |id: &NodeId| self.neighbours.contains_key(id) || self.sought.has(id, now);
        let cut = cut(&self.shelf, self.local, &peers, &is_spared);
        for id in &cut.gone {
            let sequence = self.shelf.sequence_of(id).unwrap_or(0);
            if self.shelf.remove(id, &mut self.changes) {
                self.counts.gone += 1;
                self.refuse(*id, sequence, now);
            }
        }
        self.closed = cut.closed;
    }

    /// Remembers not to ask for an announcement again.
    pub(super) fn refuse(&mut self, id: NodeId, sequence: u64, now: UnixTime) {
        if self.refused.len() >= MAX_REFUSED {
            self.refused.clear();
            self.refused_since = now;
        }
        self.refused.insert(id, sequence);
    }

    fn forget_peer(&mut self, peer: &NodeId, now: UnixTime) -> bool {
        let Some(neighbour) = self.neighbours.remove(peer) else {
            return false;
        };
        self.news.forget(neighbour.seat);
        for asked in self.in_flight.values_mut() {
            asked.forget(peer);
        }
        let in_flight = self.in_flight.iter();
        let of_peer = in_flight.filter(|(_, asked)| asked.peer == *peer);
        let of_peer: Vec<NodeId> = of_peer.map(|(id, _)| *id).collect();
        of_peer.iter().for_each(|id| self.stop_waiting(id, now));
        self.departed.remember(*peer, neighbour.conduct, now);
        true
    }
}
