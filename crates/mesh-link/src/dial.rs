use crate::{
    AttemptError, LinkEvent, backoff::Backoff, connection::Connection, dial_list::Target, link,
    tasks::Tasks,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, error::Elapsed, sleep, timeout};

/// How long a link has to live for the next pause to be the least one again.
///
/// Ten seconds, because a peer that takes a link and drops it within them refuses us in its own way, and is not to be
/// dialled twice a second.
const STABLE_LINK: Duration = Duration::from_secs(10);

/// Keeps a link with one node, for ever.
pub(crate) async fn run(tasks: Tasks, target: Arc<Target>) {
    let hub = &tasks.hub;
    let node_id = target.peer.node_id;
    let mut backoff = Backoff::new(&hub.config, &hub.identity.node_id(), &node_id);
    loop {
        let linked_since = Instant::now();
        while hub.registry.has(&node_id) {
            target.unlinked.notified().await;
        }
        if linked_since.elapsed() >= STABLE_LINK {
            backoff.reset();
        }
        if target.was_tried() {
            sleep(backoff.pause()).await;
        }
        if hub.registry.has(&node_id) {
            continue;
        }
        let attempt = attempt(&tasks, &target).await;
        target.note(attempt);
        // Whose link came up the other way in the meantime was reached after all.
        if let Err(error) = attempt
            && !hub.registry.has(&node_id)
        {
            tracing::debug!(peer = %node_id, %error, "dial failed");
            let failed = LinkEvent::DialFailed { node_id, error };
            if tasks.events.send(failed).await.is_err() {
                return;
            }
        }
    }
}

async fn attempt(tasks: &Tasks, target: &Target) -> Result<(), AttemptError> {
    let hub = &tasks.hub;
    let limit = hub.config.handshake_timeout;
    let node_id = target.peer.node_id;
    let stream = timeout(limit, Connection::open(&target.peer.address)).await??;
    let handshake = Connection::initiate(stream, hub.identity.clone(), node_id);
    let connection = timeout(limit, handshake).await??;
    let seat = hub
        .admit(node_id, connection.address, true)
        .map_err(AttemptError::Refused)?;
    link::start(tasks, connection, seat);
    Ok(())
}

impl From<Elapsed> for AttemptError {
    fn from(_: Elapsed) -> Self {
        Self::TimedOut
    }
}
