use crate::{
    Sabotage, Trade,
    node::at_once,
    watch::Fare,
    wire::Taken,
    world::{Event, Hop, World},
};
use mesh_manager::{
    Composed, Delivery, Draft, Engine, MessageId, PendingClaim, PendingDraw, Refusal,
    RefusalReason, Refused, Step, Ticket,
};
use mesh_protocol::{ControlMessage, PacketView};
use mesh_types::{
    ClaimKey, ClaimOutcome, ClaimStore as _, CreditStore as _, Msat, NodeId, PacketKind, Route,
};
use std::sync::Arc;

/// A packet's way through one node: what the manager does around its engine, with what stands in for links, store and
/// wallet here.
impl World {
    pub(crate) fn engine(&mut self, number: u32) -> Arc<Engine> {
        let linked: Vec<NodeId> = self.linked(number).map(|(peer, _)| peer).collect();
        self.node_mut(number).engine(linked.into_iter())
    }

    pub(crate) fn receive(&mut self, hop: Hop, bytes: &Arc<[u8]>) {
        let wire = &self.wires[hop.wire as usize];
        if !wire.is_up || wire.life != hop.life || !self.node(hop.to).is_up() {
            return;
        }
        self.loot(hop.to, bytes);
        let (number, now) = (hop.to, self.now);
        let from = self.node(hop.from).id;
        let engine = self.engine(number);
        let mut step = engine.receive(&from, bytes, now);
        loop {
            step = match step {
                Ok(Step::Claim(pending)) => self.claim(number, &engine, pending, bytes),
                Ok(Step::Draw(pending)) => self.draw(number, &engine, pending, bytes),
                Ok(Step::Forward { next, ticket }) => {
                    self.forward(number, next, ticket, bytes);
                    break;
                }
                Ok(Step::Deliver { delivery, ticket }) => {
                    self.deliver(number, delivery, ticket, bytes);
                    break;
                }
                Ok(Step::Answer(answer)) => {
                    self.answer(number, answer);
                    break;
                }
                // Nothing here is paid on the chain, so nothing is asked of it.
                Ok(Step::Ask(_)) => break,
                Err(refused) => {
                    if self.plan.sabotage == Some(Sabotage::CarryTwice) {
                        self.carry_again(number, &refused, bytes);
                    }
                    self.tell(number, &refused);
                    break;
                }
            }
        }
        if let Some(fare) = fare(bytes, &self.node(number).id) {
            self.audit(number, &fare.source);
        }
    }

