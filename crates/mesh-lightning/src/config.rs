use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which wallet a node uses, and where it is: the section `[lightning]` of the settings.
///
/// Secrets are not part of it, only the places where they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "backend", rename_all = "lowercase")]
#[non_exhaustive]
pub enum LightningConfig {
    /// Core Lightning, by its unix socket.
    Cln(ClnConfig),
}

/// Where a Core Lightning node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClnConfig {
    /// The socket `lightning-rpc` in the folder of its network. Whoever may open it may spend the node's money.
    pub socket: PathBuf,
}

impl LightningConfig {
    /// The word that chooses the back end.
    pub const fn backend(&self) -> &'static str {
        match self {
            Self::Cln(_) => "cln",
        }
    }
}
