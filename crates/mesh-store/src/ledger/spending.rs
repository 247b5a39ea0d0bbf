use super::{pages::each, verify::MAX_DIFFERENCES};
use crate::{backend::Snapshot, record::PaymentLine};
use mesh_types::{DaySpent, NodeId, Spent, StoreError, UnixTime};
use std::collections::{BTreeMap, HashMap};

/// How many payments are read at once where those of a day or a payee are looked for.
const PAGE: usize = 1_024;

/// Which payments are looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpendingFilter {
    /// Those of the day of this time, UTC.
    pub day: Option<UnixTime>,
    /// Those to this node.
    pub payee: Option<NodeId>,
}

/// What this node has spent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spending {
    /// The last payments, the newest first.
    pub payments: Vec<PaymentLine>,
    /// Sums by day, the newest first.
    pub days: Vec<(UnixTime, Spent)>,
    /// Sums by payee, the most first.
    pub payees: Vec<(NodeId, Spent)>,
    /// All of it.
    pub total: Spent,
}

/// Days and payees whose sums are not what their lines come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpendingVerdict {
    /// How many.
    pub differences: u64,
    /// The first [`MAX_DIFFERENCES`] of them.
    pub listed: Vec<SpendingDifference>,
}

/// A day and a payee whose sums are not what the lines come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpendingDifference {
    /// When the day began.
    pub day: UnixTime,
    /// The payee.
    pub payee: NodeId,
    /// What the sums say.
    pub sums: Spent,
    /// What the lines come to, with those that are not kept any more; the most that there can be when it is more.
    pub lines: Spent,
}

impl SpendingFilter {
    fn takes(&self, at: UnixTime, payee: NodeId) -> bool {
        self.day.is_none_or(|day| day.day() == at.day())
            && self.payee.is_none_or(|wanted| wanted == payee)
    }
}

/// The `most` first of each list, of what `filter` takes.
pub(super) async fn spending(
    books: &mut dyn Snapshot,
    filter: SpendingFilter,
    most: usize,
) -> Result<Spending, StoreError> {
    let mut days = BTreeMap::<UnixTime, Spent>::new();
    let mut payees = HashMap::<NodeId, Spent>::new();
    let mut total = Spent::default();
    each!(books.spent from None, by |day: &DaySpent| (day.day, day.payee), |line| {
        if filter.takes(line.day, line.payee) {
            total = sum(total, line.spent);
            let day = days.entry(line.day).or_default();
            *day = sum(*day, line.spent);
            let payee = payees.entry(line.payee).or_default();
            *payee = sum(*payee, line.spent);
        }
    });
    let mut payees: Vec<_> = payees.into_iter().collect();
    payees.sort_unstable_by(|(a, less), (b, more)| more.total().cmp(&less.total()).then(a.cmp(b)));
    payees.truncate(most);
    Ok(Spending {
        payments: last(books, filter, most).await?,
        days: days.into_iter().rev().take(most).collect(),
        payees,
        total,
    })
}

async fn last(
    books: &mut dyn Snapshot,
    filter: SpendingFilter,
    most: usize,
) -> Result<Vec<PaymentLine>, StoreError> {
    let (mut found, mut before) = (Vec::new(), None);
    while found.len() < most {
        let page = books.last_payments(before, PAGE).await?;
        let Some(oldest) = page.last() else { break };
        before = Some(oldest.serial);
        let taken = page
            .into_iter()
            .filter(|line| filter.takes(line.payment.at, line.payment.payee));
        found.extend(taken);
    }
    found.truncate(most);
    Ok(found)
}

/// Compares the sums with the lines.
pub(super) async fn verify(books: &mut dyn Snapshot) -> Result<SpendingVerdict, StoreError> {
    // No more lines than are ever kept.
    let mut lines = BTreeMap::<(UnixTime, NodeId), Spent>::new();
    each!(books.payments from None, by |line: &PaymentLine| line.serial, |line| {
        let place = (line.payment.at.day(), line.payment.payee);
        let spent = line.payment.spent();
        if spent != Spent::default() {
            let come_to = lines.entry(place).or_default();
            *come_to = sum(*come_to, spent);
        }
    });
    let mut verdict = SpendingVerdict::default();
    each!(books.spent from None, by |day: &DaySpent| (day.day, day.payee), |line| {
        let come_to = lines.remove(&(line.day, line.payee)).unwrap_or_default();
        verdict.compare(line.day, line.payee, line.spent, sum(come_to, line.folded));
    });
    for ((day, payee), come_to) in lines {
        verdict.compare(day, payee, Spent::default(), come_to);
    }
    Ok(verdict)
}

impl SpendingVerdict {
    fn compare(&mut self, day: UnixTime, payee: NodeId, sums: Spent, lines: Spent) {
        if sums == lines {
            return;
        }
        self.differences = self.differences.saturating_add(1);
        if self.listed.len() < MAX_DIFFERENCES {
            self.listed.push(SpendingDifference {
                day,
                payee,
                sums,
                lines,
            });
        }
    }
}

/// The most that there can be when it is more.
fn sum(one: Spent, other: Spent) -> Spent {
    let most = Spent {
        payments: u64::MAX,
        amount: mesh_types::Msat::MAX,
        fee: mesh_types::Msat::MAX,
    };
    one.checked_add(other).unwrap_or(most)
}
