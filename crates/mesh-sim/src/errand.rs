use crate::{
    carry::control_draft,
    world::{Event, World},
};
use mesh_manager::{Answer, Draft};
use mesh_payment::bitcoin::hashes::{Hash as _, sha256};
use mesh_protocol::{ControlMessage, RefusalCode, SEAL_OVERHEAD};
use mesh_routing::{Fault, Outcome, split};
use mesh_types::{ClaimKey, Msat, NodeId, PacketKind, PaymentProof, ProofForHop, Route, UnixTime};
use std::time::Duration;

/// Something that a source wants to have delivered: what it has tried, and what it waits for.
///
/// It stands for the part of a sender that is not in the engine: which way to take, what to pay, what to try next.
#[derive(Debug)]
pub(crate) struct Errand {
    destination: NodeId,
    payload_len: usize,
    route: Route,
    fee: Msat,
    tried: Vec<Vec<NodeId>>,
    /// The proof that the packet which it waits for shows, and to whom.
    shown: Option<(NodeId, PaymentProof)>,
    /// Whether that packet is a deposit.
    is_depositing: bool,
    sent_at: UnixTime,
    packets: u32,
}

/// How many ways are tried.
const MAX_WAYS: usize = 4;

/// How many packets are sent for one errand: each hop of a long route may want to be paid first.
const MAX_PACKETS: u32 = 40;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most that is deposited with one node at once.
const MOST_DEPOSIT: Msat = Msat::from_msat(1_000_000);

/// How often somebody sends something.
const SEND_EVERY: Duration = Duration::from_secs(3);

impl World {
    /// A source sends something to somebody, and the next one will soon.
    pub(crate) fn send_something(&mut self) {
        if !self.is_stormy {
            return;
        }
        self.queue.note(self.now.plus(SEND_EVERY), Event::Send);
        let chance = &mut self.chance.traffic;
        let honest = (0..).zip(&self.nodes).filter(|(_, node)| node.is_honest());
        let honest: Vec<(u32, bool)> = honest
            .map(|(number, node)| (number, node.is_source && node.is_up()))
            .collect();
        let sources = honest.iter().filter(|(_, sends)| *sends);
        let Some((source, _)) = chance.choice(sources.collect::<Vec<_>>()).copied() else {
            return;
        };
        let Some((destination, _)) = chance.choice(&honest).copied() else {
            return;
        };
        if source != destination {
            let payload_len = chance.usize(20..1_200);
            self.begin_errand(source, destination, payload_len);
        }
    }

    fn begin_errand(&mut self, source: u32, destination: u32, payload_len: usize) {
        let (from, to) = (self.node(source).id, self.node(destination).id);
        let Ok(route) = Route::new(vec![from, to]) else {
            return;
        };
        self.tally.errands += 1;
        let errand = Errand {
            destination: to,
            payload_len,
            route,
            fee: Msat::ZERO,
            tried: Vec::new(),
            shown: None,
            is_depositing: false,
            sent_at: self.now,
            packets: 0,
        };
        self.try_next_way(source, errand);
    }

    /// The best way that was not tried yet; when there is none, that is the end of it.
    fn try_next_way(&mut self, source: u32, mut errand: Errand) {
        let engine = self.engine(source);
        let len = errand.payload_len + SEAL_OVERHEAD;
        let routes = engine
            .routes()
            .find_routes(&errand.destination, len, MAX_WAYS);
        let new = routes
            .into_iter()
            .find(|route| !errand.tried.contains(&route.nodes));
        let new = new.filter(|_| errand.tried.len() < MAX_WAYS);
        let Some(route) = new.and_then(|found| Route::new(found.nodes).ok()) else {
            match errand.tried.is_empty() {
                true => self.tally.unroutable += 1,
                false => self.tally.undelivered += 1,
            }
            return;
        };
        let quote = engine.routes().quote_route(&route, len);
        errand.fee = quote.map_or(Msat::ZERO, |quote| quote.total);
        errand.tried.push(route.to_vec());
        errand.route = route;
        self.send_errand(source, errand);
    }

