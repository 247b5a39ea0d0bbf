use crate::{
    Draft, MeshManager,
    order::Order,
    sending::{Message, Sending},
    spending::RouteTab,
    tried::{SendError, Tried},
};
use mesh_protocol::{ControlMessage, MAX_PAYLOAD_LEN, RefusalCode, SEAL_OVERHEAD};
use mesh_types::{
    MeshError, Msat, NodeId, PacketKind, PaymentReason, ProofForHop, Route, RoutingPolicy,
};
use std::{sync::Arc, time::Duration};

/// How a packet is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOptions {
    /// The most to deposit with nodes for this message, and the most that all its packets may cost, over whatever routes.
    pub limit: Msat,
    /// How long the whole call may take, 120 seconds at most: no node takes an older packet.
    pub deadline: Duration,
    /// How many packets of this size a deposit shall cover, so that not each needs a payment of its own. It covers more where
    /// Lightning fees would be too large a part of it.
    pub packets_ahead: u64,
    /// Whether to buy credit for the next packets, behind the back of this one, when little is left: with `packets_ahead` of 2
    /// and more. What is bought so counts towards `limit`, too.
    pub tops_up: bool,
    /// How long to wait for each answer; less where the deadline is near, and another way may still be tried.
    pub timeout: Duration,
    /// Whether to seal the payload. What rides free is never sealed, since it has to be recognised.
    pub is_sealed: bool,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            limit: Msat::from_msat(1_000_000),
            deadline: Duration::from_secs(60),
            packets_ahead: 10,
            tops_up: true,
            timeout: Duration::from_secs(10),
            is_sealed: true,
        }
    }
}

/// A packet that its destination has confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The number of the packet.
    pub sequence: u64,
    /// The way it took, as far as that is known.
    pub route: Route,
    /// The fee that was offered for it, of which each node on the way took its share.
    pub fee: Msat,
    /// What was deposited with nodes meanwhile.
    pub deposited: Msat,
    /// The ways that were tried, in order.
    pub tries: Vec<Tried>,
}

/// What a route says to one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The destination has it.
    Delivered,
    /// A node on the way refuses it.
    Refused {
        /// The node.
        by: NodeId,
        /// Why.
        code: RefusalCode,
    },
    /// A node on the way wants to be paid first.
    PaymentRequired {
        /// The node.
        by: NodeId,
        /// What it has to get for the packet.
        price: Msat,
        /// What the credit there lacks.
        missing: Msat,
        /// A quote for what is missing.
        invoice: Option<String>,
    },
}

/// One packet over one route, with nothing done about the answer.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The whole way, this node first.
    pub route: Route,
    /// What to carry.
    pub payload: Vec<u8>,
    /// What is offered for it.
    pub fee: Msat,
    /// A proof for one of the hops.
    pub proof: Option<ProofForHop>,
    /// Whether to seal the payload.
    pub is_sealed: bool,
    /// How long to wait for the answer.
    pub timeout: Duration,
}

impl MeshManager {
    /// Sends `payload` to `destination`: finds the way, pays what it costs within the limit, and waits for the
    /// destination to confirm. Where that fails, the next best way is tried, until the limit or the deadline is reached.
    ///
    /// It is delivered once at most, over however many ways it was sent.
    ///
    /// # Errors
    /// [`SendError`] says why it was not confirmed, and what became of each try. Credit that was bought and not used stays
    /// with the nodes of the routes, for the next packet.
    pub async fn send(
        &self,
        destination: NodeId,
        payload: Vec<u8>,
        options: SendOptions,
    ) -> Result<Sent, SendError> {
        let is_free = self.rides_free(&payload);
        let is_sealed = options.is_sealed && !is_free;
        let wire_len = wire_len(payload.len(), is_sealed).map_err(SendError::at_once)?;
        let message = Message {
            destination,
            payload,
            is_free,
            is_sealed,
            wire_len,
        };
        Sending::new(self, message, options).run().await
    }

