use crate::{
    Claim, ClaimKey, Msat, NodeId, PaymentProof, RefundStore, SpendingStore, TxHash, UnixTime,
};
use async_trait::async_trait;
use std::{fmt, time::Duration};
use thiserror::Error;

/// Remembers which payments were claimed, credits each once, and knows of which of them the chain has the last word.
#[async_trait]
pub trait ClaimStore: Send + Sync {
    /// Claims a payment for the packet `by` and credits it to its payer, both in one durable step: of all calls with one
    /// key, exactly one is ever answered [`ClaimOutcome::New`].
    ///
    /// A claim by no packet ([`PacketTag::NONE`]) credits the payment all the same; the first packet that claims it then takes
    /// the claim over, and is answered [`ClaimOutcome::Again`].
    ///
    /// A new payment on the chain is watched from that step on. While it is watched it stays claimed, also when the claim
    /// itself has been forgotten.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell; the payment is then refused, never accepted. The same packet may ask
    /// again. [`StoreError::Unavailable`] for a payment on the chain while [`MAX_WATCHED`] are watched.
    async fn claim(
        &self,
        claim: Claim,
        by: PacketTag,
        now: UnixTime,
    ) -> Result<ClaimOutcome, StoreError>;

    /// Forgets the claims whose proofs cannot be shown any more, and says how many they were.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer; nothing is lost by asking again later.
    async fn remove_expired(&self, now: UnixTime) -> Result<usize, StoreError>;

    /// All payments that a change of the chain can still undo, in the order of their keys, at most [`MAX_WATCHED`].
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    async fn watched(&self) -> Result<Vec<Watched>, StoreError>;

    /// Writes down, durably, how a watched payment stands. Saying the same again changes nothing; what is not watched, or
    /// not any more, is left alone.
    ///
    /// What is frozen is taken from nobody's hands: what of it is drawn can be spent until it is given back.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell; nothing is lost by saying it again later.
    async fn judge(&self, key: ClaimKey, standing: Standing) -> Result<(), StoreError>;
}

/// Keeps what payers have on deposit, hands it out to be spent, and books what was.
///
/// Credit that is drawn is in the hands of this process alone until it is settled: as spent, or given back. What a
/// process had drawn when it died counts as given back.
#[async_trait]
pub trait CreditStore: Send + Sync {
    /// Hands over credit of `payer` that is not frozen, at least `wanted` where there is as much.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer; nothing is in this process's hands then.
    async fn draw(&self, payer: NodeId, wanted: Msat) -> Result<Drawn, StoreError>;

    /// Books what was done with drawn credit, each settlement once, and waits as long as that takes.
    ///
    /// # Errors
    /// [`StoreError`] when it will never be booked: what was spent stays the payers'.
    async fn settle(
        &self,
        settlements: Vec<Settlement>,
        now: UnixTime,
    ) -> Result<Settled, StoreError>;

    /// What `payer` has that nobody has drawn and that is not frozen.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    async fn credit(&self, payer: NodeId) -> Result<Msat, StoreError>;

    /// Whether it answers, as far as is known without asking; while it does not, nothing is debited.
    fn is_answering(&self) -> bool {
        true
    }

    /// Sums over all payers, and the `most` largest credits.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    async fn books(&self, most: usize) -> Result<Books, StoreError>;
}

/// Keeps what makes a node itself: its key, its place in its own numbering, what it has paid and not yet shown.
#[async_trait]
pub trait NodeStore: Send + Sync {
    /// The node's secret key, where the store has one.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    async fn identity(&self) -> Result<Option<[u8; 32]>, StoreError>;

    /// Keeps `secret` as the node's key unless there is one, and answers with the one that is kept.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell.
    async fn keep_identity(&self, secret: [u8; 32]) -> Result<[u8; 32], StoreError>;

    /// Reserves numbers for the node's own packets: all above those reserved before, and none below `at_least`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell; numbers that it may have reserved are lost then, and never used.
    async fn reserve_sequences(&self, at_least: u64) -> Result<SequenceBlock, StoreError>;

    /// Keeps the proof of what this node has paid to `payee`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell.
    async fn keep_proof(&self, payee: NodeId, proof: PaymentProof) -> Result<(), StoreError>;

    /// Forgets a proof that its payee has.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell; showing a proof once more does no harm.
    async fn forget_proof(&self, payee: NodeId, proof: PaymentProof) -> Result<(), StoreError>;

    /// All proofs that are kept, at most [`MAX_KEPT_PROOFS`].
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    async fn kept_proofs(&self) -> Result<Vec<(NodeId, PaymentProof)>, StoreError>;

    /// Up to which place of its list all that the wallet of `payee_key` has received is credited; `None` before that was ever
    /// kept.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    async fn settled_place(&self, payee_key: [u8; 33]) -> Result<Option<u64>, StoreError>;

