use crate::{DownReason, LinkConfig, LinkInfo, Refusal, SendError, queue::SendQueue};
use mesh_types::NodeId;
use parking_lot::RwLock;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Mutex as AsyncMutex, watch},
    time::Instant,
};

/// Who has a link: for each node the one connection that counts.
#[derive(Debug)]
pub(crate) struct Registry {
    own: NodeId,
    max_links: usize,
    simultaneous: Duration,
    inner: RwLock<Inner>,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    links: HashMap<NodeId, Entry>,
    next_generation: u64,
    closing: bool,
}

#[derive(Debug)]
struct Entry {
    generation: u64,
    address: SocketAddr,
    outbound: bool,
    since: Instant,
    ended: bool,
    stop: watch::Sender<Option<Stop>>,
    queue: Arc<SendQueue>,
    turn: Turn,
    counts: Arc<Counts>,
}

/// Held by a connection from before its `Up` until after its `Down`: the next one with the same node waits for it.
pub(crate) type Turn = Arc<AsyncMutex<()>>;

/// What one link has carried.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) packets_in: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) packets_out: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) dropped: AtomicU64,
}

/// What a connection is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Close now, for this reason.
    Now(DownReason),
    /// Send what is queued, then close.
    WhenSent,
}

/// A proven connection that asks for a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) peer: NodeId,
    pub(crate) address: SocketAddr,
    pub(crate) outbound: bool,
    /// Whether the peer is one of those that we dial; they always have a place.
    pub(crate) dialled: bool,
}

/// A connection's place.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) generation: u64,
    pub(crate) stop: watch::Receiver<Option<Stop>>,
    pub(crate) queue: Arc<SendQueue>,
    pub(crate) turn: Turn,
    pub(crate) counts: Arc<Counts>,
}

impl Registry {
    /// Starts with no link.
    pub(crate) fn new(own: NodeId, config: &LinkConfig) -> Self {
        Self {
            own,
            max_links: config.max_links,
            // Two connections are at most one handshake apart when both sides dialled at once; twice that, because
            // each side measures from its own end of the handshake.
            simultaneous: config.handshake_timeout.saturating_mul(2),
            inner: RwLock::default(),
            lost: AtomicU64::new(0),
        }
    }

    /// Gives a connection its place, and tells the one that it replaces to stop.
    pub(crate) fn admit(
        &self,
        candidate: Candidate,
        config: &LinkConfig,
        now: Instant,
    ) -> Result<Place, Refusal> {
        let mut inner = self.inner.write();
        if inner.closing {
            return Err(Refusal::Closing);
        }
        let old = inner.links.get(&candidate.peer);
        if old.is_some_and(|old| !old.gives_way_to(&candidate, self, now)) {
            return Err(Refusal::Duplicate);
        }
        if old.is_none() && !candidate.dialled && inner.links.len() >= self.max_links {
            return Err(Refusal::Full);
        }
        let (stop, stop_receiver) = watch::channel(None);
        inner.next_generation += 1;
        let generation = inner.next_generation;
        let old = inner.links.remove(&candidate.peer);
        if let Some(old) = &old {
            old.tell(Stop::Now(DownReason::Replaced));
        }
        let queue = match &old {
            Some(old) if !old.ended => Arc::clone(&old.queue),
            _ => Arc::new(SendQueue::new(config)),
        };
        let entry = Entry {
            generation,
            address: candidate.address,
            outbound: candidate.outbound,
            since: now,
            ended: false,
            stop,
            queue,
            turn: old.map(|old| old.turn).unwrap_or_default(),
            counts: Arc::default(),
        };
        let place = Place {
            generation,
            stop: stop_receiver,
            queue: Arc::clone(&entry.queue),
            turn: Arc::clone(&entry.turn),
            counts: Arc::clone(&entry.counts),
        };
        inner.links.insert(candidate.peer, entry);
        Ok(place)
    }

    /// Takes no more packets for a connection that has ended; does nothing when another has its place already.
    pub(crate) fn end(&self, peer: &NodeId, generation: u64) {
        let mut inner = self.inner.write();
        if let Some(entry) = inner.links.get_mut(peer)
            && entry.generation == generation
        {
            entry.ended = true;
            self.count_lost(entry.queue.close());
        }
    }

