use bitcoin::{Amount, Denomination};
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
    #[error("bad-txns-in-belowout, value in ({}) < value out ({})", in_btc(*.input), in_btc(*.output))]
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

/// An amount as bitcoind writes it in messages: two digits behind the point at least, and no needless zeros more.
fn in_btc(amount: Amount) -> String {
    let text = format!("{:.8}", amount.display_in(Denomination::Bitcoin));
    let cents = text
        .find('.')
        .map_or(text.len(), |point| point.saturating_add(3));
    let (always, more) = text.split_at_checked(cents).unwrap_or((&text, ""));
    format!("{always}{}", more.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_bitcoind_writes_them() {
        for (sats, text) in [
            (0, "0.00"),
            (10_000_000, "0.10"),
            (12_345_678, "0.12345678"),
            (150_000, "0.0015"),
            (5_000_000_000, "50.00"),
        ] {
            assert_eq!(in_btc(Amount::from_sat(sats)), text);
        }
    }
}
