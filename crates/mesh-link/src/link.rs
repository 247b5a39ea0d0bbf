use crate::{
    DownReason, LinkEvent,
    connection::Connection,
    hub::Seat,
    reader::Reader,
    registry::Stop,
    tasks::{Phase, Tasks},
    writer::Writer,
};
use std::{pin::pin, sync::Arc};
use tokio::{sync::watch, time::timeout};

/// Lets an admitted connection work in a task of its own.
pub(crate) fn start(tasks: &Tasks, connection: Connection, seat: Seat) {
    let mine = tasks.clone();
    tasks.spawn(Phase::Ended, async move {
        run(&mine, connection, seat).await;
    });
}

async fn run(tasks: &Tasks, mut connection: Connection, mut seat: Seat) {
    let node_id = seat.peer;
    let turn = Arc::clone(&seat.place.turn);
    let limit = tasks.hub.config.handshake_timeout;
    if !connection.outbound && !matches!(timeout(limit, connection.say(Ok(()))).await, Ok(Ok(()))) {
        return leave_untold(connection, seat).await;
    }
    let _turn = tokio::select! {
        biased;
        _ = told(&mut seat.place.stop) => return leave_untold(connection, seat).await,
        turn = turn.lock() => turn,
    };
    let up = LinkEvent::Up {
        node_id,
        address: connection.address,
        outbound: connection.outbound,
    };
    if tasks.events.send(up).await.is_err() {
        return;
    }
    tracing::debug!(peer = %node_id, address = %connection.address, "link up");
    let reason = carry(tasks, connection, &mut seat).await;
    // No packet is taken from here on; who asks before `Down` is read is told that there is no link.
    seat.end();
    tracing::debug!(peer = %node_id, %reason, "link down");
    let down = LinkEvent::Down { node_id, reason };
    if tasks.events.send(down).await.is_err() {
        tracing::debug!("nobody listens to the links");
    }
}

/// Gives up a connection whose `Up` was not told.
///
/// Its place is kept until the one before it has told its `Down`: in a free place the next one would not know that it has
/// to wait. Once another has the place, that one waits instead.
async fn leave_untold(connection: Connection, mut seat: Seat) {
    seat.end();
    drop(connection);
    let turn = Arc::clone(&seat.place.turn);
    tokio::select! {
        _ = turn.lock() => {}
        () = replaced(&mut seat.place.stop) => {}
    }
}

/// Carries packets both ways until something ends it.
async fn carry(tasks: &Tasks, connection: Connection, seat: &mut Seat) -> DownReason {
    let config = &tasks.hub.config;
    let place = &mut seat.place;
    let (read_half, write_half) = connection.stream.into_split();
    let mut reader = Reader {
        peer: seat.peer,
        half: read_half,
        decoder: connection.decoder,
        opener: connection.session.opener,
        events: tasks.events.clone(),
        counts: Arc::clone(&place.counts),
        idle_timeout: config.idle_timeout,
    };
    let sealer = connection.session.sealer;
    let mut writer = Writer::new(write_half, sealer, place, Arc::clone(&tasks.hub));
    carry_halves(&mut reader, &mut writer, &mut place.stop).await
}

async fn carry_halves(
    reader: &mut Reader,
    writer: &mut Writer,
    stop: &mut watch::Receiver<Option<Stop>>,
) -> DownReason {
    let mut reading = pin!(reader.run());
    let ended = tokio::select! {
        biased;
        stop = told(stop) => match stop {
            Stop::Now(reason) => return reason,
            Stop::WhenSent => DownReason::Local,
        },
        reason = &mut reading => return reason,
        reason = writer.run() => reason,
    };
    if ended == DownReason::Local {
        // The peer answers the end of our half with the end of its own. Closing before would make TCP throw away
        // what the peer has not read; not reading meanwhile could leave both sides waiting for room.
        let (finished, _) = tokio::join!(writer.finish(), reading);
        if let Err(reason) = finished {
            tracing::debug!(%reason, "not all was sent before the end");
        }
        return DownReason::Local;
    }
    if !matches!(ended, DownReason::Io(_) | DownReason::PeerClosed) {
        return ended;
    }
    // The peer takes nothing any more; what it had sent before is still to be read.
    tokio::select! {
        biased;
        stop = told(stop) => match stop {
            Stop::Now(reason) => reason,
            Stop::WhenSent => ended,
        },
        reason = reading => reason,
    }
}

/// Waits until the connection is told to stop.
async fn told(stop: &mut watch::Receiver<Option<Stop>>) -> Stop {
    match stop.wait_for(Option::is_some).await {
        Ok(stop) => stop.unwrap_or(Stop::Now(DownReason::Local)),
        // Its entry is gone: a newer connection has the place.
        Err(_) => Stop::Now(DownReason::Replaced),
    }
}

/// Waits until the connection's place is another's.
async fn replaced(stop: &mut watch::Receiver<Option<Stop>>) {
    while stop.changed().await.is_ok() {}
}
