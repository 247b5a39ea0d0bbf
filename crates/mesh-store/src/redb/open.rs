use super::{
    backend::{RedbBackend, Shared, begin_durable},
    compaction::{self, compact_if_worthwhile},
    fault::Fault,
    lock::{Lock, beside},
    payments,
    reader::RedbReader,
    refunds,
    rows::{
        ACCOUNTS, CLAIMS, DEBITS, DEPOSITS, ENDS, FROZEN, META, PROOFS, SCHEMA, SCHEMA_NAME,
        WATCHED,
    },
};
use crate::{error::OpenError, location::StoreLocation, open::Compacted, store::MeshStore};
use redb::{Builder, Database, DatabaseError, ReadableDatabase as _, StorageError};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    ops::Range,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::task::spawn_blocking;

/// How much of the file redb keeps in memory.
///
/// 64 MiB, because the changes of the largest batch are half of that, and the system keeps what else is read often; a
/// store of any size then opens and runs in less than 200 MB.
pub(super) const CACHE: usize = 64 * 1_024 * 1_024;

/// The largest file of which every page is checked when it is opened, bytes.
///
/// 64 MiB, because reading as much takes a tenth of a second; in a larger one damage is found where it is read.
const CHECKED: u64 = 64 * 1_024 * 1_024;

/// Where redb says that the last commit does not verify, and that it is about to go back to the one before.
const GOING_BACK: Range<f64> = 0.3..0.6;

/// Opens the store in the file at `path`, and makes an empty one where there is no file.
pub(crate) async fn open(path: &Path) -> Result<MeshStore, OpenError> {
    let path = path.to_owned();
    let opening = path.clone();
    match spawn_blocking(move || open_file(&opening)).await {
        Ok(opened) => opened.map(|(database, lock)| start(database, Some(lock))),
        Err(ended) => Err(corrupt(&path, ended)),
    }
}

/// Makes the file at `path` as small as what it holds.
pub(crate) async fn compact(path: &Path) -> Result<Compacted, OpenError> {
    let path = path.to_owned();
    let compacting = path.clone();
    let compacted = spawn_blocking(move || {
        // Before it is opened, which compacts a file that holds little.
        let takes =
            || compaction::takes(&compacting).map_err(|error| no_access(&compacting, error));
        let before = takes()?;
        let (database, _lock) = open_file(&compacting)?;
        unpanicked(&compacting, || {
            compaction::compact(database).map_err(|fault| faulty(&compacting, fault))
        })?;
        Ok(Compacted {
            before,
            after: takes()?,
        })
    });
    compacted.await.map_err(|ended| corrupt(&path, ended))?
}

pub(super) fn start(database: Database, lock: Option<Lock>) -> MeshStore {
    let shared = Arc::new(Shared::new(database, lock));
    let reader = RedbReader::new(Arc::clone(&shared));
    MeshStore::start(RedbBackend::new(shared), Arc::new(reader))
}

fn open_file(path: &Path) -> Result<(Database, Lock), OpenError> {
    let lock = Lock::take(path)?;
    let length = match fs::metadata(path) {
        Ok(found) if found.len() == 0 => return Err(corrupt(path, "it is empty")),
        Ok(found) if found.mode() & 0o077 != 0 => {
            return Err(OpenError::Exposed {
                path: path.to_owned(),
                mode: found.mode() & 0o777,
            });
        }
        Ok(found) => found.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create(path)?;
            0
        }
        Err(source) => return Err(no_access(path, source)),
    };
    let mut database = unpanicked(path, || open_redb(path, length))?;
    unpanicked(path, || check_schema(path, &database))?;
    unpanicked(path, || {
        compact_if_worthwhile(path, &mut database).map_err(|fault| faulty(path, fault))
    })?;
    Ok((database, lock))
}

