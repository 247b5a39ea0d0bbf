use crate::ControlError;
use thiserror::Error;

/// Why a packet was not carried, as one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[repr(u8)]
pub enum RefusalCode {
    /// The sequence number was seen before.
    #[error("the packet was seen before")]
    Duplicate = 1,
    /// The sequence number lies behind the window.
    #[error("the packet's sequence number is too old")]
    TooOld = 2,
    /// The timestamp is too far from the node's clock.
    #[error("the packet's timestamp is too far from the node's clock")]
    OutOfTime = 3,
    /// The node's mode does not carry such traffic.
    #[error("the node does not carry such traffic")]
    Denied = 4,
    /// The next node of the route is not linked with this one.
    #[error("the node has no link to the next node of the route")]
    NoRoute = 5,
    /// A queue is full, or something the node needs is away; later may do.
    #[error("the node is busy")]
    Busy = 6,
    /// The free lane's budget is spent; it refills with time.
    #[error("the source's free-lane budget is spent")]
    FreeLaneSpent = 7,
    /// The proof of payment does not hold.
    #[error("the proof of payment does not hold")]
    ProofInvalid = 8,
    /// The payment was claimed before.
    #[error("the payment was claimed before")]
    ProofReplayed = 9,
    /// The node does not take this kind of proof, or does not offer what was asked for.
    #[error("the node does not offer this, or take this kind of proof")]
    NotEnabled = 10,
    /// The destination could not open or understand the packet.
    #[error("the destination could not open or understand the packet")]
    Undeliverable = 11,
    /// The payment is not in the chain, or not deep enough in it; later it may be.
    #[error("the payment is not in the chain yet, or not deep enough in it")]
    ProofPending = 12,
    /// The credit does not cover the refund with the most that routing may cost.
    #[error("the credit does not cover the refund and its fee")]
    CreditTooLow = 13,
    /// The invoice is none that is paid as a refund.
    #[error("the invoice is none that the node pays as a refund")]
    InvoiceRefused = 14,
    /// The refund could not be paid, and never will be with this invoice: the credit is what it was.
    #[error("the refund could not be paid, and the credit is what it was")]
    RefundFailed = 15,
}

impl RefusalCode {
    /// All codes, in the order of their bytes.
    pub const ALL: [Self; 15] = [
        Self::Duplicate,
        Self::TooOld,
        Self::OutOfTime,
        Self::Denied,
        Self::NoRoute,
        Self::Busy,
        Self::FreeLaneSpent,
        Self::ProofInvalid,
        Self::ProofReplayed,
        Self::NotEnabled,
        Self::Undeliverable,
        Self::ProofPending,
        Self::CreditTooLow,
        Self::InvoiceRefused,
        Self::RefundFailed,
    ];
}

impl From<RefusalCode> for u8 {
    fn from(code: RefusalCode) -> Self {
        code as Self
    }
}

impl TryFrom<u8> for RefusalCode {
    type Error = ControlError;

    fn try_from(found: u8) -> Result<Self, ControlError> {
        Self::ALL
            .into_iter()
            .find(|code| u8::from(*code) == found)
            .ok_or(ControlError::Code { found })
    }
}
