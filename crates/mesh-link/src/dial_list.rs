use crate::{AttemptError, DialError, DialInfo, MAX_DIALLED};
use mesh_types::{NodeId, PeerAddress};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::{sync::Notify, task::AbortHandle};

/// The nodes that are dialled.
#[derive(Debug, Default)]
pub(crate) struct DialList {
    dialled: Mutex<HashMap<NodeId, Dialled>>,
}

#[derive(Debug)]
struct Dialled {
    target: Arc<Target>,
    task: AbortHandle,
}

/// One node that is dialled.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) peer: PeerAddress,
    /// Woken when a connection with the node has left.
    pub(crate) unlinked: Notify,
    outcome: Mutex<Option<Outcome>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Outcome {
    failures: u32,
    last_error: Option<AttemptError>,
}

impl Target {
    /// Has not been tried yet.
    pub(crate) fn new(peer: PeerAddress) -> Self {
        Self {
            peer,
            unlinked: Notify::new(),
            outcome: Mutex::default(),
        }
    }

    /// Whether an attempt has been noted.
    pub(crate) fn was_tried(&self) -> bool {
        self.outcome.lock().is_some()
    }

    /// Notes how an attempt went.
    pub(crate) fn note(&self, attempt: Result<(), AttemptError>) {
        let mut outcome = self.outcome.lock();
        let failures = outcome.unwrap_or_default().failures;
        *outcome = Some(match attempt {
            Ok(()) => Outcome::default(),
            Err(error) => Outcome {
                failures: failures.saturating_add(1),
                last_error: Some(error),
            },
        });
    }
}

impl DialList {
    /// Adds a node, whose task `start` starts. Under another address it replaces what was there; under the same it
    /// changes nothing.
    pub(crate) fn add(
        &self,
        peer: PeerAddress,
        start: impl FnOnce(Arc<Target>) -> AbortHandle,
    ) -> Result<(), DialError> {
        let mut dialled = self.dialled.lock();
        let old = dialled.get(&peer.node_id);
        if old.is_some_and(|old| old.target.peer == peer) {
            return Ok(());
        }
        if old.is_none() && dialled.len() >= MAX_DIALLED {
            return Err(DialError::TooMany);
        }
        let node_id = peer.node_id;
        let target = Arc::new(Target::new(peer));
        let task = start(Arc::clone(&target));
        let old = dialled.insert(node_id, Dialled { target, task });
        drop(dialled);
        if let Some(old) = old {
            old.task.abort();
        }
        Ok(())
    }

    /// Removes a node and stops its task; answers whether it was there.
    pub(crate) fn remove(&self, node_id: &NodeId) -> bool {
        let removed = self.dialled.lock().remove(node_id);
        if let Some(removed) = &removed {
            removed.task.abort();
        }
        removed.is_some()
    }

    /// Whether the node is dialled.
    pub(crate) fn has(&self, node_id: &NodeId) -> bool {
        self.dialled.lock().contains_key(node_id)
    }

    /// Tells the node's task that a connection has left.
    pub(crate) fn wake(&self, node_id: &NodeId) {
        if let Some(dialled) = self.dialled.lock().get(node_id) {
            dialled.target.unlinked.notify_one();
        }
    }

    /// The nodes that are dialled, in the order of their ids.
    pub(crate) fn infos(&self) -> Vec<DialInfo> {
        let dialled = self.dialled.lock();
        let mut infos: Vec<_> = dialled
            .values()
            .map(|Dialled { target, .. }| {
                let outcome = target.outcome.lock().unwrap_or_default();
                DialInfo {
                    node_id: target.peer.node_id,
                    address: target.peer.address.clone(),
                    failures: outcome.failures,
                    last_error: outcome.last_error,
                }
            })
            .collect();
        infos.sort_unstable_by_key(|info| info.node_id);
        infos
    }
}
