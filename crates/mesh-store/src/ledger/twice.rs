use super::{pages::each, verify::MAX_DIFFERENCES};
use crate::{backend::Snapshot, record::Deposit};
use mesh_types::{ClaimKey, StoreError};

/// How many payments are compared in one walk through the journal.
///
/// 2,097,152, because they take 64 MiB; a journal of more of them is walked through more than once.
pub(super) const PAYMENTS_AT_ONCE: u64 = 2_097_152;

/// Payments that were claimed more than once, which no store lets happen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Twice {
    /// How many claims are too many.
    pub count: u64,
    /// The first [`MAX_DIFFERENCES`] of the payments.
    pub listed: Vec<ClaimKey>,
}

/// Looks for payments that stand in the journal more than once; of its `deposits`, about `at_once` are held.
pub(super) async fn claimed_twice(
    books: &mut dyn Snapshot,
    deposits: u64,
    at_once: u64,
) -> Result<Twice, StoreError> {
    let mut twice = Twice::default();
    let shares = deposits.div_ceil(at_once.max(1)).max(1);
    for share in 0..shares {
        let mut keys = Vec::new();
        each!(books.deposits from None, by |deposit: &Deposit| deposit.serial, |deposit| {
            if share_of(&deposit.key, shares) == share {
                keys.push(deposit.key);
            }
        });
        keys.sort_unstable();
        let pairs = keys.iter().zip(keys.iter().skip(1));
        for (key, _) in pairs.filter(|(key, next)| key == next) {
            twice.count = twice.count.saturating_add(1);
            if twice.listed.len() < MAX_DIFFERENCES && twice.listed.last() != Some(key) {
                twice.listed.push(*key);
            }
        }
    }
    Ok(twice)
}

/// Which of the shares a payment falls into: its key is a hash, so they are about alike.
fn share_of(key: &ClaimKey, shares: u64) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *key.as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
        .checked_rem(shares)
        .unwrap_or(0)
}
