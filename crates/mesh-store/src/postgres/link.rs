use super::{
    fault::Fault,
    gateway::{self, Run},
    session,
};
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout, timeout_at},
};

/// How soon a lost connection is made again.
const FIRST_RETRY: Duration = Duration::from_millis(100);

/// The longest pause between two tries to connect.
///
/// Five seconds, because a server that comes back is then used within seconds, and one that is away is not pestered.
const LAST_RETRY: Duration = Duration::from_secs(5);

/// How long after this process every other gateway that lives has come back, when the server was away.
///
/// Twenty seconds, because that is the longest pause, a connection that takes all its time, and some more.
const ALL_ARE_BACK: Duration = Duration::from_secs(20);

/// How long a gateway that ends waits for the server.
///
/// Two seconds, because what it does not say now, the server finds out by itself.
const LAST_WORD: Duration = Duration::from_secs(2);

/// A connection that holds a run.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) conn: PgConnection,
    pub(super) run: Run,
    /// Whether the run is a new one, because the old one is not there any more.
    pub(super) is_new: bool,
    served_by: i32,
    since: Instant,
}

/// The connection that changes the books; it is made again, in the background, whenever it is lost.
#[derive(Debug)]
pub(super) struct Link {
    options: PgConnectOptions,
    state: State,
    is_up: Arc<AtomicBool>,
}

#[derive(Debug)]
enum State {
    Up(Box<Held>),
    Down(Coming),
}

/// A connection on its way back.
#[derive(Debug)]
struct Coming {
    task: JoinHandle<Held>,
    run: i32,
    before: i32,
    lost_at: Instant,
}

impl Held {
    /// Connects for the first time.
    pub(super) async fn first(options: &PgConnectOptions) -> Result<Self, Fault> {
        let mut conn = session::connect(options).await?;
        let run = gateway::enter(&mut conn).await?;
        let served_by = gateway::served_by(&mut conn).await?;
        Ok(Self {
            conn,
            run,
            is_new: true,
            served_by,
            since: Instant::now(),
        })
    }

    /// Connects again, and goes on with the run where it is still there.
    async fn again(options: &PgConnectOptions, run: i32, before: i32) -> Result<Self, Fault> {
        let mut conn = session::connect(options).await?;
        let going = async {
            let (run, is_new) = match gateway::resume(&mut conn, run, before).await {
                Err(Fault::Revoked) => (gateway::enter(&mut conn).await?, true),
                resumed => (resumed?, false),
            };
            let served_by = gateway::served_by(&mut conn).await?;
            Ok::<_, Fault>((run, is_new, served_by))
        };
        let (run, is_new, served_by) = match timeout(session::CONNECTING, going).await {
            Ok(gone) => gone?,
            Err(_) => return Err(Fault::Lost("the server is slow".to_owned())),
        };
        Ok(Self {
            conn,
            run,
            is_new,
            served_by,
            since: Instant::now(),
        })
    }

    /// Whether any gateway that lives would have come back by now.
    pub(super) fn is_long_connected(&self) -> bool {
        self.since.elapsed() >= ALL_ARE_BACK
    }
}

impl Link {
    pub(super) fn new(held: Held, options: PgConnectOptions, is_up: Arc<AtomicBool>) -> Self {
        is_up.store(true, Ordering::Relaxed);
        Self {
            options,
            state: State::Up(Box::new(held)),
            is_up,
        }
    }

    /// The connection, where there is one.
    pub(super) fn held(&mut self) -> Option<&mut Held> {
        match &mut self.state {
            State::Up(held) => Some(held),
            State::Down(_) => None,
        }
    }

    /// Waits for a connection that was lost less than `most` ago; says whether it has come back by this call.
    pub(super) async fn come_back(&mut self, most: Duration) -> bool {
        let State::Down(coming) = &mut self.state else {
            return false;
        };
        match timeout_at(coming.lost_at + most, &mut coming.task).await {
            Ok(Ok(held)) => {
                tracing::info!(run = held.run.number, "the store answers again");
                self.is_up.store(true, Ordering::Relaxed);
                self.state = State::Up(Box::new(held));
                true
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "reconnecting ended, and begins again");
                coming.task =
                    tokio::spawn(keep_trying(self.options.clone(), coming.run, coming.before));
                false
            }
            Err(_) => false,
        }
    }

    /// Gives the connection up and begins to make it again.
    pub(super) fn lose(&mut self, reason: &str) {
        if let State::Up(held) = &self.state {
            tracing::warn!(reason, "the connection to the store is lost");
            self.is_up.store(false, Ordering::Relaxed);
            let (run, before) = (held.run.number, held.served_by);
            let task = tokio::spawn(keep_trying(self.options.clone(), run, before));
            self.state = State::Down(Coming {
                task,
                run,
                before,
                lost_at: Instant::now(),
            });
        }
    }

    /// Ends the run and the connection.
    pub(super) async fn leave(&mut self) {
        if let State::Up(held) = &mut self.state {
            let run = held.run.number;
            let left = timeout(LAST_WORD, gateway::leave(&mut held.conn, run)).await;
            let reason = match left {
                Ok(Ok(_)) => return,
                Ok(Err(fault)) => fault.reason().to_owned(),
                Err(_) => "the server did not answer in time".to_owned(),
            };
            tracing::warn!(reason, "could not give back what was drawn; others will");
        }
    }

    /// Says whether the server still serves this connection.
    pub(super) async fn ping(&mut self, limit: Duration) {
        let Some(held) = self.held() else { return };
        let failed = match timeout(limit, held.conn.ping()).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it does not answer".to_owned(),
        };
        self.lose(&failed);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let State::Down(coming) = &self.state {
            coming.task.abort();
        }
    }
}

async fn keep_trying(options: PgConnectOptions, run: i32, before: i32) -> Held {
    let mut pause = FIRST_RETRY;
    loop {
        match Held::again(&options, run, before).await {
            Ok(held) => return held,
            Err(fault) => tracing::debug!(reason = fault.reason(), "the store does not answer"),
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(LAST_RETRY);
    }
}