    /// Claims the payment that came with a packet, which credits it, and goes on with the packet.
    fn claim<'e>(
        &mut self,
        number: u32,
        engine: &'e Engine,
        pending: PendingClaim,
        bytes: &[u8],
    ) -> Result<Step<'e>, Refused> {
        let now = self.now;
        let mut claim = pending.payment.claim();
        if self.plan.sabotage == Some(Sabotage::ForgetClaims) {
            // Under another name each time, nothing was ever seen before.
            let nonce = self.chance.liars.u64(..).to_be_bytes().repeat(4);
            let forgotten = <[u8; 32]>::try_from(nonce.as_slice()).unwrap_or_default();
            claim.key = ClaimKey::from_payment_hash(forgotten);
        }
        let outcome = at_once(self.node(number).store.claim(claim, pending.by, now));
        claim.key = pending.payment.key();
        let refuse = |refusal| engine.refuse(refusal, engine.way_back(bytes));
        match outcome {
            Ok(ClaimOutcome::New) => {
                let node = &self.nodes[number as usize];
                self.watch.claimed(number, node, claim, &self.bank, now);
                self.tally.claims += 1;
                self.audit(number, &claim.payer);
            }
            Ok(ClaimOutcome::Again) => {}
            Ok(ClaimOutcome::AlreadyClaimed) => {
                self.tally.proofs_refused += 1;
                return Err(refuse(Refusal::ProofReplayed));
            }
            Err(error) => return Err(refuse(Refusal::Store(error))),
        }
        engine.resume(bytes, engine.claimed(pending), now)
    }

    /// Draws the credit that a packet lacks, and goes on with the packet.
    fn draw<'e>(
        &mut self,
        number: u32,
        engine: &'e Engine,
        pending: PendingDraw,
        bytes: &[u8],
    ) -> Result<Step<'e>, Refused> {
        let store = &self.node(number).store;
        let refuse = |refusal| engine.refuse(refusal, engine.way_back(bytes));
        let drawn = at_once(store.draw(pending.payer, pending.wanted));
        let drawn = drawn.map_err(|error| refuse(Refusal::Store(error)))?;
        let halfway = engine.drawn(pending, drawn.amount).map_err(refuse)?;
        engine.resume(bytes, halfway, self.now)
    }

    fn forward(&mut self, number: u32, next: NodeId, ticket: Ticket<'_>, bytes: &Arc<[u8]>) {
        if self.plan.sabotage == Some(Sabotage::DebitUncarried) {
            return self.book(number, ticket);
        }
        let is_data = fare(bytes, &self.node(number).id).is_some_and(|fare| fare.is_paid);
        let is_taken = match &self.node(number).trade {
            // It takes the money, and nobody is handed the packet.
            Some(Trade::BlackHole) if is_data => {
                self.tally.swallowed += 1;
                true
            }
            _ => self.transmit(number, &next, Arc::clone(bytes)),
        };
        if is_taken {
            self.redeem(number, ticket, bytes);
            return;
        }
        drop(ticket);
        let engine = self.engine(number);
        let busy = Refusal::Busy("the next link is full".to_owned());
        self.tell(number, &engine.refuse(busy, engine.way_back(bytes)));
    }

    fn deliver(&mut self, number: u32, delivery: Delivery, ticket: Ticket<'_>, bytes: &[u8]) {
        self.redeem(number, ticket, bytes);
        self.tally.arrived += 1;
        let node = &self.nodes[number as usize];
        self.watch.delivered(number, node, &delivery, self.now);
        if let Some(back) = delivery.receipt {
            let sequence = delivery.sequence;
            self.reply(number, back, &ControlMessage::Delivered { sequence });
        }
    }

    /// A packet is handed on: its ticket is redeemed, and the watch told.
    fn redeem(&mut self, number: u32, ticket: Ticket<'_>, bytes: &[u8]) {
        let node = &self.nodes[number as usize];
        let Some(fare) = fare(bytes, &node.id) else {
            return;
        };
        self.watch.carried(number, node, fare, self.now);
        self.tally.carried += 1;
        let price = ticket.price();
        self.book(number, ticket);
        if self.plan.sabotage == Some(Sabotage::DebitTwice) {
            let engine = self.engine(number);
            // As much as there is: what was paid for one packet rarely covers two.
            let more = price.min(engine.accounts().credit(&fare.source));
            if let Ok(reservation) = engine.accounts().reserve(&fare.source, more) {
                engine.accounts().commit(reservation);
            }
        }
        self.book_earned(number);
    }

    /// Hands on what was refused as a copy: what a node without windows would do.
    fn carry_again(&mut self, number: u32, refused: &Refused, bytes: &Arc<[u8]>) {
        let node = &self.nodes[number as usize];
        let fare = fare(bytes, &node.id);
        if refused.refusal.reason() == RefusalReason::Duplicate
            && let Some(fare) = fare
        {
            self.watch.carried(number, node, fare, self.now);
        }
    }

    fn book(&mut self, number: u32, ticket: Ticket<'_>) {
        ticket.carried();
        self.book_earned(number);
    }

    /// Books what was earned, at once.
    fn book_earned(&mut self, number: u32) {
        let now = self.now;
        let engine = self.engine(number);
        let earned = engine.accounts().take_earned();
        let _ = at_once(self.node(number).store.settle(earned, now));
    }

    fn audit(&mut self, number: u32, payer: &NodeId) {
        let node = &self.nodes[number as usize];
        self.watch.audit(number, node, &self.bank, payer, self.now);
    }

    /// Tells the source of a refused packet why, with an invoice when it has to pay.
    fn tell(&mut self, number: u32, refused: &Refused) {
        self.tally.refused += 1;
        let Some(tell) = &refused.tell else { return };
        let sequence = tell.sequence;
        let message = match refused.refusal {
            Refusal::PaymentRequired { price, missing } => ControlMessage::PaymentRequired {
                sequence,
                price,
                missing,
                invoice: self.invoice_for(number, tell.back.destination(), missing),
            },
            ref refusal => ControlMessage::Refused {
                sequence,
                code: refusal.code(),
            },
        };
        self.reply(number, tell.back.clone(), &message);
    }

    /// An invoice that buys `payer` credit; `None` when it has had enough of them.
    pub(crate) fn invoice_for(
        &mut self,
        number: u32,
        payer: NodeId,
        amount: Msat,
    ) -> Option<String> {
        let now = self.now;
        let node = &self.nodes[number as usize];
        if node.invoices.take(&payer, 1, now).is_err() {
            self.tally.invoices_denied += 1;
            return None;
        }
        let nonce = std::array::from_fn(|_| self.chance.traffic.u8(..));
        let issued = node.quoter().quote(payer, amount, nonce, now).ok()?;
        self.bank.issue(number, payer, &issued.request, now)
    }

    pub(crate) fn reply(&mut self, number: u32, back: Route, message: &ControlMessage) {
        if let Ok(draft) = Draft::control(back, message, None) {
            self.send_draft(number, draft);
        }
    }

    /// Makes a packet of the node's own and puts it on its first link; the packet's number, when that has taken it.
    pub(crate) fn send_draft(&mut self, number: u32, draft: Draft) -> Option<u64> {
        let (sequence, _) = self.send_copy(number, draft, None)?;
        Some(sequence)
    }

    /// Sends a packet, as a copy where it carries a message again; with its number and what it carries.
    pub(crate) fn send_copy(
        &mut self,
        number: u32,
        draft: Draft,
        message: Option<MessageId>,
    ) -> Option<(u64, MessageId)> {
        let nonce = std::array::from_fn(|_| self.chance.traffic.u8(..));
        let engine = self.engine(number);
        let Composed {
            sequence,
            message,
            next,
            bytes,
        } = engine.compose_copy(draft, message, nonce, self.now).ok()?;
        self.watch.sent(number, engine.node_id(), sequence);
        self.transmit(number, &next, bytes.into())
            .then_some((sequence, message))
    }

    /// Puts a packet on the link with a peer; whether there is one, and it has taken it.
    pub(crate) fn transmit(&mut self, from: u32, next: &NodeId, bytes: Arc<[u8]>) -> bool {
        let Some(&(to, wire_number)) = self.node(from).peers.get(next) else {
            return false;
        };
        let (weather, now) = (self.weather, self.now);
        let wire = &mut self.wires[wire_number as usize];
        if !wire.is_up {
            return false;
        }
        let hop = Hop {
            wire: wire_number,
            life: wire.life,
            from,
            to,
        };
        match wire.take(from, bytes.len(), weather, &mut self.chance.links, now) {
            Taken::Full => false,
            Taken::Arrives(times) => {
                for at in times.into_iter().flatten() {
                    self.queue.note(at, Event::Packet(hop, Arc::clone(&bytes)));
                }
                true
            }
        }
    }
}

/// What a packet pays at `node`; nothing for what does not lead there.
fn fare(bytes: &[u8], node: &NodeId) -> Option<Fare> {
    let packet = PacketView::parse(bytes).ok()?;
    let position = packet.position(node)?;
    let nodes = packet.route().len();
    Some(Fare {
        source: packet.source(),
        sequence: packet.sequence(),
        fee_msat: packet.fee_msat().to_msat(),
        relays: nodes.saturating_sub(2),
        is_end: position + 1 == nodes,
        is_paid: packet.kind() == PacketKind::Data,
    })
}
