use crate::{exchange::NoAnswer, questions::node_at, send::refused};
use mesh_protocol::RefusalCode;
use mesh_types::{MeshError, Msat, NodeId, Route};

/// Why the credit that a packet needs is not there.
#[derive(Debug, Clone)]
pub(crate) enum FundingError {
    /// A node that was asked something does not answer as it should.
    Question { node: NodeId, why: NoAnswer },
    /// A node asks for more than it has announced.
    Dearer {
        by: NodeId,
        announced: Msat,
        asked: Msat,
    },
    /// A node could not be paid.
    Unpaid { node: NodeId, error: MeshError },
    /// A node can issue no invoice now.
    NoInvoice { node: NodeId },
    /// A node does not take the proof that it was paid.
    NotTaken { by: NodeId, code: RefusalCode },
    /// The price is too high, or it is nobody's fault.
    GivenUp(MeshError),
}

impl FundingError {
    pub(crate) fn question(route: &Route, position: usize, why: NoAnswer) -> Self {
        match node_at(route, position) {
            Ok(node) => Self::Question { node, why },
            Err(error) => Self::GivenUp(error),
        }
    }

    /// What it means that `payee` did not say that a proof is credited.
    pub(crate) fn not_taken(payee: NodeId, why: NoAnswer) -> Self {
        match why {
            NoAnswer::Refused { by, code } if !may_be_taken_later(code) => {
                Self::NotTaken { by, code }
            }
            why => Self::Question { node: payee, why },
        }
    }
}

/// Whether a node that refuses a good proof for this reason may be honest.
const fn may_be_taken_later(code: RefusalCode) -> bool {
    matches!(
        code,
        RefusalCode::Busy
            | RefusalCode::FreeLaneSpent
            | RefusalCode::ProofPending
            | RefusalCode::OutOfTime
    )
}

impl From<FundingError> for MeshError {
    fn from(error: FundingError) -> Self {
        match error {
            FundingError::Question { why, .. } => why.into(),
            FundingError::Dearer {
                by,
                announced,
                asked,
            } => Self::PaymentVerificationFailed(format!(
                "{by} asks for {asked}, and has announced {announced}"
            )),
            FundingError::NoInvoice { node } => {
                Self::PaymentVerificationFailed(format!("{node} quotes no invoice now"))
            }
            FundingError::NotTaken { by, code } => refused(by, code),
            FundingError::Unpaid { error, .. } | FundingError::GivenUp(error) => error,
        }
    }
}
