use super::{
    ChainError, Coin, Found, Rejection,
    block::{self, Template},
    check::{self, Place},
    pool::{Entry, Pool, vsize},
};
use bitcoin::{
    Amount, Block, BlockHash, FeeRate, Network, OutPoint, Script, Transaction, Txid, Weight, Work,
    constants::genesis_block,
};
use std::collections::{HashMap, HashSet};

/// Blocks whose median time is a block's idea of the past.
const MEDIAN_SPAN: u32 = 11;

/// Weight that a block keeps for its header and its coinbase.
const RESERVED_WEIGHT: Weight = Weight::from_wu(4_000);

/// A block, where it is or was, and all work up to it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) block: Block,
    pub(crate) height: u32,
    pub(crate) work: Work,
}

/// The blocks, what they leave to be spent, and what waits for the next one.
#[derive(Debug)]
pub(crate) struct Ledger {
    blocks: HashMap<BlockHash, Stored>,
    /// The chain, by height, and what each of its blocks spent.
    chain: Vec<(BlockHash, Vec<(OutPoint, Coin)>)>,
    coins: HashMap<OutPoint, Coin>,
    /// The block of each transaction of the chain.
    found: HashMap<Txid, BlockHash>,
    pool: Pool,
    mined: u64,
}

impl Ledger {
    pub(super) fn new() -> Self {
        let genesis = genesis_block(Network::Regtest);
        let hash = genesis.block_hash();
        let work = genesis.header.work();
        // Nobody can spend what the first block made: consensus forgot it.
        let stored = Stored {
            block: genesis,
            height: 0,
            work,
        };
        Self {
            blocks: HashMap::from([(hash, stored)]),
            chain: vec![(hash, Vec::new())],
            coins: HashMap::new(),
            found: HashMap::new(),
            pool: Pool::default(),
            mined: 0,
        }
    }