    /// Keeps that place, unless a later one is kept.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell; keeping an earlier one does no harm.
    async fn keep_settled_place(&self, payee_key: [u8; 33], place: u64) -> Result<(), StoreError>;
}

/// The durable home of a node's money and of the node itself.
pub trait Store: ClaimStore + CreditStore + NodeStore + SpendingStore + RefundStore {}

impl<T: ClaimStore + CreditStore + NodeStore + SpendingStore + RefundStore> Store for T {}

/// The most proofs of own payments that wait to be shown.
///
/// 1,024, because each is a payment under way to one payee, and takes about a KiB; at the bound nothing more is paid.
pub const MAX_KEPT_PROOFS: usize = 1_024;

/// The most payments that are watched.
///
/// 65,536, because that is what sixteen blocks hold when they hold nothing else, and they are deep when as many follow; a
/// list of all of them takes about 7 MB. At the bound no more payments on the chain are taken.
pub const MAX_WATCHED: usize = 65_536;

/// How long after a proof's end its claim is kept.
///
/// Ten minutes, because gateways that share a store may disagree about the time by less than that; and whatever they
/// think, no claim is taken whose time the store has already forgotten.
pub const CLAIM_SKEW: Duration = Duration::from_secs(600);

/// The most that a balance holds: all the Bitcoin that there will be.
pub const MAX_BALANCE: Msat = Msat::from_msat(2_100_000_000_000_000_000);

/// What tells a packet from every other: its MAC for the node that reads it.
///
/// A claim remembers which packet made it, so that the same packet may ask again when it did not hear the answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PacketTag([u8; 16]);

impl PacketTag {
    /// No packet: a payment is claimed on the word of the wallet that has received it.
    pub const NONE: Self = Self([0; 16]);

    /// Takes the 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Borrows the 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for PacketTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PacketTag({})", crate::to_hex(&self.0))
    }
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// Nobody had claimed it; now it is, and its payer has the credit.
    New,
    /// This very packet had claimed it before, or no packet had, and its payer has had the credit since.
    Again,
    /// Another packet had claimed it before.
    AlreadyClaimed,
}

/// A payment that a change of the chain can undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// What was paid.
    pub key: ClaimKey,
    /// Whose credit it became.
    pub payer: NodeId,
    /// How much.
    pub amount: Msat,
    /// The transaction that has to stay in the chain for the payment to hold.
    pub tx_hash: TxHash,
    /// Whether its amount is frozen: the transaction was not in the chain when somebody last said how it stands.
    pub is_frozen: bool,
}

/// How a watched payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Its transaction is in the chain: what was frozen of it can be drawn again.
    Holds,
    /// Its transaction is not in the chain: its amount is frozen.
    Gone,
    /// So deep that nothing undoes it: it can be drawn, and is watched no more.
    Final,
}

/// Credit that a store has handed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drawn {
    /// How much; less than was wanted where there was less.
    pub amount: Msat,
    /// What the payer has besides in the hands of other gateways, who give it back when they do not use it; what would be
    /// frozen then is not part of it.
    pub elsewhere: Msat,
}

/// What was done with credit that had been drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// Whose credit it was.
    pub payer: NodeId,
    /// What was spent on packets that were carried: this node's earnings.
    pub spent: Msat,
    /// How many packets those were.
    pub packets: u64,
    /// What is given back unspent.
    pub back: Msat,
}

/// What became of settlements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// They are booked.
    Booked,
    /// The store took this process for dead and has given back all that it had drawn: none of it may be spent any more.
    Revoked,
}

/// Sums over all payers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    /// All that was ever deposited.
    pub deposited: Msat,
    /// What is not spent, drawn or not.
    pub credit: Msat,
    /// What this node has earned by carrying.
    pub earned: Msat,
    /// What was given back to payers, or may be, with what routing cost.
    pub refunded: Msat,
    /// What is frozen, in sum over payers; more than the credit where some of it had been spent.
    pub frozen: Msat,
    /// How many payments are watched.
    pub watched: u64,
    /// Payers that have ever deposited.
    pub accounts: u64,
    /// The largest credits first.
    pub largest: Vec<(NodeId, Msat)>,
}

/// Numbers that are this process's own to use: from `next` on, before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceBlock {
    /// The first number.
    pub next: u64,
    /// The first number that is not part of it.
    pub end: u64,
    /// How long it may be used, where other processes number packets of the same node; what is left of it then is dropped,
    /// so that nobody's numbers fall far behind.
    pub good_for: Option<Duration>,
}

/// Why a store gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It could not be asked, or could not do it: nothing was done.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// It was asked, and whether it was done is not known.
    #[error("the store did not say whether it was done: {0}")]
    Unknown(String),
    /// More credit than there is Bitcoin.
    #[error("no balance holds {0}")]
    TooMuch(Msat),
    /// Claims of that time have been forgotten, so whether it was claimed cannot be told any more.
    #[error("the payment could be claimed until {}, Unix seconds", .0.to_secs())]
    Expired(UnixTime),
}
