use serde::{Deserialize, Serialize};
use std::fmt;

/// An amount of money in millisatoshi.
///
/// Arithmetic is checked: there is no `+`, so no sum can wrap unseen.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Msat(u64);

impl Msat {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The most that the type holds.
    pub const MAX: Self = Self(u64::MAX);

    /// Takes millisatoshi.
    pub const fn from_msat(msat: u64) -> Self {
        Self(msat)
    }

    /// Takes satoshi; `None` when they do not fit in millisatoshi.
    pub const fn from_sats(sats: u64) -> Option<Self> {
        match sats.checked_mul(1_000) {
            Some(msat) => Some(Self(msat)),
            None => None,
        }
    }

    /// Takes satoshi; the most that the type holds when they do not fit in millisatoshi.
    pub const fn from_sats_saturating(sats: u64) -> Self {
        Self(sats.saturating_mul(1_000))
    }

    /// Gives millisatoshi.
    pub const fn to_msat(self) -> u64 {
        self.0
    }

    /// Gives whole satoshi, rounded down.
    pub const fn to_sats_floor(self) -> u64 {
        self.0 / 1_000
    }

    /// Adds; `None` on overflow.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(msat) => Some(Self(msat)),
            None => None,
        }
    }

    /// Subtracts; `None` when `other` is more.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(msat) => Some(Self(msat)),
            None => None,
        }
    }

    /// Multiplies by a count; `None` on overflow.
    pub const fn checked_mul(self, count: u64) -> Option<Self> {
        match self.0.checked_mul(count) {
            Some(msat) => Some(Self(msat)),
            None => None,
        }
    }

    /// What is left of `self` after taking up to `other` away.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Msat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} msat", self.0)
    }
}
