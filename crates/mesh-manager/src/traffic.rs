use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what went through.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    carried: AtomicU64,
    delivered: AtomicU64,
    claimed: AtomicU64,
}

impl Traffic {
    pub(crate) fn count_carried(&self) {
        self.carried.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_claimed(&self) {
        self.claimed.fetch_add(1, Ordering::Relaxed);
    }

    /// Packets carried (forwarded or delivered), packets delivered here, payments claimed.
    pub(crate) fn snapshot(&self) -> (u64, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (
            read(&self.carried),
            read(&self.delivered),
            read(&self.claimed),
        )
    }
}