    /// Sends one packet over a route and answers with its number and what the route says.
    ///
    /// # Errors
    /// [`MeshError::NetworkError`] when nothing was heard in time, and whatever kept the packet from leaving.
    pub async fn attempt(&self, attempt: Attempt) -> Result<(u64, Reply), MeshError> {
        let Attempt {
            route,
            payload,
            fee,
            proof,
            is_sealed,
            timeout,
        } = attempt;
        let draft = Draft {
            route,
            kind: PacketKind::Data,
            payload,
            fee,
            proof,
            is_sealed,
            wants_receipt: true,
        };
        let (sequence, heard) = self.exchange(draft, timeout).await?;
        let by = heard.from;
        let reply = match heard.message {
            ControlMessage::Delivered { .. } => Reply::Delivered,
            ControlMessage::Refused { code, .. } => Reply::Refused { by, code },
            ControlMessage::PaymentRequired {
                price,
                missing,
                invoice,
                ..
            } => Reply::PaymentRequired {
                by,
                price,
                missing,
                invoice,
            },
            other => {
                return Err(MeshError::NetworkError(format!(
                    "{by} answered a packet with {other:?}"
                )));
            }
        };
        Ok((sequence, reply))
    }

    /// Pays a quote of `payee` for this node's own credit there, at most `limit`, and answers with the proof to show.
    ///
    /// Before the wallet is asked it is written down that the payment is under way: one whose outcome is not known is looked
    /// up, over a restart too, and its payee is paid nothing more meanwhile.
    ///
    /// The proof is kept as well, and shown by the next [`MeshManager::send`] that needs the credit, until `payee` has it.
    ///
    /// # Errors
    /// As [`pay_quote`](crate::pay_quote); [`MeshError::SpendingLimit`] when it would be beyond what the settings allow; when
    /// there is no Lightning back end, too many proofs wait to be shown, or a payment to `payee` is under way.
    pub async fn pay(
        &self,
        payee: NodeId,
        invoice: &str,
        limit: Msat,
    ) -> Result<crate::PaidQuote, MeshError> {
        let config = self.shared.spending.config();
        let order = Order {
            payee,
            invoice,
            limit,
            reason: PaymentReason::Manual,
            tab: Arc::new(RouteTab::new(limit, &config)),
        };
        self.pay_order(order).await
    }

    pub(crate) fn rides_free(&self, payload: &[u8]) -> bool {
        let gated = mesh_protocol::RoutingPolicyEngine::new(mesh_types::MeshMode::PaymentGated);
        gated.determine_policy(gated.detect_protocol(payload)) == RoutingPolicy::Free
    }
}

/// How many bytes a payload has in a packet.
pub(crate) fn wire_len(payload_len: usize, is_sealed: bool) -> Result<usize, MeshError> {
    let overhead = if is_sealed { SEAL_OVERHEAD } else { 0 };
    let most = MAX_PAYLOAD_LEN.saturating_sub(overhead);
    if payload_len > most {
        return Err(MeshError::InvalidPacket(format!(
            "a packet carries at most {most} bytes of payload here, not {payload_len}"
        )));
    }
    Ok(payload_len.saturating_add(overhead))
}

/// What a refusal means to whoever called.
pub(crate) fn refused(by: NodeId, code: RefusalCode) -> MeshError {
    let said = format!("{by} refuses: {code}");
    match code {
        RefusalCode::Duplicate | RefusalCode::TooOld | RefusalCode::ProofReplayed => {
            MeshError::ReplayDetected(said)
        }
        RefusalCode::ProofInvalid
        | RefusalCode::NotEnabled
        | RefusalCode::CreditTooLow
        | RefusalCode::InvoiceRefused
        | RefusalCode::RefundFailed => MeshError::PaymentVerificationFailed(said),
        RefusalCode::NoRoute => MeshError::RoutingError(said),
        RefusalCode::Denied => MeshError::Denied(said),
        // Later may do: what is shown then is kept.
        RefusalCode::Busy | RefusalCode::FreeLaneSpent | RefusalCode::ProofPending => {
            MeshError::Busy(said)
        }
        _ => MeshError::InvalidPacket(said),
    }
}
