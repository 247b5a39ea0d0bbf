use crate::record::{Account, ClaimRecord, Debit, Deposit, PaymentLine, Record};
use async_trait::async_trait;
use mesh_types::{
    Begun, Books, Claim, ClaimKey, ClaimOutcome, DayCaps, DaySpent, DaySums, Drawn, Msat, NodeId,
    OwnPayment, PacketTag, PaymentEnd, PaymentProof, Refund, RefundBegun, RefundEnd, SequenceBlock,
    Settled, Settlement, Standing, StoreError, UnixTime, Watched,
};
use std::{fmt, time::Duration};
use tokio::sync::mpsc;

/// One change to the books.
#[derive(Clone)]
pub(crate) enum Op {
    Claim {
        claim: Claim,
        by: PacketTag,
        now: UnixTime,
    },
    /// Forgets at most `most` claims.
    RemoveExpired {
        now: UnixTime,
        most: usize,
    },
    Judge {
        key: ClaimKey,
        standing: Standing,
    },
    Draw {
        payer: NodeId,
        wanted: Msat,
    },
    Settle {
        settlements: Vec<Settlement>,
        now: UnixTime,
    },
    KeepIdentity {
        secret: [u8; 32],
    },
    ReserveSequences {
        at_least: u64,
    },
    KeepProof {
        payee: NodeId,
        proof: PaymentProof,
    },
    ForgetProof {
        payee: NodeId,
        proof: PaymentProof,
    },
    BeginPayment {
        payment: Box<OwnPayment>,
        note: PaymentProof,
        caps: DayCaps,
    },
    EndPayment(Box<PaymentEnd>),
    BeginRefund(Box<Refund>),
    EndRefund(RefundEnd),
    KeepSettledPlace {
        payee_key: [u8; 33],
        place: u64,
    },
}

/// What became of an [`Op`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Claimed(ClaimOutcome),
    Removed(usize),
    Drawn(Drawn),
    Settled(Settled),
    Identity([u8; 32]),
    Sequences(SequenceBlock),
    Begun(Begun),
    RefundBegun(Box<RefundBegun>),
    Done,
    /// This one was not done; the others of its batch were.
    Refused(StoreError),
    /// Of settlements only: they are kept in the queue, and come again, in their order, first in a later batch.
    Later,
}

/// What changes the books: one owner, one transaction at a time.
#[async_trait]
pub(crate) trait Backend: Send + 'static {
    /// Makes all of `ops` durable in one transaction, as if they came one after the other, forgetting claims perhaps last, and
    /// answers each in its place.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when surely none of them was done, [`StoreError::Unknown`] when that is not known.
    async fn commit(&mut self, ops: &[Op]) -> Result<Vec<Answer>, StoreError>;

    /// Fills an empty store with the pages of `records`, all or nothing: without a [`Record::End`] nothing stays.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store is not empty, the pages end early, or it cannot be written.
    async fn import(&mut self, records: mpsc::Receiver<Vec<Record>>) -> Result<(), StoreError>;

    /// How often [`Backend::tend`] is called while nobody asks for a change; `None` for never.
    fn pulse(&self) -> Option<Duration> {
        None
    }

    /// Looks after what the back end needs while it is idle.
    async fn tend(&mut self) {}

    /// Gives back what this process holds, and closes.
    async fn close(&mut self);
}

/// What reads the books, beside the one who changes them.
#[async_trait]
pub(crate) trait Reader: Send + Sync {
    /// Whether the store answered when it was last asked.
    fn is_reachable(&self) -> bool {
        true
    }

    /// What `payer` has that nobody has drawn and that is not frozen.
    async fn credit(&self, payer: NodeId) -> Result<Msat, StoreError>;

    /// Sums, and the `most` largest credits.
    async fn books(&self, most: usize) -> Result<Books, StoreError>;

    /// The watched payments, in the order of their keys.
    async fn watched(&self) -> Result<Vec<Watched>, StoreError>;

