use crate::{
    Sabotage,
    world::{Event, World},
};
use mesh_manager::{Answer, Draft, MessageId, fault_of};
use mesh_payment::bitcoin::hashes::{Hash as _, sha256};
use mesh_protocol::{ControlMessage, RefusalCode, SEAL_OVERHEAD};
use mesh_routing::{Fault, NoMoreTries, Outcome, Tries, TryEnd, TryLimits, cost_of, split};
use mesh_types::{ClaimKey, Msat, NodeId, PacketKind, PaymentProof, ProofForHop, Route, UnixTime};
use std::time::Duration;

/// Something that a source wants to have delivered, and what it waits for.
///
/// [`Tries`] decides which way is next, as in a real sender; here is what is done about it: to pay, to show, to wait.
#[derive(Debug)]
pub(crate) struct Errand {
    /// Its number among all, which its payload begins with.
    id: u64,
    destination: NodeId,
    payload_len: usize,
    route: Route,
    fee: Msat,
    tries: Tries,
    ways: u64,
    patience: Duration,
    /// What copies are copies of, once there is a first packet.
    original: Option<MessageId>,
    /// Whether the packet which it waits for is one.
    is_copy: bool,
    /// The proof that the packet which it waits for shows, and to whom.
    shown: Option<(NodeId, PaymentProof)>,
    awaits: Awaits,
    sent_at: UnixTime,
    packets: u32,
}

/// What an errand waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    /// What becomes of its packet.
    Packet,
    /// What becomes of a deposit.
    Deposit,
    /// A node's quote.
    Quote(NodeId),
}

/// How many packets a deposit is to cover. With each packet that a later hop refuses, those before it have carried one.
const PACKETS_AHEAD: u64 = 10;

/// How many packets are sent for one errand: each hop of a long route may want to be paid first.
const MAX_PACKETS: u32 = 40;

/// How long an answer is waited for, and all of them together.
const PATIENCE: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(100);

