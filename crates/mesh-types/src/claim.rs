use crate::hex::to_hex;
use crate::{Msat, NodeId, TxHash, UnixTime};
use std::fmt;

/// What was paid, as 32 bytes: the one name under which a payment can be claimed, whatever form its proof takes.
///
/// A Lightning payment is named by its payment hash, one on the chain by the output that pays. It is never made of bytes
/// that the sender can choose freely.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimKey([u8; 32]);

impl ClaimKey {
    /// Names a Lightning payment by its payment hash.
    pub const fn from_payment_hash(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// Names a payment on the chain by the hash of what tells its output from every other.
    ///
    /// # Security
    /// The hash has to be of a kind that no payment hash can be made to be: a tagged one.
    pub const fn from_tagged_hash(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// Borrows the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ClaimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClaimKey({})", to_hex(&self.0))
    }
}

/// One payment, to be accepted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// What was paid.
    pub key: ClaimKey,
    /// Whose credit it becomes.
    pub payer: NodeId,
    /// How much.
    pub amount: Msat,
    /// Until when its proof could be shown again; the claim has to be remembered that long.
    pub expires_at: UnixTime,
    /// The transaction that has to stay in the chain for the payment to hold; `None` where none can undo it.
    pub on_chain: Option<TxHash>,
}
