use crate::{
    backend::{Answer, Backend, Op},
    record::Record,
};
use mesh_types::{Msat, Settlement, StoreError, UnixTime};
use std::time::Duration;
use tokio::{
    sync::{mpsc, oneshot},
    task::yield_now,
    time::{Instant, sleep, timeout},
};

/// The most changes that wait for the disk.
///
/// 16,384, because that is some seconds of a slow disk's work; beyond them whoever asks waits to be let in.
pub const MAX_WAITING: usize = 16_384;

/// The most changes in one transaction.
///
/// 4,096, because the cost of waiting for the disk is then spread thin, and a transaction still takes milliseconds.
pub const MAX_BATCH: usize = 4_096;

/// How long a change is waited for before the answer is *not known*.
///
/// Five seconds, because a busy disk needs far less, and whoever sent the packet stops waiting at about that time.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How soon settlements that could not be booked are tried again.
///
/// A tenth of a second, because a store that comes back is then busy again before anybody notices.
const AGAIN: Duration = Duration::from_millis(100);

/// The door to the one who changes the books. A clone is another handle to it.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    asked: mpsc::Sender<Asked>,
}

#[derive(Debug)]
enum Asked {
    Change {
        op: Op,
        answer: oneshot::Sender<Result<Answer, StoreError>>,
    },
    Import {
        records: mpsc::Receiver<Vec<Record>>,
        answer: oneshot::Sender<Result<(), StoreError>>,
    },
    Close {
        answer: oneshot::Sender<Result<(), StoreError>>,
    },
}

impl Writer {
    /// Starts the task that owns `backend`; it ends, and closes the backend, when it is told to or the last door is
    /// dropped.
    pub(crate) fn start(backend: impl Backend) -> Self {
        let (asked, asks) = mpsc::channel(MAX_WAITING);
        tokio::spawn(run(backend, asks));
        Self { asked }
    }

    /// Asks for a change and waits until it is durable, for [`PATIENCE`] at most.
    pub(crate) async fn ask(&self, op: Op) -> Result<Answer, StoreError> {
        match timeout(PATIENCE, self.ask_long(op)).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::Unknown(format!(
                "no answer within {} seconds",
                PATIENCE.as_secs()
            ))),
        }
    }

    /// Asks for a change and waits until it is durable, however long that takes.
    pub(crate) async fn ask_long(&self, op: Op) -> Result<Answer, StoreError> {
        let (answer, heard) = oneshot::channel();
        self.hear(Asked::Change { op, answer }, heard).await
    }

    /// Fills an empty store, all or nothing, however long that takes.
    pub(crate) async fn import(
        &self,
        records: mpsc::Receiver<Vec<Record>>,
    ) -> Result<(), StoreError> {
        let (answer, heard) = oneshot::channel();
        self.hear(Asked::Import { records, answer }, heard).await
    }

    /// Does what was asked before, then closes the back end: nothing more can be asked.
    pub(crate) async fn close(&self) {
        let (answer, heard) = oneshot::channel();
        // Closed already is closed.
        let _ = self.hear(Asked::Close { answer }, heard).await;
    }

    async fn hear<T>(
        &self,
        asked: Asked,
        heard: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let asked = self.asked.send(asked).await;
        asked.map_err(|_| StoreError::Unavailable("it is closed".to_owned()))?;
        heard
            .await
            .unwrap_or_else(|_| Err(StoreError::Unknown("it stopped meanwhile".to_owned())))
    }
}