    /// Frees the place of a connection that has ended; does nothing when another has it already.
    pub(crate) fn leave(&self, peer: &NodeId, generation: u64) {
        self.end(peer, generation);
        let mut inner = self.inner.write();
        if inner
            .links
            .get(peer)
            .is_some_and(|entry| entry.generation == generation)
        {
            inner.links.remove(peer);
        }
    }

    /// Whether the node has a connection, or had one whose end is still being told.
    pub(crate) fn has(&self, peer: &NodeId) -> bool {
        self.inner.read().links.contains_key(peer)
    }

    /// Queues a packet.
    pub(crate) fn send(&self, to: &NodeId, packet: Vec<u8>) -> Result<(), SendError> {
        let inner = self.inner.read();
        if inner.closing {
            return Err(SendError::Closed);
        }
        let entry = inner.links.get(to).ok_or(SendError::NotConnected)?;
        let sent = entry.queue.push(packet);
        if sent == Err(SendError::QueueFull) {
            entry.counts.dropped.fetch_add(1, Relaxed);
        }
        sent
    }

    /// Tells the node's connection to close; answers whether there was one.
    pub(crate) fn close(&self, peer: &NodeId) -> bool {
        let inner = self.inner.read();
        let entry = inner.links.get(peer).filter(|entry| !entry.ended);
        if let Some(entry) = entry {
            entry.tell(Stop::Now(DownReason::Local));
        }
        entry.is_some()
    }

    /// Takes no more packets and connections, and tells all to close when they have sent what they have.
    pub(crate) fn close_all(&self) {
        let mut inner = self.inner.write();
        inner.closing = true;
        for entry in inner.links.values() {
            entry.tell(Stop::WhenSent);
        }
    }

    /// The links that work, in the order of their ids.
    pub(crate) fn infos(&self) -> Vec<LinkInfo> {
        let inner = self.inner.read();
        let working = inner.links.iter().filter(|(_, entry)| !entry.ended);
        let mut infos: Vec<_> = working.map(|(peer, entry)| entry.info(*peer)).collect();
        infos.sort_unstable_by_key(|info| info.node_id);
        infos
    }

    /// Counts packets that were taken and will not arrive.
    pub(crate) fn count_lost(&self, packets: usize) {
        let packets = u64::try_from(packets).unwrap_or(u64::MAX);
        self.lost.fetch_add(packets, Relaxed);
    }

    /// Packets that were taken and lost with their link.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

impl Entry {
    /// Whether the newcomer takes this connection's place.
    ///
    /// Normally yes: a node that connects again has given the old connection up, which may be dead without our knowing.
    /// But when both sides dialled at once there are two good connections, and both sides have to keep the same one:
    /// the one that the smaller id opened.
    fn gives_way_to(&self, newcomer: &Candidate, registry: &Registry, now: Instant) -> bool {
        let both_dialled = self.outbound != newcomer.outbound
            && now.saturating_duration_since(self.since) < registry.simultaneous;
        self.ended || !both_dialled || newcomer.outbound == (registry.own < newcomer.peer)
    }

    /// The first word counts, except that anything overrules a friendly end.
    fn tell(&self, stop: Stop) {
        self.stop.send_if_modified(|told| {
            let heard = matches!(told, None | Some(Stop::WhenSent));
            if heard {
                *told = Some(stop);
            }
            heard
        });
    }

