use super::{
    batch::{self, Part},
    fault::Fault,
    gateway, import,
    link::{Held, Link},
    purse::Purse,
};
use crate::{
    backend::{Answer, Backend, Op},
    record::Record,
};
use async_trait::async_trait;
use mesh_types::{Drawn, NodeId, Settlement, StoreError, UnixTime};
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};

/// How long a batch waits for a connection after it was lost.
///
/// A second, because whoever asks can then still refuse the packet in time; a server that restarts takes longer.
const MOST_WAIT: Duration = Duration::from_secs(1);

/// How long a transaction may take before its connection counts as lost.
///
/// Ten seconds, because the server itself gives up on a statement after eight.
const MOST_WORK: Duration = Duration::from_secs(10);

/// How often a batch is done again because another gateway was in its way.
///
/// Sixteen, because each time at least one of those who were in each other's way has gone on.
const MOST_TRIES: usize = 16;

/// How often an idle connection is asked whether it still works.
///
/// A second, because the operator's status is then no older.
const PULSE: Duration = Duration::from_secs(1);

/// The one of this process who changes the books in a PostgreSQL database.
#[derive(Debug)]
pub(super) struct Postgres {
    link: Link,
    purse: Purse,
    /// Whether what had been drawn was taken away, and nobody has heard of that.
    revoked: bool,
    unresolved: Option<Unresolved>,
    /// Answers to settlements that come again first, and are booked already.
    booked: Vec<Answer>,
    /// Credit that was drawn for nobody, to be given back.
    orphans: Vec<Settlement>,
}

/// A transaction of which it is not known whether it was committed.
#[derive(Debug)]
struct Unresolved {
    /// What the run's serial is when it was.
    serial: i64,
    /// What is answered when it was.
    answers: Vec<Answer>,
    /// The payers of draws, in their places.
    drawers: Vec<Option<NodeId>>,
    /// Whether those who asked have been told that it is not known.
    told: bool,
    /// Whether it tells of a revocation.
    tells: bool,
}

/// What became of one try.
enum Tried {
    Done(Vec<Answer>),
    Again,
    Lost,
    Refused(Fault),
}

