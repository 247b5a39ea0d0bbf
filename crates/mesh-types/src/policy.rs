use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// What a run of bytes turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DetectedProtocol {
    /// One whole Bitcoin P2P message (v1 framing).
    BitcoinP2P,
    /// One whole message of Commons governance, on Bitcoin framing.
    CommonsGovernance,
    /// One whole Stratum V2 frame.
    StratumV2,
    /// A packet of this mesh, in a version that we speak.
    MeshPacket,
    /// Anything else, ciphertext included.
    Unknown,
}

/// What a node does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RoutingPolicy {
    /// Carried without payment, within the free-lane budget.
    Free,
    /// Carried when it is paid for.
    PaymentRequired,
    /// Not carried.
    Denied,
}

/// How a node treats what is handed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum MeshMode {
    /// Only Bitcoin P2P passes, free; the rest is denied. In text `bitcoin_only`.
    BitcoinOnly,
    /// Bitcoin, governance and Stratum V2 pass free, the rest when paid. In text `payment_gated`.
    PaymentGated,
    /// Everything passes free. In text `open`.
    Open,
}

/// A word that is none of the three modes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown mode {0:?}: expected \"bitcoin_only\", \"payment_gated\" or \"open\"")]
pub struct UnknownMode(pub String);

impl MeshMode {
    /// The word that stands for the mode in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BitcoinOnly => "bitcoin_only",
            Self::PaymentGated => "payment_gated",
            Self::Open => "open",
        }
    }
}

impl fmt::Display for MeshMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for MeshMode {
    type Err = UnknownMode;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::BitcoinOnly, Self::PaymentGated, Self::Open]
            .into_iter()
            .find(|mode| mode.as_str() == word)
            .ok_or_else(|| UnknownMode(word.to_owned()))
    }
}

impl TryFrom<String> for MeshMode {
    type Error = UnknownMode;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        word.parse()
    }
}

impl From<MeshMode> for String {
    fn from(mode: MeshMode) -> Self {
        mode.as_str().to_owned()
    }
}
