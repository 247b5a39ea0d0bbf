use crate::{
    backend::{Answer, Backend, Op},
    record::Record,
};
use mesh_types::{Msat, Settlement, StoreError, UnixTime};
use std::time::Duration;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
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
}

impl Writer {
    /// Starts the task that owns `backend`; it ends, and closes the backend, when the last door is dropped.
    pub(crate) fn start(backend: impl Backend) -> (Self, JoinHandle<()>) {
        let (asked, asks) = mpsc::channel(MAX_WAITING);
        let task = tokio::spawn(run(backend, asks));
        (Self { asked }, task)
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
    let mut batch = Vec::new();
    let mut returned = Vec::new();
    while asks.recv_many(&mut batch, MAX_BATCH).await > 0 {
        let (mut ops, mut waiting) = (Vec::new(), Vec::new());
        for asked in batch.drain(..) {
            match asked {
                Asked::Change { op, answer } => {
                    ops.push(op);
                    waiting.push(answer);
                }
                Asked::Import { records, answer } => {
                    let _ = answer.send(backend.import(records).await);
                }
            }
        }
        if !returned.is_empty() {
            // Last, so that the answers before it stand in their places.
            ops.push(Op::Settle {
                settlements: std::mem::take(&mut returned),
                now: UnixTime::default(),
            });
            waiting.push(oneshot::channel().0);
        }
        if ops.is_empty() {
            continue;
        }
        match backend.commit(&ops).await {
            Ok(answers) => {
                for ((op, answer), answered) in ops.iter().zip(answers).zip(waiting) {
                    if let Err(Ok(unheard)) = answered.send(Ok(answer)) {
                        returned.extend(give_back(op, &unheard));
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
    backend.close().await;
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