    pub(crate) fn height(&self) -> u32 {
        u32::try_from(self.chain.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    pub(crate) fn tip(&self) -> BlockHash {
        let genesis = || genesis_block(Network::Regtest).block_hash();
        self.chain.last().map_or_else(genesis, |(hash, _)| *hash)
    }

    pub(crate) fn hash_at(&self, height: u32) -> Option<BlockHash> {
        let (hash, _) = self.chain.get(usize::try_from(height).ok()?)?;
        Some(*hash)
    }

    pub(crate) fn stored(&self, hash: &BlockHash) -> Option<&Stored> {
        self.blocks.get(hash)
    }

    /// Whether a block is part of the chain, and was not undone.
    pub(crate) fn is_in_chain(&self, hash: &BlockHash) -> bool {
        self.stored(hash)
            .is_some_and(|stored| self.hash_at(stored.height) == Some(*hash))
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The median time of the eleven blocks up to a height.
    pub(crate) fn median_time(&self, height: u32) -> u32 {
        let first = height.saturating_sub(MEDIAN_SPAN - 1);
        let mut times: Vec<_> = (first..=height)
            .filter_map(|height| self.stored(&self.hash_at(height)?))
            .map(|stored| stored.block.header.time)
            .collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or(0)
    }

    /// An output that no block has spent.
    pub(crate) fn coin(&self, outpoint: &OutPoint) -> Option<&Coin> {
        self.coins.get(outpoint)
    }

    /// An output that neither a block nor the mempool has spent.
    pub(crate) fn coin_in_view(&self, outpoint: &OutPoint) -> Option<Coin> {
        let unspent = self.pool.spender(outpoint).is_none();
        self.coin_to_spend(outpoint).filter(|_| unspent)
    }

    pub(crate) fn find(&self, txid: &Txid) -> Option<Found> {
        if let Some(entry) = self.pool.get(txid) {
            let transaction = entry.transaction.clone();
            return Some(Found {
                transaction,
                block: None,
            });
        }
        let hash = self.found.get(txid)?;
        let stored = self.stored(hash)?;
        let mut all = stored.block.txdata.iter();
        let transaction = all.find(|transaction| transaction.compute_txid() == *txid)?;
        Some(Found {
            transaction: transaction.clone(),
            block: Some((*hash, stored.height)),
        })
    }

    /// The coins of a script that can be spent now, the largest last.
    pub(super) fn spendable(&self, script: &Script) -> Vec<(OutPoint, Coin)> {
        let in_pool = self.pool.iter().flat_map(|entry| {
            let outputs = (0..).zip(&entry.transaction.output);
            outputs.map(|(vout, _)| OutPoint {
                txid: entry.txid,
                vout,
            })
        });
        let all = self.coins.keys().copied().chain(in_pool);
        let mut spendable: Vec<_> = all
            .filter_map(|outpoint| Some((outpoint, self.coin_in_view(&outpoint)?)))
            .filter(|(_, coin)| coin.output.script_pubkey.as_script() == script)
            .filter(|(_, coin)| !coin.is_coinbase || self.is_mature(coin))
            .collect();
        spendable.sort_by_key(|(outpoint, coin)| (coin.output.value, *outpoint));
        spendable
    }

    /// Takes a transaction into the mempool, replacing what it pays better than.
    ///
    /// - `max_rate`: the most that it may pay for its size.
    pub(crate) fn submit(
        &mut self,
        transaction: Transaction,
        max_rate: Option<FeeRate>,
        now: u64,
    ) -> Result<Txid, Rejection> {
        let txid = transaction.compute_txid();
        if self.pool.get(&txid).is_some() {
            return Ok(txid);
        }
        if self.has_output_of(&transaction, txid) {
            return Err(Rejection::AlreadyInChain);
        }
        let (entry, replaced) = self.examine(transaction, now)?;
        let most = max_rate.and_then(|rate| rate.fee_vb(entry.vsize));
        if most.is_some_and(|most| entry.fee > most) {
            return Err(Rejection::FeeTooHigh);
        }
        self.pool.remove(&replaced);
        self.pool.add(entry);
        Ok(txid)
    }

    /// Checks a transaction for the mempool, and says what has to leave for it.
    pub(crate) fn examine(
        &self,
        transaction: Transaction,
        now: u64,
    ) -> Result<(Entry, HashSet<Txid>), Rejection> {
        check::alone(&transaction)?;
        let next = self.next_place();
        check::lock_time(&transaction, next)?;
        let txid = transaction.compute_txid();
        let spent = self.spent_by(&transaction)?;
        check::sequences(&transaction, &spent, next, |height| {
            self.median_time(height)
        })?;
        let fee = check::amounts(&transaction, &spent, next)?;
        let vsize = vsize(&transaction);
        let needed = Amount::from_sat(vsize);
        if fee < needed {
            return Err(Rejection::FeeTooLow { fee, needed });
        }
        let replaced = self.pool.replaced_by(&transaction, fee)?;
        check::scripts(&transaction, &spent)?;
        let entry = Entry {
            transaction,
            txid,
            fee,
            vsize,
            time: now,
            height: self.height(),
        };
        Ok((entry, replaced))
    }

    /// Mines one block with what the mempool has.
    pub(super) fn mine(&mut self, script: &Script, now: u64) -> Result<BlockHash, ChainError> {
        let mut weight = RESERVED_WEIGHT;
        let mut left_out = HashSet::new();
        let (mut transactions, mut fees) = (Vec::new(), Vec::new());
        for entry in self.pool.iter() {
            let heavier = weight.checked_add(entry.transaction.weight());
            let heavier = heavier.filter(|weight| *weight <= Weight::MAX_BLOCK);
            let mut spends = entry.transaction.input.iter();
            let lacks = spends.any(|input| left_out.contains(&input.previous_output.txid));
            match heavier.filter(|_| !lacks) {
                Some(heavier) => {
                    weight = heavier;
                    transactions.push(entry.transaction.clone());
                    fees.push(entry.fee);
                }
                None => {
                    left_out.insert(entry.txid);
                }
            }
        }
        let next = self.next_place();
        let now = u32::try_from(now).unwrap_or(u32::MAX);
        let block = block::build(Template {
            previous: self.tip(),
            height: next.height,
            time: now.max(next.median_time.saturating_add(1)),
            extra: self.mined,
            script,
            transactions,
            fees: check::sum(fees.into_iter())
                .ok_or(ChainError::Broken("the fees are too high"))?,
        })?;
        self.mined = self.mined.saturating_add(1);
        self.connect(block, next.height)
    }

    fn connect(&mut self, block: Block, height: u32) -> Result<BlockHash, ChainError> {
        let hash = block.block_hash();
        let before = self.stored(&self.tip()).map(|stored| stored.work);
        let before = before.ok_or(ChainError::Broken("the tip is not stored"))?;
        let work = before + block.header.work();
        let mut spent = Vec::new();
        let mut txids = HashSet::new();
        for transaction in &block.txdata {
            let txid = transaction.compute_txid();
            let is_coinbase = transaction.is_coinbase();
            if !is_coinbase {
                for input in &transaction.input {
                    let coin = self.coins.remove(&input.previous_output);
                    let coin =
                        coin.ok_or(ChainError::Broken("a block spends what is not there"))?;
                    spent.push((input.previous_output, coin));
                }
            }
            for (vout, output) in (0..).zip(&transaction.output) {
                if output.script_pubkey.is_op_return() {
                    continue;
                }
                let coin = Coin {
                    output: output.clone(),
                    height,
                    is_coinbase,
                };
                self.coins.insert(OutPoint { txid, vout }, coin);
            }
            self.found.insert(txid, hash);
            txids.insert(txid);
        }
        self.pool.remove(&txids);
        self.chain.push((hash, spent));
        let stored = Stored {
            block,
            height,
            work,
        };
        self.blocks.insert(hash, stored);
        Ok(hash)
    }

    pub(crate) fn invalidate(&mut self, hash: &BlockHash, now: u64) -> Result<(), ChainError> {
        let found = self.stored(hash).filter(|_| self.is_in_chain(hash));
        let height = found
            .map(|stored| stored.height)
            .filter(|height| *height > 0);
        let height = height.ok_or(ChainError::NoBlock(*hash))?;
        let mut undone = Vec::new();
        while self.height() >= height {
            undone.push(self.disconnect()?);
        }
        // Oldest first, so that each finds what it spends from; then what waited already.
        let waiting = self.pool.take_all();
        let blocks = undone.into_iter().rev().flat_map(|block| block.txdata);
        let again = blocks.chain(waiting.into_iter().map(|entry| entry.transaction));
        for transaction in again.filter(|transaction| !transaction.is_coinbase()) {
            // What the undone blocks alone made valid is lost, as it is at bitcoind.
            let _ = self.submit(transaction, None, now);
        }
        Ok(())
    }

    fn disconnect(&mut self) -> Result<Block, ChainError> {
        let broken = ChainError::Broken("there is no block to undo");
        let (hash, spent) = self.chain.pop().ok_or(broken.clone())?;
        let block = self.stored(&hash).ok_or(broken)?.block.clone();
        for transaction in &block.txdata {
            let txid = transaction.compute_txid();
            self.found.remove(&txid);
            for (vout, _) in (0..).zip(&transaction.output) {
                self.coins.remove(&OutPoint { txid, vout });
            }
        }
        // An output that the block itself made and spent was taken back above, so only older ones return.
        let own: HashSet<_> = block.txdata.iter().map(Transaction::compute_txid).collect();
        let older = spent
            .into_iter()
            .filter(|(out, _)| !own.contains(&out.txid));
        self.coins.extend(older);
        Ok(block)
    }

    fn next_place(&self) -> Place {
        Place {
            height: self.height().saturating_add(1),
            median_time: self.median_time(self.height()),
        }
    }

    fn is_mature(&self, coin: &Coin) -> bool {
        self.next_place().height.saturating_sub(coin.height) >= super::MATURITY
    }

    fn has_output_of(&self, transaction: &Transaction, txid: Txid) -> bool {
        let mut outputs = (0..).zip(&transaction.output);
        outputs.any(|(vout, _)| self.coins.contains_key(&OutPoint { txid, vout }))
    }

    /// What a transaction spends, if all of it exists; other transactions of the mempool may spend it too.
    fn spent_by(&self, transaction: &Transaction) -> Result<Vec<Coin>, Rejection> {
        let spent = transaction.input.iter();
        let spent: Option<_> = spent
            .map(|input| self.coin_to_spend(&input.previous_output))
            .collect();
        spent.ok_or(Rejection::MissingOrSpent)
    }

    fn coin_to_spend(&self, outpoint: &OutPoint) -> Option<Coin> {
        if let Some(coin) = self.coins.get(outpoint) {
            return Some(coin.clone());
        }
        let entry = self.pool.get(&outpoint.txid)?;
        let vout = usize::try_from(outpoint.vout).ok()?;
        Some(Coin {
            output: entry.transaction.output.get(vout)?.clone(),
            height: self.next_place().height,
            is_coinbase: false,
        })
    }
}
