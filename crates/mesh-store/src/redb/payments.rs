use super::{
    fault::Fault,
    rows::{Bytes32, META},
};
use crate::{
    payment_parts::{ReasonParts, outcome, outcome_parts},
    record::PaymentLine,
};
use mesh_types::{
    Begun, DayCaps, DaySpent, DaySums, MAX_PAYMENT_LINES, Msat, NodeId, OwnPayment, PaymentEnd,
    PaymentOutcome, Spent, UnixTime,
};
use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase as _, ReadableTable,
    ReadableTableMetadata as _, Table, TableDefinition, WriteTransaction,
};

/// This node's own payments, by serial number.
const PAYMENTS: TableDefinition<'_, u64, PaymentRow> = TableDefinition::new("payments");

/// Payments of which nobody knows what became of them: the serial number, by hash.
const OPEN: TableDefinition<'_, Bytes32, u64> = TableDefinition::new("open_payments");

/// What was spent, by day and payee.
const SPENT: TableDefinition<'_, (u64, Bytes32), SpentRow> = TableDefinition::new("spent");

/// In [`META`]: says that the tables above were made, so that one that is missing is not taken for an empty one.
///
/// They came to files of a version that had been without, and what was in those is as it was: so the version stayed.
const MADE: &str = "spending";

/// When in milliseconds, payee, hash, amount, fee, outcome, when that was known, kind of reason, packet, route.
type PaymentRow = (
    u64,
    Bytes32,
    Bytes32,
    u64,
    u64,
    u8,
    u64,
    u8,
    u64,
    &'static [u8],
);

/// Payments, amount and fee, and the part of each whose lines are not kept.
type SpentRow = (u64, u64, u64, u64, u64, u64);

/// How many lines are dropped with each that comes, where there are too many.
///
/// Four, because one would never catch up behind lines that had to stay for a while.
const DROPPED_AT_ONCE: usize = 4;

/// How many of the oldest lines are looked at for that: those of unknown outcome stay.
const LOOKED_AT: usize = 64;

/// Makes the tables.
pub(super) fn make(transaction: &WriteTransaction) -> Result<(), Fault> {
    transaction.open_table(PAYMENTS)?;
    transaction.open_table(OPEN)?;
    transaction.open_table(SPENT)?;
    transaction.open_table(META)?.insert(MADE, [1].as_slice())?;
    Ok(())
}

/// Says whether the tables were made, and all are there.
pub(super) fn are_made(database: &Database) -> Result<bool, Fault> {
    let transaction = database.begin_read()?;
    if transaction.open_table(META)?.get(MADE)?.is_none() {
        return Ok(false);
    }
    transaction.open_table(PAYMENTS)?;
    transaction.open_table(OPEN)?;
    transaction.open_table(SPENT)?;
    Ok(true)
}

/// The tables, open to be changed.
pub(super) struct PaymentTables<'t> {
    payments: Table<'t, u64, PaymentRow>,
    open: Table<'t, Bytes32, u64>,
    spent: Table<'t, (u64, Bytes32), SpentRow>,
}

