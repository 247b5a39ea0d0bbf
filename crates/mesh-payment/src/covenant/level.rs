use mesh_types::ChainOutput;
use std::{fmt, num::NonZeroU32};

/// How much a covenant is worth, as far as the chain tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CovenantLevel {
    /// The template pays us, and nothing on the chain is bound to it: a promise.
    CommitmentOnly,
    /// The coin is there, in the mempool or less deep than was asked for.
    Funded {
        /// How deep it is; 0 in the mempool.
        depth: u32,
    },
    /// The coin is there, as deep as was asked for.
    Confirmed,
    /// The coin is gone.
    Spent,
}

/// The least that a covenant has to be in order to count as a payment.
///
/// A promise and a spent coin never count, so no policy can name them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LeastLevel {
    /// The coin may still be in the mempool, from where it can be replaced.
    Funded,
    /// The coin is as deep as the policy asks.
    #[default]
    Confirmed,
}

impl CovenantLevel {
    /// Reads it off what the chain knows of the coin.
    pub fn of(found: &ChainOutput, least_depth: NonZeroU32) -> Self {
        match found {
            ChainOutput::Missing => Self::CommitmentOnly,
            ChainOutput::Spent => Self::Spent,
            ChainOutput::Unspent { depth, .. } if *depth >= least_depth.get() => Self::Confirmed,
            ChainOutput::Unspent { depth, .. } => Self::Funded { depth: *depth },
        }
    }
}

impl LeastLevel {
    /// Says whether a covenant of `level` counts.
    pub const fn is_met_by(self, level: CovenantLevel) -> bool {
        match level {
            CovenantLevel::CommitmentOnly | CovenantLevel::Spent => false,
            CovenantLevel::Funded { .. } => matches!(self, Self::Funded),
            CovenantLevel::Confirmed => true,
        }
    }
}

impl fmt::Display for CovenantLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommitmentOnly => f.write_str("not funded"),
            Self::Funded { depth } => write!(f, "funded, {depth} blocks deep"),
            Self::Confirmed => f.write_str("confirmed"),
            Self::Spent => f.write_str("spent"),
        }
    }
}
