use super::pages::each;
use crate::{backend::Snapshot, record::Account};
use mesh_types::{Msat, StoreError};
use serde::{Deserialize, Serialize};

/// Sums over all accounts: deposited = credit + earned + refunded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Payers that have ever deposited.
    pub accounts: u64,
    /// Payments that were claimed.
    pub deposits: u64,
    /// Packets that were carried for them.
    pub packets: u64,
    /// All that was ever deposited.
    #[serde(rename = "deposited_msat")]
    pub deposited: Msat,
    /// What is not spent.
    #[serde(rename = "credit_msat")]
    pub credit: Msat,
    /// What was earned by carrying.
    #[serde(rename = "earned_msat")]
    pub earned: Msat,
    /// What was given back to payers, or may be; not written for nothing, as it was before there were refunds.
    #[serde(rename = "refunded_msat", default, skip_serializing_if = "is_nothing")]
    pub refunded: Msat,
}

/// How many records of each kind an export holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Payers.
    pub accounts: u64,
    /// Lines of the journal of deposits.
    pub deposits: u64,
    /// Lines of the journal of debits.
    pub debits: u64,
    /// Payments that cannot be claimed again.
    pub claims: u64,
    /// Payments that a change of the chain can undo; not written for none, as exports were before there were any.
    #[serde(default, skip_serializing_if = "is_none")]
    pub watched: u64,
    /// Payments of this node's own; not written for none either.
    #[serde(default, skip_serializing_if = "is_none")]
    pub payments: u64,
    /// Days and payees on which something was spent; not written for none either.
    #[serde(default, skip_serializing_if = "is_none")]
    pub spent: u64,
    /// Refunds; not written for none either.
    #[serde(default, skip_serializing_if = "is_none")]
    pub refunds: u64,
    /// Proofs of this node's own payments that wait to be shown.
    pub proofs: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a reference over"
)]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a reference over"
)]
pub(super) const fn is_nothing(amount: &Msat) -> bool {
    amount.to_msat() == 0
}

/// What an export is known by: two of the same ledger at the same moment are the same in all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Sums over all accounts.
    pub totals: Totals,
    /// How many records of each kind.
    pub counts: Counts,
    /// SHA-256 of all lines before the last.
    pub sha256: [u8; 32],
}

impl Totals {
    /// Adds an account; `None` when no sum holds it.
    pub(super) fn with(self, account: &Account) -> Option<Self> {
        Some(Self {
            accounts: self.accounts.checked_add(1)?,
            deposits: self.deposits.checked_add(account.deposits)?,
            packets: self.packets.checked_add(account.packets)?,
            deposited: self.deposited.checked_add(account.deposited)?,
            credit: self.credit.checked_add(account.credit)?,
            earned: self.earned.checked_add(account.earned)?,
            refunded: self.refunded.checked_add(account.refunded)?,
        })
    }
}

/// Adds up all accounts.
pub(super) async fn sum(books: &mut dyn Snapshot) -> Result<Totals, StoreError> {
    let mut totals = Totals::default();
    each!(books.accounts from None, by |account: &Account| account.payer, |account| {
        totals = totals
            .with(&account)
            .ok_or(StoreError::TooMuch(account.deposited))?;
    });
    Ok(totals)
}