    fn send_errand(&mut self, source: u32, mut errand: Errand) {
        errand.packets += 1;
        errand.is_depositing = false;
        if errand.packets > MAX_PACKETS {
            self.tally.undelivered += 1;
            return;
        }
        // A packet has room for one proof: the others have their turn when the next hop asks.
        let node = self.node(source);
        let mut hops = errand.route.iter().skip(1);
        errand.shown = hops.find_map(|hop| Some((*hop, node.unshown_to(hop)?.clone())));
        let draft = Draft {
            route: errand.route.clone(),
            kind: PacketKind::Data,
            payload: vec![7; errand.payload_len],
            fee: errand.fee,
            proof: errand.proof_for_hop(),
            is_sealed: true,
            wants_receipt: true,
        };
        match self.send_draft(source, draft) {
            Some(sequence) => self.wait_for(source, sequence, errand),
            // Its own first link is full or gone.
            None => self.try_next_way(source, errand),
        }
    }

    /// Hands in the proof of a payment in a packet of its own.
    fn deposit(&mut self, source: u32, payee: NodeId, mut errand: Errand) {
        let proof = self.node(source).unshown_to(&payee).cloned();
        errand.shown = proof.map(|proof| (payee, proof));
        let draft = errand.proof_for_hop().and_then(|proof| {
            let route = errand.route.prefix(usize::from(proof.hop) + 1)?;
            control_draft(route, &ControlMessage::Deposit, Some(proof))
        });
        match draft.and_then(|draft| self.send_draft(source, draft)) {
            Some(sequence) => {
                errand.packets += 1;
                errand.is_depositing = true;
                self.wait_for(source, sequence, errand);
            }
            None => self.send_errand(source, errand),
        }
    }

    fn wait_for(&mut self, source: u32, sequence: u64, mut errand: Errand) {
        errand.sent_at = self.now;
        self.node_mut(source).errands.insert(sequence, errand);
        let until = self.now.plus(PATIENCE);
        self.queue.note(until, Event::Impatient(source, sequence));
    }

    pub(crate) fn lose_patience(&mut self, source: u32, sequence: u64) {
        let now = self.now;
        let Some(errand) = self.node_mut(source).errands.remove(&sequence) else {
            return;
        };
        self.tally.silences += 1;
        if errand.is_depositing {
            // Perhaps it was credited: the packet itself shows the proof once more.
            return self.send_errand(source, errand);
        }
        let engine = self.engine(source);
        engine.routes().learn(&errand.route, Outcome::Silence, now);
        self.try_next_way(source, errand);
    }

    /// A message from another node, for this one.
    pub(crate) fn answer(&mut self, number: u32, answer: Answer) {
        let Answer {
            from,
            sequence,
            message,
            back,
        } = answer;
        match message {
            ControlMessage::QuoteRequest { amount } => {
                let reply = ControlMessage::Quote {
                    sequence,
                    price: self.node(number).price,
                    credit: Msat::ZERO,
                    invoice: self.invoice_for(number, from, amount),
                };
                self.reply(number, back, &reply);
            }
            ControlMessage::Deposit => {
                let credit = Msat::ZERO;
                self.reply(number, back, &ControlMessage::Credited { sequence, credit });
            }
            ControlMessage::Refused { sequence, .. }
            | ControlMessage::PaymentRequired { sequence, .. }
            | ControlMessage::Credited { sequence, .. }
            | ControlMessage::Delivered { sequence } => {
                let errands = &mut self.node_mut(number).errands;
                if errands
                    .get(&sequence)
                    .is_some_and(|errand| errand.may_answer(from, &message))
                    && let Some(errand) = errands.remove(&sequence)
                {
                    self.go_on(number, errand, from, message);
                }
            }
            // Nobody here asks for quotes but those who only want to do harm, and announcements go over links.
            ControlMessage::Quote { .. }
            | ControlMessage::RefundRequest { .. }
            | ControlMessage::Refunded { .. }
            | ControlMessage::Gossip(_) => {}
        }
    }

    /// Keeps the proof that a packet showed no longer, where the answer tells that its payee has looked at it.
    fn forget_seen(&mut self, source: u32, errand: &Errand, by: NodeId, message: &ControlMessage) {
        let Some(shown) = &errand.shown else {
            return;
        };
        let is_refused = match message {
            ControlMessage::Refused { code, .. } => match code {
                RefusalCode::ProofReplayed => false,
                RefusalCode::ProofInvalid => true,
                // Whoever refuses for anything else has not looked at a proof of its own.
                _ if by == shown.0 => return,
                _ => false,
            },
            _ => false,
        };
        if errand.route.position(&by) < errand.route.position(&shown.0) {
            return;
        }
        self.node_mut(source).unshown.retain(|kept| kept != shown);
        if is_refused && let Some((key, amount)) = paid_by(&shown.1) {
            self.void.insert(key, amount);
        }
    }

