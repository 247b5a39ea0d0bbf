mod block;
mod check;
mod coin;
mod ledger;
mod miner;
mod pool;
mod rejection;

use crate::clock;
use bitcoin::{Amount, Block, BlockHash, OutPoint, Script, ScriptBuf, Transaction, Txid};
pub use coin::{Coin, Found, MATURITY};
pub(crate) use ledger::Ledger;
pub(crate) use ledger::Stored;
use parking_lot::{Mutex, MutexGuard};
pub(crate) use pool::Entry;
pub use pool::MAX_POOL;
pub use rejection::Rejection;
use std::{fmt, sync::Arc};
use thiserror::Error;

/// Blocks that a new chain has, so that its miner can spend the new coins of the first.
pub const FIRST_BLOCKS: u32 = MATURITY + 1;

/// Blocks that are mined in one go: ten thousand, because that is a second's work, and everything else waits for it.
pub const MAX_BLOCKS_AT_ONCE: u32 = 10_000;

/// A regtest chain in memory, with a mempool and a miner.
///
/// A clone is another handle on the same chain.
#[derive(Clone)]
pub struct Chain {
    ledger: Arc<Mutex<Ledger>>,
}

/// Why a chain did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChainError {
    /// A transaction is not taken.
    #[error("the transaction is not taken: {0}")]
    Rejected(#[from] Rejection),
    /// The miner has not enough coins that can be spent: mine more blocks first.
    #[error("the miner can spend {available} and should spend {needed}: mine more blocks")]
    NoCoins {
        /// What it can spend.
        available: Amount,
        /// What it should spend.
        needed: Amount,
    },
    /// There is no such block, or it is the first.
    #[error("there is no block {0} that can be undone")]
    NoBlock(BlockHash),
    /// More than [`MAX_BLOCKS_AT_ONCE`].
    #[error("{0} blocks are too many at once")]
    TooMany(u32),
    /// A bug: what was built here is not as it should be.
    #[error("the chain is broken: {0}")]
    Broken(&'static str),
}

impl Chain {
    /// Makes a chain of [`FIRST_BLOCKS`] blocks.
    ///
    /// # Errors
    /// [`ChainError::Broken`], which would be a bug.
    pub fn new() -> Result<Self, ChainError> {
        let chain = Self {
            ledger: Arc::new(Mutex::new(Ledger::new())),
        };
        chain.mine(FIRST_BLOCKS)?;
        Ok(chain)
    }

    /// The height of the newest block.
    pub fn height(&self) -> u32 {
        self.ledger().height()
    }

    /// The newest block.
    pub fn tip(&self) -> BlockHash {
        self.ledger().tip()
    }

    /// The block of the chain at a height.
    pub fn block_hash(&self, height: u32) -> Option<BlockHash> {
        self.ledger().hash_at(height)
    }

    /// A block, also one that was undone.
    pub fn block(&self, hash: &BlockHash) -> Option<Block> {
        Some(self.ledger().stored(hash)?.block.clone())
    }

    /// Mines blocks with what the mempool has, whose new coins the miner keeps.
    ///
    /// # Errors
    /// [`ChainError::TooMany`]
    pub fn mine(&self, blocks: u32) -> Result<Vec<BlockHash>, ChainError> {
        self.mine_to(blocks, &miner::script()?)
    }

    /// Mines blocks with what the mempool has, whose new coins go to a script.
    ///
    /// # Errors
    /// [`ChainError::TooMany`]
    pub fn mine_to(&self, blocks: u32, script: &Script) -> Result<Vec<BlockHash>, ChainError> {
        if blocks > MAX_BLOCKS_AT_ONCE {
            return Err(ChainError::TooMany(blocks));
        }
        let mut ledger = self.ledger();
        (0..blocks)
            .map(|_| ledger.mine(script, clock::now()))
            .collect()
    }

    /// Pays an amount of the miner's coins to a script; the payment waits in the mempool for the next block.
    ///
    /// # Errors
    /// [`ChainError::NoCoins`]
    pub fn fund(
        &self,
        script: impl Into<ScriptBuf>,
        amount: Amount,
    ) -> Result<OutPoint, ChainError> {
        let mut ledger = self.ledger();
        let transaction = miner::pay(&ledger, script.into(), amount)?;
        let txid = ledger.submit(transaction, None, clock::now())?;
        Ok(OutPoint { txid, vout: 0 })
    }

    /// Takes a transaction into the mempool, as bitcoind does. One that is there already is fine.
    ///
    /// # Errors
    /// [`Rejection`]
    pub fn submit(&self, transaction: Transaction) -> Result<Txid, Rejection> {
        self.ledger().submit(transaction, None, clock::now())
    }

    /// Undoes a block and all after it, for good. Their transactions are in the mempool again, if they are still valid.
    ///
    /// Nodes that follow the chain leave the undone branch once another has more work: mine one block more than were undone.
    ///
    /// # Errors
    /// [`ChainError::NoBlock`]
    pub fn invalidate(&self, hash: &BlockHash) -> Result<(), ChainError> {
        self.ledger().invalidate(hash, clock::now())
    }

    /// An output that neither the chain nor the mempool has spent.
    pub fn coin(&self, outpoint: &OutPoint) -> Option<Coin> {
        self.ledger().coin_in_view(outpoint)
    }

    /// A transaction of the chain or of the mempool.
    pub fn transaction(&self, txid: &Txid) -> Option<Found> {
        self.ledger().find(txid)
    }

    /// The transactions of the mempool, in the order in which a block takes them.
    pub fn mempool(&self) -> Vec<Txid> {
        self.ledger()
            .pool()
            .iter()
            .map(|entry| entry.txid)
            .collect()
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock()
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ledger = self.ledger();
        f.debug_struct("Chain")
            .field("height", &ledger.height())
            .field("tip", &ledger.tip())
            .finish_non_exhaustive()
    }
}
