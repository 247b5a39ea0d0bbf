use super::{
    fault::Fault,
    number::{msat, signed, time, unsigned},
};
use crate::{
    payment_parts::{ReasonParts, outcome, outcome_parts},
    record::PaymentLine,
};
use mesh_types::{
    Begun, DayCaps, DaySpent, DaySums, MAX_PAYMENT_LINES, Msat, NodeId, OwnPayment, PaymentEnd,
    PaymentOutcome, Spent, UnixTime,
};
use sqlx::{PgConnection, Row as _, postgres::PgRow};

/// How many lines are dropped with each that comes, where there are too many.
///
/// Four, because one would never catch up behind lines that had to stay for a while.
const DROPPED_AT_ONCE: i64 = 4;

/// Says whether a payment may be begun. The caller has locked the node's row, so nobody else begins one meanwhile.
pub(super) async fn may_begin(
    conn: &mut PgConnection,
    payment: &OwnPayment,
    caps: DayCaps,
) -> Result<Begun, Fault> {
    let sql = "select exists
        (select from blvm_mesh.payment where payment_hash = $1 and outcome = 0)";
    let is_under_way: bool = sqlx::query_scalar(sql)
        .bind(payment.payment_hash)
        .fetch_one(&mut *conn)
        .await?;
    if is_under_way {
        return Ok(Begun::UnderWay);
    }
    let sums = on_day(conn, payment.at, payment.payee).await?;
    Ok(caps.admit(sums, payment.spent()))
}

/// What was spent on the day of `at`.
pub(super) async fn on_day(
    conn: &mut PgConnection,
    at: UnixTime,
    payee: NodeId,
) -> Result<DaySums, Fault> {
    let sql = "select payee = $2 as is_payee, sum(payments)::bigint as payments,
            sum(amount)::bigint as amount, sum(fee)::bigint as fee
        from blvm_mesh.spent where day = $1 group by payee = $2";
    let rows = sqlx::query(sql)
        .bind(signed(at.day().to_millis()))
        .bind(payee.to_bytes())
        .fetch_all(conn)
        .await?;
    let mut sums = DaySums::default();
    for row in rows {
        let spent = spent(&row)?;
        let beyond = || Fault::Undone("more was spent than there can be".to_owned());
        sums.all = sums.all.checked_add(spent).ok_or_else(beyond)?;
        if row.try_get("is_payee")? {
            sums.payee = spent;
        }
    }
    Ok(sums)
}

/// Writes a payment down.
pub(super) async fn begin(conn: &mut PgConnection, payment: &OwnPayment) -> Result<(), Fault> {
    let reason = ReasonParts::of(&payment.reason);
    let sql = "insert into blvm_mesh.payment
            (at, payee, payment_hash, amount, fee, outcome, known_at, reason, sequence, route)
        values ($1, $2, $3, $4, $5, 0, 0, $6, $7, $8) returning serial";
    let serial: i64 = sqlx::query_scalar(sql)
        .bind(signed(payment.at.to_millis()))
        .bind(payment.payee.to_bytes())
        .bind(payment.payment_hash)
        .bind(signed(payment.amount.to_msat()))
        .bind(signed(payment.fee.to_msat()))
        .bind(i16::from(reason.kind))
        .bind(signed(reason.sequence))
        .bind(reason.route)
        .fetch_one(&mut *conn)
        .await?;
    let more = payment.spent();
    let sql = "insert into blvm_mesh.spent as line (day, payee, payments, amount, fee)
        values ($1, $2, $3, $4, $5) on conflict (day, payee) do update
        set payments = line.payments + excluded.payments, amount = line.amount + excluded.amount,
            fee = line.fee + excluded.fee";
    sqlx::query(sql)
        .bind(signed(payment.at.day().to_millis()))
        .bind(payment.payee.to_bytes())
        .bind(signed(more.payments))
        .bind(signed(more.amount.to_msat()))
        .bind(signed(more.fee.to_msat()))
        .execute(&mut *conn)
        .await?;
    let kept = signed(MAX_PAYMENT_LINES);
    drop_oldest(conn, serial.saturating_sub(kept)).await
}