    fn info(&self, node_id: NodeId) -> LinkInfo {
        LinkInfo {
            node_id,
            address: self.address,
            outbound: self.outbound,
            packets_in: self.counts.packets_in.load(Relaxed),
            bytes_in: self.counts.bytes_in.load(Relaxed),
            packets_out: self.counts.packets_out.load(Relaxed),
            bytes_out: self.counts.bytes_out.load(Relaxed),
            dropped: self.counts.dropped.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: NodeId = NodeId::from_bytes([1; 32]);
    const GREAT: NodeId = NodeId::from_bytes([2; 32]);
    const NOW: Duration = Duration::ZERO;

    struct Side {
        registry: Registry,
        peer: NodeId,
        start: Instant,
    }

    impl Side {
        fn new(own: NodeId, peer: NodeId) -> Self {
            Self {
                registry: Registry::new(own, &LinkConfig::default()),
                peer,
                start: Instant::now(),
            }
        }

        fn admit(&self, outbound: bool, after: Duration) -> Result<Place, Refusal> {
            let candidate = Candidate {
                peer: self.peer,
                address: SocketAddr::from(([127, 0, 0, 1], 1)),
                outbound,
                dialled: false,
            };
            self.registry
                .admit(candidate, &LinkConfig::default(), self.start + after)
        }

        fn keeps_outbound(&self) -> bool {
            let [info] = &self.registry.infos()[..] else {
                panic!("not one link");
            };
            info.outbound
        }
    }

    fn told(place: &Place) -> Option<Stop> {
        *place.stop.borrow()
    }

    #[test]
    fn both_sides_keep_what_the_smaller_id_opened_in_whatever_order_it_came() {
        for [first_at_small, first_at_great] in
            [[true, true], [true, false], [false, true], [false, false]]
        {
            let small = Side::new(SMALL, GREAT);
            let great = Side::new(GREAT, SMALL);
            for (side, first) in [(&small, first_at_small), (&great, first_at_great)] {
                side.admit(first, NOW).unwrap();
                let kept = side.admit(!first, Duration::from_secs(9));
                assert_eq!(kept.is_ok(), side.keeps_outbound() != first);
            }
            assert!(small.keeps_outbound());
            assert!(!great.keeps_outbound());
        }
    }

    #[test]
    fn a_connection_the_same_way_replaces_the_older_one_at_any_age() {
        for outbound in [true, false] {
            let side = Side::new(SMALL, GREAT);
            let old = side.admit(outbound, NOW).unwrap();
            side.admit(outbound, NOW).unwrap();
            assert_eq!(told(&old), Some(Stop::Now(DownReason::Replaced)));
        }
    }

    #[test]
    fn an_old_connection_gives_way_whoever_opened_it() {
        let side = Side::new(SMALL, GREAT);
        side.admit(true, NOW).unwrap();
        let too_soon = side.admit(false, Duration::from_secs(9));
        assert_eq!(too_soon.unwrap_err(), Refusal::Duplicate);
        side.admit(false, Duration::from_secs(10)).unwrap();
        assert!(!side.keeps_outbound());
    }

    #[test]
    fn a_connection_that_has_ended_gives_way_though_its_end_is_not_told_yet() {
        let side = Side::new(SMALL, GREAT);
        let old = side.admit(true, NOW).unwrap();
        side.registry.end(&GREAT, old.generation);
        let send = side.registry.send(&GREAT, vec![1]);
        assert_eq!(send, Err(SendError::NotConnected));
        assert_eq!(side.registry.infos(), []);
        let new = side.admit(false, NOW).unwrap();
        assert!(
            Arc::ptr_eq(&old.turn, &new.turn),
            "its Up may overtake the Down"
        );
    }

    #[test]
    fn the_late_end_of_a_replaced_connection_does_not_touch_the_new_one() {
        let side = Side::new(SMALL, GREAT);
        let old = side.admit(true, NOW).unwrap();
        let new = side.admit(true, NOW).unwrap();
        side.registry.send(&GREAT, vec![1]).unwrap();
        side.registry.end(&GREAT, old.generation);
        side.registry.leave(&GREAT, old.generation);
        side.registry.send(&GREAT, vec![2]).unwrap();
        let mut batch = Vec::new();
        new.queue.take(usize::MAX, &mut batch);
        assert_eq!(batch, [[1], [2]]);
        side.registry.leave(&GREAT, new.generation);
        assert!(!side.registry.has(&GREAT));
    }

    #[test]
    fn what_waits_for_a_link_that_ends_is_counted_as_lost() {
        let side = Side::new(SMALL, GREAT);
        let place = side.admit(true, NOW).unwrap();
        side.registry.send(&GREAT, vec![1]).unwrap();
        side.registry.send(&GREAT, vec![2]).unwrap();
        side.registry.leave(&GREAT, place.generation);
        assert_eq!(side.registry.lost(), 2);
    }

    #[test]
    fn nothing_is_admitted_or_sent_when_closing() {
        let side = Side::new(SMALL, GREAT);
        let place = side.admit(true, NOW).unwrap();
        side.registry.close_all();
        assert_eq!(told(&place), Some(Stop::WhenSent));
        assert_eq!(side.admit(true, NOW).unwrap_err(), Refusal::Closing);
        assert_eq!(side.registry.send(&GREAT, vec![1]), Err(SendError::Closed));
        side.registry.close(&GREAT);
        assert_eq!(told(&place), Some(Stop::Now(DownReason::Local)));
    }
}
