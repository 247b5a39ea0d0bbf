use mesh_types::UnixTime;
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

const NONE: u64 = u64::MAX;

/// Since when there have been debits that are not booked: a crash forgets them, so they may not grow old.
#[derive(Debug)]
pub(crate) struct Debts {
    limit: Duration,
    /// The oldest debit since the last booking began; milliseconds.
    oldest: AtomicU64,
    /// The oldest debit of the booking that is under way.
    being_booked: AtomicU64,
    /// Whether the store is known not to answer.
    is_store_away: AtomicBool,
    /// Whether debits were lost.
    is_broken: AtomicBool,
}

impl Debts {
    pub(crate) const fn new(limit: Duration) -> Self {
        Self {
            limit,
            oldest: AtomicU64::new(NONE),
            being_booked: AtomicU64::new(NONE),
            is_store_away: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
        }
    }

    pub(crate) fn note(&self, now: UnixTime) {
        self.oldest.fetch_min(now.to_millis(), Ordering::Relaxed);
    }

    pub(crate) fn store_is(&self, answering: bool) {
        self.is_store_away.store(!answering, Ordering::Relaxed);
    }

    /// Says that debits were lost: nothing more is debited in this life of the process.
    pub(crate) fn lost(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
    }

    /// Whether nothing more may be debited: the store is away or has lost debits, or one has waited too long to be booked.
    pub(crate) fn are_late(&self, now: UnixTime) -> bool {
        if self.is_store_away.load(Ordering::Relaxed) || self.is_broken.load(Ordering::Relaxed) {
            return true;
        }
        let oldest = self.oldest.load(Ordering::Relaxed);
        let oldest = oldest.min(self.being_booked.load(Ordering::Relaxed));
        oldest != NONE && now > UnixTime::from_millis(oldest).plus(self.limit)
    }

    /// To be called before what was earned is collected.
    pub(crate) fn booking(&self) {
        let oldest = self.oldest.swap(NONE, Ordering::Relaxed);
        self.being_booked.fetch_min(oldest, Ordering::Relaxed);
    }

    pub(crate) fn booked(&self) {
        self.being_booked.store(NONE, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debits_are_late_when_the_oldest_has_waited_longer_than_allowed_even_while_it_is_being_booked()
     {
        let at = UnixTime::from_millis;
        let debts = Debts::new(Duration::from_millis(200));
        assert!(!debts.are_late(at(1_000_000)));
        debts.note(at(1_000));
        debts.note(at(1_100));
        assert!(!debts.are_late(at(1_200)));
        assert!(debts.are_late(at(1_201)));
        debts.booking();
        debts.note(at(1_150));
        assert!(debts.are_late(at(1_201)));
        debts.booked();
        assert!(!debts.are_late(at(1_350)));
        assert!(debts.are_late(at(1_351)));
    }

    #[test]
    fn while_the_store_is_away_nothing_is_debited() {
        let debts = Debts::new(Duration::from_millis(200));
        debts.store_is(false);
        assert!(debts.are_late(UnixTime::from_secs(1)));
        debts.store_is(true);
        assert!(!debts.are_late(UnixTime::from_secs(1)));
    }

    #[test]
    fn once_debits_are_lost_nothing_is_debited_any_more() {
        let debts = Debts::new(Duration::from_millis(200));
        debts.lost();
        debts.booking();
        debts.booked();
        debts.store_is(true);
        assert!(debts.are_late(UnixTime::from_secs(1)));
    }
}