/// Writes down what became of a payment, where it is under way.
pub(super) async fn end(conn: &mut PgConnection, end: &PaymentEnd) -> Result<(), Fault> {
    if end.outcome == PaymentOutcome::Unknown {
        return Ok(());
    }
    let sql = "select serial, at, payee, payment_hash, amount, fee, outcome, known_at, reason,
            sequence, route
        from blvm_mesh.payment where payment_hash = $1 and outcome = 0";
    let found = sqlx::query(sql)
        .bind(end.payment_hash)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = found else { return Ok(()) };
    let PaymentLine { serial, payment } = line(&row)?;
    let is_failed = matches!(end.outcome, PaymentOutcome::Failed { .. });
    let after = OwnPayment {
        fee: if is_failed { Msat::ZERO } else { end.fee },
        outcome: end.outcome,
        ..payment.clone()
    };
    let (outcome, known_at) = outcome_parts(after.outcome);
    let sql = "update blvm_mesh.payment set fee = $2, outcome = $3, known_at = $4
        where serial = $1";
    sqlx::query(sql)
        .bind(signed(serial))
        .bind(signed(after.fee.to_msat()))
        .bind(i16::from(outcome))
        .bind(signed(known_at.to_millis()))
        .execute(&mut *conn)
        .await?;
    let (before, now) = (payment.spent(), after.spent());
    let sql = "update blvm_mesh.spent set payments = payments - $3 + $4,
            amount = amount - $5 + $6, fee = fee - $7 + $8 where day = $1 and payee = $2";
    sqlx::query(sql)
        .bind(signed(payment.at.day().to_millis()))
        .bind(payment.payee.to_bytes())
        .bind(signed(before.payments))
        .bind(signed(now.payments))
        .bind(signed(before.amount.to_msat()))
        .bind(signed(now.amount.to_msat()))
        .bind(signed(before.fee.to_msat()))
        .bind(signed(now.fee.to_msat()))
        .execute(&mut *conn)
        .await?;
    let nothing = "delete from blvm_mesh.spent where day = $1 and payee = $2
        and payments = 0 and amount = 0 and fee = 0";
    sqlx::query(nothing)
        .bind(signed(payment.at.day().to_millis()))
        .bind(payment.payee.to_bytes())
        .execute(conn)
        .await?;
    Ok(())
}