impl<'t> PaymentTables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            payments: transaction.open_table(PAYMENTS)?,
            open: transaction.open_table(OPEN)?,
            spent: transaction.open_table(SPENT)?,
        })
    }

    pub(super) fn is_empty(&self) -> Result<bool, Fault> {
        Ok(self.payments.is_empty()? && self.spent.is_empty()?)
    }

    pub(super) fn may_begin(&self, payment: &OwnPayment, caps: DayCaps) -> Result<Begun, Fault> {
        if self.open.get(&payment.payment_hash)?.is_some() {
            return Ok(Begun::UnderWay);
        }
        let sums = day_sums(&self.spent, payment.at, payment.payee)?;
        Ok(caps.admit(sums, payment.spent()))
    }

    pub(super) fn begin(&mut self, payment: &OwnPayment) -> Result<(), Fault> {
        let last = self.payments.last()?.map(|(serial, _)| serial.value());
        let serial = last.map_or(1, |last| last.saturating_add(1));
        self.write(serial, payment)?;
        self.open.insert(&payment.payment_hash, serial)?;
        self.change_day(payment, |line| {
            line.spent = line.spent.checked_add(payment.spent())?;
            Some(())
        })?;
        self.drop_oldest(serial.saturating_sub(MAX_PAYMENT_LINES))
    }

    /// Says whether there was such a payment to end.
    pub(super) fn end(&mut self, end: &PaymentEnd) -> Result<bool, Fault> {
        if end.outcome == PaymentOutcome::Unknown {
            return Ok(false);
        }
        let open = self.open.remove(&end.payment_hash)?;
        let Some(serial) = open.map(|serial| serial.value()) else {
            return Ok(false);
        };
        let before = self.line(serial)?;
        let before = before.ok_or(Fault::Corrupt("a payment under way has no line"))?;
        let is_failed = matches!(end.outcome, PaymentOutcome::Failed { .. });
        let after = OwnPayment {
            fee: if is_failed { Msat::ZERO } else { end.fee },
            outcome: end.outcome,
            ..before.clone()
        };
        self.write(serial, &after)?;
        self.change_day(&after, |line| {
            let without = line.spent.checked_sub(before.spent())?;
            line.spent = without.checked_add(after.spent())?;
            Some(())
        })?;
        Ok(true)
    }

    pub(super) fn import_line(&mut self, line: &PaymentLine) -> Result<bool, Fault> {
        let payment = &line.payment;
        if payment.outcome == PaymentOutcome::Unknown {
            let before = self.open.insert(&payment.payment_hash, line.serial)?;
            if before.is_some() {
                return Ok(true);
            }
        }
        let is_twice = self.payments.get(line.serial)?.is_some();
        self.write(line.serial, payment)?;
        Ok(is_twice)
    }

    pub(super) fn import_day(&mut self, line: &DaySpent) -> Result<bool, Fault> {
        let place = (line.day.to_millis(), line.payee.as_bytes());
        let is_twice = self.spent.get(place)?.is_some();
        self.spent.insert(place, spent_row(line))?;
        Ok(is_twice)
    }

    /// Drops some of the lines up to `serial`; what they come to stays in the sums of their days.
    fn drop_oldest(&mut self, serial: u64) -> Result<(), Fault> {
        let mut old = Vec::new();
        for entry in self.payments.range(..=serial)?.take(LOOKED_AT) {
            let (serial, row) = entry?;
            let line = payment_line(serial.value(), row.value())?;
            if line.payment.outcome != PaymentOutcome::Unknown {
                old.push(line);
            }
            if old.len() >= DROPPED_AT_ONCE {
                break;
            }
        }
        for line in old {
            self.payments.remove(line.serial)?;
            self.change_day(&line.payment, |day| {
                day.folded = day.folded.checked_add(line.payment.spent())?;
                Some(())
            })?;
        }
        Ok(())
    }

    fn line(&self, serial: u64) -> Result<Option<OwnPayment>, Fault> {
        let Some(row) = self.payments.get(serial)? else {
            return Ok(None);
        };
        Ok(Some(payment_line(serial, row.value())?.payment))
    }

    fn write(&mut self, serial: u64, payment: &OwnPayment) -> Result<(), Fault> {
        let reason = ReasonParts::of(&payment.reason);
        let (outcome, known_at) = outcome_parts(payment.outcome);
        let row = (
            payment.at.to_millis(),
            payment.payee.as_bytes(),
            &payment.payment_hash,
            payment.amount.to_msat(),
            payment.fee.to_msat(),
            outcome,
            known_at.to_millis(),
            reason.kind,
            reason.sequence,
            reason.route.as_slice(),
        );
        self.payments.insert(serial, row)?;
        Ok(())
    }

    /// Changes the sums of a payment's day; there is no row for nothing.
    fn change_day(
        &mut self,
        payment: &OwnPayment,
        change: impl FnOnce(&mut DaySpent) -> Option<()>,
    ) -> Result<(), Fault> {
        let day = payment.at.day();
        let place = (day.to_millis(), payment.payee.as_bytes());
        let before = self.spent.get(place)?.map(|row| row.value());
        let mut line = day_spent(place, before.unwrap_or_default());
        change(&mut line).ok_or(Fault::Corrupt("the sums of what was spent do not agree"))?;
        if line.spent == Spent::default() {
            self.spent.remove(place)?;
        } else {
            self.spent.insert(place, spent_row(&line))?;
        }
        Ok(())
    }
}

/// The tables at one moment.
pub(super) struct PaymentsRead {
    payments: ReadOnlyTable<u64, PaymentRow>,
    spent: ReadOnlyTable<(u64, Bytes32), SpentRow>,
}

impl PaymentsRead {
    pub(super) fn open(transaction: &ReadTransaction) -> Result<Self, Fault> {
        Ok(Self {
            payments: transaction.open_table(PAYMENTS)?,
            spent: transaction.open_table(SPENT)?,
        })
    }