impl Postgres {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            purse: Purse::default(),
            revoked: false,
            unresolved: None,
            booked: Vec::new(),
            orphans: Vec::new(),
        }
    }

    /// Waits for a connection that was lost just now, and finds out what became of what was under way when it was lost.
    ///
    /// Answers with the answers to that when nobody has heard of it yet.
    async fn come_back(&mut self) -> Option<Vec<Answer>> {
        if !self.link.come_back(MOST_WAIT).await {
            return None;
        }
        let held = self.link.held()?;
        if held.is_new {
            self.purse.empty();
            self.orphans.clear();
            self.revoked = true;
        }
        let unresolved = self.unresolved.take()?;
        if held.is_new || held.run.serial != unresolved.serial {
            // Or it was committed and then the run was taken for dead: then the same packets are told `Again`, and what
            // was settled stays the payers' when it was not.
            self.purse.undo();
            return None;
        }
        self.committed(unresolved.tells);
        if !unresolved.told {
            return Some(unresolved.answers);
        }
        for (answer, payer) in unresolved.answers.into_iter().zip(unresolved.drawers) {
            match (answer, payer) {
                (Answer::Settled(settled), _) => self.booked.push(Answer::Settled(settled)),
                (Answer::Drawn(drawn), Some(payer)) => self.orphans.push(back(payer, drawn)),
                _ => {}
            }
        }
        None
    }

    /// The transaction under way was committed; or one that `tells` of a revocation.
    fn committed(&mut self, tells: bool) {
        self.purse.keep();
        self.orphans.clear();
        self.revoked &= !tells;
    }

    /// Does `ops` once.
    async fn attempt(&mut self, ops: &[Op]) -> Tried {
        let tells = self.revoked && ops.iter().any(is_heard);
        if tells {
            // Revoked with everything else that is drawn.
            self.orphans.clear();
        }
        let orphans = self.orphans.len();
        let own;
        let all = if orphans == 0 {
            ops
        } else {
            let settlements = self.orphans.clone();
            let mut with = vec![Op::Settle {
                settlements,
                now: UnixTime::default(),
            }];
            with.extend_from_slice(ops);
            own = with;
            &own
        };
        let Some(held) = self.link.held() else {
            return Tried::Lost;
        };
        let part = Part {
            run: held.run,
            revoked: self.revoked,
            tells,
            long_connected: held.is_long_connected(),
        };
        let worked = timeout(MOST_WORK, work(held, all, &mut self.purse, part)).await;
        let mut answers = match worked {
            Ok(Ok(answers)) => answers,
            Ok(Err(fault)) => return self.failed(fault).await,
            Err(_) => {
                return self
                    .failed(Fault::Lost("a transaction took too long".to_owned()))
                    .await;
            }
        };
        if orphans > 0 {
            answers.remove(0);
        }
        self.commit_work(ops, answers, tells).await
    }

    /// Commits what was worked out.
    async fn commit_work(&mut self, ops: &[Op], answers: Vec<Answer>, tells: bool) -> Tried {
        let Some(held) = self.link.held() else {
            return Tried::Lost;
        };
        let serial = held.run.serial.saturating_add(1);
        let committed = timeout(MOST_WORK, sqlx::raw_sql("commit").execute(&mut held.conn)).await;
        let reason = match committed.map(|done| done.map_err(Fault::from)) {
            Ok(Ok(_)) => {
                held.run.serial = serial;
                self.committed(tells);
                return Tried::Done(answers);
            }
            Ok(Err(Fault::Lost(reason))) => reason,
            Ok(Err(fault)) => return self.failed(fault).await,
            Err(_) => "a commit took too long".to_owned(),
        };
        self.unresolved = Some(Unresolved {
            serial,
            answers,
            drawers: ops.iter().map(drawer).collect(),
            told: false,
            tells,
        });
        self.link.lose(&reason);
        Tried::Lost
    }

    /// Cleans up behind a transaction that was not committed.
    async fn failed(&mut self, fault: Fault) -> Tried {
        self.purse.undo();
        if let Fault::Lost(reason) = &fault {
            self.link.lose(reason);
            return Tried::Lost;
        }
        let Some(held) = self.link.held() else {
            return Tried::Lost;
        };
        if let Err(fault) = recover(held, &fault).await {
            self.link.lose(fault.reason());
            return Tried::Lost;
        }
        match fault {
            Fault::Revoked => {
                self.purse.empty();
                self.orphans.clear();
                self.revoked = true;
                Tried::Again
            }
            Fault::Again(_) | Fault::Dead(_) => Tried::Again,
            fault => Tried::Refused(fault),
        }
    }

    /// The answers when nothing could be done: what was spent is booked later, everything else is refused.
    fn put_off(&mut self, ops: &[Op], reason: &str) -> Vec<Answer> {
        let error = match &mut self.unresolved {
            Some(unresolved) if !unresolved.told => {
                unresolved.told = true;
                StoreError::Unknown(reason.to_owned())
            }
            _ => StoreError::Unavailable(reason.to_owned()),
        };
        let answer = |op: &Op| match op {
            Op::Settle { .. } => Answer::Later,
            _ => Answer::Refused(error.clone()),
        };
        ops.iter().map(answer).collect()
    }
}