/// Drops some of the lines up to `serial`; what they come to stays in the sums of their days.
async fn drop_oldest(conn: &mut PgConnection, serial: i64) -> Result<(), Fault> {
    if serial <= 0 {
        return Ok(());
    }
    let sql = "delete from blvm_mesh.payment where serial in (select serial from blvm_mesh.payment
            where serial <= $1 and outcome <> 0 order by serial limit $2)
        returning serial, at, payee, payment_hash, amount, fee, outcome, known_at, reason, sequence,
            route";
    let dropped = sqlx::query(sql)
        .bind(serial)
        .bind(DROPPED_AT_ONCE)
        .fetch_all(&mut *conn)
        .await?;
    for row in dropped {
        let payment = line(&row)?.payment;
        let spent = payment.spent();
        let sql = "update blvm_mesh.spent set folded_payments = folded_payments + $3,
                folded_amount = folded_amount + $4, folded_fee = folded_fee + $5
            where day = $1 and payee = $2";
        sqlx::query(sql)
            .bind(signed(payment.at.day().to_millis()))
            .bind(payment.payee.to_bytes())
            .bind(signed(spent.payments))
            .bind(signed(spent.amount.to_msat()))
            .bind(signed(spent.fee.to_msat()))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Takes lines and sums of another store.
pub(super) async fn import(
    conn: &mut PgConnection,
    lines: &[PaymentLine],
    days: &[DaySpent],
) -> Result<(), Fault> {
    for PaymentLine { serial, payment } in lines {
        let reason = ReasonParts::of(&payment.reason);
        let (outcome, known_at) = outcome_parts(payment.outcome);
        let sql = "insert into blvm_mesh.payment (serial, at, payee, payment_hash, amount, fee,
                outcome, known_at, reason, sequence, route)
            overriding system value values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        sqlx::query(sql)
            .bind(signed(*serial))
            .bind(signed(payment.at.to_millis()))
            .bind(payment.payee.to_bytes())
            .bind(payment.payment_hash)
            .bind(signed(payment.amount.to_msat()))
            .bind(signed(payment.fee.to_msat()))
            .bind(i16::from(outcome))
            .bind(signed(known_at.to_millis()))
            .bind(i16::from(reason.kind))
            .bind(signed(reason.sequence))
            .bind(reason.route)
            .execute(&mut *conn)
            .await?;
    }
    for line in days {
        let sql = "insert into blvm_mesh.spent values ($1, $2, $3, $4, $5, $6, $7, $8)";
        sqlx::query(sql)
            .bind(signed(line.day.to_millis()))
            .bind(line.payee.to_bytes())
            .bind(signed(line.spent.payments))
            .bind(signed(line.spent.amount.to_msat()))
            .bind(signed(line.spent.fee.to_msat()))
            .bind(signed(line.folded.payments))
            .bind(signed(line.folded.amount.to_msat()))
            .bind(signed(line.folded.fee.to_msat()))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Lets the payments go on behind the last that came.
pub(super) async fn count_on(conn: &mut PgConnection) -> Result<(), Fault> {
    let sql = "select setval(pg_get_serial_sequence('blvm_mesh.payment', 'serial'),
        greatest(max(serial), 1), max(serial) is not null) from blvm_mesh.payment";
    sqlx::query(sql).execute(conn).await?;
    Ok(())
}

/// At most `most` lines, in the order of their serial numbers, from behind `after`.
pub(super) async fn lines(
    conn: &mut PgConnection,
    after: Option<u64>,
    most: usize,
) -> Result<Vec<PaymentLine>, Fault> {
    let sql = "select serial, at, payee, payment_hash, amount, fee, outcome, known_at, reason,
            sequence, route
        from blvm_mesh.payment where serial > $1 order by serial limit $2";
    let rows = sqlx::query(sql)
        .bind(after.map_or(-1, signed))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    Ok(rows.iter().map(line).collect::<Result<_, _>>()?)
}

/// At most `most` lines, the newest first, from before `before`.
pub(super) async fn last(
    conn: &mut PgConnection,
    before: Option<u64>,
    most: usize,
) -> Result<Vec<PaymentLine>, Fault> {
    let sql = "select serial, at, payee, payment_hash, amount, fee, outcome, known_at, reason,
            sequence, route
        from blvm_mesh.payment where serial < $1 order by serial desc limit $2";
    let rows = sqlx::query(sql)
        .bind(before.map_or(i64::MAX, signed))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    Ok(rows.iter().map(line).collect::<Result<_, _>>()?)
}

/// At most `most` sums, in the order of days and payees, from behind `after`.
pub(super) async fn days(
    conn: &mut PgConnection,
    after: Option<(UnixTime, NodeId)>,
    most: usize,
) -> Result<Vec<DaySpent>, Fault> {
    let sql = "select day, payee, payments, amount, fee, folded_payments, folded_amount, folded_fee
        from blvm_mesh.spent where (day, payee) > ($1, $2) order by day, payee limit $3";
    let (day, payee) = after.map_or((-1, Vec::new()), |(day, payee)| {
        (signed(day.to_millis()), payee.to_bytes().to_vec())
    });
    let rows = sqlx::query(sql)
        .bind(day)
        .bind(payee)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    Ok(rows.iter().map(day_spent).collect::<Result<_, _>>()?)
}

fn line(row: &PgRow) -> Result<PaymentLine, sqlx::Error> {
    let unlike = |what: &str| sqlx::Error::Decode(format!("a payment has no known {what}").into());
    let small = |column: &str| {
        let number: i16 = row.try_get(column)?;
        u8::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    let parts = ReasonParts {
        kind: small("reason")?,
        sequence: unsigned(row.try_get("sequence")?)?,
        route: row.try_get("route")?,
    };
    let known_at = time(row.try_get("known_at")?)?;
    Ok(PaymentLine {
        serial: unsigned(row.try_get("serial")?)?,
        payment: OwnPayment {
            payment_hash: row.try_get("payment_hash")?,
            at: time(row.try_get("at")?)?,
            payee: NodeId::from_bytes(row.try_get("payee")?),
            amount: msat(row.try_get("amount")?)?,
            fee: msat(row.try_get("fee")?)?,
            reason: parts.reason().ok_or_else(|| unlike("reason"))?,
            outcome: outcome(small("outcome")?, known_at).ok_or_else(|| unlike("outcome"))?,
        },
    })
}

fn day_spent(row: &PgRow) -> Result<DaySpent, sqlx::Error> {
    Ok(DaySpent {
        day: time(row.try_get("day")?)?,
        payee: NodeId::from_bytes(row.try_get("payee")?),
        spent: spent(row)?,
        folded: Spent {
            payments: unsigned(row.try_get("folded_payments")?)?,
            amount: msat(row.try_get("folded_amount")?)?,
            fee: msat(row.try_get("folded_fee")?)?,
        },
    })
}

fn spent(row: &PgRow) -> Result<Spent, sqlx::Error> {
    Ok(Spent {
        payments: unsigned(row.try_get("payments")?)?,
        amount: msat(row.try_get("amount")?)?,
        fee: msat(row.try_get("fee")?)?,
    })
}
