use crate::{
    node_source::NodeSource,
    recent_blocks::{BlockHash, RECENT_BLOCKS, RecentBlocks},
    transactions::{OutOfRange, block_hash, from_node, spent, to_node, tx_hash},
};
use async_trait::async_trait;
use blvm_mesh::{
    ChainError, ChainNode, ChainOutput, ChainTransaction, Clock, Network, OutPoint, SystemClock,
    TxHash, UnixTime,
    bitcoin::{
        Transaction, TxOut,
        consensus::{deserialize, serialize},
    },
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// How old the newest block may be: of an older one the node has not all that came since.
///
/// A day, as Bitcoin Core has it, in which 144 blocks come. On regtest blocks come when somebody mines one.
const OLDEST_TIP: Duration = Duration::from_secs(86_400);

/// The block chain as a blvm-node sees it, from the calls whose answers can be checked: blocks by height, and the mempool.
///
/// The node's own index of transactions keeps what a reorganisation has undone, and its set of coins is incomplete after a
/// catch-up, so both are at most hints here. Whether it is catching up it does not tell either, and while it writes what it has
/// caught up with, its height falls back for seconds; the block above its tip, which it has then, tells (docs/blvm-node.md).
#[derive(Debug)]
pub struct ChainFacts {
    node: Arc<NodeSource>,
    /// How old the newest block may be.
    oldest_tip: Option<Duration>,
    /// Held while new blocks are read: the questions that come meanwhile need them too.
    recent: Mutex<RecentBlocks>,
}

/// Where a transaction is.
enum Place {
    Mempool,
    Block { height: u64, is_first: bool },
}

impl ChainFacts {
    pub(crate) fn new(node: Arc<NodeSource>, network: Network) -> Self {
        Self {
            node,
            oldest_tip: (network != Network::Regtest).then_some(OLDEST_TIP),
            recent: Mutex::default(),
        }
    }

    /// Reads the blocks that are new, so that the next question need not wait for them, and answers with the height.
    pub(crate) async fn catch_up(&self) -> Result<u64, ChainError> {
        Ok(self.recent().await?.tip_height)
    }

    /// Reads the blocks that are new, and answers with what is known then.
    async fn recent(&self) -> Result<RecentView, ChainError> {
        let mut recent = self.recent.lock().await;
        let tip_height = self.node.block_height().await?;
        // A node without blocks has no tip to tell.
        if tip_height > 0 {
            let tip = (tip_height, self.node.chain_tip().await?);
            if recent.tip() != Some(tip) {
                go_back(&mut recent, &self.node, tip_height).await?;
                go_on(&mut recent, &self.node, tip_height).await?;
                if recent.tip() != Some(tip) {
                    return Err(moved());
                }
            }
        }
        if self.node.block(tip_height + 1).await?.is_some() {
            return Err(catching_up(tip_height));
        }
        let is_old = |age| recent.tip_is_older_than(age, SystemClock.now());
        if self.oldest_tip.is_some_and(is_old) {
            return Err(catching_up(tip_height));
        }
        Ok(RecentView {
            blocks: recent.clone(),
            tip_height,
        })
    }

    async fn find(
        &self,
        view: &RecentView,
        tx_hash: TxHash,
    ) -> Result<Option<(Transaction, Place)>, ChainError> {
        for height in view.blocks.holding(tx_hash) {
            let found = find_in(&view.block(&self.node, height).await?, tx_hash)?;
            if let Some((transaction, is_first)) = found {
                return Ok(Some((transaction, Place::Block { height, is_first })));
            }
        }
        let in_mempool = self.node.in_mempool(*tx_hash.as_bytes()).await?;
        if let Some(transaction) = in_mempool {
            return Ok(Some((checked(&transaction, tx_hash)?, Place::Mempool)));
        }
        find_old(&self.node, view, tx_hash).await
    }
}

#[async_trait]
impl ChainNode for ChainFacts {
    async fn output(&self, outpoint: OutPoint) -> Result<ChainOutput, ChainError> {
        let view = self.recent().await?;
        let found = self.find(&view, outpoint.tx_hash).await?;
        let Some((transaction, place)) = found else {
            return Ok(ChainOutput::Missing);
        };
        let index = usize::try_from(outpoint.index).unwrap_or(usize::MAX);
        let Some(output) = transaction.output.get(index) else {
            return Ok(ChainOutput::Missing);
        };
        let is_coinbase = match place {
            Place::Block { height, .. } if Some(height) < view.blocks.first() => {
                return Ok(ChainOutput::Missing);
            }
            Place::Block { is_first, .. } => is_first,
            Place::Mempool => false,
        };
        for height in view.blocks.spending(outpoint) {
            if spends(&view.block(&self.node, height).await?, outpoint)? {
                return Ok(ChainOutput::Spent);
            }
        }
        match is_spent_in_mempool(&self.node, outpoint).await? {
            Some(true) => Ok(ChainOutput::Spent),
            Some(false) => Ok(unspent(output, view.depth(&place), is_coinbase)),
            None => Ok(ChainOutput::Missing),
        }
    }

    async fn transaction(&self, tx_hash: TxHash) -> Result<Option<ChainTransaction>, ChainError> {
        let view = self.recent().await?;
        let found = self.find(&view, tx_hash).await?;
        Ok(found.map(|(transaction, place)| ChainTransaction {
            bytes: serialize(&transaction),
            depth: view.depth(&place),
        }))
    }

    async fn submit(&self, transaction: Vec<u8>) -> Result<(), ChainError> {
        let transaction: Transaction = deserialize(&transaction)
            .map_err(|error| ChainError(format!("that is no transaction: {error}")))?;
        let view = self.recent().await?;
        if self.find(&view, tx_hash(&transaction)).await?.is_some() {
            return Ok(());
        }
        let (transaction, witnesses) = to_node(&transaction);
        self.node.submit(transaction, witnesses).await
    }
}

/// The newest blocks, as one question sees them.
struct RecentView {
    blocks: RecentBlocks,
    tip_height: u64,
}

impl RecentView {
    fn depth(&self, place: &Place) -> u32 {
        match place {
            Place::Mempool => 0,
            Place::Block { height, .. } => {
                let depth = (self.tip_height + 1).saturating_sub(*height);
                u32::try_from(depth).unwrap_or(u32::MAX)
            }
        }
    }

    /// Reads a block again, which has to be the one that is known.
    async fn block(&self, node: &NodeSource, height: u64) -> Result<blvm_node::Block, ChainError> {
        let block = read(node, height).await?;
        if self.blocks.hash_at(height) == Some(block.hash) {
            Ok(block.block)
        } else {
            Err(moved())
        }
    }
}

struct ReadBlock {
    hash: BlockHash,
    block: blvm_node::Block,
}

async fn read(node: &NodeSource, height: u64) -> Result<ReadBlock, ChainError> {
    let block = node.block(height).await?;
    let block = block.ok_or_else(|| ChainError(format!("the node has no block {height}")))?;
    let hash = block_hash(&block.header).map_err(out_of_range)?;
    Ok(ReadBlock { hash, block })
}

/// Forgets the blocks that the chain has left.
async fn go_back(
    recent: &mut RecentBlocks,
    node: &NodeSource,
    tip_height: u64,
) -> Result<(), ChainError> {
    while let Some((height, hash)) = recent.tip() {
        if height <= tip_height && read(node, height).await?.hash == hash {
            break;
        }
        recent.undo();
    }
    Ok(())
}

/// Reads the blocks up to the tip. What is read stays read when nobody waits for it any more.
async fn go_on(
    recent: &mut RecentBlocks,
    node: &NodeSource,
    tip_height: u64,
) -> Result<(), ChainError> {
    let most = u64::try_from(RECENT_BLOCKS).unwrap_or(u64::MAX);
    let oldest = (tip_height + 1).saturating_sub(most).max(1);
    if recent.tip().is_some_and(|(height, _)| height + 1 < oldest) {
        recent.clear();
    }
    let next = recent.tip().map_or(oldest, |(height, _)| height + 1);
    for height in next..=tip_height {
        let ReadBlock { hash, block } = read(node, height).await?;
        let parent = recent.tip().map(|(_, hash)| hash);
        if parent.is_some_and(|parent| parent != block.header.prev_block_hash) {
            recent.undo();
            return Err(moved());
        }
        let transactions = block.transactions.iter().map(from_node);
        let transactions: Vec<_> = transactions
            .collect::<Result<_, _>>()
            .map_err(out_of_range)?;
        let spends = transactions.iter().flat_map(|it| &it.input).map(spent);
        let time = UnixTime::from_secs(block.header.timestamp);
        let mined = (height, hash, time);
        recent.push(mined, transactions.iter().map(tx_hash), spends);
    }
    Ok(())
}

/// Finds a transaction that is older than the blocks that are known, where the node's index says that it is.
async fn find_old(
    node: &NodeSource,
    view: &RecentView,
    tx_hash: TxHash,
) -> Result<Option<(Transaction, Place)>, ChainError> {
    let hint = node.indexed(*tx_hash.as_bytes()).await?;
    let Some(hint) = hint.filter(|hint| Some(hint.block_height) < view.blocks.first()) else {
        return Ok(None);
    };
    let height = hint.block_height;
    let found = read(node, height).await?;
    if found.hash != hint.block_hash {
        return Ok(None);
    }
    let found = find_in(&found.block, tx_hash)?;
    Ok(found.map(|(transaction, is_first)| (transaction, Place::Block { height, is_first })))
}

/// Finds a transaction in a block, and whether it is the first, which makes new coins.
fn find_in(
    block: &blvm_node::Block,
    wanted: TxHash,
) -> Result<Option<(Transaction, bool)>, ChainError> {
    for (index, transaction) in block.transactions.iter().enumerate() {
        let transaction = from_node(transaction).map_err(out_of_range)?;
        if tx_hash(&transaction) == wanted {
            return Ok(Some((transaction, index == 0)));
        }
    }
    Ok(None)
}

fn spends(block: &blvm_node::Block, outpoint: OutPoint) -> Result<bool, ChainError> {
    for transaction in &block.transactions {
        let transaction = from_node(transaction).map_err(out_of_range)?;
        if transaction
            .input
            .iter()
            .any(|input| spent(input) == outpoint)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a transaction of the mempool spends an output; `None` when that cannot be told, for a node has no call for it and
/// its mempool may be long, or closed to us. Such an output does not count.
async fn is_spent_in_mempool(
    node: &NodeSource,
    outpoint: OutPoint,
) -> Result<Option<bool>, ChainError> {
    let Some(waiting) = node.mempool().await? else {
        return Ok(None);
    };
    for tx_hash in waiting {
        let found = node.in_mempool(tx_hash).await?;
        let Some(transaction) = found else {
            continue;
        };
        let spends = transaction.inputs.iter().any(|input| {
            input.prevout.hash == *outpoint.tx_hash.as_bytes()
                && input.prevout.index == outpoint.index
        });
        if spends {
            return Ok(Some(true));
        }
    }
    Ok(Some(false))
}

/// Takes what the node says to be a transaction, if it is.
fn checked(found: &blvm_node::Transaction, wanted: TxHash) -> Result<Transaction, ChainError> {
    let transaction = from_node(found).map_err(out_of_range)?;
    if tx_hash(&transaction) == wanted {
        Ok(transaction)
    } else {
        Err(ChainError(
            "the node answered with another transaction".to_owned(),
        ))
    }
}

fn unspent(output: &TxOut, depth: u32, is_coinbase: bool) -> ChainOutput {
    ChainOutput::Unspent {
        script_pubkey: output.script_pubkey.to_bytes(),
        value_sats: output.value.to_sat(),
        depth,
        is_coinbase,
    }
}

/// What a node that has not all blocks yet says of a coin may be over: it is spent in one of those that it lacks.
fn catching_up(height: u64) -> ChainError {
    ChainError(format!("the node is still catching up, at block {height}"))
}

fn moved() -> ChainError {
    ChainError("the chain moved while it was read".to_owned())
}

fn out_of_range(error: OutOfRange) -> ChainError {
    ChainError(error.to_string())
}
