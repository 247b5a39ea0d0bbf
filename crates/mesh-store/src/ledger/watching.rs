use super::pages::each;
use crate::backend::Snapshot;
use mesh_types::{Msat, StoreError, Watched};
use serde::{Deserialize, Serialize};

/// Sums over all watched payments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watching {
    /// Payments on the chain that a change of it can still undo.
    pub payments: u64,
    /// What they brought.
    #[serde(rename = "amount_msat")]
    pub amount: Msat,
    /// The part of that which is frozen, because the transactions are not in the chain.
    #[serde(rename = "frozen_msat")]
    pub frozen: Msat,
}

impl Watching {
    /// Adds a payment; `None` when no sum holds it.
    fn with(self, watched: &Watched) -> Option<Self> {
        let frozen = if watched.is_frozen {
            watched.amount
        } else {
            Msat::ZERO
        };
        Some(Self {
            payments: self.payments.checked_add(1)?,
            amount: self.amount.checked_add(watched.amount)?,
            frozen: self.frozen.checked_add(frozen)?,
        })
    }
}

/// Adds up all watched payments.
pub(super) async fn sum(books: &mut dyn Snapshot) -> Result<Watching, StoreError> {
    let mut watching = Watching::default();
    each!(books.watched from None, by |watched: &Watched| watched.key, |watched| {
        watching = watching
            .with(&watched)
            .ok_or(StoreError::TooMuch(watched.amount))?;
    });
    Ok(watching)
}
