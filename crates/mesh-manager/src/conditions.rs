use mesh_protocol::RoutingPolicyEngine;
use mesh_types::{FreeLane, MeshConfig, MeshMode, Price};

/// What a node lets pass, and what it asks: what may change while it runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions {
    pub(crate) policy: RoutingPolicyEngine,
    /// What a packet costs; nothing unless the mode is `payment_gated`.
    pub(crate) price: Price,
    /// Whether payers get what they have not spent back.
    pub(crate) refunds: bool,
    pub(crate) free_lane: FreeLane,
}

impl Conditions {
    pub(crate) fn of(config: &MeshConfig) -> Self {
        let price = match config.mode {
            MeshMode::PaymentGated => config.price(),
            MeshMode::BitcoinOnly | MeshMode::Open => Price::FREE,
        };
        Self {
            policy: RoutingPolicyEngine::new(config.mode),
            price,
            refunds: config.refunds,
            free_lane: config.free_lane,
        }
    }

    pub(crate) const fn mode(&self) -> MeshMode {
        self.policy.mode()
    }

    /// Whether the node tells and hears of the mesh: not where it carries nothing that a route would be needed for.
    pub(crate) fn learns(&self) -> bool {
        self.mode() != MeshMode::BitcoinOnly
    }
}