#[async_trait]
impl Backend for Postgres {
    async fn commit(&mut self, ops: &[Op]) -> Result<Vec<Answer>, StoreError> {
        let (mut answers, mut rest) = (Vec::new(), ops);
        let mut tries = 0;
        loop {
            if let Some(found) = self.come_back().await {
                answers.extend(found);
                return Ok(answers);
            }
            if self.link.held().is_none() {
                answers.extend(self.put_off(rest, "there is no connection to the server"));
                return Ok(answers);
            }
            if !self.booked.is_empty() {
                let (_, behind) = rest.split_at_checked(self.booked.len()).unwrap_or_default();
                rest = behind;
                answers.append(&mut self.booked);
                if rest.is_empty() {
                    return Ok(answers);
                }
            }
            match self.attempt(rest).await {
                Tried::Done(done) => {
                    answers.extend(done);
                    return Ok(answers);
                }
                Tried::Lost => {}
                Tried::Again if tries < MOST_TRIES => {}
                Tried::Again => {
                    answers.extend(self.put_off(rest, "others were in the way too often"));
                    return Ok(answers);
                }
                Tried::Refused(fault) => {
                    tracing::warn!(reason = fault.reason(), "the store did not take a batch");
                    answers.extend(refusals(rest, &fault));
                    return Ok(answers);
                }
            }
            tries += 1;
        }
    }

    async fn import(&mut self, records: mpsc::Receiver<Vec<Record>>) -> Result<(), StoreError> {
        self.come_back().await;
        let Some(held) = self.link.held() else {
            let reason = "there is no connection to the server".to_owned();
            return Err(StoreError::Unavailable(reason));
        };
        import::import(&mut held.conn, records).await
    }

    fn pulse(&self) -> Option<Duration> {
        Some(PULSE)
    }

    async fn tend(&mut self) {
        self.come_back().await;
        if self.orphans.is_empty() {
            self.link.ping(MOST_WAIT).await;
        } else {
            // Whatever comes of it: they stay until they are given back.
            self.attempt(&[]).await;
            // Nobody waits for an answer to it; the next batch must not be taken for the one that does.
            if let Some(unresolved) = &mut self.unresolved {
                unresolved.told = true;
            }
        }
    }

    async fn close(&mut self) {
        self.link.leave().await;
    }
}

async fn work(
    held: &mut Held,
    ops: &[Op],
    purse: &mut Purse,
    part: Part,
) -> Result<Vec<Answer>, Fault> {
    // The rules count on each statement seeing what was committed before it, whatever the database's default is.
    sqlx::raw_sql("begin isolation level read committed read write")
        .execute(&mut held.conn)
        .await?;
    batch::work(&mut held.conn, ops, purse, part).await
}

/// Undoes the transaction, and puts right what made it fail, where that can be put right.
async fn recover(held: &mut Held, fault: &Fault) -> Result<(), Fault> {
    let recovering = async {
        sqlx::raw_sql("rollback").execute(&mut held.conn).await?;
        match fault {
            Fault::Dead(runs) => {
                for run in runs {
                    gateway::bury(&mut held.conn, *run).await?;
                }
            }
            Fault::Revoked => held.run = gateway::enter(&mut held.conn).await?,
            _ => {}
        }
        Ok(())
    };
    match timeout(MOST_WORK, recovering).await {
        Ok(recovered) => recovered,
        Err(_) => Err(Fault::Lost("the server is slow".to_owned())),
    }
}

/// The answers when the server has refused a transaction: what breaks a rule will never be booked.
fn refusals(ops: &[Op], fault: &Fault) -> Vec<Answer> {
    let refused = || Answer::Refused(StoreError::Unavailable(fault.reason().to_owned()));
    let answer = |op: &Op| match (op, fault) {
        (Op::Settle { .. }, Fault::Undone(_)) => Answer::Later,
        _ => refused(),
    };
    ops.iter().map(answer).collect()
}

/// Whether it is a settlement whose answer somebody hears: the queue's own have no time.
fn is_heard(op: &Op) -> bool {
    matches!(op, Op::Settle { now, .. } if *now > UnixTime::default())
}

fn drawer(op: &Op) -> Option<NodeId> {
    match op {
        Op::Draw { payer, .. } => Some(*payer),
        _ => None,
    }
}

fn back(payer: NodeId, drawn: Drawn) -> Settlement {
    Settlement {
        payer,
        spent: mesh_types::Msat::ZERO,
        packets: 0,
        back: drawn.amount,
    }
}
