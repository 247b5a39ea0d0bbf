use bitcoin::{BlockHash, Transaction, TxOut};

/// Blocks that new coins have to wait before they can be spent.
pub const MATURITY: u32 = 100;

/// An output that is not spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coin {
    /// Its script and its amount.
    pub output: TxOut,
    /// The height of its block; that of the next block while it is in the mempool.
    pub height: u32,
    /// Whether it is new coins.
    pub is_coinbase: bool,
}

/// A transaction, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The transaction.
    pub transaction: Transaction,
    /// Its block, and that one's height; `None` while it is in the mempool.
    pub block: Option<(BlockHash, u32)>,
}
