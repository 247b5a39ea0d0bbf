use crate::{
    node::ADDRESS,
    signer::Signer,
    world::{Event, World},
};
use mesh_routing::{Gossip, GossipSetup};

/// Nodes and links that come and go. Whoever is at the other end of a link hears at once that it is down, as of a
/// connection that is reset.
impl World {
    pub(crate) fn start(&mut self, number: u32) {
        let now = self.now;
        let seed = std::array::from_fn(|_| self.chance.nodes.u8(..));
        let node = self.node_mut(number);
        if node.is_up() {
            return;
        }
        node.started_at = now;
        let signatures = node
            .trade
            .as_ref()
            .map_or_else(Signer::default, |trade| trade.signer());
        let setup = GossipSetup {
            local: node.id,
            words: node.words(),
            signatures,
            seed,
        };
        node.gossip = Gossip::new(setup, now).ok();
        if node.keeps_table() {
            self.engine(number);
        } else if let Some(gossip) = &mut node.gossip {
            gossip.tell_no_changes();
        }
        for wire in self.wires_of(number) {
            self.settle_wire(wire);
        }
        self.after_gossip(number);
    }

    pub(crate) fn stop(&mut self, number: u32) {
        let now = self.now;
        let node = self.node_mut(number);
        node.gossip = None;
        node.wakes_at = None;
        node.errands.clear();
        node.drop_engine(now);
        for wire in self.wires_of(number) {
            self.settle_wire(wire);
        }
    }

    pub(crate) fn set_cut(&mut self, wire: u32, is_cut: bool) {
        self.wires[wire as usize].is_cut = is_cut;
        self.settle_wire(wire);
    }

    /// Lets a wire be up when both ends are and it is not cut, and tells the ends what changed.
    fn settle_wire(&mut self, number: u32) {
        let wire = &self.wires[number as usize];
        let [a, b] = wire.ends;
        let is_up = !wire.is_cut && self.node(a).is_up() && self.node(b).is_up();
        if is_up == wire.is_up {
            return;
        }
        // There and back.
        let latency_ms = u32::try_from(2 * wire.latency_ms).unwrap_or(u32::MAX);
        self.wires[number as usize].set_up(is_up);
        let now = self.now;
        for (end, beyond) in [(a, b), (b, a)] {
            let peer = self.node(beyond).id;
            let node = self.node_mut(end);
            if let Some(engine) = node.made_engine() {
                match is_up {
                    true => engine.routes().add_direct_peer(peer, ADDRESS.to_owned()),
                    false => _ = engine.routes().remove_direct_peer(&peer),
                }
            }
            if let Some(gossip) = &mut node.gossip {
                match is_up {
                    // A node has fewer peers than there may be: its topology says so.
                    true => _ = gossip.peer_up(peer, latency_ms, now),
                    false => gossip.peer_down(&peer, now),
                }
                self.after_gossip(end);
            }
        }
    }

    fn wires_of(&self, number: u32) -> Vec<u32> {
        let peers = self.node(number).peers.values();
        peers.map(|(_, wire)| *wire).collect()
    }

    pub(crate) fn wake(&mut self, number: u32) {
        let now = self.now;
        let node = &mut self.nodes[number as usize];
        if node.wakes_at != Some(now) {
            // It was woken for something else meanwhile, and has noted anew when it wants to be.
            return;
        }
        node.wakes_at = None;
        if let Some(gossip) = &mut node.gossip {
            if gossip.wake_at() <= now {
                let sequence = |gossip: &Gossip<Signer>| {
                    Some(gossip.announcement(&node.id)?.announcement.sequence)
                };
                let before = sequence(gossip);
                gossip.tick(now);
                self.tally.announced += u64::from(sequence(gossip) != before);
            }
            self.after_gossip(number);
        }
    }

    /// Notes when a node's gossip has something to do next.
    pub(crate) fn note_wake(&mut self, number: u32) {
        let (now, is_mute) = (self.now, self.is_mute);
        let node = self.node_mut(number);
        let Some(gossip) = &node.gossip else {
            return;
        };
        let at = gossip.wake_at().max(now);
        if !is_mute && node.wakes_at.is_none_or(|noted| at < noted) {
            node.wakes_at = Some(at);
            self.queue.note(at, Event::Wake(number));
        }
    }
}
