use crate::BudgetSpent;
use mesh_payment::VerifyError;
use mesh_protocol::{
    ControlError, KeyError, NotAuthentic, OpenError, PacketError, ProofError, RefusalCode,
};
use mesh_replay::{SequenceError, SourceError};
use mesh_types::{DetectedProtocol, MeshError, Msat, NodeId, Route, StoreError};
use parking_lot::Mutex;
use std::{collections::BTreeMap, fmt};
use thiserror::Error;

/// Why a packet was not carried.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The bytes are not a packet.
    #[error("malformed packet: {0}")]
    Malformed(#[from] PacketError),
    /// Its route does not lead through this node, or this node is its source.
    #[error("the route does not lead through this node")]
    NotOnRoute,
    /// It came over another link than its route says.
    #[error("the packet came from {from}, which is not the node before this one on its route")]
    WrongPreviousHop {
        /// The peer that handed it over.
        from: NodeId,
    },
    /// Its timestamp is too far from now, or from before this node started and lost its memory of sequence numbers.
    #[error("the packet's timestamp {timestamp} is out of time")]
    OutOfTime {
        /// Unix seconds.
        timestamp: u64,
    },
    /// Its sequence number was used before, is too old, or leaps.
    #[error(transparent)]
    Sequence(#[from] SourceError),
    /// What it carries is being delivered at this moment, out of another packet.
    #[error("what it carries is being delivered")]
    InHand,
    /// The peer brings packets of new sources faster than they can be authenticated.
    #[error("too many new sources: {0}")]
    NewSources(BudgetSpent),
    /// Its source is not a key.
    #[error(transparent)]
    Source(#[from] KeyError),
    /// Its MAC is wrong: it is not from the source that it names, or was changed.
    #[error(transparent)]
    NotAuthentic(#[from] NotAuthentic),
    /// This node's mode does not carry it.
    #[error("{protocol:?} traffic is not carried in this mode")]
    Denied {
        /// What it was taken for.
        protocol: DetectedProtocol,
    },
    /// Its source has used up what it may send without paying.
    #[error("free lane: {0}")]
    FreeLaneSpent(BudgetSpent),
    /// There is no link to the next node of its route.
    #[error("no link to {next}")]
    NoRoute {
        /// The next node.
        next: NodeId,
    },
    /// It has to be paid for, and is not.
    #[error("payment required: the packet costs {price}, {missing} are missing")]
    PaymentRequired {
        /// What this node has to get for the packet.
        price: Msat,
        /// What the source's credit lacks.
        missing: Msat,
    },
    /// It is a deposit and carries no proof for this node.
    #[error("a deposit without a proof for this node")]
    ProofMissing,
    /// Its proof is not one.
    #[error("malformed proof: {0}")]
    ProofMalformed(#[from] ProofError),
    /// Its proof does not hold.
    #[error(transparent)]
    ProofInvalid(VerifyError),
    /// Its proof may hold later, when its payment is deeper in the chain.
    #[error("not yet: {0}")]
    ProofPending(VerifyError),
    /// Its proof was used before.
    #[error("the payment was claimed before")]
    ProofReplayed,
    /// The store cannot tell whether its proof was used before, or what credit its source has.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The next link or the inbox is full.
    #[error("busy: {0}")]
    Busy(String),
    /// A message between meshes that is none.
    #[error("malformed control message: {0}")]
    ControlMalformed(#[from] ControlError),
    /// A reply to something that was not asked, or that was not asked of its sender.
    #[error("a reply that nobody waits for")]
    Unasked,
    /// A message about announcements that is not of a neighbour, or not for this node.
    #[error("announcements are talked about between neighbours only")]
    NotNeighbour,
    /// The destination cannot open the sealed payload.
    #[error(transparent)]
    Sealed(#[from] OpenError),
}

/// A refusal, with the way on which its source can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// Whom to tell; `None` when the source is not authenticated, or waits for no answer.
    pub tell: Option<Tell>,
}

/// The way back to the source of a refused packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tell {
    /// From this node to the source.
    pub back: Route,
    /// The packet's sequence number.
    pub sequence: u64,
}

/// The kinds of refusal, for counting: one for each variant of [`Refusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each is documented at the variant of `Refusal` that it names"
)]
#[non_exhaustive]
pub enum RefusalReason {
    Malformed,
    NotOnRoute,
    WrongPreviousHop,
    OutOfTime,
    Duplicate,
    Sequence,
    NewSources,
    Source,
    NotAuthentic,
    Denied,
    FreeLaneSpent,
    NoRoute,
    PaymentRequired,
    ProofMissing,
    ProofMalformed,
    ProofInvalid,
    ProofPending,
    ProofReplayed,
    Store,
    Busy,
    ControlMalformed,
    Unasked,
    NotNeighbour,
    Sealed,
}

impl Refusal {
    /// The kind of this refusal.
    pub const fn reason(&self) -> RefusalReason {
        match self {
            Self::Malformed(_) => RefusalReason::Malformed,
            Self::NotOnRoute => RefusalReason::NotOnRoute,
            Self::WrongPreviousHop { .. } => RefusalReason::WrongPreviousHop,
            Self::OutOfTime { .. } => RefusalReason::OutOfTime,
            Self::InHand
            | Self::Sequence(SourceError::Sequence(SequenceError::Duplicate { .. })) => {
                RefusalReason::Duplicate
            }
            Self::Sequence(SourceError::Sequence(_)) => RefusalReason::Sequence,
            Self::Sequence(_) => RefusalReason::Busy,
            Self::NewSources(_) => RefusalReason::NewSources,
            Self::Source(_) => RefusalReason::Source,
            Self::NotAuthentic(_) => RefusalReason::NotAuthentic,
            Self::Denied { .. } => RefusalReason::Denied,
            Self::FreeLaneSpent(_) => RefusalReason::FreeLaneSpent,
            Self::NoRoute { .. } => RefusalReason::NoRoute,
            Self::PaymentRequired { .. } => RefusalReason::PaymentRequired,
            Self::ProofMissing => RefusalReason::ProofMissing,
            Self::ProofMalformed(_) => RefusalReason::ProofMalformed,
            Self::ProofInvalid(_) => RefusalReason::ProofInvalid,
            Self::ProofPending(_) => RefusalReason::ProofPending,
            Self::ProofReplayed => RefusalReason::ProofReplayed,
            Self::Store(_) => RefusalReason::Store,
            Self::Busy(_) => RefusalReason::Busy,
            Self::ControlMalformed(_) => RefusalReason::ControlMalformed,
            Self::Unasked => RefusalReason::Unasked,
            Self::NotNeighbour => RefusalReason::NotNeighbour,
            Self::Sealed(_) => RefusalReason::Sealed,
        }
    }

    /// What the source is told: a short code, where the log has the detail.
    pub const fn code(&self) -> RefusalCode {
        match self.reason() {
            RefusalReason::Duplicate => RefusalCode::Duplicate,
            RefusalReason::Sequence => RefusalCode::TooOld,
            RefusalReason::OutOfTime => RefusalCode::OutOfTime,
            RefusalReason::Denied => RefusalCode::Denied,
            RefusalReason::FreeLaneSpent => RefusalCode::FreeLaneSpent,
            RefusalReason::NoRoute => RefusalCode::NoRoute,
            RefusalReason::ProofMissing | RefusalReason::ProofMalformed => {
                RefusalCode::ProofInvalid
            }
            RefusalReason::ProofInvalid => match self {
                Self::ProofInvalid(VerifyError::NotEnabled(_)) => RefusalCode::NotEnabled,
                _ => RefusalCode::ProofInvalid,
            },
            RefusalReason::ProofPending => RefusalCode::ProofPending,
            RefusalReason::ProofReplayed => RefusalCode::ProofReplayed,
            RefusalReason::Busy | RefusalReason::Store | RefusalReason::NewSources => {
                RefusalCode::Busy
            }
            _ => RefusalCode::Undeliverable,
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Malformed => "malformed",
            Self::NotOnRoute => "not_on_route",
            Self::WrongPreviousHop => "wrong_previous_hop",
            Self::OutOfTime => "out_of_time",
            Self::Duplicate => "duplicate",
            Self::Sequence => "sequence",
            Self::NewSources => "new_sources",
            Self::Source => "source_is_no_key",
            Self::NotAuthentic => "not_authentic",
            Self::Denied => "denied",
            Self::FreeLaneSpent => "free_lane_spent",
            Self::NoRoute => "no_route",
            Self::PaymentRequired => "payment_required",
            Self::ProofMissing => "proof_missing",
            Self::ProofMalformed => "proof_malformed",
            Self::ProofInvalid => "proof_invalid",
            Self::ProofPending => "proof_pending",
            Self::ProofReplayed => "proof_replayed",
            Self::Store => "store",
            Self::Busy => "busy",
            Self::ControlMalformed => "control_malformed",
            Self::Unasked => "unasked",
            Self::NotNeighbour => "not_neighbour",
            Self::Sealed => "sealed",
        })
    }
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        if error.is_pending() {
            Self::ProofPending(error)
        } else {
            Self::ProofInvalid(error)
        }
    }
}

