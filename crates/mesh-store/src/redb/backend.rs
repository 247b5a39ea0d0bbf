use super::{
    batch::{AllDrawn, Batch},
    fault::Fault,
    import::import,
    lock::Lock,
};
use crate::{
    backend::{Answer, Backend, Op},
    record::Record,
};
use async_trait::async_trait;
use mesh_types::StoreError;
use redb::{Database, ReadTransaction, ReadableDatabase as _, WriteTransaction};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use tokio::{sync::mpsc, task::spawn_blocking};

/// What the one who writes and those who read have in common.
#[derive(Debug)]
pub(super) struct Shared {
    /// `None` when it is closed.
    file: RwLock<Option<OpenFile>>,
    /// What is drawn, with the lock held while a change becomes durable, so that nobody reads the one without the other.
    pub(super) drawn: Mutex<AllDrawn>,
    /// Why nothing is written any more: after an error nobody knows what is on the disk, until it is opened again.
    broken: OnceLock<String>,
}

/// The fields are dropped in this order: the lock goes when the file is closed.
#[derive(Debug)]
struct OpenFile {
    database: Database,
    /// Only a file has one.
    _lock: Option<Lock>,
}

impl Shared {
    pub(super) fn new(database: Database, lock: Option<Lock>) -> Self {
        Self {
            file: RwLock::new(Some(OpenFile {
                database,
                _lock: lock,
            })),
            drawn: Mutex::default(),
            broken: OnceLock::new(),
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.get().is_some()
    }

    pub(super) fn begin_read(&self) -> Result<ReadTransaction, Fault> {
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        let file = file.as_ref().ok_or(Fault::Closed)?;
        Ok(file.database.begin_read()?)
    }

    pub(super) fn begin_write(&self) -> Result<WriteTransaction, Fault> {
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        let file = file.as_ref().ok_or(Fault::Closed)?;
        let mut transaction = file.database.begin_write()?;
        begin_durable(&mut transaction)?;
        Ok(transaction)
    }

    fn close(&self) -> Result<(), Fault> {
        let mut file = self.file.write().unwrap_or_else(PoisonError::into_inner);
        match file.take() {
            Some(OpenFile { database, _lock }) => Ok(database.close()?),
            None => Ok(()),
        }
    }
}

/// Asks for a commit that is on the disk when it returns, and that no later damage makes redb forget.
pub(super) fn begin_durable(transaction: &mut WriteTransaction) -> Result<(), Fault> {
    transaction.set_durability(redb::Durability::Immediate)?;
    // Two phases, and what opening the file takes: see the module.
    transaction.set_quick_repair(true);
    Ok(())
}

/// The one who writes the file.
#[derive(Debug)]
pub(crate) struct RedbBackend {
    shared: Arc<Shared>,
}

impl RedbBackend {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Does `work` off the async threads; after an error nothing else is done.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, StoreError> {
        if let Some(reason) = self.shared.broken.get() {
            return Err(StoreError::Unavailable(reason.clone()));
        }
        let shared = Arc::clone(&self.shared);
        let error = match spawn_blocking(move || work(&shared)).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(Failed::Refused(fault))) => return Err(fault.unavailable()),
            Ok(Err(Failed::Before(fault))) => fault.unavailable(),
            Ok(Err(Failed::InCommit(fault))) => StoreError::Unknown(fault.to_string()),
            Err(ended) => StoreError::Unknown(ended.to_string()),
        };
        let reason = format!("the file is not written to until it is opened again: {error}");
        tracing::error!(%reason, "the store is broken");
        let _ = self.shared.broken.set(reason);
        Err(error)
    }
}

/// At which point a transaction failed.
pub(super) enum Failed {
    /// It was not to be done, and the file is fine.
    Refused(Fault),
    /// Nothing is on the disk.
    Before(Fault),
    /// Nobody knows what is on the disk.
    InCommit(Fault),
}

impl<T: Into<Fault>> From<T> for Failed {
    fn from(fault: T) -> Self {
        Self::Before(fault.into())
    }
}

#[async_trait]
impl Backend for RedbBackend {
    async fn commit(&mut self, ops: &[Op]) -> Result<Vec<Answer>, StoreError> {
        let ops = ops.to_vec();
        self.work(move |shared| commit(shared, &ops)).await
    }

    async fn import(&mut self, records: mpsc::Receiver<Vec<Record>>) -> Result<(), StoreError> {
        self.work(move |shared| import(shared, records)).await
    }

    async fn close(&mut self) {
        let shared = Arc::clone(&self.shared);
        let closed = spawn_blocking(move || shared.close()).await;
        match closed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the store did not close in order"),
            Err(error) => tracing::warn!(%error, "the store did not close in order"),
        }
        let _ = self.shared.broken.set("it is closed".to_owned());
    }
}

fn commit(shared: &Shared, ops: &[Op]) -> Result<Vec<Answer>, Failed> {
    let transaction = shared.begin_write()?;
    let mut drawn = shared.drawn.lock().unwrap_or_else(PoisonError::into_inner);
    let mut batch = Batch::begin(&transaction, &drawn)?;
    let answers = batch.run(ops)?;
    let outcome = batch.finish()?;
    if outcome.changed {
        transaction
            .commit()
            .map_err(|error| Failed::InCommit(error.into()))?;
    } else {
        transaction.abort()?;
    }
    for (payer, amount) in outcome.drawn {
        if amount > mesh_types::Msat::ZERO {
            drawn.insert(payer, amount);
        } else {
            drawn.remove(&payer);
        }
    }
    Ok(answers)
}
