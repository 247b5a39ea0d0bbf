use super::pages::each;
use crate::{backend::Snapshot, record::Debit};
use mesh_types::{Msat, NodeId, StoreError, UnixTime};
use std::collections::VecDeque;

/// What was spent in one period, by all payers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// When it began: a full hour.
    pub start: UnixTime,
    /// How many payers spent something.
    pub payers: u64,
    /// On how many packets.
    pub packets: u64,
    /// How much.
    pub amount: Msat,
}

/// The last `most` debits, the newest first.
pub(super) async fn last(books: &mut dyn Snapshot, most: usize) -> Result<Vec<Debit>, StoreError> {
    newest(books, most, |lines, debit| lines.push_back(debit)).await
}

/// The last `most` periods in which something was spent, the newest first.
pub(super) async fn last_periods(
    books: &mut dyn Snapshot,
    most: usize,
) -> Result<Vec<Period>, StoreError> {
    newest(
        books,
        most,
        |periods: &mut VecDeque<Period>, debit| match periods.back_mut() {
            Some(period) if period.start == debit.period => period.add(&debit),
            _ => periods.push_back(Period::of(&debit)),
        },
    )
    .await
}

impl Period {
    fn of(debit: &Debit) -> Self {
        Self {
            start: debit.period,
            payers: 1,
            packets: debit.packets,
            amount: debit.amount,
        }
    }

    fn add(&mut self, debit: &Debit) {
        self.payers = self.payers.saturating_add(1);
        self.packets = self.packets.saturating_add(debit.packets);
        self.amount = self.amount.checked_add(debit.amount).unwrap_or(Msat::MAX);
    }
}

/// An hour: how far from the newest debit is looked first.
const FIRST_SPAN_MS: u64 = 3_600_000;

/// No debit is later: the last time that an SQL bigint holds.
const END_OF_TIME_MS: u64 = i64::MAX.unsigned_abs();

/// The last `most` lines that `add` makes of debits in their order, the newest first.
///
/// Debits are stored from old to new, and only the newest are wanted: so this looks from the newest backwards, four times
/// as far each time, until there are enough.
async fn newest<T>(
    books: &mut dyn Snapshot,
    most: usize,
    add: impl Fn(&mut VecDeque<T>, Debit),
) -> Result<Vec<T>, StoreError> {
    let Some((oldest, newest)) = ends(books).await? else {
        return Ok(Vec::new());
    };
    let mut span = FIRST_SPAN_MS;
    loop {
        let from = UnixTime::from_millis(newest.to_millis().saturating_sub(span));
        let mut lines = VecDeque::new();
        each!(books.debits from before(from), by |debit: &Debit| (debit.period, debit.payer), |debit| {
            add(&mut lines, debit);
            if lines.len() > most {
                lines.pop_front();
            }
        });
        if lines.len() >= most || from <= oldest {
            return Ok(lines.into_iter().rev().collect());
        }
        span = span.saturating_mul(4);
    }
}

/// The oldest and the newest period in which something was spent.
async fn ends(books: &mut dyn Snapshot) -> Result<Option<(UnixTime, UnixTime)>, StoreError> {
    let Some(oldest) = first(books, None).await? else {
        return Ok(None);
    };
    // There is a debit at or after `newest`, and there is none at or after `beyond`.
    let (mut newest, mut beyond) = (oldest.to_millis(), END_OF_TIME_MS);
    while beyond.saturating_sub(newest) > 1 {
        let middle = newest.midpoint(beyond);
        match first(books, before(UnixTime::from_millis(middle))).await? {
            Some(found) => newest = found.to_millis(),
            None => beyond = middle,
        }
    }
    Ok(Some((oldest, UnixTime::from_millis(newest))))
}

async fn first(
    books: &mut dyn Snapshot,
    after: Option<(UnixTime, NodeId)>,
) -> Result<Option<UnixTime>, StoreError> {
    let page = books.debits(after, 1).await?;
    Ok(page.first().map(|debit| debit.period))
}

/// The place just before the first debit that a period can have.
fn before(period: UnixTime) -> Option<(UnixTime, NodeId)> {
    let earlier = period.to_millis().checked_sub(1)?;
    Some((
        UnixTime::from_millis(earlier),
        NodeId::from_bytes([0xff; 32]),
    ))
}
