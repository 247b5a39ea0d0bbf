use crate::{exchange::NoAnswer, funding_error::FundingError, send::refused, tried::TriedEnd};
use mesh_protocol::RefusalCode;
use mesh_routing::{Fault, TryEnd};
use mesh_types::{MeshError, NodeId, Route};
use std::time::Duration;

/// Why a try did not deliver.
pub(crate) struct Failed {
    pub(crate) end: TryEnd,
    pub(crate) told: TriedEnd,
    pub(crate) error: MeshError,
    /// No other way would do better.
    pub(crate) is_final: bool,
}

/// What a refusal says about the node that refuses.
pub const fn fault_of(code: RefusalCode) -> Fault {
    match code {
        RefusalCode::NoRoute => Fault::NoLink,
        RefusalCode::Busy => Fault::Busy,
        _ => Fault::Other,
    }
}

impl Failed {
    pub(crate) const fn of(end: TryEnd, told: TriedEnd, error: MeshError) -> Self {
        Self {
            end,
            told,
            error,
            is_final: false,
        }
    }

    pub(crate) fn refused(by: NodeId, code: RefusalCode) -> Self {
        let fault = fault_of(code);
        let end = TryEnd::Refused { by, fault };
        Self::of(end, TriedEnd::Refused { by, code }, refused(by, code))
    }

    pub(crate) fn silence(route: &Route, waited: Duration) -> Self {
        let of = route.destination();
        let error = NoAnswer::Silence { of, waited }.into();
        Self::of(TryEnd::Silence { waited }, TriedEnd::Silence, error)
    }

    /// No packet left this node, for a reason of its own or of its first link.
    pub(crate) fn unsent(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Unsent(error) => Self::of(TryEnd::Unsent, TriedEnd::Unsent, error),
            why => Self {
                is_final: true,
                ..Self::of(TryEnd::GivenUp, TriedEnd::GivenUp, why.into())
            },
        }
    }

    pub(crate) fn unfunded(error: FundingError) -> Self {
        let reason = MeshError::from(error.clone());
        match error {
            FundingError::Question { node, why } => match why {
                NoAnswer::Silence { waited, .. } => {
                    let end = TryEnd::Unanswered { node, waited };
                    Self::of(end, TriedEnd::Unanswered { node }, reason)
                }
                NoAnswer::Refused { by, code } | NoAnswer::Stopped { by, code } => Self {
                    error: reason,
                    ..Self::refused(by, code)
                },
                NoAnswer::Odd(_) => {
                    Self::of(TryEnd::Unpaid { node }, TriedEnd::Unpaid { node }, reason)
                }
                why @ (NoAnswer::Unsent(_) | NoAnswer::Own(_)) => Self::unsent(why),
            },
            FundingError::Dearer { by, .. } => {
                Self::of(TryEnd::Dearer { by }, TriedEnd::Dearer { by }, reason)
            }
            FundingError::Unpaid { node, .. } => {
                Self::of(TryEnd::Unpaid { node }, TriedEnd::Unpaid { node }, reason)
            }
            FundingError::NoInvoice { node: by } => {
                let fault = Fault::Busy;
                let told = TriedEnd::Unpaid { node: by };
                Self::of(TryEnd::Refused { by, fault }, told, reason)
            }
            FundingError::NotTaken { by, code } => {
                let fault = Fault::Dearer;
                let told = TriedEnd::Refused { by, code };
                Self::of(TryEnd::Refused { by, fault }, told, reason)
            }
            FundingError::GivenUp(_) => Self::of(TryEnd::GivenUp, TriedEnd::GivenUp, reason),
        }
    }
}
