use crate::{
    Delivery, Engine, Halfway, PendingClaim, PendingDraw, PendingQuestion, Refusal, Refused, Tell,
    Ticket, arrival::Arrival, conditions::Conditions, free_lane::Lane, ticket::Charge,
};
use mesh_payment::Verification;
use mesh_protocol::{ControlMessage, PacketView, SealContext, decode_proof};
use mesh_routing::split;
use mesh_types::{
    DetectedProtocol, MAX_PACKET_AGE, MeshMode, Msat, NodeId, PacketKind, PacketTag, Price, Route,
    RoutingPolicy, UnixTime,
};
use std::ops::ControlFlow;

/// What to do with a packet that was not refused.
#[derive(Debug)]
#[must_use]
pub enum Step<'e> {
    /// Hand the bytes, as they came, to the link of `next`; then redeem the ticket.
    Forward {
        /// The next node on the route.
        next: NodeId,
        /// To be redeemed when the link has taken the packet.
        ticket: Ticket<'e>,
    },
    /// Hand the delivery to the application; then redeem the ticket.
    Deliver {
        /// What arrived.
        delivery: Delivery,
        /// To be redeemed when the application's inbox has taken it.
        ticket: Ticket<'e>,
    },
    /// Put the question to the chain, and go on with the payment that the answer proves.
    Ask(PendingQuestion),
    /// Claim the payment and have it credited, durably; then [`Engine::claimed`] and [`Engine::resume`].
    Claim(PendingClaim),
    /// Draw credit of the packet's source; then [`Engine::drawn`] and [`Engine::resume`].
    Draw(PendingDraw),
    /// A message from another mesh, for this one.
    Answer(Answer),
}

/// A message from another mesh.
#[derive(Debug)]
pub struct Answer {
    /// Who says it, authenticated.
    pub from: NodeId,
    /// The number of the packet that carried it.
    pub sequence: u64,
    /// What is said.
    pub message: ControlMessage,
    /// The way back.
    pub back: Route,
}

