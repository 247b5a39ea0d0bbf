use crate::{
    Trade,
    node::ADDRESS,
    signer::signed,
    world::{Event, World},
};
use mesh_manager::Draft;
use mesh_protocol::{ControlMessage, PacketView, decode_proof};
use mesh_types::{
    AnnouncedLink, Announcement, CarryLimits, GossipMessage, Held, Msat, NodeId, Price,
    ProofForHop, Route, SignedAnnouncement,
};
use std::{sync::Arc, time::Duration};

/// How often a liar does something of its own accord.
const BUSY_EVERY: Duration = Duration::from_secs(3);

/// How many invoices a flooder asks for each time.
const FLOOD: usize = 15;

/// How often nodes that are nobody say something new: more often would be taken of them, and make the simulation of a thousand
/// nodes a simulation of nothing else.
const MINTED_ANEW: Duration = Duration::from_secs(300);

/// How many packets a replayer keeps.
const LOOT: usize = 64;

/// What liars do, besides saying what their [`Signer`](crate::signer::Signer) says and dropping what they drop.
impl World {
    pub(crate) fn do_mischief(&mut self, liar: u32) {
        if !self.is_stormy {
            return;
        }
        self.queue
            .note(self.now.plus(BUSY_EVERY), Event::Mischief(liar));
        if !self.node(liar).is_up() {
            return;
        }
        match self.node(liar).trade {
            Some(Trade::Replayer) => self.replay(liar),
            Some(Trade::Minter(_)) => self.offer_minted(liar),
            Some(Trade::QuoteFlooder) => self.flood(liar),
            _ => {}
        }
    }

    /// Keeps what comes past, where there is somebody who has use for it.
    pub(crate) fn loot(&mut self, number: u32, bytes: &Arc<[u8]>) {
        let node = self.node_mut(number);
        if node.trade == Some(Trade::Replayer) {
            if node.loot.len() >= LOOT {
                node.loot.pop_front();
            }
            node.loot.push_back(Arc::clone(bytes));
        }
    }

    /// Sends a packet on once more, and shows a proof that it carried to the node that was paid.
    fn replay(&mut self, liar: u32) {
        for _ in 0..2 {
            let count = self.node(liar).loot.len();
            if count == 0 {
                return;
            }
            let at = self.chance.liars.usize(0..count);
            let bytes = Arc::clone(&self.node(liar).loot[at]);
            let Ok(packet) = PacketView::parse(&bytes) else {
                continue;
            };
            let place = packet.position(&self.node(liar).id);
            if let Some(next) = place.and_then(|place| packet.node(place + 1)) {
                self.tally.replayed += u64::from(self.transmit(liar, &next, Arc::clone(&bytes)));
            }
            if let Some((hop, proof)) = packet.proof()
                && let Ok(proof) = decode_proof(proof)
                && let Some(payee) = packet.node(hop.into())
                && let Some(route) = self.way(liar, &payee)
                && let Ok(hop) = u8::try_from(route.len() - 1)
            {
                let stolen = Some(ProofForHop { hop, proof });
                if let Ok(draft) = Draft::control(route, &ControlMessage::Deposit, stolen) {
                    self.tally.proofs_stolen += u64::from(self.send_draft(liar, draft).is_some());
                }
            }
        }
    }

    fn flood(&mut self, liar: u32) {
        let count = self.nodes.len();
        let victim = self.nodes[self.chance.liars.usize(0..count)].id;
        let Some(route) = self.way(liar, &victim) else {
            return;
        };
        let amount = Msat::from_msat(1_000_000);
        for _ in 0..FLOOD {
            let request = ControlMessage::QuoteRequest { amount };
            if let Ok(draft) = Draft::control(route.clone(), &request, None) {
                self.tally.floods += u64::from(self.send_draft(liar, draft).is_some());
            }
        }
    }

    fn way(&mut self, from: u32, to: &NodeId) -> Option<Route> {
        let found = self.engine(from).routes().find_route(to)?;
        Route::new(found).ok()
    }

    /// Tells all peers that there are nodes which are nobody.
    fn offer_minted(&mut self, liar: u32) {
        let Some(Trade::Minter(minted)) = &self.node(liar).trade else {
            return;
        };
        let sequence = self.minted_sequence();
        let held = minted.iter().map(|node_id| Held {
            node_id: *node_id,
            sequence,
        });
        let held: Vec<Held> = held.collect();
        let peers: Vec<NodeId> = self.linked(liar).map(|(peer, _)| peer).collect();
        for peer in peers {
            self.put_gossip(liar, &peer, GossipMessage::Have(held.clone()));
        }
    }

    /// Sends what a peer wants of the nodes that are nobody.
    pub(crate) fn serve_minted(&mut self, liar: u32, to: u32, message: &GossipMessage) {
        let GossipMessage::Want(wanted) = message else {
            return;
        };
        let node = self.node(liar);
        let Some(Trade::Minter(minted)) = &node.trade else {
            return;
        };
        let wanted = minted.iter().filter(|id| wanted.contains(id));
        let items = wanted.map(|id| Arc::new(self.minted(*id, node.id, minted)));
        let items: Vec<_> = items.collect();
        let to = self.node(to).id;
        if !items.is_empty() {
            self.put_gossip(liar, &to, GossipMessage::Items(items));
        }
    }

    /// The number under which nodes that are nobody speak now.
    fn minted_sequence(&self) -> u64 {
        let millis = self.now.to_millis();
        millis - millis % (MINTED_ANEW.as_secs() * 1_000)
    }

    /// What a node that is nobody says: that it is linked with the liar and with others of its kind, and asks nothing.
    fn minted(&self, id: NodeId, liar: NodeId, minted: &[NodeId]) -> SignedAnnouncement {
        let others = minted.iter().copied().filter(|other| *other != id);
        let mut links: Vec<AnnouncedLink> = others
            .chain([liar])
            .map(|node_id| AnnouncedLink {
                node_id,
                latency_ms: 2,
            })
            .collect();
        links.sort_by_key(|link| link.node_id);
        signed(Announcement {
            node_id: id,
            sequence: self.minted_sequence(),
            made_at: self.now.to_secs(),
            price: Price::FREE,
            limits: CarryLimits::default(),
            addresses: vec![ADDRESS.to_owned()],
            links,
        })
    }
}