/// Makes an empty store under another name first, so that a file of this name is always a whole store.
fn create(path: &Path) -> Result<(), OpenError> {
    let failed = |source| no_access(path, source);
    let new = beside(path, ".new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    drop(options.open(&new).map_err(failed)?);
    let database = builder().create(&new);
    let database = database.map_err(|error| unopened(&new, error))?;
    write_schema(&database).map_err(|fault| faulty(&new, fault))?;
    database.close().map_err(|error| unopened(&new, error))?;
    fs::rename(&new, path).map_err(failed)?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder
}

/// Makes all tables, of the version that is current, or brings those of an older version there.
pub(super) fn write_schema(database: &Database) -> Result<(), Fault> {
    let mut transaction = database.begin_write()?;
    begin_durable(&mut transaction)?;
    transaction.open_table(CLAIMS)?;
    transaction.open_table(ENDS)?;
    transaction.open_table(ACCOUNTS)?;
    transaction.open_table(DEPOSITS)?;
    transaction.open_table(DEBITS)?;
    transaction.open_table(PROOFS)?;
    transaction.open_table(WATCHED)?;
    transaction.open_table(FROZEN)?;
    payments::make(&transaction)?;
    refunds::make(&transaction)?;
    let schema = SCHEMA.to_le_bytes();
    transaction
        .open_table(META)?
        .insert(SCHEMA_NAME, schema.as_slice())?;
    Ok(transaction.commit()?)
}

fn open_redb(path: &Path, length: u64) -> Result<Database, OpenError> {
    let mut builder = builder();
    builder.set_check_integrity_on_open(length <= CHECKED);
    builder.set_repair_callback(|session| {
        if GOING_BACK.contains(&session.progress()) {
            session.abort();
        }
    });
    builder.open(path).map_err(|error| unopened(path, error))
}

pub(super) fn check_schema(path: &Path, database: &Database) -> Result<(), OpenError> {
    match read_schema(database).map_err(|fault| faulty(path, fault))? {
        SCHEMA => check_tables(database)
            .and_then(|()| make_later_tables(database))
            .map_err(|fault| faulty(path, fault)),
        // They had fewer tables; all else is as it was.
        1 | 2 => write_schema(database).map_err(|fault| faulty(path, fault)),
        found if found > SCHEMA => Err(OpenError::Newer {
            store: name(path),
            found,
            known: SCHEMA,
        }),
        found => Err(corrupt(path, format!("there is no schema version {found}"))),
    }
}

fn read_schema(database: &Database) -> Result<u32, Fault> {
    let meta = database.begin_read()?.open_table(META)?;
    let schema = meta.get(SCHEMA_NAME)?;
    let schema = schema.ok_or(Fault::Corrupt("it has no schema version"))?;
    let bytes = schema.value().try_into();
    bytes
        .map(u32::from_le_bytes)
        .map_err(|_| Fault::Corrupt("its schema version is not of four bytes"))
}

/// A table that is missing would be taken for an empty one.
fn check_tables(database: &Database) -> Result<(), Fault> {
    let transaction = database.begin_read()?;
    transaction.open_table(CLAIMS)?;
    transaction.open_table(ENDS)?;
    transaction.open_table(ACCOUNTS)?;
    transaction.open_table(DEPOSITS)?;
    transaction.open_table(DEBITS)?;
    transaction.open_table(PROOFS)?;
    transaction.open_table(WATCHED)?;
    transaction.open_table(FROZEN)?;
    Ok(())
}

/// Makes the tables of this node's own payments, and of refunds, in a file that was made without them.
fn make_later_tables(database: &Database) -> Result<(), Fault> {
    let (has_payments, has_refunds) = (payments::are_made(database)?, refunds::are_made(database)?);
    if has_payments && has_refunds {
        return Ok(());
    }
    let mut transaction = database.begin_write()?;
    begin_durable(&mut transaction)?;
    if !has_payments {
        payments::make(&transaction)?;
    }
    if !has_refunds {
        refunds::make(&transaction)?;
    }
    Ok(transaction.commit()?)
}

/// redb panics at some kinds of damage.
fn unpanicked<T>(path: &Path, work: impl FnOnce() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let worked = catch_unwind(AssertUnwindSafe(work));
    worked.unwrap_or_else(|_| Err(corrupt(path, "what is in it makes no sense")))
}

fn unopened(path: &Path, error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::Held {
            path: path.to_owned(),
            pid: None,
        },
        DatabaseError::Storage(StorageError::Io(source)) if is_about_access(&source) => {
            no_access(path, source)
        }
        DatabaseError::RepairAborted => corrupt(path, "its last commit is damaged"),
        error => corrupt(path, error),
    }
}

fn faulty(path: &Path, fault: Fault) -> OpenError {
    match fault {
        Fault::Redb(error) => match *error {
            redb::Error::Io(source) if is_about_access(&source) => no_access(path, source),
            error => corrupt(path, error),
        },
        fault => corrupt(path, fault),
    }
}

/// Whether an error says nothing about what is in the file.
fn is_about_access(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput
    )
}

fn no_access(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io {
        path: path.to_owned(),
        source,
    }
}

fn corrupt(path: &Path, reason: impl ToString) -> OpenError {
    OpenError::Corrupt {
        store: name(path),
        reason: reason.to_string(),
    }
}

fn name(path: &Path) -> String {
    StoreLocation::Redb(path.to_owned()).to_string()
}
