use crate::Network;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// Which payments on the chain count: the `[mesh.on_chain]` table of a configuration.
///
/// The default is closed: without an address none does, and covenants are enforced nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnChainConfig {
    /// The addresses that pay this node. Quotes name the last one; payments to any of them count.
    pub addresses: Vec<String>,
    /// How many blocks deep a payment has to be in order to count, its own block included.
    pub least_depth: NonZeroU32,
    /// How deep it has to be before it is watched no more.
    pub final_depth: NonZeroU32,
    /// How long a quote may be paid on the chain, and the payment shown, in seconds.
    pub quote_lifetime_secs: u32,
    /// The networks that enforce OP_CHECKTEMPLATEVERIFY (BIP-119).
    pub ctv_on: Vec<Network>,
    /// The networks that enforce OP_TEMPLATEHASH (BIP-446).
    pub template_hash_on: Vec<Network>,
}

impl Default for OnChainConfig {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            least_depth: NonZeroU32::MIN,
            final_depth: NonZeroU32::MIN.saturating_add(5),
            quote_lifetime_secs: 86_400,
            ctv_on: Vec::new(),
            template_hash_on: Vec::new(),
        }
    }
}
