use super::gateway;
use crate::error::OpenError;
use sqlx::PgConnection;
use sqlx_core::migrate::{MigrateError, Migration, MigrationType, Migrator};

/// The newest version of the schema that this program knows.
pub(super) const VERSION: u32 = 6;

const MIGRATIONS: [(i64, &str, &str); VERSION as usize] = [
    (
        1,
        "ledger",
        include_str!("../../migrations/0001_ledger.sql"),
    ),
    (
        2,
        "kept proofs",
        include_str!("../../migrations/0002_kept_proofs.sql"),
    ),
    (
        3,
        "watched payments",
        include_str!("../../migrations/0003_watched_payments.sql"),
    ),
    (
        4,
        "settled places",
        include_str!("../../migrations/0004_settled_places.sql"),
    ),
    (
        5,
        "own payments",
        include_str!("../../migrations/0005_own_payments.sql"),
    ),
    (
        6,
        "refunds",
        include_str!("../../migrations/0006_refunds.sql"),
    ),
];

/// Brings the schema to [`VERSION`], and refuses one that is newer or that is not this program's.
///
/// - `store`: for errors, without a password.
pub(super) async fn migrate(conn: &mut PgConnection, store: &str) -> Result<(), OpenError> {
    let unavailable = |error: sqlx::Error| OpenError::Unavailable {
        store: store.to_owned(),
        reason: error.to_string(),
    };
    // Asked first, because whoever only uses the tables needs no right to make them.
    let found = version(conn).await.map_err(unavailable)?;
    let found = u32::try_from(found).unwrap_or(u32::MAX);
    if found > VERSION {
        return Err(OpenError::Newer {
            store: store.to_owned(),
            found,
            known: VERSION,
        });
    }
    if found < VERSION {
        prepare(conn).await.map_err(unavailable)?;
        migrator()
            .run_direct(None, &mut *conn, false)
            .await
            .map_err(|error| refused(error, store))?;
    }
    check(conn, store).await
}

/// The version of the schema that is there; 0 for none.
async fn version(conn: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let is_there: bool =
        sqlx::query_scalar("select to_regclass('blvm_mesh.migration') is not null")
            .fetch_one(&mut *conn)
            .await?;
    if !is_there {
        return Ok(0);
    }
    sqlx::query_scalar("select coalesce(max(version), 0) from blvm_mesh.migration where success")
        .fetch_one(conn)
        .await
}

/// Makes the room for the tables. Of two gateways that start at once one waits until the other's connection ends.
async fn prepare(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    // Changing the tables of a large ledger takes its time.
    let patient = "select set_config('statement_timeout', '0', false),
        set_config('lock_timeout', '0', false)";
    sqlx::query(patient).execute(&mut *conn).await?;
    sqlx::query("select pg_advisory_lock($1, 0)")
        .bind(gateway::LOCKS)
        .execute(&mut *conn)
        .await?;
    sqlx::query("create schema if not exists blvm_mesh")
        .execute(conn)
        .await?;
    Ok(())
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, name, sql)| {
        let sql = sqlx::SqlSafeStr::into_sql_str(sql);
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.to_vec());
    migrator.dangerous_set_table_name("blvm_mesh.migration");
    migrator
}

fn refused(error: MigrateError, store: &str) -> OpenError {
    let (store, reason) = (store.to_owned(), error.to_string());
    match error {
        MigrateError::VersionMissing(found) => OpenError::Newer {
            store,
            found: u32::try_from(found).unwrap_or(u32::MAX),
            known: VERSION,
        },
        MigrateError::VersionMismatch(_) | MigrateError::Dirty(_) => {
            OpenError::Corrupt { store, reason }
        }
        _ => OpenError::Unavailable { store, reason },
    }
}

/// Refuses a ledger from which something was taken that nobody makes anew.
async fn check(conn: &mut PgConnection, store: &str) -> Result<(), OpenError> {
    let corrupt = |reason: String| OpenError::Corrupt {
        store: store.to_owned(),
        reason,
    };
    for table in [
        "node",
        "claim",
        "account",
        "deposit",
        "debit",
        "gateway",
        "purse",
        "session",
        "kept_proof",
        "watched",
        "payment",
        "spent",
        "settled_place",
        "refund",
    ] {
        let is_there: bool =
            sqlx::query_scalar("select to_regclass('blvm_mesh.' || $1) is not null")
                .bind(table)
                .fetch_one(&mut *conn)
                .await
                .map_err(|error| corrupt(error.to_string()))?;
        if !is_there {
            return Err(corrupt(format!("its table {table} is missing")));
        }
    }
    let nodes: i64 = sqlx::query_scalar("select count(*) from blvm_mesh.node")
        .fetch_one(conn)
        .await
        .map_err(|error| corrupt(error.to_string()))?;
    if nodes != 1 {
        return Err(corrupt(format!("its table node has {nodes} rows")));
    }
    Ok(())
}
