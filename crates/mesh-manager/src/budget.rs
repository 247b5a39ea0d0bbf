use mesh_types::{NodeId, UnixTime};
use parking_lot::Mutex;
use std::collections::HashMap;
use thiserror::Error;

/// The most nodes whose budgets are kept at one time.
///
/// As many as there are sequence windows; a budget takes about 80 bytes. A budget that is full again is forgotten
/// first, since it is the same as a new one.
pub const MAX_BUDGETS: usize = 65_536;

const SHARD_COUNT: usize = 16;

/// How long a shard that found no room waits before it looks for full budgets again, in milliseconds: a flood of new
/// nodes then costs one sweep a second, not one each.
const SWEEP_INTERVAL_MILLIS: u64 = 1_000;

/// A token bucket for each node: so much at once, then so much a second.
#[derive(Debug)]
pub struct Budgets {
    per_second: u64,
    burst: u64,
    shards: [Mutex<Shard>; SHARD_COUNT],
}

#[derive(Debug, Default)]
struct Shard {
    buckets: HashMap<NodeId, Bucket>,
    swept_at: UnixTime,
}

/// Levels are kept in thousandths, so that a millisecond's refill is exact.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    level_milli: u64,
    filled_at: UnixTime,
}

/// The budget does not cover what was asked of it, or there is no room to keep one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the budget is spent; it refills by {per_second} a second up to {burst}")]
pub struct BudgetSpent {
    /// What it refills by.
    pub per_second: u64,
    /// What it holds at most.
    pub burst: u64,
}

impl Budgets {
    /// Gives each node a budget of `burst` that refills by `per_second`.
    pub fn new(per_second: u64, burst: u64) -> Self {
        Self {
            per_second,
            burst,
            shards: Default::default(),
        }
    }

    /// Takes `amount` from the budget of `node`.
    ///
    /// # Errors
    /// [`BudgetSpent`] when it does not cover that; nothing is taken then.
    pub fn take(&self, node: &NodeId, amount: u64, now: UnixTime) -> Result<(), BudgetSpent> {
        let mut shard = self.shard(node).lock();
        if let Some(bucket) = shard.buckets.get_mut(node) {
            return bucket.take(amount, self.per_second, self.burst, now);
        }
        if shard.buckets.len() >= MAX_BUDGETS / SHARD_COUNT {
            shard.sweep(self.per_second, self.burst, now);
            if shard.buckets.len() >= MAX_BUDGETS / SHARD_COUNT {
                return Err(BudgetSpent {
                    per_second: self.per_second,
                    burst: self.burst,
                });
            }
        }
        let mut bucket = Bucket::full(self.burst, now);
        bucket.take(amount, self.per_second, self.burst, now)?;
        shard.buckets.insert(*node, bucket);
        Ok(())
    }

    /// Gives back what was taken for something that did not happen.
    pub fn give_back(&self, node: &NodeId, amount: u64) {
        if let Some(bucket) = self.shard(node).lock().buckets.get_mut(node) {
            bucket.give_back(amount, self.burst);
        }
    }

    fn shard(&self, node: &NodeId) -> &Mutex<Shard> {
        let [.., last] = node.as_bytes();
        let [first, rest @ ..] = &self.shards;
        rest.get(usize::from(*last) % SHARD_COUNT).unwrap_or(first)
    }
}

impl Shard {
    fn sweep(&mut self, per_second: u64, burst: u64, now: UnixTime) {
        if now
            < self
                .swept_at
                .plus(std::time::Duration::from_millis(SWEEP_INTERVAL_MILLIS))
        {
            return;
        }
        self.swept_at = now;
        self.buckets
            .retain(|_, bucket| !bucket.is_full(per_second, burst, now));
    }
}

impl Bucket {
    pub(crate) fn full(burst: u64, now: UnixTime) -> Self {
        Self {
            level_milli: burst.saturating_mul(1_000),
            filled_at: now,
        }
    }

    pub(crate) fn take(
        &mut self,
        amount: u64,
        per_second: u64,
        burst: u64,
        now: UnixTime,
    ) -> Result<(), BudgetSpent> {
        self.refill(per_second, burst, now);
        let left = self.level_milli.checked_sub(amount.saturating_mul(1_000));
        self.level_milli = left.ok_or(BudgetSpent { per_second, burst })?;
        Ok(())
    }

    pub(crate) fn give_back(&mut self, amount: u64, burst: u64) {
        let level = self
            .level_milli
            .saturating_add(amount.saturating_mul(1_000));
        self.level_milli = level.min(burst.saturating_mul(1_000));
    }

    fn refill(&mut self, per_second: u64, burst: u64, now: UnixTime) {
        let elapsed = now.to_millis().saturating_sub(self.filled_at.to_millis());
        // A second's refill of n is n thousandths a millisecond.
        self.give_back_milli(elapsed.saturating_mul(per_second), burst);
        self.filled_at = self.filled_at.max(now);
    }

    fn give_back_milli(&mut self, milli: u64, burst: u64) {
        self.level_milli = self
            .level_milli
            .saturating_add(milli)
            .min(burst.saturating_mul(1_000));
    }

    fn is_full(&self, per_second: u64, burst: u64, now: UnixTime) -> bool {
        let mut refilled = *self;
        refilled.refill(per_second, burst, now);
        refilled.level_milli == burst.saturating_mul(1_000)
    }
}
