use mesh_protocol::RefusalCode;
use mesh_types::{MeshError, Msat, NodeId, Route};
use std::{fmt, time::Duration};
use thiserror::Error;

/// What became of one way that was tried for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The way.
    pub route: Route,
    /// What was offered on it, at last.
    pub fee: Msat,
    /// What it has cost, or may have: the shares of those who have carried it.
    pub cost: Msat,
    /// What was deposited with its nodes meanwhile.
    pub deposited: Msat,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub end: TriedEnd,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriedEnd {
    /// The destination has confirmed it.
    Delivered,
    /// The destination has it already, by a packet that was sent before and whose confirmation is lost.
    DeliveredBefore,
    /// A node of the way has refused it.
    Refused {
        /// The node.
        by: NodeId,
        /// Why.
        code: RefusalCode,
    },
    /// A node of the way asks to be paid again for what it was paid for.
    StillAsking {
        /// The node.
        by: NodeId,
    },
    /// Nothing was heard of the packet. It may have been delivered, or still be.
    Silence,
    /// A node of the way did not answer a question, as it should have; no packet was sent on from there.
    Unanswered {
        /// The node.
        node: NodeId,
    },
    /// A node of the way asks for more than it has announced.
    Dearer {
        /// The node.
        by: NodeId,
    },
    /// A node of the way could not be paid.
    Unpaid {
        /// The node.
        node: NodeId,
    },
    /// The link to the first node did not take it.
    Unsent,
    /// It was given up for a reason that the error of the call names.
    GivenUp,
}

impl fmt::Display for TriedEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered => f.write_str("delivered"),
            Self::DeliveredBefore => f.write_str("it was delivered before"),
            Self::Refused { by, code } => write!(f, "{by} refuses: {code}"),
            Self::StillAsking { by } => write!(f, "{by} asks to be paid again"),
            Self::Silence => f.write_str("nothing was heard of it"),
            Self::Unanswered { node } => write!(f, "{node} did not answer"),
            Self::Dearer { by } => write!(f, "{by} asks for more than it has announced"),
            Self::Unpaid { node } => write!(f, "{node} could not be paid"),
            Self::Unsent => f.write_str("the link to the first node did not take it"),
            Self::GivenUp => f.write_str("given up"),
        }
    }
}

/// Why a message was not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}{}", afterword(*.may_have_arrived, .tries.len()))]
pub struct SendError {
    /// What went wrong last.
    pub reason: MeshError,
    /// Whether a packet with it is unaccounted for: it may have been delivered, or still be, though once at most. Sending the
    /// same in another call is another message, and could be delivered beside it.
    ///
    /// The destination accounts for a packet, and nobody else: a node on the way may have sent on what it says that it refuses.
    /// Only of a packet that offered nothing, to ask for the price, the word of whoever asks to be paid is taken.
    pub may_have_arrived: bool,
    /// The ways that were tried, in order.
    pub tries: Vec<Tried>,
}

impl SendError {
    /// Nothing was tried.
    pub(crate) const fn at_once(reason: MeshError) -> Self {
        Self {
            reason,
            may_have_arrived: false,
            tries: Vec::new(),
        }
    }
}

impl From<SendError> for MeshError {
    fn from(error: SendError) -> Self {
        error.reason
    }
}

fn afterword(may_have_arrived: bool, tries: usize) -> String {
    let mut text = match tries {
        0 | 1 => String::new(),
        ways => format!("; {ways} ways were tried"),
    };
    if may_have_arrived {
        text += "; it may have arrived all the same";
    }
    text
}
