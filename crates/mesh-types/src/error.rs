use thiserror::Error;

/// What the public contract answers when something did not happen.
///
/// Each crate has its own precise errors; they become one of these at its edge.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MeshError {
    /// A peer is not connected, a link broke, or an answer did not come.
    #[error("network: {0}")]
    NetworkError(String),
    /// A payment is missing, or its proof does not hold.
    #[error("payment: {0}")]
    PaymentVerificationFailed(String),
    /// The proof or the packet was seen before.
    #[error("replay: {0}")]
    ReplayDetected(String),
    /// There is no way to the destination.
    #[error("routing: {0}")]
    RoutingError(String),
    /// The packet is malformed, not authentic, or out of time.
    #[error("packet: {0}")]
    InvalidPacket(String),
    /// A payment would be beyond what this node's operator allows; nothing was paid.
    #[error("spending: {0}")]
    SpendingLimit(String),
    /// This node's mode does not carry such traffic.
    #[error("denied: {0}")]
    Denied(String),
    /// A budget or a queue is full, or something this node needs is away; later may do.
    #[error("busy: {0}")]
    Busy(String),
    /// A setting is wrong or missing.
    #[error("configuration: {0}")]
    ConfigError(String),
    /// The wallet refused or failed.
    #[error("lightning: {0}")]
    LightningError(String),
}