    /// The node's key.
    async fn identity(&self) -> Result<Option<[u8; 32]>, StoreError>;

    /// The proofs that wait to be shown.
    async fn kept_proofs(&self) -> Result<Vec<(NodeId, PaymentProof)>, StoreError>;

    /// What was spent on the day of `at`.
    async fn spent_on_day(&self, at: UnixTime, payee: NodeId) -> Result<DaySums, StoreError>;

    /// Up to which place of a wallet's list all is credited.
    async fn settled_place(&self, payee_key: [u8; 33]) -> Result<Option<u64>, StoreError>;

    /// The refund of that payment hash.
    async fn refund(&self, payment_hash: [u8; 32]) -> Result<Option<Refund>, StoreError>;

    /// The refunds whose outcome is not known.
    async fn open_refunds(&self) -> Result<Vec<Refund>, StoreError>;

    /// Everything as it is at one moment, whatever is committed meanwhile.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;
}

/// The books at one moment, read in pages of at most `most` records, each page from behind the last of the one before.
#[async_trait]
pub(crate) trait Snapshot: Send {
    async fn accounts(
        &mut self,
        after: Option<NodeId>,
        most: usize,
    ) -> Result<Vec<Account>, StoreError>;

    /// In order of their serial numbers.
    async fn deposits(
        &mut self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<Deposit>, StoreError>;

    /// The last ones, the newest first.
    async fn last_deposits(&mut self, most: usize) -> Result<Vec<Deposit>, StoreError>;

    /// In order of period, then payer.
    async fn debits(
        &mut self,
        after: Option<(UnixTime, NodeId)>,
        most: usize,
    ) -> Result<Vec<Debit>, StoreError>;

    /// In order of their keys.
    async fn claims(
        &mut self,
        after: Option<ClaimKey>,
        most: usize,
    ) -> Result<Vec<ClaimRecord>, StoreError>;

    /// In order of their keys.
    async fn watched(
        &mut self,
        after: Option<ClaimKey>,
        most: usize,
    ) -> Result<Vec<Watched>, StoreError>;

    /// In order of their serial numbers.
    async fn payments(
        &mut self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<PaymentLine>, StoreError>;

    /// The newest first, from before `before`.
    async fn last_payments(
        &mut self,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<PaymentLine>, StoreError>;

    /// In order of day, then payee.
    async fn spent(
        &mut self,
        after: Option<(UnixTime, NodeId)>,
        most: usize,
    ) -> Result<Vec<DaySpent>, StoreError>;

    /// In order of their payment hashes.
    async fn refunds(
        &mut self,
        after: Option<[u8; 32]>,
        most: usize,
    ) -> Result<Vec<Refund>, StoreError>;

    async fn identity(&mut self) -> Result<Option<[u8; 32]>, StoreError>;

    /// The first number that is not reserved.
    async fn next_sequence(&mut self) -> Result<u64, StoreError>;

    /// The latest time at which claims were forgotten.
    async fn swept_at(&mut self) -> Result<UnixTime, StoreError>;

    async fn kept_proofs(&mut self) -> Result<Vec<(NodeId, PaymentProof)>, StoreError>;
}

impl fmt::Debug for Op {
    /// Names the change; keys and preimages stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Claim { .. } => "Claim",
            Self::RemoveExpired { .. } => "RemoveExpired",
            Self::Judge { .. } => "Judge",
            Self::Draw { .. } => "Draw",
            Self::Settle { .. } => "Settle",
            Self::KeepIdentity { .. } => "KeepIdentity",
            Self::ReserveSequences { .. } => "ReserveSequences",
            Self::KeepProof { .. } => "KeepProof",
            Self::ForgetProof { .. } => "ForgetProof",
            Self::BeginPayment { .. } => "BeginPayment",
            Self::EndPayment(_) => "EndPayment",
            Self::BeginRefund(_) => "BeginRefund",
            Self::EndRefund(_) => "EndRefund",
            Self::KeepSettledPlace { .. } => "KeepSettledPlace",
        })
    }
}
