use crate::detect;
use mesh_types::{DetectedProtocol, MeshMode, RoutingPolicy};

/// Decides, for one mode, what passes free, what has to pay and what does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoutingPolicyEngine {
    mode: MeshMode,
}

impl RoutingPolicyEngine {
    /// Takes the mode to decide by.
    pub const fn new(mode: MeshMode) -> Self {
        Self { mode }
    }

    /// The mode it decides by.
    pub const fn mode(&self) -> MeshMode {
        self.mode
    }

    /// Says what `data` is, from its first byte to its last; the mode plays no part in it.
    pub fn detect_protocol(&self, data: &[u8]) -> DetectedProtocol {
        detect(data)
    }

    /// Says what happens to data of `protocol`.
    ///
    /// # Security
    /// Protocols may be added to [`DetectedProtocol`]. One that has no line here passes free in `Open` only.
    pub const fn determine_policy(&self, protocol: DetectedProtocol) -> RoutingPolicy {
        use DetectedProtocol::{BitcoinP2P, CommonsGovernance, StratumV2};
        match (self.mode, protocol) {
            (MeshMode::BitcoinOnly, BitcoinP2P) => RoutingPolicy::Free,
            (MeshMode::BitcoinOnly, _) => RoutingPolicy::Denied,
            (MeshMode::PaymentGated, BitcoinP2P | CommonsGovernance | StratumV2) => {
                RoutingPolicy::Free
            }
            (MeshMode::PaymentGated, _) => RoutingPolicy::PaymentRequired,
            (MeshMode::Open, _) => RoutingPolicy::Free,
        }
    }
}