/// The most that the packets of one errand may cost.
const BUDGET: Msat = Msat::from_msat(1_000_000);

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
        let limits = TryLimits {
            destination: to,
            payload_bytes: payload_len + SEAL_OVERHEAD,
            is_free: false,
            budget: BUDGET,
            deadline: self.now.plus(DEADLINE),
            patience: PATIENCE,
        };
        let errand = Errand {
            id: self.tally.errands,
            destination: to,
            payload_len,
            route,
            fee: Msat::ZERO,
            tries: Tries::new(limits),
            ways: 0,
            patience: PATIENCE,
            original: None,
            is_copy: false,
            shown: None,
            awaits: Awaits::Packet,
            sent_at: self.now,
            packets: 0,
        };
        self.try_next_way(source, errand);
    }

    /// Goes the next way; when there is none, that is the end of it.
    fn try_next_way(&mut self, source: u32, mut errand: Errand) {
        let engine = self.engine(source);
        match errand.tries.next(engine.routes(), self.now) {
            Ok(next) => {
                errand.fee = next.price.unwrap_or_default();
                errand.route = next.route;
                errand.patience = next.patience;
                errand.ways += 1;
                self.send_errand(source, errand);
            }
            Err(NoMoreTries::NoRoute) => self.tally.unroutable += 1,
            Err(_) => self.tally.undelivered += 1,
        }
    }

    /// A way has ended otherwise than it should.
    fn way_failed(&mut self, source: u32, mut errand: Errand, end: TryEnd) {
        let engine = self.engine(source);
        errand.tries.ended(engine.routes(), end, self.now);
        self.try_next_way(source, errand);
    }

    fn send_errand(&mut self, source: u32, mut errand: Errand) {
        errand.packets += 1;
        errand.awaits = Awaits::Packet;
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
            payload: errand.payload(),
            fee: errand.fee,
            proof: errand.proof_for_hop(),
            is_sealed: true,
            wants_receipt: true,
        };
        let is_anew = self.plan.sabotage == Some(Sabotage::SendAnew);
        let original = errand.original.filter(|_| !is_anew);
        match self.send_copy(source, draft, original) {
            Some((sequence, message)) => {
                errand.is_copy = original.is_some();
                errand.original.get_or_insert(message);
                self.wait_for(source, sequence, errand);
            }
            None => self.way_failed(source, errand, TryEnd::Unsent),
        }
    }

    /// Hands in the proof of a payment in a packet of its own.
    fn deposit(&mut self, source: u32, payee: NodeId, mut errand: Errand) {
        let proof = self.node(source).unshown_to(&payee).cloned();
        errand.shown = proof.map(|proof| (payee, proof));
        let draft = errand.proof_for_hop().and_then(|proof| {
            let route = errand.route.prefix(usize::from(proof.hop) + 1)?;
            Draft::control(route, &ControlMessage::Deposit, Some(proof)).ok()
        });
        match draft.and_then(|draft| self.send_draft(source, draft)) {
            Some(sequence) => {
                errand.packets += 1;
                errand.awaits = Awaits::Deposit;
                self.wait_for(source, sequence, errand);
            }
            None => self.send_errand(source, errand),
        }
    }

    /// Asks a node for an invoice, for this packet and some more.
    fn ask_for_quote(&mut self, source: u32, payee: NodeId, mut errand: Errand) {
        let amount = errand.share_of(&payee).checked_mul(PACKETS_AHEAD);
        let amount = amount.unwrap_or(MOST_DEPOSIT).min(MOST_DEPOSIT);
        let length = errand.route.position(&payee).map_or(0, |hop| hop + 1);
        let draft = errand.route.prefix(length).and_then(|route| {
            Draft::control(route, &ControlMessage::QuoteRequest { amount }, None).ok()
        });
        match draft.and_then(|draft| self.send_draft(source, draft)) {
            Some(sequence) => {
                errand.packets += 1;
                errand.awaits = Awaits::Quote(payee);
                self.wait_for(source, sequence, errand);
            }
            None => self.way_failed(source, errand, TryEnd::Unsent),
        }
    }

    fn wait_for(&mut self, source: u32, sequence: u64, mut errand: Errand) {
        errand.sent_at = self.now;
        let until = self.now.plus(errand.patience);
        self.node_mut(source).errands.insert(sequence, errand);
        self.queue.note(until, Event::Impatient(source, sequence));
    }

    pub(crate) fn lose_patience(&mut self, source: u32, sequence: u64) {
        let Some(mut errand) = self.node_mut(source).errands.remove(&sequence) else {
            return;
        };
        self.tally.silences += 1;
        match errand.awaits {
            Awaits::Packet => {}
            // Perhaps it was credited: the packet itself shows the proof once more.
            Awaits::Deposit => return self.send_errand(source, errand),
            Awaits::Quote(node) => {
                let waited = errand.patience;
                return self.way_failed(source, errand, TryEnd::Unanswered { node, waited });
            }
        }
        errand.spend(Outcome::Silence);
        let waited = errand.patience;
        self.way_failed(source, errand, TryEnd::Silence { waited });
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
            | ControlMessage::Quote { sequence, .. }
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
            // Nobody here asks for refunds or pays on a chain, and announcements go over links.
            ControlMessage::RefundRequest { .. }
            | ControlMessage::Refunded { .. }
            | ControlMessage::OnChainQuoteRequest { .. }
            | ControlMessage::OnChainQuote { .. }
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
        let payer = self.node(source).id;
        let refused = |fault| TryEnd::Refused { by, fault };
        self.forget_seen(source, &errand, by, &message);
        let has_shown = errand.shown.take().is_some_and(|(payee, _)| payee == by);
        match message {
            ControlMessage::Delivered { .. } => {
                let took = self.now.since(errand.sent_at);
                self.delivered(source, errand, TryEnd::Delivered { took });
            }
            // It has come before, and the receipt for that was lost.
            ControlMessage::Refused {
                code: RefusalCode::Duplicate,
                ..
            } if errand.is_copy && by == errand.destination => {
                self.delivered(source, errand, refused(Fault::Other));
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
            ControlMessage::PaymentRequired { price, .. } => {
                errand.refused_by(by);
                if errand.share_of(&by) < price {
                    return self.way_failed(source, errand, refused(Fault::Dearer));
                }
                self.ask_for_quote(source, by, errand);
            }
            ControlMessage::Quote { invoice, .. } => {
                let paid =
                    invoice.and_then(|invoice| self.bank.pay(payer, by, &invoice, MOST_DEPOSIT));
                let Some(proof) = paid else {
                    return self.way_failed(source, errand, refused(Fault::Busy));
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
                errand.refused_by(by);
                self.way_failed(source, errand, refused(fault_of(code)));
            }
            _ => {}
        }
    }
}

impl World {
    fn delivered(&mut self, source: u32, mut errand: Errand, end: TryEnd) {
        let engine = self.engine(source);
        errand.tries.ended(engine.routes(), end, self.now);
        self.tally.delivered += 1;
        self.tally.ways_to_deliver += errand.ways;
    }
}

impl Errand {
    fn payload(&self) -> Vec<u8> {
        let mut payload = self.id.to_be_bytes().to_vec();
        payload.resize(self.payload_len, 7);
        payload
    }

    fn spend(&mut self, outcome: Outcome) {
        self.tries.spend(cost_of(&self.route, self.fee, outcome));
    }

    fn refused_by(&mut self, by: NodeId) {
        let fault = Fault::Other;
        self.spend(Outcome::Refused { by, fault });
    }

    /// Any node of the way may refuse; only the one at the packet's end may say that it has or credited something.
    fn may_answer(&self, from: NodeId, message: &ControlMessage) -> bool {
        match (message, self.awaits) {
            (ControlMessage::Refused { .. } | ControlMessage::PaymentRequired { .. }, _) => {
                self.route.iter().skip(1).any(|node| *node == from)
            }
            (ControlMessage::Credited { .. }, Awaits::Deposit) => {
                self.shown.as_ref().is_some_and(|(payee, _)| *payee == from)
            }
            (ControlMessage::Quote { .. }, Awaits::Quote(node)) => node == from,
            (ControlMessage::Delivered { .. }, Awaits::Packet) => self.destination == from,
            _ => false,
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
