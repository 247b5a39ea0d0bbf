use super::Rejection;
use bitcoin::{Amount, OutPoint, Transaction, Txid};
use std::collections::{HashMap, HashSet};

/// Transactions that the mempool holds: five thousand, because a block takes about as many.
pub const MAX_POOL: usize = 5_000;

/// A transaction that waits for a block.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) transaction: Transaction,
    pub(crate) txid: Txid,
    pub(crate) fee: Amount,
    pub(crate) vsize: u64,
    /// When it came, in seconds since 1970.
    pub(crate) time: u64,
    /// The height of the tip when it came.
    pub(crate) height: u32,
}

/// The transactions that wait for a block, each after those that it spends from.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    entries: Vec<Entry>,
    spenders: HashMap<OutPoint, Txid>,
}

impl Pool {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(crate) fn get(&self, txid: &Txid) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.txid == *txid)
    }

    /// The transaction that spends an output.
    pub(crate) fn spender(&self, outpoint: &OutPoint) -> Option<Txid> {
        self.spenders.get(outpoint).copied()
    }

    pub(super) fn add(&mut self, entry: Entry) {
        let spends = entry.transaction.input.iter();
        self.spenders
            .extend(spends.map(|input| (input.previous_output, entry.txid)));
        self.entries.push(entry);
    }

    /// What has to leave so that a transaction can come, which pays more than all of it.
    pub(super) fn replaced_by(
        &self,
        transaction: &Transaction,
        fee: Amount,
    ) -> Result<HashSet<Txid>, Rejection> {
        let spends = transaction.input.iter();
        let direct: HashSet<_> = spends
            .filter_map(|input| self.spender(&input.previous_output))
            .collect();
        let vsize = vsize(transaction);
        let pays_better_than = |entry: &Entry| {
            let this = u128::from(fee.to_sat()) * u128::from(entry.vsize);
            this > u128::from(entry.fee.to_sat()) * u128::from(vsize)
        };
        let all = self.with_descendants(direct.clone());
        let leaving = || self.iter().filter(|entry| all.contains(&entry.txid));
        let spends_what_leaves = transaction
            .input
            .iter()
            .any(|input| all.contains(&input.previous_output.txid));
        if spends_what_leaves {
            return Err(Rejection::MissingOrSpent);
        }
        if !leaving()
            .filter(|entry| direct.contains(&entry.txid))
            .all(pays_better_than)
        {
            return Err(Rejection::ReplacementTooCheap);
        }
        let lost: Option<Amount> = super::check::sum(leaving().map(|entry| entry.fee));
        // The replacement pays for its own relay, a satoshi a virtual byte, on top of what is lost.
        let needed = lost.and_then(|lost| lost.checked_add(Amount::from_sat(vsize)));
        if !all.is_empty() && needed.is_none_or(|needed| fee < needed) {
            return Err(Rejection::ReplacementTooCheap);
        }
        if self.entries.len().saturating_sub(all.len()) >= MAX_POOL {
            return Err(Rejection::PoolFull);
        }
        Ok(all)
    }

    /// These transactions, and all that spend from them.
    pub(super) fn with_descendants(&self, mut txids: HashSet<Txid>) -> HashSet<Txid> {
        // Each comes after those that it spends from, so one pass finds all.
        for entry in &self.entries {
            let mut spends = entry.transaction.input.iter();
            if spends.any(|input| txids.contains(&input.previous_output.txid)) {
                txids.insert(entry.txid);
            }
        }
        txids
    }

    pub(super) fn remove(&mut self, txids: &HashSet<Txid>) {
        self.entries.retain(|entry| !txids.contains(&entry.txid));
        self.spenders.retain(|_, spender| !txids.contains(spender));
    }

    pub(super) fn take_all(&mut self) -> Vec<Entry> {
        self.spenders.clear();
        std::mem::take(&mut self.entries)
    }
}

pub(super) fn vsize(transaction: &Transaction) -> u64 {
    transaction.weight().to_vbytes_ceil()
}
