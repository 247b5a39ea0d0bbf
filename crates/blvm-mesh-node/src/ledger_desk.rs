use crate::control::{
    DebitPlace, DebitReport, DepositReport, ExportReport, LedgerCall, LedgerReport, Lines,
    PayerReport,
};
use blvm_mesh::{StoreError, UnixTime};
use mesh_store::{ExportError, Exported, MeshStore, SpendingFilter};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use thiserror::Error;
use tokio::{runtime::Handle, task::spawn_blocking};

/// Why a ledger does not say what was asked.
#[derive(Debug, Error)]
pub(crate) enum LedgerError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{path} is there already, and is left alone: name another file")]
    FileIsThere { path: PathBuf },
    #[error("the path of an export begins at the root, not {path}")]
    Relative { path: PathBuf },
    #[error("cannot write {path}: {source}")]
    File { path: PathBuf, source: io::Error },
}

/// Asks the books of `store`; in a running node and beside one that does not run, this is who answers.
pub(crate) async fn answer(
    store: &MeshStore,
    call: LedgerCall,
) -> Result<LedgerReport, LedgerError> {
    let ledger = store.ledger();
    Ok(match call {
        LedgerCall::Overview { most } => {
            LedgerReport::Overview(ledger.overview(most.into()).await?.into())
        }
        LedgerCall::Deposits(lines) => {
            let deposits = match lines {
                Lines::First { most } => ledger.last_deposits(most.into()).await?,
                Lines::After { place, most } => ledger.deposits(place, most.into()).await?,
            };
            LedgerReport::Deposits(deposits.into_iter().map(DepositReport::from).collect())
        }
        LedgerCall::Debits(lines) => {
            let debits = match lines {
                Lines::First { most } => ledger.last_debits(most.into()).await?,
                Lines::After { place, most } => {
                    let after = |place: DebitPlace| {
                        (UnixTime::from_millis(place.period_unix_ms), place.payer)
                    };
                    ledger.debits(place.map(after), most.into()).await?
                }
            };
            LedgerReport::Debits(debits.into_iter().map(DebitReport::from).collect())
        }
        LedgerCall::Payers(lines) => {
            let payers = match lines {
                Lines::First { most } => ledger.largest_payers(most.into()).await?,
                Lines::After { place, most } => ledger.payers(place, most.into()).await?,
            };
            LedgerReport::Payers(payers.into_iter().map(PayerReport::from).collect())
        }
        LedgerCall::Spent(call) => {
            let filter = SpendingFilter {
                day: call.day_unix_ms.map(UnixTime::from_millis),
                payee: call.payee,
            };
            LedgerReport::Spent(ledger.spending(filter, call.most.into()).await?.into())
        }
        LedgerCall::Verify {} => LedgerReport::Verdict(ledger.verify().await?.into()),
        LedgerCall::Export { path } => {
            let exported = export(store, &path).await?;
            LedgerReport::Exported(ExportReport::new(path, exported))
        }
    })
}

/// Writes the books to a new file that only its owner can read, whole and durable, or leaves none.
async fn export(store: &MeshStore, path: &Path) -> Result<Exported, LedgerError> {
    if !path.is_absolute() {
        return Err(LedgerError::Relative {
            path: path.to_owned(),
        });
    }
    let still_wanted = Arc::new(AtomicBool::new(true));
    let _unless_dropped = UntilDropped(Arc::clone(&still_wanted));
    let (store, path) = (store.clone(), path.to_owned());
    // The disk may be slow: a thread of its own waits for it.
    let writing = spawn_blocking(move || write_file(&store, path, still_wanted));
    match writing.await {
        Ok(written) => written,
        Err(ended) => Err(StoreError::Unavailable(ended.to_string()).into()),
    }
}

fn write_file(
    store: &MeshStore,
    path: PathBuf,
    still_wanted: Arc<AtomicBool>,
) -> Result<Exported, LedgerError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let file = options.open(&path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => LedgerError::FileIsThere { path: path.clone() },
        _ => LedgerError::File {
            path: path.clone(),
            source,
        },
    })?;
    let written = fill(store, file, &path, still_wanted);
    if written.is_err() {
        // What is cut off would be refused anyway: this only makes room for the next try.
        let _ = fs::remove_file(&path);
    }
    written.map_err(|error| match error {
        ExportError::Store(error) => error.into(),
        ExportError::Write(source) => LedgerError::File { path, source },
    })
}

fn fill(
    store: &MeshStore,
    file: File,
    path: &Path,
    still_wanted: Arc<AtomicBool>,
) -> Result<Exported, ExportError> {
    let mut out = BufWriter::new(Wanted { file, still_wanted });
    let exported = Handle::current().block_on(store.ledger().export(&mut out))?;
    let Wanted { file, .. } = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(exported)
}

/// Says, when it is dropped, that nobody waits any more.
struct UntilDropped(Arc<AtomicBool>);

impl Drop for UntilDropped {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A file that takes bytes as long as somebody waits for it.
struct Wanted {
    file: File,
    still_wanted: Arc<AtomicBool>,
}

impl Write for Wanted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.still_wanted.load(Ordering::Relaxed) {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_store::StoreLocation;

    #[tokio::test(flavor = "multi_thread")]
    async fn an_export_that_nobody_waits_for_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let location = StoreLocation::Redb(folder.path().join("store.redb"));
        let store = MeshStore::open(&location).await.unwrap();
        for (is_wanted, is_there) in [(false, false), (true, true)] {
            let (store, path) = (store.clone(), folder.path().join("export"));
            let still_wanted = Arc::new(AtomicBool::new(is_wanted));
            let written = spawn_blocking(move || write_file(&store, path, still_wanted));
            assert_eq!(written.await.unwrap().is_ok(), is_wanted);
            assert_eq!(folder.path().join("export").exists(), is_there);
        }
        store.close().await;
    }
}
