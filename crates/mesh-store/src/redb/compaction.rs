use super::{
    backend::begin_durable,
    fault::Fault,
    rows::{ACCOUNTS, CLAIMS, DEBITS, DEPOSITS, ENDS},
};
use redb::{CompactionError, Database, ReadableDatabase as _, ReadableTableMetadata as _};
use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

/// The least that a file takes before it is made smaller, bytes.
///
/// 16 MiB, because less is not missed on any disk.
const WORTHWHILE: u64 = 16 * 1_024 * 1_024;

/// The most that is in a file which is made smaller while it is opened, bytes.
///
/// 256 MiB, because moving as much takes seconds, and a node is to start in that time.
const BOUND: u64 = 256 * 1_024 * 1_024;

/// What a row takes, bytes, with the pages of a B-tree filled to two thirds where keys come in any order.
const CLAIM: u64 = 84;
const END: u64 = 17;
const ACCOUNT: u64 = 108;
const DEPOSIT: u64 = 90;
const DEBIT: u64 = 84;

/// Gives free space back to the system where more than half of the file is free, and what is not is little.
///
/// Pages that are freed while the store runs are used again; the file itself becomes smaller only here, because redb
/// moves pages while nobody reads or writes.
pub(super) fn compact_if_worthwhile(path: &Path, database: &mut Database) -> Result<(), Fault> {
    let Ok(found) = fs::metadata(path) else {
        return Ok(());
    };
    // What was never written takes no blocks.
    let takes = found.blocks().saturating_mul(512);
    let needs = needs(database)?;
    if takes < WORTHWHILE || needs > BOUND || needs.saturating_mul(2) > takes {
        return Ok(());
    }
    database.compact().map_err(|error| match error {
        CompactionError::Storage(error) => Fault::from(error),
        other => Fault::Refused(other.to_string()),
    })?;
    // The commits of a compaction leave out what opening the file quickly takes.
    let mut transaction = database.begin_write()?;
    begin_durable(&mut transaction)?;
    transaction.commit()?;
    tracing::info!(takes, needs, "gave free space of the store back");
    Ok(())
}

/// About how many bytes the rows take.
fn needs(database: &Database) -> Result<u64, Fault> {
    let transaction = database.begin_read()?;
    let rows = [
        (transaction.open_table(CLAIMS)?.len()?, CLAIM),
        (transaction.open_table(ENDS)?.len()?, END),
        (transaction.open_table(ACCOUNTS)?.len()?, ACCOUNT),
        (transaction.open_table(DEPOSITS)?.len()?, DEPOSIT),
        (transaction.open_table(DEBITS)?.len()?, DEBIT),
    ];
    Ok(rows.iter().fold(0, |all, (rows, bytes)| {
        all.saturating_add(rows.saturating_mul(*bytes))
    }))
}
