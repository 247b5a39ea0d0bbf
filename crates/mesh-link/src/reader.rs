use crate::{
    DownReason, FrameDecoder, LinkEvent, ProtocolError,
    registry::Counts,
    session::{OpenError, Opener},
};
use mesh_types::NodeId;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{io::AsyncReadExt, net::tcp::OwnedReadHalf, sync::mpsc, time::timeout};

/// The inbound half of a link.
///
/// A packet waits for a place in the event queue, so a slow program stops the reading, and TCP then stops the peer.
/// Links get places in turn, so a busy one does not starve the others.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) peer: NodeId,
    pub(crate) half: OwnedReadHalf,
    pub(crate) decoder: FrameDecoder,
    pub(crate) opener: Opener,
    pub(crate) events: mpsc::Sender<LinkEvent>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) idle_timeout: Duration,
}

impl Reader {
    /// Delivers packets until there will be no more; answers why.
    pub(crate) async fn run(&mut self) -> DownReason {
        self.decoder.expect_any();
        loop {
            if let Err(reason) = self.deliver().await {
                return reason;
            }
            // Only waiting counts as silence: while the program is slow, the peer may well have spoken.
            let read = self.half.read(self.decoder.space());
            match timeout(self.idle_timeout, read).await {
                Err(_) => return DownReason::Idle,
                Ok(Err(error)) => return DownReason::Io(error.kind()),
                Ok(Ok(0)) if self.decoder.is_empty() => return DownReason::PeerClosed,
                Ok(Ok(0)) => return DownReason::Protocol(ProtocolError::Truncated),
                Ok(Ok(read)) => self.decoder.advance(read),
            }
        }
    }

    /// Delivers the packets that have come whole.
    async fn deliver(&mut self) -> Result<(), DownReason> {
        while let Some(frame) = self.decoder.next_frame()? {
            let bytes = self.opener.open(frame)?;
            if bytes.is_empty() {
                continue;
            }
            let place = self.events.reserve().await;
            let place = place.map_err(|_| DownReason::Local)?;
            self.counts.packets_in.fetch_add(1, Relaxed);
            let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            self.counts.bytes_in.fetch_add(len, Relaxed);
            let from = self.peer;
            place.send(LinkEvent::Packet { from, bytes });
        }
        Ok(())
    }
}

impl From<crate::FrameError> for DownReason {
    fn from(error: crate::FrameError) -> Self {
        Self::Protocol(ProtocolError::Frame(error))
    }
}

impl From<OpenError> for DownReason {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NotAuthentic => Self::Protocol(ProtocolError::NotAuthentic),
            OpenError::Exhausted => Self::Exhausted,
        }
    }
}
