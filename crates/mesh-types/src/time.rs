use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How far a packet's timestamp may lie from the clock of the node that reads it, either way.
///
/// Two minutes, because it covers the drift of a node without NTP, and because everything that guards against
/// replays has to remember for exactly this long.
pub const MAX_PACKET_AGE: Duration = Duration::from_secs(120);

/// A day, UTC: there are no leap seconds in Unix time.
const DAY_MILLIS: u64 = 86_400_000;

/// A point in time: milliseconds since the Unix epoch.
///
/// Wire formats and proofs carry whole seconds; the finer part serves rate limits.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixTime(u64);

impl UnixTime {
    /// Takes milliseconds since the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Takes seconds since the epoch; the far future beyond the type's end becomes its end.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// Gives milliseconds since the epoch.
    pub const fn to_millis(self) -> u64 {
        self.0
    }

    /// Gives whole seconds since the epoch, rounded down.
    pub const fn to_secs(self) -> u64 {
        self.0 / 1_000
    }

    /// The beginning of its day, UTC.
    pub const fn day(self) -> Self {
        Self(self.0.saturating_sub(self.0 % DAY_MILLIS))
    }

    /// Says whether a thing that ends at `self` still lives at `now`: it lives while `now < self`.
    pub const fn is_alive_at(self, now: Self) -> bool {
        now.0 < self.0
    }

    /// Says whether `self` and `other` are at most `span` apart.
    pub const fn is_within(self, span: Duration, other: Self) -> bool {
        self.0.abs_diff(other.0) as u128 <= span.as_millis()
    }

    /// The point `span` later; the type's end when it is beyond.
    pub fn plus(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// How long it is from `earlier` to `self`; nothing when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