impl From<Refusal> for MeshError {
    fn from(refusal: Refusal) -> Self {
        let said = refusal.to_string();
        match refusal.reason() {
            RefusalReason::Duplicate | RefusalReason::Sequence | RefusalReason::ProofReplayed => {
                Self::ReplayDetected(said)
            }
            RefusalReason::PaymentRequired
            | RefusalReason::ProofMissing
            | RefusalReason::ProofMalformed
            | RefusalReason::ProofInvalid
            | RefusalReason::ProofPending => Self::PaymentVerificationFailed(said),
            RefusalReason::NoRoute
            | RefusalReason::NotOnRoute
            | RefusalReason::WrongPreviousHop => Self::RoutingError(said),
            RefusalReason::Denied => Self::Denied(said),
            RefusalReason::Busy
            | RefusalReason::Store
            | RefusalReason::NewSources
            | RefusalReason::FreeLaneSpent => Self::Busy(said),
            _ => Self::InvalidPacket(said),
        }
    }
}

/// How often each kind of refusal happened.
#[derive(Debug, Default)]
pub(crate) struct RefusalCounts(Mutex<BTreeMap<RefusalReason, u64>>);

impl RefusalCounts {
    pub(crate) fn count(&self, reason: RefusalReason) {
        let mut counts = self.0.lock();
        let count = counts.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    pub(crate) fn snapshot(&self) -> BTreeMap<RefusalReason, u64> {
        self.0.lock().clone()
    }
}
