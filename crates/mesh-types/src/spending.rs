use crate::{MAX_BALANCE, Msat, NodeId, PaymentProof, Route, StoreError, UnixTime};
use async_trait::async_trait;

/// Keeps what this node has paid to others, for what, and how much of it on which day.
#[async_trait]
pub trait SpendingStore: Send + Sync {
    /// Writes down, in one durable step, that a payment is about to be made, and its note beside the kept proofs: unless the
    /// sums of the day would then be beyond `caps`, or a payment of that hash is under way.
    ///
    /// It counts towards its day from then on, with the most that its fee may be. Whoever shares the store shares the sums, so
    /// of any number of payments begun at once none is beyond.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell, or keeps as many proofs as it can: the payment is then not made.
    async fn begin_payment(
        &self,
        payment: OwnPayment,
        note: PaymentProof,
        caps: DayCaps,
    ) -> Result<Begun, StoreError>;

    /// Writes down, in one durable step, what became of a payment, forgets its note, and keeps its proof where it has one.
    /// Saying it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell; nothing is lost by saying it again.
    async fn end_payment(&self, end: PaymentEnd) -> Result<(), StoreError>;

    /// What was spent on the day of `at`, by all and on `payee`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    async fn spent_on_day(&self, at: UnixTime, payee: NodeId) -> Result<DaySums, StoreError>;

    /// The last `most` payments, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    async fn last_payments(&self, most: usize) -> Result<Vec<OwnPayment>, StoreError>;
}

/// The payments that are kept line by line; older ones are kept in sums by day and payee.
///
/// 100,000, because that is years of a few dozen payments a day, and takes some 20 MB.
pub const MAX_PAYMENT_LINES: u64 = 100_000;

/// A payment of this node's own to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPayment {
    /// What was paid.
    pub payment_hash: [u8; 32],
    /// When it was begun: the day that it counts towards.
    pub at: UnixTime,
    /// To whom.
    pub payee: NodeId,
    /// How much, routing fees excepted.
    pub amount: Msat,
    /// What routing cost; the most that it may while that is not known, and nothing when it failed.
    pub fee: Msat,
    /// For what.
    pub reason: PaymentReason,
    /// What became of it.
    pub outcome: PaymentOutcome,
}

impl OwnPayment {
    /// What it counts towards its day.
    pub fn spent(&self) -> Spent {
        match self.outcome {
            PaymentOutcome::Failed { .. } => Spent::default(),
            PaymentOutcome::Unknown | PaymentOutcome::Paid { .. } => Spent {
                payments: 1,
                amount: self.amount,
                fee: self.fee,
            },
        }
    }
}

/// What a payment was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentReason {
    /// Somebody asked for it.
    Manual,
    /// A packet of that number could not go that way without.
    Packet {
        /// The way, this node first.
        route: Route,
        /// The packet.
        sequence: u64,
    },
    /// Credit on that way was about to run out behind that packet.
    TopUp {
        /// The way, this node first.
        route: Route,
        /// The packet.
        sequence: u64,
    },
}

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentOutcome {
    /// It is under way, or nobody knows.
    Unknown,
    /// It was made.
    Paid {
        /// When that was known.
        at: UnixTime,
    },
    /// It was not made, and never will be.
    Failed {
        /// When that was known.
        at: UnixTime,
    },
}

/// The end of a payment that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentEnd {
    /// Which one.
    pub payment_hash: [u8; 32],
    /// To whom.
    pub payee: NodeId,
    /// What became of it.
    pub outcome: PaymentOutcome,
    /// What routing cost.
    pub fee: Msat,
    /// The note to forget.
    pub note: PaymentProof,
    /// The proof to keep.
    pub proof: Option<PaymentProof>,
}

/// Sums over payments that were made or may still be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// How many.
    pub payments: u64,
    /// How much, routing fees excepted.
    pub amount: Msat,
    /// What routing cost, or may cost.
    pub fee: Msat,
}

impl Spent {
    /// Amounts and fees together; the most that there is when it is more.
    pub fn total(&self) -> Msat {
        self.amount.checked_add(self.fee).unwrap_or(Msat::MAX)
    }

    /// Adds; `None` on overflow.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            payments: self.payments.checked_add(other.payments)?,
            amount: self.amount.checked_add(other.amount)?,
            fee: self.fee.checked_add(other.fee)?,
        })
    }

    /// Subtracts; `None` when `other` is more.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Some(Self {
            payments: self.payments.checked_sub(other.payments)?,
            amount: self.amount.checked_sub(other.amount)?,
            fee: self.fee.checked_sub(other.fee)?,
        })
    }
}

/// What was spent on one day, UTC, on one payee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaySpent {
    /// When the day began.
    pub day: UnixTime,
    /// On whom.
    pub payee: NodeId,
    /// In all.
    pub spent: Spent,
    /// The part of it whose lines are not kept any more.
    pub folded: Spent,
}

/// What was spent on one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DaySums {
    /// On all.
    pub all: Spent,
    /// On one payee.
    pub payee: Spent,
}

/// The most that may be spent on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayCaps {
    /// On all together.
    pub per_day: Msat,
    /// On one payee.
    pub per_payee: Msat,
}

impl DayCaps {
    /// Says whether a payment that counts for `more` may be begun on a day of which `sums` are spent.
    pub fn admit(&self, sums: DaySums, more: Spent) -> Begun {
        let fits = |spent: Spent, cap: Msat| {
            let with = spent.checked_add(more);
            with.is_some_and(|with| with.total() <= cap.min(MAX_BALANCE))
        };
        if !fits(sums.payee, self.per_payee) {
            Begun::OverPayee {
                used: sums.payee.total(),
            }
        } else if !fits(sums.all, self.per_day) {
            Begun::OverDay {
                used: sums.all.total(),
            }
        } else {
            Begun::Noted
        }
    }
}

/// Whether a payment may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It is written down.
    Noted,
    /// One of that hash is under way.
    UnderWay,
    /// Its day's sum would be beyond what may be spent on all.
    OverDay {
        /// What is spent already.
        used: Msat,
    },
    /// Its day's sum would be beyond what may be spent on this payee.
    OverPayee {
        /// What is spent already.
        used: Msat,
    },
}
