use crate::{
    Draft, MeshManager, MessageId, SendOptions, Sent,
    exchange::UnderWay,
    failed::Failed,
    funding::ToFund,
    pending::{Awaited, Heard},
    sends::SendUnderWay,
    spending::RouteTab,
    top_up::Behind,
    tried::{SendError, Tried, TriedEnd},
};
use mesh_protocol::{ControlMessage, RefusalCode};
use mesh_routing::{Fault, NextTry, NoMoreTries, Outcome, Tries, TryEnd, TryLimits, cost_of};
use mesh_types::{MAX_PACKET_AGE, MeshError, Msat, NodeId, PacketKind, Route, UnixTime};
use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};
use tokio::time::{Instant, timeout};

/// How often one try sends its packet: once to hear the price, once paid, once more when a price rose meanwhile.
const MAX_PACKETS: usize = 3;

/// A message that this node sends, over one way after the other until its destination has confirmed it.
///
/// [`Tries`] decides which way is next. All packets of it carry the same message, so the destination delivers one of them.
pub(crate) struct Sending<'m> {
    mesh: &'m MeshManager,
    under_way: SendUnderWay<'m>,
    message: Message,
    options: SendOptions,
    tab: Arc<RouteTab>,
    tries: Tries,
    began: Began,
    /// What copies are copies of, once there is a first packet.
    original: Option<MessageId>,
    /// Packets that the destination has said nothing of: its answer still counts when it comes late, or behind a refusal.
    unheard: Vec<Unheard<'m>>,
    tried: Vec<Tried>,
}

/// What is sent.
pub(crate) struct Message {
    pub(crate) destination: NodeId,
    pub(crate) payload: Vec<u8>,
    pub(crate) is_free: bool,
    pub(crate) is_sealed: bool,
    /// Bytes of payload in each packet.
    pub(crate) wire_len: usize,
}

/// When it began. Time is counted from there: setting the clock moves no deadline and makes nobody late.
struct Began {
    at: UnixTime,
    instant: Instant,
}

struct Unheard<'m> {
    packet: UnderWay<'m>,
    route: Route,
    fee: Msat,
    /// Whether it offered nothing, and a node on the way asks to be paid.
    is_asked_for: bool,
}

/// What one packet has come to.
enum Fate {
    Delivered(Arrived),
    Refused { by: NodeId, code: RefusalCode },
    PaymentRequired { by: NodeId, sequence: u64 },
    Silence { waited: Duration },
}

/// A packet that its destination has confirmed.
struct Arrived {
    sequence: u64,
    route: Route,
    fee: Msat,
    how: Confirmed,
}

/// How it is known that a message has arrived.
#[derive(Clone, Copy)]
enum Confirmed {
    /// By the destination's receipt for the packet that was sent last.
    InTime { took: Duration },
    /// By a receipt for a packet that was sent before.
    Late,
    /// The destination refuses the last packet as a copy of what it has; the receipt for that is lost.
    AsCopy { by: NodeId },
}

impl<'m> Sending<'m> {
    pub(crate) fn new(mesh: &'m MeshManager, message: Message, options: SendOptions) -> Self {
        let began = Began {
            at: mesh.shared.node_api.now(),
            instant: Instant::now(),
        };
        let limits = TryLimits {
            destination: message.destination,
            payload_bytes: message.wire_len,
            is_free: message.is_free,
            budget: options.limit,
            // Behind that no node takes a copy any more.
            deadline: began.at.plus(options.deadline.min(MAX_PACKET_AGE)),
            patience: options.timeout,
        };
        let tab = RouteTab::new(options.limit, &mesh.shared.spending.config());
        Self {
            mesh,
            under_way: mesh.shared.sends.begin(),
            message,
            options,
            tab: Arc::new(tab),
            tries: Tries::new(limits),
            began,
            original: None,
            unheard: Vec::new(),
            tried: Vec::new(),
        }
    }

    /// Tries one way after the other.
    pub(crate) async fn run(mut self) -> Result<Sent, SendError> {
        let Message {
            destination,
            wire_len,
            ..
        } = self.message;
        let patience = self.options.timeout.min(self.left());
        self.mesh.look_for(&destination, wire_len, patience).await;
        let mut last = None;
        loop {
            self.mesh.watch_route(&destination).await;
            let routes = self.mesh.engine().routes();
            let next = match self.tries.next(routes, self.now()) {
                Ok(next) => next,
                Err(why) => {
                    let reason = last.unwrap_or_else(|| nothing_tried(&destination, why));
                    return self.failed(reason);
                }
            };
            let (began, deposited) = (Instant::now(), self.tab.deposited());
            let spent = self.tries.spent();
            let mut fee = Msat::ZERO;
            let outcome = self.go(&next, &mut fee).await;
            let (end, told) = match &outcome {
                Ok(arrived) => arrived.how.ends(),
                Err(failed) => (failed.end, failed.told.clone()),
            };
            self.tries.ended(routes, end, self.clock());
            self.tried.push(Tried {
                route: next.route,
                fee,
                cost: self.tries.spent().saturating_sub(spent),
                deposited: self.tab.deposited().saturating_sub(deposited),
                took: began.elapsed(),
                end: told,
            });
            match outcome {
                Ok(arrived) => return Ok(self.sent(arrived)),
                Err(failed) if failed.is_final => return self.failed(failed.error),
                Err(failed) => last = Some(failed.error),
            }
        }
    }

