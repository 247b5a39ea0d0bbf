use mesh_types::UnixTime;

/// How much of something is allowed at once, and how fast that comes back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) burst: u64,
    /// How long it takes until one more is allowed, in thousandths of a millisecond, so that fast rates are exact.
    pub(crate) micros_for_one: u64,
}

/// What is left of a [`Rate`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    left_micros: u64,
    at: UnixTime,
}

impl Allowance {
    pub(crate) const fn full(rate: Rate, now: UnixTime) -> Self {
        Self {
            left_micros: rate.burst.saturating_mul(rate.micros_for_one),
            at: now,
        }
    }

    /// How many are allowed now.
    pub(crate) fn left(&self, rate: Rate, now: UnixTime) -> u64 {
        self.refilled(rate, now) / rate.micros_for_one.max(1)
    }

    /// Takes `count`, if so many are allowed; says whether they are.
    pub(crate) fn take(&mut self, count: u64, rate: Rate, now: UnixTime) -> bool {
        let left = self.refilled(rate, now);
        let rest = left.checked_sub(count.saturating_mul(rate.micros_for_one));
        // A clock that was set back must not refill twice.
        self.at = self.at.max(now);
        self.left_micros = rest.unwrap_or(left);
        rest.is_some()
    }

    /// Takes `count`, or what is left when that is less.
    pub(crate) fn take_most(&mut self, count: u64, rate: Rate, now: UnixTime) {
        let count = count.min(self.left(rate, now));
        self.take(count, rate, now);
    }

    fn refilled(&self, rate: Rate, now: UnixTime) -> u64 {
        let passed = now.to_millis().saturating_sub(self.at.to_millis());
        let most = rate.burst.saturating_mul(rate.micros_for_one);
        let left = self
            .left_micros
            .saturating_add(passed.saturating_mul(1_000));
        left.min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_at_once_and_comes_back_one_by_one() {
        let rate = Rate {
            burst: 3,
            micros_for_one: 10_000_000,
        };
        let at = UnixTime::from_secs;
        let mut allowance = Allowance::full(rate, at(100));
        assert!(!allowance.take(4, rate, at(100)));
        assert!(allowance.take(3, rate, at(100)));
        assert!(!allowance.take(1, rate, at(109)));
        assert_eq!(allowance.left(rate, at(110)), 1);
        assert!(allowance.take(1, rate, at(110)));
        assert!(!allowance.take(1, rate, at(50)));
        assert!(!allowance.take(1, rate, at(111)));
        assert_eq!(allowance.left(rate, at(10_000)), 3);
        allowance.take_most(9, rate, at(10_000));
        assert_eq!(allowance.left(rate, at(10_000)), 0);
    }
}
