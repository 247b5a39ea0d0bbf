use bitcoin::Amount;
use thiserror::Error;

/// Why a transaction is not taken, in bitcoind's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It spends nothing.
    #[error("bad-txns-vin-empty")]
    NoInputs,
    /// It pays nothing.
    #[error("bad-txns-vout-empty")]
    NoOutputs,
    /// It does not fit into a block.
    #[error("bad-txns-oversize")]
    Oversize,
    /// An output, or all together, hold more than there can be.
    #[error("bad-txns-txouttotal-toolarge")]
    TooLarge,
    /// It spends an output twice.
    #[error("bad-txns-inputs-duplicate")]
    DuplicateInputs,
    /// It spends the output that only a coinbase names.
    #[error("bad-txns-prevout-null")]
    NullInput,
    /// Coinbases come in blocks only.
    #[error("coinbase")]
    Coinbase,
    /// Its lock time is not over.
    #[error("non-final")]
    NonFinal,
    /// The age that a sequence number asks of an output is not reached.
    #[error("non-BIP68-final")]
    SequenceLocked,
    /// An output that it spends does not exist, or is spent in the chain.
    #[error("bad-txns-inputs-missingorspent")]
    MissingOrSpent,
    /// It spends new coins too early.
    #[error("bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth {depth}")]
    Immature {
        /// Blocks from the one with the new coins to the next one.
        depth: u32,
    },
    /// It pays more than it spends.
    #[error("bad-txns-in-belowout, value in ({input}) < value out ({output})")]
    CreatesValue {
        /// What it spends.
        input: Amount,
        /// What it pays.
        output: Amount,
    },
    /// A script, or a signature in it, is not satisfied.
    #[error("mandatory-script-verify-flag-failed (input {input})")]
    Script {
        /// Which input.
        input: usize,
    },
    /// It pays less than a satoshi a virtual byte.
    #[error("min relay fee not met, {} < {}", .fee.to_sat(), .needed.to_sat())]
    FeeTooLow {
        /// What it pays.
        fee: Amount,
        /// What it would have to.
        needed: Amount,
    },
    /// It pays more than the caller allows.
    #[error("Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)")]
    FeeTooHigh,
    /// The mempool has another transaction that spends the same, and this one does not pay enough more.
    #[error("insufficient fee, rejecting replacement")]
    ReplacementTooCheap,
    /// The mempool holds as many transactions as it may.
    #[error("mempool full")]
    PoolFull,
    /// A block has it already.
    #[error("Transaction outputs already in utxo set")]
    AlreadyInChain,
}
