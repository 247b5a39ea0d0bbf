use mesh_payment::{Question, VerifiedPayment};
use mesh_types::{Msat, NodeId, PacketTag};

/// A verified payment that came with a packet which is not decided yet.
#[derive(Debug)]
#[must_use]
pub struct PendingClaim {
    /// The payment.
    pub payment: VerifiedPayment,
    /// The packet, as the claim remembers it.
    pub by: PacketTag,
    /// Who shows the payment, which need not be its payer.
    pub source: NodeId,
    pub(crate) at: Halfway,
}

/// A payment of which only the chain knows whether it is good, and which came with a packet that is not decided yet.
#[derive(Debug)]
#[must_use]
pub struct PendingQuestion {
    /// What has to be asked of the chain.
    pub question: Question,
    /// Who shows the payment, which need not be its payer.
    pub source: NodeId,
    pub(crate) by: PacketTag,
    pub(crate) at: Halfway,
}

impl PendingQuestion {
    /// Takes the question out, to be put to the chain.
    pub fn split(self) -> (Question, Asked) {
        let Self {
            question,
            source,
            by,
            at,
        } = self;
        (question, Asked { source, by, at })
    }
}

/// What waits for the answer to a [`PendingQuestion`].
#[derive(Debug)]
#[must_use]
pub struct Asked {
    source: NodeId,
    by: PacketTag,
    at: Halfway,
}

impl Asked {
    /// Goes on with the payment that the answer has proven.
    pub fn verified(self, payment: VerifiedPayment) -> PendingClaim {
        let Self { source, by, at } = self;
        PendingClaim {
            payment,
            by,
            source,
            at,
        }
    }
}

/// A packet that this process has not the credit in hand for, or may not debit before older debits are booked.
#[derive(Debug)]
#[must_use]
pub struct PendingDraw {
    /// Whose credit it takes.
    pub payer: NodeId,
    /// How much it takes.
    pub wanted: Msat,
    pub(crate) at: Halfway,
}

/// How far the decision about a packet has come: where it goes on from, once the store has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halfway {
    /// This node's place on the route.
    pub(crate) position: usize,
    /// Whether the payment that it brought has been claimed.
    pub(crate) is_claimed: bool,
    /// Whether the store has been asked for its source's credit.
    pub(crate) has_drawn: bool,
}

impl Halfway {
    /// Nothing has been asked yet.
    pub(crate) const fn at(position: usize) -> Self {
        Self {
            position,
            is_claimed: false,
            has_drawn: false,
        }
    }
}
