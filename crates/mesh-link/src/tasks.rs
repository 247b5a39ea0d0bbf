use crate::{LinkEvent, hub::Hub};
use std::{convert::Infallible, future::Future, sync::Arc};
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};

/// How far the links have come; it only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Listening, dialling, carrying.
    Running,
    /// Links send what they have; nothing else goes on.
    Draining,
    /// Nothing goes on.
    Ended,
}

/// What every task needs, and the way to start more of them.
///
/// The event stream ends when the last of these is gone.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    pub(crate) hub: Arc<Hub>,
    pub(crate) events: mpsc::Sender<LinkEvent>,
    phase: watch::Receiver<Phase>,
    alive: mpsc::Sender<Infallible>,
}

impl Tasks {
    /// - `alive`: its receiver ends when no task is left.
    pub(crate) fn new(
        hub: Arc<Hub>,
        events: mpsc::Sender<LinkEvent>,
        phase: watch::Receiver<Phase>,
        alive: mpsc::Sender<Infallible>,
    ) -> Self {
        Self {
            hub,
            events,
            phase,
            alive,
        }
    }

    /// Runs `work` until it is done or the phase is `end`, or until nobody holds the links any more.
    pub(crate) fn spawn(
        &self,
        end: Phase,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        let mut phase = self.phase.clone();
        let alive = self.alive.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase >= end) => {}
                () = work => {}
            }
            drop(alive);
        });
        task.abort_handle()
    }
}
