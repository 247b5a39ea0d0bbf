use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// A Bitcoin network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// The main network. In text `bitcoin`.
    Bitcoin,
    /// Testnet 3. In text `testnet`.
    Testnet,
    /// Testnet 4. In text `testnet4`.
    Testnet4,
    /// The default signet. In text `signet`.
    Signet,
    /// A local chain for tests. In text `regtest`.
    Regtest,
}

/// A word that is none of the five networks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "unknown network: expected \"bitcoin\", \"testnet\", \"testnet4\", \"signet\" or \"regtest\""
)]
pub struct UnknownNetwork;

impl Network {
    /// All five.
    pub const ALL: [Self; 5] = [
        Self::Bitcoin,
        Self::Testnet,
        Self::Testnet4,
        Self::Signet,
        Self::Regtest,
    ];

    /// The word that stands for the network in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bitcoin => "bitcoin",
            Self::Testnet => "testnet",
            Self::Testnet4 => "testnet4",
            Self::Signet => "signet",
            Self::Regtest => "regtest",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Network {
    type Err = UnknownNetwork;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|network| network.as_str() == word)
            .ok_or(UnknownNetwork)
    }
}
