use crate::{BudgetSpent, Budgets, budget::Bucket};
use mesh_types::{FreeLane as FreeLaneConfig, NodeId, UnixTime};
use parking_lot::Mutex;

/// Which of a node's lanes that cost nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lane {
    /// For what is free because of what it is: Bitcoin, governance, Stratum V2.
    Free,
    /// For messages between meshes: a lane of their own, so that no flood of free data shuts payments out.
    Control,
}

/// What may be carried without payment: a budget of bytes for each source, and one that they share.
#[derive(Debug)]
pub(crate) struct FreeLane {
    sources: Budgets,
    total: Mutex<Bucket>,
    total_per_second: u64,
}

/// The shared budget holds this many seconds of its refill, so that one block passes at once on the default budget.
const TOTAL_BURST_SECONDS: u64 = 8;

impl FreeLane {
    pub(crate) fn new(config: FreeLaneConfig, now: UnixTime) -> Self {
        let total_per_second = config.bytes_per_second_total.into();
        Self {
            sources: Budgets::new(
                config.bytes_per_second_per_source.into(),
                config.burst_bytes_per_source.into(),
            ),
            total: Mutex::new(Bucket::full(burst(total_per_second), now)),
            total_per_second,
        }
    }

    pub(crate) fn take(
        &self,
        source: &NodeId,
        bytes: u64,
        now: UnixTime,
    ) -> Result<(), BudgetSpent> {
        self.sources.take(source, bytes, now)?;
        let per_second = self.total_per_second;
        let from_total = self
            .total
            .lock()
            .take(bytes, per_second, burst(per_second), now);
        if from_total.is_err() {
            self.sources.give_back(source, bytes);
        }
        from_total
    }

    pub(crate) fn give_back(&self, source: &NodeId, bytes: u64) {
        self.sources.give_back(source, bytes);
        self.total
            .lock()
            .give_back(bytes, burst(self.total_per_second));
    }
}

fn burst(total_per_second: u64) -> u64 {
    total_per_second.saturating_mul(TOTAL_BURST_SECONDS)
}
