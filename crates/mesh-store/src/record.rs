use mesh_types::{
    ClaimKey, DaySpent, Msat, NodeId, OwnPayment, PacketTag, PaymentProof, Refund, UnixTime,
    Watched,
};
use std::fmt;

/// What one payer has brought and used here, in sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub payer: NodeId,
    /// All that was ever deposited.
    pub deposited: Msat,
    /// What is not spent, drawn or not.
    pub credit: Msat,
    /// What this node has earned from it.
    pub earned: Msat,
    /// What it was given back, or may be, with what routing cost.
    pub refunded: Msat,
    /// What its watched payments come to of which the transactions are not in the chain.
    pub frozen: Msat,
    /// How many payments were claimed.
    pub deposits: u64,
    /// How many packets were carried for it.
    pub packets: u64,
}

impl Account {
    /// What can be drawn besides `drawn`, which is already: nothing where more is frozen than is left.
    pub(crate) fn free(&self, drawn: Msat) -> Msat {
        let undrawn = self.credit.saturating_sub(drawn);
        undrawn.saturating_sub(self.frozen)
    }
}

/// A line of the journal: one payment that was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deposit {
    /// Its place in the journal.
    pub serial: u64,
    /// When it was claimed.
    pub at: UnixTime,
    /// Whose credit it became.
    pub payer: NodeId,
    /// How much.
    pub amount: Msat,
    /// What was paid.
    pub key: ClaimKey,
}

/// A line of the journal: what one payer spent in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debit {
    /// When the period began: a full hour.
    pub period: UnixTime,
    /// Whose credit it was.
    pub payer: NodeId,
    /// How much was spent.
    pub amount: Msat,
    /// On how many packets.
    pub packets: u64,
}

/// A payment that cannot be claimed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimRecord {
    /// What was paid.
    pub key: ClaimKey,
    /// The packet that claimed it.
    pub by: PacketTag,
    /// Until when its proof could be shown.
    pub expires_at: UnixTime,
}

/// A payment of this node's own, with its place among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentLine {
    /// Its place.
    pub serial: u64,
    /// The payment.
    pub payment: OwnPayment,
}

/// A piece of a whole ledger, on its way from one store to another.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Record {
    /// The node's secret key.
    Identity([u8; 32]),
    /// The first number that is not reserved.
    NextSequence(u64),
    Account(Account),
    Deposit(Deposit),
    Debit(Debit),
    Claim(ClaimRecord),
    /// Brings what is frozen of its payer with it; accounts come without.
    Watched(Watched),
    Payment(PaymentLine),
    /// Comes with what the lines of its payments come to, too.
    Spent(DaySpent),
    Refund(Refund),
    Proof(NodeId, PaymentProof),
    /// Claims that ended before this time have been forgotten.
    SweptAt(UnixTime),
    /// Everything has come: now it counts.
    End,
}

impl fmt::Debug for Record {
    /// Names the piece; keys and preimages stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity(_) => "Identity",
            Self::NextSequence(_) => "NextSequence",
            Self::Account(_) => "Account",
            Self::Deposit(_) => "Deposit",
            Self::Debit(_) => "Debit",
            Self::Claim(_) => "Claim",
            Self::Watched(_) => "Watched",
            Self::Payment(_) => "Payment",
            Self::Spent(_) => "Spent",
            Self::Refund(_) => "Refund",
            Self::Proof(..) => "Proof",
            Self::SweptAt(_) => "SweptAt",
            Self::End => "End",
        })
    }
}
