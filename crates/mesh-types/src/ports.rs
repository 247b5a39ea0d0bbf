use crate::{ChainNode, MeshError, MeshEvent, Msat, Network, NodeId, Store, UnixTime};
use async_trait::async_trait;
use std::{fmt, sync::Arc, time::Duration};
use thiserror::Error;

/// The part of a node that a mesh needs, with blvm-node's own method names where it has them.
///
/// It is a [`Clock`] too: the mesh reads no other.
#[async_trait]
pub trait NodeAPI: Clock {
    /// The id that this node's links prove.
    fn get_node_id(&self) -> NodeId;

    /// Hands `packet_data` to the link of the peer at `peer_addr`.
    ///
    /// # Errors
    /// [`MeshError::NetworkError`] when there is no such link, [`MeshError::Busy`] when its queue is full. `Ok` means
    /// that the link has taken the packet, and only that counts as carried.
    async fn send_mesh_packet_to_peer(
        &self,
        peer_addr: String,
        packet_data: Vec<u8>,
    ) -> Result<(), MeshError>;

    /// Tells the node's other modules.
    ///
    /// # Errors
    /// When the node cannot take the event.
    async fn publish_event(&self, event: MeshEvent) -> Result<(), MeshError>;

    /// The node's Lightning wallet; without one it can neither quote nor pay.
    fn lightning(&self) -> Option<Arc<dyn LightningNode>>;

    /// The block chain as the node sees it; without it no payment on the chain can be verified.
    fn chain(&self) -> Option<Arc<dyn ChainNode>> {
        None
    }

    /// Where the node keeps its money; without one, credit and claims are in memory and a restart forgets them.
    fn store(&self) -> Option<Arc<dyn Store>> {
        None
    }
}

/// What a Lightning node says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LightningInfo {
    /// The compressed public key that signs its invoices.
    pub payee_key: [u8; 33],
    /// The network of its channels.
    pub network: Network,
}

/// An invoice to be issued.
///
/// # Security
/// The preimage is worth the amount to whoever knows it, so `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct InvoiceRequest {
    /// The amount, never zero.
    pub amount: Msat,
    /// The preimage to use, where the back end takes one.
    pub preimage: [u8; 32],
    /// The text of the invoice's description.
    pub description: String,
    /// How long the invoice may be paid, in whole seconds.
    pub expiry: Duration,
}

impl fmt::Debug for InvoiceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvoiceRequest")
            .field("amount", &self.amount)
            .field("description", &self.description)
            .field("expiry", &self.expiry)
            .finish_non_exhaustive()
    }
}

/// A wallet that issues and pays BOLT11 invoices.
#[async_trait]
pub trait LightningNode: Send + Sync {
    /// Who signs its invoices, and on which network.
    ///
    /// # Errors
    /// When the back end cannot be reached.
    async fn info(&self) -> Result<LightningInfo, LightningError>;

    /// Issues an invoice and gives its BOLT11 text.
    ///
    /// # Errors
    /// When the back end refuses or cannot be reached.
    async fn create_invoice(&self, request: InvoiceRequest) -> Result<String, LightningError>;

    /// Pays a BOLT11 invoice and gives the preimage. `max_fee` bounds what routing may cost on top.
    ///
    /// # Errors
    /// When the payment failed for good, or its outcome is unknown.
    async fn pay_invoice(&self, invoice: &str, max_fee: Msat) -> Result<[u8; 32], LightningError>;
}

/// Why a wallet did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LightningError {
    /// The back end cannot be reached now.
    #[error("the Lightning back end is not reachable: {0}")]
    Unreachable(String),
    /// The back end refused the request.
    #[error("the Lightning back end refused: {0}")]
    Refused(String),
    /// The payment failed and will not complete.
    #[error("the payment failed: {0}")]
    PaymentFailed(String),
}

/// Tells the time. A program has one, read in one file; tests and simulations bring their own.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> UnixTime;
}
