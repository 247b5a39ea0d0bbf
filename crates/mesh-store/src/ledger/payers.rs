use super::pages::each;
use crate::{backend::Snapshot, record::Account};
use mesh_types::StoreError;

/// The `most` accounts that most was earned from, the largest first; those that are alike in the order of their ids.
pub(super) async fn largest(
    books: &mut dyn Snapshot,
    most: usize,
) -> Result<Vec<Account>, StoreError> {
    let mut best: Vec<Account> = Vec::new();
    // Sorting at twice what is wanted keeps the memory bounded and the sorts few.
    let full = most.saturating_mul(2).max(super::pages::PAGE);
    each!(books.accounts from None, by |account: &Account| account.payer, |account| {
        best.push(account);
        if best.len() >= full {
            keep(&mut best, most);
        }
    });
    keep(&mut best, most);
    Ok(best)
}

fn keep(best: &mut Vec<Account>, most: usize) {
    best.sort_unstable_by(|a, b| b.earned.cmp(&a.earned).then(a.payer.cmp(&b.payer)));
    best.truncate(most);
}
