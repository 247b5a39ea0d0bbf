use crate::to_hex;
use async_trait::async_trait;
use std::fmt;
use thiserror::Error;

/// A transaction's id, in internal byte order, the reverse of what explorers print.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TxHash([u8; 32]);

impl TxHash {
    /// Takes the 32 bytes, in internal byte order.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Borrows the 32 bytes, in internal byte order.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for TxHash {
    /// Writes the id as explorers do, the last byte first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.0;
        bytes.reverse();
        f.pad(&to_hex(&bytes))
    }
}

impl fmt::Debug for TxHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TxHash({self})")
    }
}

/// One output of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutPoint {
    /// The transaction.
    pub tx_hash: TxHash,
    /// Which of its outputs.
    pub index: u32,
}

/// What a node knows of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainOutput {
    /// Neither the chain nor the mempool has it, or the node cannot tell that from its being spent.
    Missing,
    /// A transaction in the chain or in the mempool has spent it.
    Spent,
    /// It can be spent.
    Unspent {
        /// The script that has to be satisfied.
        script_pubkey: Vec<u8>,
        /// How much it holds.
        value_sats: u64,
        /// Blocks from the one that holds it to the tip, both counted; 0 in the mempool.
        depth: u32,
        /// Whether it is new coins, which nobody can spend for a hundred blocks.
        is_coinbase: bool,
    },
}

/// What a node knows of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainTransaction {
    /// The transaction, as consensus serializes it.
    pub bytes: Vec<u8>,
    /// Blocks from the one that holds it to the tip, both counted; 0 in the mempool.
    pub depth: u32,
}

/// Answers questions about the block chain, as the node sees it now.
#[async_trait]
pub trait ChainNode: Send + Sync {
    /// What became of an output.
    ///
    /// # Errors
    /// When the node cannot tell.
    async fn output(&self, outpoint: OutPoint) -> Result<ChainOutput, ChainError>;

    /// A transaction of the chain or the mempool; `None` when neither has it, and then credit that hangs on it is frozen.
    ///
    /// # Errors
    /// When the node cannot tell, as one that has no index of transactions or is not at the tip.
    async fn transaction(&self, tx_hash: TxHash) -> Result<Option<ChainTransaction>, ChainError>;

    /// Sends a transaction, as consensus serializes it, to the network. One that the node has already is fine.
    ///
    /// # Errors
    /// When the node does not take it.
    async fn submit(&self, transaction: Vec<u8>) -> Result<(), ChainError>;
}

/// Why a node could not answer a question about the chain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the chain cannot be asked: {0}")]
pub struct ChainError(pub String);