    /// Tries one way: sends, pays what is asked for, and sends again. `offered` is set to what the last packet offers.
    async fn go(&mut self, next: &NextTry, offered: &mut Msat) -> Result<Arrived, Failed> {
        let NextTry {
            route,
            price,
            patience,
        } = next;
        // A fee that was learned before is offered up to the limits; more is asked about first.
        let known = price.unwrap_or_default();
        let is_allowed = self.mesh.shared.spending.check_packet(known).is_ok();
        let mut fee = if is_allowed { known } else { Msat::ZERO };
        let mut asking = None;
        for packets_left in (0..MAX_PACKETS).rev() {
            *offered = fee;
            match self.packet(route, fee, *patience).await? {
                Fate::Delivered(arrived) => return Ok(arrived),
                Fate::Refused { by, code } => {
                    self.under_way.may_be_held_back(self.clock());
                    return Err(Failed::refused(by, code));
                }
                Fate::Silence { waited } => {
                    self.under_way.may_be_held_back(self.clock());
                    return Err(Failed::silence(route, waited));
                }
                Fate::PaymentRequired { by, sequence } => {
                    // Whoever was paid for this packet alone and asks again would do so the next time.
                    let is_denied = asking.replace(by) == Some(by) && self.is_proof(route, by);
                    if is_denied || packets_left == 0 {
                        break;
                    }
                    fee = self.fund(route, sequence, *patience).await?;
                }
            }
        }
        let by = asking.unwrap_or(self.message.destination);
        let error = MeshError::PaymentVerificationFailed(format!(
            "{by} is still asking for payment after {} was deposited",
            self.tab.deposited()
        ));
        // Another packet may have used what was paid for this one.
        let fault = if self.is_proof(route, by) {
            Fault::Dearer
        } else {
            Fault::Other
        };
        let end = TryEnd::Refused { by, fault };
        Err(Failed::of(end, TriedEnd::StillAsking { by }, error))
    }

    /// Whether it proves something of `by` that it asks to be paid again: nothing else can have used the credit.
    fn is_proof(&self, route: &Route, by: NodeId) -> bool {
        let is_neighbour = route.get(1) == Some(&by);
        let is_used = !is_neighbour && self.under_way.is_one_held_back(self.clock());
        self.under_way.is_alone() && !is_used
    }

    fn clock(&self) -> UnixTime {
        self.mesh.shared.node_api.now()
    }

    /// Sends one packet, and says what has come of it, or of one that was sent before.
    async fn packet(
        &mut self,
        route: &Route,
        fee: Msat,
        patience: Duration,
    ) -> Result<Fate, Failed> {
        if !self.unheard.is_empty()
            && let Some(fate) = self.hear(None, Duration::ZERO).await
        {
            return Ok(fate);
        }
        let draft = Draft {
            route: route.clone(),
            kind: PacketKind::Data,
            payload: self.message.payload.clone(),
            fee,
            proof: None,
            is_sealed: self.message.is_sealed,
            wants_receipt: true,
        };
        let packet = self.mesh.dispatch(draft, self.original).await;
        let packet = packet.map_err(Failed::unsent)?;
        self.original.get_or_insert(packet.message);
        let sequence = packet.sequence;
        self.unheard.push(Unheard {
            packet,
            route: route.clone(),
            fee,
            is_asked_for: false,
        });
        let waited = patience.min(self.left());
        let heard = self.hear(Some(sequence), waited).await;
        let fate = heard.unwrap_or(Fate::Silence { waited });
        let outcome = match &fate {
            // Whichever arrived: the last one may have been carried, too.
            Fate::Delivered(_) | Fate::Silence { .. } => Outcome::Silence,
            Fate::Refused { by, .. } | Fate::PaymentRequired { by, .. } => Outcome::Refused {
                by: *by,
                fault: Fault::Other,
            },
        };
        self.tries.spend(cost_of(route, fee, outcome));
        Ok(fate)
    }

