use super::limits::ITEMS_OF_ORIGIN;
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

/// What is left of [`ITEMS_OF_ORIGIN`], in eight bytes: each node keeps one for each other node.
///
/// Milliseconds are enough, for each announcement costs whole seconds: of 64 bits 47 are when, 17 what is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OriginAllowance(u64);

const LEFT_BITS: u32 = 17;
const _: () = assert!(ITEMS_OF_ORIGIN.micros_for_one.is_multiple_of(1_000));
const _: () =
    assert!(ITEMS_OF_ORIGIN.burst * ITEMS_OF_ORIGIN.micros_for_one / 1_000 < 1 << LEFT_BITS);

impl OriginAllowance {
    pub(crate) fn full(now: UnixTime) -> Self {
        Self::pack(Allowance::full(ITEMS_OF_ORIGIN, now))
    }

    pub(crate) fn left(self, now: UnixTime) -> u64 {
        self.unpack().left(ITEMS_OF_ORIGIN, now)
    }

    /// Takes one, if one is left.
    pub(crate) fn take_one(&mut self, now: UnixTime) {
        let mut allowance = self.unpack();
        allowance.take(1, ITEMS_OF_ORIGIN, now);
        *self = Self::pack(allowance);
    }

    fn pack(allowance: Allowance) -> Self {
        let at = allowance.at.to_millis().min(u64::MAX >> LEFT_BITS);
        Self((at << LEFT_BITS) | (allowance.left_micros / 1_000))
    }

    fn unpack(self) -> Allowance {
        Allowance {
            left_micros: (self.0 & ((1 << LEFT_BITS) - 1)) * 1_000,
            at: UnixTime::from_millis(self.0 >> LEFT_BITS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    proptest! {
        #[test]
        fn that_of_an_origin_is_the_same_in_eight_bytes(
            steps in vec((0_u64..40_000, any::<bool>(), any::<bool>()), 1..60),
        ) {
            let mut at = 1_800_000_000_000_u64;
            let start = UnixTime::from_millis(at);
            let (mut small, mut whole) = (OriginAllowance::full(start), Allowance::full(ITEMS_OF_ORIGIN, start));
            for (step, is_set_back, takes) in steps {
                at = if is_set_back { at - step } else { at + step };
                let now = UnixTime::from_millis(at);
                prop_assert_eq!(small.left(now), whole.left(ITEMS_OF_ORIGIN, now));
                if takes {
                    small.take_one(now);
                    whole.take(1, ITEMS_OF_ORIGIN, now);
                }
            }
        }
    }

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