impl Engine {
    /// Decides about `bytes` that the peer `from` handed over.
    ///
    /// # Errors
    /// [`Refused`]; nothing has changed then but the counters.
    pub fn receive(&self, from: &NodeId, bytes: &[u8], now: UnixTime) -> Result<Step<'_>, Refused> {
        let decide = || {
            let arrival = self
                .authenticate(from, bytes, now)
                .map_err(Refused::silently)?;
            self.admit(arrival, Halfway::at(arrival.position), now)
                .map_err(|refusal| arrival.refused(refusal))
        };
        decide().inspect_err(|refused| self.refusals.count(refused.refusal.reason()))
    }

    /// Goes on with a packet that waited for the store. It is never asked the same thing twice.
    ///
    /// # Errors
    /// As [`Engine::receive`]. A payment that was claimed stays credited.
    pub fn resume(&self, bytes: &[u8], from: Halfway, now: UnixTime) -> Result<Step<'_>, Refused> {
        let decide = || {
            let packet = PacketView::parse(bytes)
                .map_err(|error| Refused::silently(Refusal::Malformed(error)))?;
            let arrival = Arrival {
                packet,
                position: from.position,
            };
            // The same may have come again while this one waited, and have been carried.
            let fresh = self.windows.check(&packet.source(), packet.sequence(), now);
            fresh.map_err(|error| arrival.refused(error.into()))?;
            self.admit(arrival, from, now)
                .map_err(|refusal| arrival.refused(refusal))
        };
        decide().inspect_err(|refused| self.refusals.count(refused.refusal.reason()))
    }

    /// Goes on from a payment that a store has claimed for this very packet, and credited.
    pub fn claimed(&self, pending: PendingClaim) -> Halfway {
        Halfway {
            is_claimed: true,
            ..pending.at
        }
    }

    /// Goes on from credit that a store has handed over.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when there is no room for it: it has to be given back.
    pub fn drawn(&self, pending: PendingDraw, amount: Msat) -> Result<Halfway, Refusal> {
        self.accounts
            .put_in(pending.payer, amount)
            .map_err(|error| Refusal::Busy(error.to_string()))?;
        Ok(Halfway {
            has_drawn: true,
            ..pending.at
        })
    }

    /// Counts a refusal that was found out after the decision, in carrying it out.
    pub fn refuse(&self, refusal: Refusal, tell: Option<Tell>) -> Refused {
        self.refusals.count(refusal.reason());
        Refused { refusal, tell }
    }

    /// The way back to the source of a packet that [`Engine::receive`] has found authentic; `None` when the source waits
    /// for no answer.
    pub fn way_back(&self, bytes: &[u8]) -> Option<Tell> {
        let packet = PacketView::parse(bytes).ok()?;
        let position = packet.position(&self.local)?;
        Arrival { packet, position }.tell()
    }

    /// Parses, then checks place, freshness and MAC, the cheapest first.
    fn authenticate<'p>(
        &self,
        from: &NodeId,
        bytes: &'p [u8],
        now: UnixTime,
    ) -> Result<Arrival<'p>, Refusal> {
        let packet = PacketView::parse(bytes)?;
        let position = packet.position(&self.local).ok_or(Refusal::NotOnRoute)?;
        let previous = position
            .checked_sub(1)
            .and_then(|before| packet.node(before));
        match previous {
            None => return Err(Refusal::NotOnRoute),
            Some(previous) if previous != *from => {
                return Err(Refusal::WrongPreviousHop { from: *from });
            }
            Some(_) => {}
        }
        let timestamp = packet.timestamp();
        let is_of_this_run = timestamp >= self.started_at.to_secs();
        if !is_of_this_run || !UnixTime::from_secs(timestamp).is_within(MAX_PACKET_AGE, now) {
            return Err(Refusal::OutOfTime { timestamp });
        }
        self.windows
            .check(&packet.source(), packet.sequence(), now)?;
        self.keys.authenticate(&packet, position, from, now)?;
        Ok(Arrival { packet, position })
    }

    /// Decides about an authentic packet: route, policy, payment, all on the conditions of this moment.
    fn admit(
        &self,
        arrival: Arrival<'_>,
        from: Halfway,
        now: UnixTime,
    ) -> Result<Step<'_>, Refusal> {
        let (packet, conditions) = (arrival.packet, self.conditions());
        let next = packet.node(arrival.position.saturating_add(1));
        if let Some(next) = next
            && self.routes.peer_address(&next).is_none()
        {
            return Err(Refusal::NoRoute { next });
        }
        let charge = match packet.kind() {
            PacketKind::Control if ControlMessage::is_gossip(packet.payload()) => {
                return self.hear_gossip(arrival, &conditions, now);
            }
            PacketKind::Control if next.is_none() => {
                return self.hear(arrival, from, &conditions, now);
            }
            PacketKind::Control => {
                // Whatever is no message between meshes does not ride as one.
                ControlMessage::decode(packet.payload())?;
                self.take_lane(Lane::Control, arrival, &conditions, now)?
            }
            PacketKind::Data => {
                let policy = &conditions.policy;
                let protocol = protocol(policy, &packet);
                match policy.determine_policy(protocol) {
                    RoutingPolicy::Denied => return Err(Refusal::Denied { protocol }),
                    RoutingPolicy::Free => self.take_lane(Lane::Free, arrival, &conditions, now)?,
                    RoutingPolicy::PaymentRequired => {
                        if !from.is_claimed
                            && let Some(step) = self.verify(arrival, now)?
                        {
                            return Ok(step);
                        }
                        match self.charge(arrival, from, conditions.price, now)? {
                            ControlFlow::Continue(charge) => charge,
                            ControlFlow::Break(draw) => return Ok(Step::Draw(draw)),
                        }
                    }
                }
            }
        };
        let ticket = Ticket::new(self, packet.source(), packet.sequence(), charge, now);
        match next {
            Some(next) => Ok(Step::Forward {
                next,
                ticket: self.mark(ticket, arrival, now)?,
            }),
            None => {
                let delivery = self.open(arrival)?;
                Ok(Step::Deliver {
                    delivery,
                    ticket: self.mark_delivery(ticket, arrival, now)?,
                })
            }
        }
    }

    /// Verifies the proof that the packet carries for this node, if it carries one: what is next is a claim of its payment,
    /// or a question about it.
    fn verify(&self, arrival: Arrival<'_>, now: UnixTime) -> Result<Option<Step<'_>>, Refusal> {
        let Arrival { packet, position } = arrival;
        let Some((hop, proof)) = packet.proof() else {
            return Ok(None);
        };
        if usize::from(hop) != position {
            return Ok(None);
        }
        let verification = self.verifier().begin(&decode_proof(proof)?, now)?;
        let mac = packet.mac(position).ok_or(Refusal::NotOnRoute)?;
        let (by, source) = (PacketTag::from_bytes(*mac), packet.source());
        let at = Halfway::at(position);
        Ok(Some(match verification {
            Verification::Verified(payment) => Step::Claim(PendingClaim {
                payment,
                by,
                source,
                at,
            }),
            Verification::Asks(question) => Step::Ask(PendingQuestion {
                question,
                by,
                source,
                at,
            }),
        }))
    }

    /// Sets this node's share of the packet's fee aside from the source's credit, or says what has to be drawn first.
    fn charge(
        &self,
        arrival: Arrival<'_>,
        from: Halfway,
        price: Price,
        now: UnixTime,
    ) -> Result<ControlFlow<PendingDraw, Charge>, Refusal> {
        let packet = arrival.packet;
        // A price that no amount expresses is more than anybody has.
        let price = price.of(packet.payload().len()).unwrap_or(Msat::MAX);
        let relays = packet.route().len().saturating_sub(2);
        let share = split(packet.fee_msat(), relays).share_at(arrival.position);
        let source = packet.source();
        let are_debits_late = self.debts.are_late(now);
        let mut missing = None;
        if share >= price && !are_debits_late {
            match self.accounts.reserve(&source, share) {
                Ok(reservation) => return Ok(ControlFlow::Continue(Charge::Credit(reservation))),
                Err(shortfall) => missing = Some(shortfall.missing),
            }
        }
        if !from.has_drawn {
            return Ok(ControlFlow::Break(PendingDraw {
                payer: source,
                wanted: share.max(price),
                at: from,
            }));
        }
        if share >= price && are_debits_late {
            return Err(Refusal::Busy("older debits are not booked yet".to_owned()));
        }
        if self.is_wallet_away() {
            let reason = "the Lightning back end is away, and nothing can be paid".to_owned();
            return Err(Refusal::Busy(reason));
        }
        let lacking = || price.saturating_sub(self.accounts.credit(&source));
        Err(Refusal::PaymentRequired {
            price,
            missing: missing.unwrap_or_else(lacking),
        })
    }

    /// Takes the packet's bytes from a lane that costs nothing, and is as wide as the link where everything is free.
    fn take_lane(
        &self,
        lane: Lane,
        arrival: Arrival<'_>,
        conditions: &Conditions,
        now: UnixTime,
    ) -> Result<Charge, Refusal> {
        if conditions.mode() == MeshMode::Open {
            return Ok(Charge::Nothing);
        }
        let packet = arrival.packet;
        let bytes = u64::try_from(packet.as_bytes().len()).unwrap_or(u64::MAX);
        let taken = self.lane(lane).take(&packet.source(), bytes, now);
        taken
            .map(|()| Charge::Lane { lane, bytes })
            .map_err(Refusal::FreeLaneSpent)
    }

    /// Reads a message that another mesh sent to this node.
    fn hear(
        &self,
        arrival: Arrival<'_>,
        from: Halfway,
        conditions: &Conditions,
        now: UnixTime,
    ) -> Result<Step<'_>, Refusal> {
        let packet = arrival.packet;
        let message = ControlMessage::decode(packet.payload())?;
        match message {
            // A deposit that holds is money, and always let in; one that does not, or that only the chain can tell, costs its
            // source of the lane.
            ControlMessage::Deposit if !from.is_claimed => {
                let verified = self.verify(arrival, now);
                if let Ok(Some(step @ Step::Claim(_))) = verified {
                    return Ok(step);
                }
                let _ = self.take_lane(Lane::Control, arrival, conditions, now)?;
                return verified?.ok_or(Refusal::ProofMissing);
            }
            ControlMessage::QuoteRequest { .. }
            | ControlMessage::OnChainQuoteRequest { .. }
            | ControlMessage::RefundRequest { .. } => {
                let _ = self.take_lane(Lane::Control, arrival, conditions, now)?;
            }
            // Answers to what this node has asked; others are refused for a look-up.
            _ => {}
        }
        self.heard(arrival, message, now)
    }

    /// Reads what a neighbour says about announcements: decoded once, and not before it has a place in the lane.
    fn hear_gossip(
        &self,
        arrival: Arrival<'_>,
        conditions: &Conditions,
        now: UnixTime,
    ) -> Result<Step<'_>, Refusal> {
        let (packet, source) = (arrival.packet, arrival.packet.source());
        if packet.route().len() != 2 || self.routes.peer_address(&source).is_none() {
            return Err(Refusal::NotNeighbour);
        }
        if !conditions.learns() {
            let protocol = DetectedProtocol::MeshPacket;
            return Err(Refusal::Denied { protocol });
        }
        let bytes = u64::try_from(packet.as_bytes().len()).unwrap_or(u64::MAX);
        self.gossip_lane
            .take(&source, bytes, now)
            .map_err(Refusal::FreeLaneSpent)?;
        let message = ControlMessage::decode(packet.payload())?;
        self.heard(arrival, message, now)
    }

    /// Takes the number of a packet whose message has been read.
    fn heard(
        &self,
        arrival: Arrival<'_>,
        message: ControlMessage,
        now: UnixTime,
    ) -> Result<Step<'_>, Refusal> {
        let packet = arrival.packet;
        let (from, sequence) = (packet.source(), packet.sequence());
        self.windows.mark(&from, sequence, now)?;
        let back = arrival.back().ok_or(Refusal::NotOnRoute)?;
        Ok(Step::Answer(Answer {
            from,
            sequence,
            message,
            back,
        }))
    }

    /// Opens what arrived at its destination.
    fn open(&self, arrival: Arrival<'_>) -> Result<Delivery, Refusal> {
        let packet = arrival.packet;
        let (source, sequence) = (packet.source(), packet.sequence());
        let payload = if packet.is_sealed() {
            let context = SealContext {
                kind: packet.kind(),
                source,
                destination: self.local,
                sequence,
                timestamp: packet.timestamp(),
            };
            self.keys
                .with(&source)?
                .incoming_seal
                .open(packet.payload(), &context)?
        } else {
            packet.payload().to_vec()
        };
        let receipt = if packet.wants_receipt() {
            arrival.back()
        } else {
            None
        };
        Ok(Delivery {
            source,
            sequence,
            message: packet.copy_of().unwrap_or(sequence),
            payload,
            is_sealed: packet.is_sealed(),
            receipt,
        })
    }
}

/// What a packet carries. A sealed payload cannot be recognised, and is not looked at.
fn protocol(
    policy: &mesh_protocol::RoutingPolicyEngine,
    packet: &PacketView<'_>,
) -> DetectedProtocol {
    if packet.is_sealed() {
        return DetectedProtocol::Unknown;
    }
    policy.detect_protocol(packet.payload())
}
