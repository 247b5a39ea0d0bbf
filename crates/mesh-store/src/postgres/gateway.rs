use super::fault::Fault;
use sqlx::{Connection as _, PgConnection};

/// The first half of every advisory lock: "mesh" in ASCII; the second is a gateway's run, or 0 for the making of the schema.
pub(super) const LOCKS: i32 = 0x6d65_7368;

/// One life of one process, as the store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Its name: random, so that a store brought back from a backup knows none that lives.
    pub(super) number: i32,
    /// How many of its transactions were committed.
    pub(super) serial: i64,
}

/// Begins a run.
pub(super) async fn enter(conn: &mut PgConnection) -> Result<Run, Fault> {
    loop {
        let number: i32 = sqlx::query_scalar("select 1 + floor(random() * 2147483647)::integer")
            .fetch_one(&mut *conn)
            .await?;
        // Before the row is there, so that nobody sees it without its lock.
        if !hold(conn, number).await? {
            continue;
        }
        let entered =
            sqlx::query("insert into blvm_mesh.gateway (run) values ($1) on conflict do nothing")
                .bind(number)
                .execute(&mut *conn)
                .await?;
        if entered.rows_affected() == 1 {
            be_seen(conn, number).await?;
            return Ok(Run { number, serial: 0 });
        }
    }
}

/// Goes on with a run on a new connection. Once this is done nothing of the old connection can happen any more.
///
/// - `before`: the server's process that served the old connection.
///
/// # Errors
/// [`Fault::Revoked`] when the run is not there any more. [`Fault::Lost`] when the old connection still lives.
pub(super) async fn resume(
    conn: &mut PgConnection,
    number: i32,
    before: i32,
) -> Result<Run, Fault> {
    if !hold(conn, number).await? {
        let end = "select pg_terminate_backend(pid) from pg_locks
            where locktype = 'advisory' and granted and pid = $1 and objsubid = 2
            and classid::bigint = $2 and objid::bigint = $3";
        sqlx::query(end)
            .bind(before)
            .bind(i64::from(LOCKS))
            .bind(i64::from(number))
            .execute(&mut *conn)
            .await?;
        return Err(Fault::Lost("the old connection still lives".to_owned()));
    }
    let serial: Option<i64> =
        sqlx::query_scalar("select serial from blvm_mesh.gateway where run = $1")
            .bind(number)
            .fetch_optional(&mut *conn)
            .await?;
    let serial = serial.ok_or(Fault::Revoked)?;
    be_seen(conn, number).await?;
    Ok(Run { number, serial })
}

/// The server's process that serves this connection.
pub(super) async fn served_by(conn: &mut PgConnection) -> Result<i32, Fault> {
    let pid = sqlx::query_scalar("select pg_backend_pid()").fetch_one(conn);
    Ok(pid.await?)
}

/// The runs besides `own` that are dead and hold credit of one of `payers`, or of anybody.
///
/// - `long_connected`: whether this connection has lasted so long that any that lives would have come back too.
pub(super) async fn dead(
    conn: &mut PgConnection,
    own: i32,
    payers: Option<&[[u8; 32]]>,
    long_connected: bool,
) -> Result<Vec<i32>, Fault> {
    // The lock ends with the transaction. It is tried for each row on its own, hence the barrier.
    let of_payers = "with held as materialized (
            select distinct run from blvm_mesh.purse where payer = any($2) and run <> $1)
        select run from held where pg_try_advisory_xact_lock($3, run)";
    let of_anybody = "with held as materialized (
            select run from blvm_mesh.gateway where run <> $1 and $2::bytea[] is null)
        select run from held where pg_try_advisory_xact_lock($3, run)";
    let free: Vec<i32> = sqlx::query_scalar(payers.map_or(of_anybody, |_| of_payers))
        .bind(own)
        .bind(payers)
        .bind(LOCKS)
        .fetch_all(&mut *conn)
        .await?;
    if free.is_empty() || long_connected {
        return Ok(free);
    }
    // A lock that is free since the server itself has restarted says nothing: its owner may be on its way back.
    let seen = "select run from blvm_mesh.session
        where run = any($1) and server = pg_postmaster_start_time()";
    Ok(sqlx::query_scalar(seen).bind(&free).fetch_all(conn).await?)
}

/// Gives back what a dead run had drawn, and forgets it; no matter when it is not dead after all.
pub(super) async fn bury(conn: &mut PgConnection, number: i32) -> Result<(), Fault> {
    let mut tx = conn.begin().await?;
    let free: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock($1, $2)")
        .bind(LOCKS)
        .bind(number)
        .fetch_one(&mut *tx)
        .await?;
    if free {
        give_back(&mut tx, number).await?;
        forget(&mut tx, number).await?;
        tracing::info!(
            run = number,
            "a gateway has died; what it had drawn is given back"
        );
    }
    Ok(tx.commit().await?)
}

/// Ends this process's own run.
pub(super) async fn leave(conn: &mut PgConnection, number: i32) -> Result<(), Fault> {
    let mut tx = conn.begin().await?;
    give_back(&mut tx, number).await?;
    forget(&mut tx, number).await?;
    Ok(tx.commit().await?)
}

/// Puts all purses of a run back into their accounts, in the order in which everybody locks accounts.
pub(super) async fn give_back(conn: &mut PgConnection, number: i32) -> Result<(), Fault> {
    // First, so that its owner's transactions and this one follow each other.
    sqlx::query("select 1 from blvm_mesh.gateway where run = $1 for update")
        .bind(number)
        .execute(&mut *conn)
        .await?;
    let lock = "select 1 from blvm_mesh.account where payer in
        (select payer from blvm_mesh.purse where run = $1) order by payer for no key update";
    sqlx::query(lock).bind(number).execute(&mut *conn).await?;
    let back = "with back as (delete from blvm_mesh.purse where run = $1 returning payer, amount)
        update blvm_mesh.account a set drawn = a.drawn - back.amount
        from back where a.payer = back.payer";
    sqlx::query(back).bind(number).execute(conn).await?;
    Ok(())
}

async fn forget(conn: &mut PgConnection, number: i32) -> Result<(), Fault> {
    for sql in [
        "delete from blvm_mesh.gateway where run = $1",
        "delete from blvm_mesh.session where run = $1",
    ] {
        sqlx::query(sql).bind(number).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Takes the lock that says that a run lives, for as long as the connection lasts.
async fn hold(conn: &mut PgConnection, number: i32) -> Result<bool, Fault> {
    let held = sqlx::query_scalar("select pg_try_advisory_lock($1, $2)")
        .bind(LOCKS)
        .bind(number)
        .fetch_one(conn);
    Ok(held.await?)
}

/// Notes that the run was connected while the server has been up.
async fn be_seen(conn: &mut PgConnection, number: i32) -> Result<(), Fault> {
    let seen = "insert into blvm_mesh.session (run, server)
        values ($1, pg_postmaster_start_time())
        on conflict (run) do update set server = excluded.server";
    sqlx::query(seen).bind(number).execute(conn).await?;
    Ok(())
}
