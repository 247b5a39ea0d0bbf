use crate::{
    AttemptError,
    connection::Connection,
    half_open::Slot,
    link,
    tasks::{Phase, Tasks},
};
use std::{io, sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

/// How long nothing is accepted after the system could not give a connection.
///
/// A tenth of a second, because descriptors come back when links end, and a loop without a pause would take a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections for ever.
pub(crate) async fn run(tasks: Tasks, listener: TcpListener) {
    let hub = &tasks.hub;
    loop {
        match listener.accept().await {
            Ok((stream, address)) => match hub.half_open.enter(address.ip()) {
                Some(slot) => {
                    tasks.spawn(Phase::Draining, welcome(tasks.clone(), stream, slot));
                }
                None => {
                    hub.refused.half_open.fetch_add(1, Relaxed);
                }
            },
            Err(error) if is_the_peers(error.kind()) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Finds out who connected, and gives him a link or a refusal.
async fn welcome(tasks: Tasks, stream: TcpStream, slot: Slot) {
    let refused = &tasks.hub.refused;
    let limit = tasks.hub.config.handshake_timeout;
    let outcome = timeout(limit, prove_and_admit(&tasks, stream)).await;
    drop(slot);
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(AttemptError::Refused(refusal))) => {
            refused.proven.fetch_add(1, Relaxed);
            tracing::debug!(%refusal, "proven node refused");
        }
        Ok(Err(error)) => {
            refused.failed.fetch_add(1, Relaxed);
            tracing::debug!(%error, "inbound handshake failed");
        }
        Err(_) => {
            refused.timed_out.fetch_add(1, Relaxed);
            tracing::debug!("inbound handshake took too long");
        }
    }
}

async fn prove_and_admit(tasks: &Tasks, stream: TcpStream) -> Result<(), AttemptError> {
    let hub = &tasks.hub;
    let mut connection = Connection::respond(stream, hub.identity.clone()).await?;
    match hub.admit(connection.session.peer, connection.address, false) {
        Ok(seat) => {
            link::start(tasks, connection, seat);
            Ok(())
        }
        Err(refusal) => {
            connection.say(Err(refusal)).await?;
            Err(AttemptError::Refused(refusal))
        }
    }
}

/// Whether an accept failed because of the connection that was to be accepted.
fn is_the_peers(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(kind, ConnectionAborted | ConnectionReset | Interrupted)
}
