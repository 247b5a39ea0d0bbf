use super::{
    pages::{PAGE, each},
    spending::{self, SpendingVerdict},
    totals::Totals,
    twice::{PAYMENTS_AT_ONCE, Twice, claimed_twice},
};
use crate::{
    backend::Snapshot,
    record::{Account, Debit, Deposit},
};
use mesh_types::{Msat, NodeId, Refund, StoreError, Watched};
use std::{collections::HashMap, ops::Bound};

/// The most differences that are listed; the rest is counted.
///
/// 1,000, because a person looks at the first ones, and each takes some hundred bytes.
pub const MAX_DIFFERENCES: usize = 1_000;

/// How many accounts are recomputed in one walk through the journal.
///
/// 262,144, because they take about 40 MB; a ledger with more of them is walked through more than once.
const ACCOUNTS_AT_ONCE: usize = 262_144;

/// What the journal comes to, and where the accounts say something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Sums over all accounts.
    pub totals: Totals,
    /// Sums over the whole journal.
    pub journal: Journal,
    /// How many payers have a difference.
    pub differences: u64,
    /// The first [`MAX_DIFFERENCES`] of them, in the order of their ids.
    pub listed: Vec<Difference>,
    /// Payments that stand in the journal more than once.
    pub twice: Twice,
    /// What this node has spent itself.
    pub spending: SpendingVerdict,
}

/// A payer whose account is not what the journal comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Whose.
    pub payer: NodeId,
    /// What the account says; `None` when there is none.
    pub account: Option<Account>,
    /// What the journal comes to.
    pub journal: Journal,
}

/// Sums of journal lines, of refunds, and of watched payments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Journal {
    /// Payments that were claimed.
    pub deposits: u64,
    /// What they brought; the most that there can be when it is more.
    pub deposited: Msat,
    /// Packets that were carried.
    pub packets: u64,
    /// What was spent on them; the most that there can be when it is more.
    pub spent: Msat,
    /// What refunds have taken; the most that there can be when it is more.
    pub refunded: Msat,
    /// What the watched payments come to that are frozen; the most that there can be when it is more.
    pub frozen: Msat,
}

impl Verdict {
    /// Whether every account, and so every sum, is what the journal comes to, no payment stands in it twice, and what was spent
    /// on each day is what its payments come to.
    pub fn is_right(&self) -> bool {
        self.differences == 0 && self.twice.count == 0 && self.spending.differences == 0
    }
}

impl Journal {
    /// What is neither spent nor refunded; `None` when that is more than there was.
    pub fn credit(&self) -> Option<Msat> {
        self.deposited
            .checked_sub(self.spent)?
            .checked_sub(self.refunded)
    }

    fn deposit(&mut self, amount: Msat) {
        self.deposits = self.deposits.saturating_add(1);
        self.deposited = sum(self.deposited, amount);
    }

    fn debit(&mut self, amount: Msat, packets: u64) {
        self.packets = self.packets.saturating_add(packets);
        self.spent = sum(self.spent, amount);
    }

    fn refund(&mut self, refund: &Refund) {
        self.refunded = sum(self.refunded, refund.taken().unwrap_or(Msat::MAX));
    }

    fn watch(&mut self, watched: &Watched) {
        if watched.is_frozen {
            self.frozen = sum(self.frozen, watched.amount);
        }
    }

    fn is_of(&self, account: &Account) -> bool {
        account.deposits == self.deposits
            && account.deposited == self.deposited
            && account.packets == self.packets
            && account.earned == self.spent
            && account.refunded == self.refunded
            && Some(account.credit) == self.credit()
            && account.frozen == self.frozen
    }
}

fn sum(sum: Msat, amount: Msat) -> Msat {
    sum.checked_add(amount).unwrap_or(Msat::MAX)
}

/// Recomputes all accounts.
pub(super) async fn verify(books: &mut dyn Snapshot) -> Result<Verdict, StoreError> {
    verify_by(books, ACCOUNTS_AT_ONCE, PAYMENTS_AT_ONCE).await
}