    /// Waits for an answer to the packet `last`, or for a late confirmation of one before it.
    async fn hear(&mut self, last: Option<u64>, patience: Duration) -> Option<Fate> {
        let since = Instant::now();
        loop {
            let left = patience.saturating_sub(since.elapsed());
            let unheard = &mut self.unheard;
            let next = poll_fn(|context| {
                for (index, one) in unheard.iter_mut().enumerate() {
                    let awaited: &mut Awaited<'_> = &mut one.packet.awaited;
                    if let Poll::Ready(heard) = awaited.poll_heard(context) {
                        return Poll::Ready((index, heard));
                    }
                }
                Poll::Pending
            });
            let (index, heard) = timeout(left, next).await.ok()?;
            let Some(heard) = heard else {
                self.unheard.remove(index);
                continue;
            };
            let one = self.unheard.get_mut(index)?;
            let is_over = heard.from == one.route.destination();
            let is_asked_for = matches!(heard.message, ControlMessage::PaymentRequired { .. });
            one.is_asked_for |= is_asked_for && one.fee == Msat::ZERO;
            let took = (last == Some(one.packet.sequence)).then(|| since.elapsed());
            let fate = one.fate(heard, took);
            if is_over {
                self.unheard.remove(index);
            }
            if fate.is_some() {
                return fate;
            }
        }
    }

    async fn fund(&self, route: &Route, sequence: u64, patience: Duration) -> Result<Msat, Failed> {
        let packet = ToFund {
            route: route.clone(),
            payload_len: self.message.wire_len,
            sequence,
            most_fee: self.tries.budget_left(),
            packets_ahead: self.options.packets_ahead,
            timeout: patience,
            tab: Arc::clone(&self.tab),
        };
        let left = self.left();
        match timeout(left, self.mesh.fund(packet)).await {
            Ok(fee) => fee.map_err(Failed::unfunded),
            Err(_) => {
                let reason = "the time is over while the route is paid for";
                let error = MeshError::Busy(reason.to_owned());
                Err(Failed::of(TryEnd::GivenUp, TriedEnd::GivenUp, error))
            }
        }
    }

    fn now(&self) -> UnixTime {
        self.began.at.plus(self.began.instant.elapsed())
    }

    fn left(&self) -> Duration {
        self.tries.deadline().since(self.now())
    }

    fn sent(self, arrived: Arrived) -> Sent {
        let Arrived {
            sequence,
            route,
            fee,
            ..
        } = arrived;
        let deposited = self.tab.deposited();
        self.mesh.top_up_behind(&Behind {
            route: &route,
            sequence,
            fee,
            options: &self.options,
            tab: self.tab,
        });
        Sent {
            sequence,
            route,
            fee,
            deposited,
            tries: self.tried,
        }
    }

    fn failed(self, reason: MeshError) -> Result<Sent, SendError> {
        Err(SendError {
            reason,
            may_have_arrived: self.unheard.iter().any(|one| !one.is_asked_for),
            tries: self.tried,
        })
    }
}

impl Unheard<'_> {
    /// What an answer to it comes to: within `took` where it is the packet that was sent last. A late refusal is nothing new.
    fn fate(&self, heard: Heard, took: Option<Duration>) -> Option<Fate> {
        let UnderWay {
            sequence, message, ..
        } = self.packet;
        let by = heard.from;
        let is_copy = message.number != sequence;
        let is_at_end = by == self.route.destination();
        let arrived = |how| {
            Some(Fate::Delivered(Arrived {
                sequence,
                route: self.route.clone(),
                fee: self.fee,
                how,
            }))
        };
        match (heard.message, took) {
            (ControlMessage::Delivered { .. }, Some(took)) => arrived(Confirmed::InTime { took }),
            (ControlMessage::Delivered { .. }, None) => arrived(Confirmed::Late),
            (
                ControlMessage::Refused {
                    code: RefusalCode::Duplicate,
                    ..
                },
                _,
            ) if is_copy && is_at_end => arrived(Confirmed::AsCopy { by }),
            (_, None) => None,
            (ControlMessage::Refused { code, .. }, Some(_)) => Some(Fate::Refused { by, code }),
            (ControlMessage::PaymentRequired { .. }, Some(_)) => {
                Some(Fate::PaymentRequired { by, sequence })
            }
            // An answer to something else. Whoever gives it could as well have given none.
            (_, Some(waited)) => Some(Fate::Silence { waited }),
        }
    }
}

impl Confirmed {
    const fn ends(self) -> (TryEnd, TriedEnd) {
        match self {
            Self::InTime { took } => (TryEnd::Delivered { took }, TriedEnd::Delivered),
            Self::Late => (TryEnd::GivenUp, TriedEnd::DeliveredBefore),
            Self::AsCopy { by } => {
                let fault = Fault::Other;
                (TryEnd::Refused { by, fault }, TriedEnd::DeliveredBefore)
            }
        }
    }
}

pub(crate) fn nothing_tried(destination: &NodeId, why: NoMoreTries) -> MeshError {
    let reason = format!("{destination}: {why}");
    match why {
        NoMoreTries::TooDear { .. } => MeshError::PaymentVerificationFailed(reason),
        NoMoreTries::OutOfTime => MeshError::Busy(reason),
        _ => MeshError::RoutingError(reason),
    }
}
