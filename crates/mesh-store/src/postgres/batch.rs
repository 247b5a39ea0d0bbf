use super::{
    fault::Fault,
    gateway::{self, Run},
    money,
    node::{self, NodeRow},
    purse::Purse,
};
use crate::backend::{Answer, Op};
use sqlx::PgConnection;

/// How a transaction takes part in the life of a gateway.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) run: Run,
    /// Whether what this process had drawn before was taken from it, and it has not heard of that.
    pub(super) revoked: bool,
    /// Whether it hears of that now.
    pub(super) tells: bool,
    /// Whether this connection has lasted so long that any gateway that lives would have come back too.
    pub(super) long_connected: bool,
}

/// Does all of `ops`, in order, in the transaction that is open on `conn`, and answers each in its place.
///
/// What this process holds changes in `purse` as the transaction under way.
///
/// # Errors
/// [`Fault::Revoked`] when the run is not there any more, [`Fault::Dead`] when dead gateways hold what is wanted.
pub(super) async fn work(
    conn: &mut PgConnection,
    ops: &[Op],
    purse: &mut Purse,
    part: Part,
) -> Result<Vec<Answer>, Fault> {
    let counted = sqlx::query(
        "update blvm_mesh.gateway set serial = serial + 1 where run = $1 and serial = $2",
    )
    .bind(part.run.number)
    .bind(part.run.serial)
    .execute(&mut *conn)
    .await?;
    if counted.rows_affected() != 1 {
        return Err(Fault::Revoked);
    }
    if part.tells {
        // Also what was drawn since: nobody may spend any of it.
        gateway::give_back(conn, part.run.number).await?;
        purse.give_all_back();
    }
    // Forgetting claims comes last: whoever locked claims behind it would lock them after accounts, which nobody else does,
    // and two gateways could wait for each other. All of a batch were asked for at the same time, so any order is right.
    let (sweeps, others): (Vec<_>, Vec<_>) = ops
        .iter()
        .partition(|op| matches!(op, Op::RemoveExpired { .. }));
    let mut answered = together(conn, &others, purse, part).await?.into_iter();
    let mut swept = Vec::with_capacity(sweeps.len());
    for sweep in sweeps {
        if let Op::RemoveExpired { now, most } = sweep {
            swept.push(node::remove_expired(conn, *most, *now).await?);
        }
    }
    let mut swept = swept.into_iter();
    let answers = ops.iter().filter_map(|op| match op {
        Op::RemoveExpired { .. } => swept.next(),
        _ => answered.next(),
    });
    let answers = answers.collect();
    money::write_purse(conn, part.run.number, purse).await?;
    Ok(answers)
}

/// Does changes that can be read and written with one statement for each table.
async fn together(
    conn: &mut PgConnection,
    ops: &[&Op],
    purse: &mut Purse,
    part: Part,
) -> Result<Vec<Answer>, Fault> {
    let mut tally = money::read(conn, ops, purse).await?;
    tally.revoked = part.revoked;
    tally.draws_nothing = part.tells;
    let of_money: Vec<_> = ops.iter().map(|op| tally.answer(op)).collect();
    if !tally.short.is_empty() {
        let payers: Vec<_> = tally.short.iter().map(|payer| payer.to_bytes()).collect();
        let (own, long) = (part.run.number, part.long_connected);
        let dead = gateway::dead(conn, own, Some(&payers), long).await?;
        if !dead.is_empty() {
            return Err(Fault::Dead(dead));
        }
    }
    money::write(conn, &tally).await?;

    let mut node = None;
    let mut answers = Vec::with_capacity(ops.len());
    for (op, answer) in ops.iter().zip(of_money) {
        if let Some(answer) = answer {
            answers.push(answer);
            continue;
        }
        let row = match &mut node {
            Some(row) => row,
            none => none.insert(NodeRow::lock(conn).await?),
        };
        let answer = row.answer(conn, op).await?;
        answers.extend(answer);
    }
    if let Some(row) = node {
        row.write(conn).await?;
    }
    Ok(answers)
}