    pub(super) fn on_day(&self, at: UnixTime, payee: NodeId) -> Result<DaySums, Fault> {
        day_sums(&self.spent, at, payee)
    }

    /// In the order of their serial numbers, from behind `after`.
    pub(super) fn lines(&self, after: Option<u64>, most: usize) -> Result<Vec<PaymentLine>, Fault> {
        let first = after.map_or(0, |after| after.saturating_add(1));
        let mut lines = Vec::new();
        for entry in self.payments.range(first..)?.take(most) {
            let (serial, row) = entry?;
            lines.push(payment_line(serial.value(), row.value())?);
        }
        Ok(lines)
    }

    /// The newest first, from before `before`.
    pub(super) fn last(&self, before: Option<u64>, most: usize) -> Result<Vec<PaymentLine>, Fault> {
        let end = before.unwrap_or(u64::MAX);
        let mut lines = Vec::new();
        for entry in self.payments.range(..end)?.rev().take(most) {
            let (serial, row) = entry?;
            lines.push(payment_line(serial.value(), row.value())?);
        }
        Ok(lines)
    }

    /// In the order of days and payees, from behind `after`.
    pub(super) fn days(
        &self,
        after: Option<(UnixTime, NodeId)>,
        most: usize,
    ) -> Result<Vec<DaySpent>, Fault> {
        let after = after.map(|(day, payee)| (day.to_millis(), payee.to_bytes()));
        let from = match &after {
            Some((day, payee)) => std::ops::Bound::Excluded((*day, payee)),
            None => std::ops::Bound::Unbounded,
        };
        let rows = self
            .spent
            .range::<(u64, &[u8; 32])>((from, std::ops::Bound::Unbounded))?;
        let mut days = Vec::new();
        for entry in rows.take(most) {
            let (place, row) = entry?;
            days.push(day_spent(place.value(), row.value()));
        }
        Ok(days)
    }
}

fn day_sums(
    spent: &impl ReadableTable<(u64, Bytes32), SpentRow>,
    at: UnixTime,
    payee: NodeId,
) -> Result<DaySums, Fault> {
    let day = at.day().to_millis();
    let mut sums = DaySums::default();
    for entry in spent.range::<(u64, &[u8; 32])>((day, &[0; 32])..=(day, &[0xff; 32]))? {
        let (place, row) = entry?;
        let line = day_spent(place.value(), row.value());
        let all = sums.all.checked_add(line.spent);
        sums.all = all.ok_or(Fault::Corrupt("more was spent than there can be"))?;
        if line.payee == payee {
            sums.payee = line.spent;
        }
    }
    Ok(sums)
}

#[expect(
    clippy::type_complexity,
    reason = "it is the row of the table, which has a name of its own with its lifetimes"
)]
fn payment_line(
    serial: u64,
    row: (u64, &[u8; 32], &[u8; 32], u64, u64, u8, u64, u8, u64, &[u8]),
) -> Result<PaymentLine, Fault> {
    let (at, payee, hash, amount, fee, outcome_kind, known_at, kind, sequence, route) = row;
    let parts = ReasonParts {
        kind,
        sequence,
        route: route.to_vec(),
    };
    let reason = parts.reason();
    let outcome = outcome(outcome_kind, UnixTime::from_millis(known_at));
    Ok(PaymentLine {
        serial,
        payment: OwnPayment {
            payment_hash: *hash,
            at: UnixTime::from_millis(at),
            payee: NodeId::from_bytes(*payee),
            amount: Msat::from_msat(amount),
            fee: Msat::from_msat(fee),
            reason: reason.ok_or(Fault::Corrupt("a payment has no known reason"))?,
            outcome: outcome.ok_or(Fault::Corrupt("a payment has no known outcome"))?,
        },
    })
}

fn day_spent((day, payee): (u64, &[u8; 32]), row: (u64, u64, u64, u64, u64, u64)) -> DaySpent {
    let spent = |payments, amount, fee| Spent {
        payments,
        amount: Msat::from_msat(amount),
        fee: Msat::from_msat(fee),
    };
    DaySpent {
        day: UnixTime::from_millis(day),
        payee: NodeId::from_bytes(*payee),
        spent: spent(row.0, row.1, row.2),
        folded: spent(row.3, row.4, row.5),
    }
}

fn spent_row(line: &DaySpent) -> (u64, u64, u64, u64, u64, u64) {
    let (all, folded) = (&line.spent, &line.folded);
    (
        all.payments,
        all.amount.to_msat(),
        all.fee.to_msat(),
        folded.payments,
        folded.amount.to_msat(),
        folded.fee.to_msat(),
    )
}