async fn run(mut backend: impl Backend, mut asks: mpsc::Receiver<Asked>) {
    let mut desk = Desk::default();
    let mut batch = Vec::new();
    let mut closing = None;
    loop {
        let pulse = if desk.is_clear() {
            backend.pulse()
        } else {
            Some(AGAIN)
        };
        let come = match pulse {
            None => Some(asks.recv_many(&mut batch, MAX_BATCH).await),
            Some(pulse) => timeout(pulse, asks.recv_many(&mut batch, MAX_BATCH))
                .await
                .ok(),
        };
        match come {
            Some(0) => break,
            None if desk.is_clear() => backend.tend().await,
            _ => {
                gather(&mut asks, &mut batch).await;
                let mut changes = std::mem::take(&mut desk.kept);
                for asked in batch.drain(..) {
                    match asked {
                        Asked::Change { op, answer } => changes.push((op, answer)),
                        Asked::Import { records, answer } => {
                            let _ = answer.send(backend.import(records).await);
                        }
                        Asked::Close { answer } => {
                            asks.close();
                            closing = Some(answer);
                        }
                    }
                }
                desk.commit(&mut backend, changes).await;
            }
        }
    }
    let over = Instant::now() + PATIENCE;
    while !desk.kept.is_empty() && Instant::now() < over {
        sleep(AGAIN).await;
        let changes = std::mem::take(&mut desk.kept);
        desk.commit(&mut backend, changes).await;
    }
    if !desk.kept.is_empty() {
        tracing::warn!("the store closes without what was spent last; it stays the payers'");
    }
    backend.close().await;
    if let Some(answer) = closing {
        let _ = answer.send(Ok(()));
    }
}

/// Lets in those who are about to ask, such as all who have just heard their answers: without it the first of them would
/// be a batch of its own, and the others wait for the disk twice.
async fn gather(asks: &mut mpsc::Receiver<Asked>, batch: &mut Vec<Asked>) {
    let mut had = 0;
    while had < batch.len() && batch.len() < MAX_BATCH {
        had = batch.len();
        yield_now().await;
        while batch.len() < MAX_BATCH
            && let Ok(asked) = asks.try_recv()
        {
            batch.push(asked);
        }
    }
}

type Change = (Op, oneshot::Sender<Result<Answer, StoreError>>);

/// What is carried from one batch to the next.
#[derive(Default)]
struct Desk {
    /// Settlements that the back end could not book yet.
    kept: Vec<Change>,
    /// Credit whose drawer has stopped waiting.
    returned: Vec<Settlement>,
}

impl Desk {
    fn is_clear(&self) -> bool {
        self.kept.is_empty() && self.returned.is_empty()
    }

    async fn commit(&mut self, backend: &mut impl Backend, mut changes: Vec<Change>) {
        if !self.returned.is_empty() {
            let op = Op::Settle {
                settlements: std::mem::take(&mut self.returned),
                now: UnixTime::default(),
            };
            // First: whoever asked in vain meanwhile may be among those who ask now.
            changes.insert(0, (op, oneshot::channel().0));
        }
        if changes.is_empty() {
            return;
        }
        let (ops, waiting): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
        match backend.commit(&ops).await {
            Ok(answers) if answers.len() != ops.len() => {
                // No back end does this; if one did, nobody may take it for an answer.
                tracing::error!(changes = ops.len(), "the store did not answer each change");
                for answered in waiting {
                    let unknown = StoreError::Unknown("it did not say".to_owned());
                    let _ = answered.send(Err(unknown));
                }
            }
            Ok(answers) => {
                for ((op, answer), answered) in ops.into_iter().zip(answers).zip(waiting) {
                    if answer == Answer::Later {
                        self.kept.push((op, answered));
                    } else if let Err(Ok(unheard)) = answered.send(Ok(answer)) {
                        self.returned.extend(give_back(&op, &unheard));
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, changes = ops.len(), "the store did not take a batch");
                for answered in waiting {
                    let _ = answered.send(Err(error.clone()));
                }
            }
        }
    }
}

/// Credit that was drawn for somebody who has stopped waiting goes back.
fn give_back(op: &Op, answer: &Answer) -> Option<Settlement> {
    match (op, answer) {
        (Op::Draw { payer, .. }, Answer::Drawn(drawn)) if drawn.amount > Msat::ZERO => {
            Some(Settlement {
                payer: *payer,
                spent: Msat::ZERO,
                packets: 0,
                back: drawn.amount,
            })
        }
        _ => None,
    }
}