/// Recomputes all accounts, of which no more than `at_once` and a page are ever held, and about `payments` payments.
pub(super) async fn verify_by(
    books: &mut dyn Snapshot,
    at_once: usize,
    payments: u64,
) -> Result<Verdict, StoreError> {
    let mut verdict = Verdict {
        totals: Totals::default(),
        journal: Journal::default(),
        differences: 0,
        listed: Vec::new(),
        twice: Twice::default(),
        spending: spending::verify(books).await?,
    };
    let mut after = None;
    loop {
        let walk = Walk::over(books, after, at_once).await?;
        after = walk.last;
        let journal = walk.finish(books, &mut verdict).await?;
        if after.is_none() {
            verdict.twice = claimed_twice(books, journal.deposits, payments).await?;
            verdict.journal = journal;
            return Ok(verdict);
        }
    }
}

/// The accounts of one walk through the journal: those of all payers from one to another.
struct Walk {
    after: Option<NodeId>,
    /// `None` in the last walk, which has no end.
    last: Option<NodeId>,
    entries: HashMap<NodeId, (Option<Account>, Journal)>,
    /// Payers without an account are held up to this many; of more of them, every line is a difference.
    most: usize,
}

impl Walk {
    async fn over(
        books: &mut dyn Snapshot,
        after: Option<NodeId>,
        at_once: usize,
    ) -> Result<Self, StoreError> {
        let mut entries = HashMap::new();
        let mut last = after;
        while entries.len() < at_once {
            let page = books.accounts(last, PAGE.min(at_once)).await?;
            let Some(account) = page.last() else {
                last = None;
                break;
            };
            last = Some(account.payer);
            entries.extend(
                page.into_iter()
                    .map(|account| (account.payer, (Some(account), Journal::default()))),
            );
        }
        let most = entries.len().saturating_add(at_once);
        Ok(Self {
            after,
            last,
            entries,
            most,
        })
    }

    /// Walks through the journal, compares, and answers with the sums of the whole journal.
    async fn finish(
        mut self,
        books: &mut dyn Snapshot,
        verdict: &mut Verdict,
    ) -> Result<Journal, StoreError> {
        let mut journal = Journal::default();
        each!(books.deposits from None, by |deposit: &Deposit| deposit.serial, |deposit| {
            journal.deposit(deposit.amount);
            self.add(deposit.payer, verdict, |sums| sums.deposit(deposit.amount));
        });
        each!(books.debits from None, by |debit: &Debit| (debit.period, debit.payer), |debit| {
            journal.debit(debit.amount, debit.packets);
            self.add(debit.payer, verdict, |sums| sums.debit(debit.amount, debit.packets));
        });
        each!(books.refunds from None, by |refund: &Refund| refund.payment_hash, |refund| {
            journal.refund(&refund);
            self.add(refund.payer, verdict, |sums| sums.refund(&refund));
        });
        each!(books.watched from None, by |watched: &Watched| watched.key, |watched| {
            journal.watch(&watched);
            self.add(watched.payer, verdict, |sums| sums.watch(&watched));
        });
        self.compare(verdict)?;
        Ok(journal)
    }

    fn add(&mut self, payer: NodeId, verdict: &mut Verdict, add: impl Fn(&mut Journal)) {
        let from = self.after.map_or(Bound::Unbounded, Bound::Excluded);
        let to = self.last.map_or(Bound::Unbounded, Bound::Included);
        if !std::ops::RangeBounds::contains(&(from, to), &payer) {
            return;
        }
        let has_room = self.entries.len() < self.most;
        match self.entries.get_mut(&payer) {
            Some((_, sums)) => add(sums),
            None if has_room => {
                let (_, sums) = self.entries.entry(payer).or_default();
                add(sums);
            }
            None => verdict.differences = verdict.differences.saturating_add(1),
        }
    }

    fn compare(self, verdict: &mut Verdict) -> Result<(), StoreError> {
        let mut differences = Vec::new();
        for (payer, (account, journal)) in self.entries {
            if let Some(account) = &account {
                let totals = verdict.totals.with(account);
                verdict.totals = totals.ok_or(StoreError::TooMuch(account.deposited))?;
            }
            if !account.is_some_and(|account| journal.is_of(&account)) {
                differences.push(Difference {
                    payer,
                    account,
                    journal,
                });
            }
        }
        let count = u64::try_from(differences.len()).unwrap_or(u64::MAX);
        verdict.differences = verdict.differences.saturating_add(count);
        differences.sort_unstable_by_key(|difference| difference.payer);
        let room = MAX_DIFFERENCES.saturating_sub(verdict.listed.len());
        verdict.listed.extend(differences.into_iter().take(room));
        Ok(())
    }
}