    fn go_on(&mut self, source: u32, mut errand: Errand, by: NodeId, message: ControlMessage) {
        let now = self.now;
        let engine = self.engine(source);
        let learn = |route: &Route, outcome| engine.routes().learn(route, outcome, now);
        let refused = |fault| Outcome::Refused { by, fault };
        self.forget_seen(source, &errand, by, &message);
        let has_shown = errand.shown.take().is_some_and(|(payee, _)| payee == by);
        match message {
            ControlMessage::Delivered { .. } => {
                let took = now.since(errand.sent_at);
                learn(&errand.route, Outcome::Delivered { took });
                self.tally.delivered += 1;
                self.tally.ways_to_deliver += errand.tried.len() as u64;
            }
            ControlMessage::Credited { .. } => {
                self.send_errand(source, errand);
            }
            // It has a payment to show here, and had no room for it in the packet.
            ControlMessage::PaymentRequired { .. }
                if !has_shown && self.node(source).unshown_to(&by).is_some() =>
            {
                self.deposit(source, by, errand);
            }
            ControlMessage::PaymentRequired {
                missing,
                price,
                invoice,
                ..
            } => {
                if errand.share_of(&by) < price {
                    learn(&errand.route, refused(Fault::Dearer));
                    return self.try_next_way(source, errand);
                }
                let limit = missing
                    .checked_add(Msat::from_msat(1_000))
                    .unwrap_or(missing);
                let payer = engine.node_id();
                let paid = invoice.and_then(|invoice| {
                    self.bank.pay(payer, by, &invoice, limit.min(MOST_DEPOSIT))
                });
                let Some(proof) = paid else {
                    learn(&errand.route, refused(Fault::Busy));
                    return self.try_next_way(source, errand);
                };
                self.node_mut(source).unshown.push((by, proof));
                // Both ways of showing a proof are walked.
                match self.chance.traffic.bool() {
                    true => self.deposit(source, by, errand),
                    false => self.send_errand(source, errand),
                }
            }
            ControlMessage::Refused { code, .. } => {
                if code == RefusalCode::ProofReplayed {
                    return self.send_errand(source, errand);
                }
                learn(&errand.route, refused(fault(code)));
                self.try_next_way(source, errand);
            }
            _ => {}
        }
    }
}

impl Errand {
    /// Any node of the way may refuse; only the one at the packet's end may say that it has or credited something.
    fn may_answer(&self, from: NodeId, message: &ControlMessage) -> bool {
        match message {
            ControlMessage::Refused { .. } | ControlMessage::PaymentRequired { .. } => {
                self.route.iter().skip(1).any(|node| *node == from)
            }
            ControlMessage::Credited { .. } => {
                self.is_depositing && self.shown.as_ref().is_some_and(|(payee, _)| *payee == from)
            }
            _ => !self.is_depositing && self.destination == from,
        }
    }

    fn proof_for_hop(&self) -> Option<ProofForHop> {
        let (payee, proof) = self.shown.as_ref()?;
        Some(ProofForHop {
            hop: u8::try_from(self.route.position(payee)?).ok()?,
            proof: proof.clone(),
        })
    }

    fn share_of(&self, node: &NodeId) -> Msat {
        let place = self.route.position(node).unwrap_or(0);
        split(self.fee, self.route.relay_count()).share_at(place)
    }
}

/// What a proof is the proof of.
pub(crate) fn paid_by(proof: &PaymentProof) -> Option<(ClaimKey, Msat)> {
    let PaymentProof::Lightning {
        preimage,
        amount_msats,
        ..
    } = proof
    else {
        return None;
    };
    let hash = sha256::Hash::hash(preimage).to_byte_array();
    Some((
        ClaimKey::from_payment_hash(hash),
        Msat::from_msat(*amount_msats),
    ))
}

const fn fault(code: RefusalCode) -> Fault {
    match code {
        RefusalCode::NoRoute => Fault::NoLink,
        RefusalCode::Busy | RefusalCode::FreeLaneSpent => Fault::Busy,
        _ => Fault::Other,
    }
}
