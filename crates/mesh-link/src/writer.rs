use crate::{
    DownReason,
    hub::Hub,
    queue::SendQueue,
    registry::{Counts, Place},
    session::{SealError, Sealer},
};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{io::AsyncWriteExt, net::tcp::OwnedWriteHalf, time::timeout};

/// Bytes of packets that are sealed into one write.
///
/// 64 KiB, because a system call is then shared by some fifty packets of 1,200 bytes, and a cache still holds them.
const BATCH_BYTES: usize = 64 * 1024;

/// The outbound half of a link.
///
/// What it has sealed stays in it when a future of it is dropped, so a link can stop writing and go on later.
#[derive(Debug)]
pub(crate) struct Writer {
    half: OwnedWriteHalf,
    sealer: Sealer,
    queue: Arc<SendQueue>,
    counts: Arc<Counts>,
    idle_timeout: Duration,
    hub: Arc<Hub>,
    batch: Vec<Vec<u8>>,
    sealed: Vec<u8>,
    written: usize,
    /// Packets in `sealed`, and their bytes.
    unwritten: (usize, usize),
}

impl Writer {
    /// Takes the packets of the place's queue.
    pub(crate) fn new(half: OwnedWriteHalf, sealer: Sealer, place: &Place, hub: Arc<Hub>) -> Self {
        Self {
            half,
            sealer,
            queue: Arc::clone(&place.queue),
            counts: Arc::clone(&place.counts),
            idle_timeout: hub.config.idle_timeout,
            hub,
            batch: Vec::new(),
            sealed: Vec::new(),
            written: 0,
            unwritten: (0, 0),
        }
    }

    /// Writes packets, and keepalives between them, until it cannot; answers why.
    pub(crate) async fn run(&mut self) -> DownReason {
        let keepalive = self.idle_timeout / 3;
        loop {
            if let Err(reason) = self.write_queued().await {
                return reason;
            }
            if timeout(keepalive, self.queue.filled()).await.is_err()
                && let Err(SealError) = self.sealer.seal(&[], &mut self.sealed)
            {
                return DownReason::Exhausted;
            }
        }
    }

    /// Writes what is queued, and then says that nothing follows.
    pub(crate) async fn finish(&mut self) -> Result<(), DownReason> {
        self.write_queued().await?;
        self.half
            .shutdown()
            .await
            .map_err(|error| DownReason::Io(error.kind()))
    }

    async fn write_queued(&mut self) -> Result<(), DownReason> {
        loop {
            self.write_sealed().await?;
            if !self.seal_batch()? {
                return Ok(());
            }
        }
    }

    /// Seals what is queued, up to one batch; answers whether there was something.
    fn seal_batch(&mut self) -> Result<bool, DownReason> {
        self.queue.take(BATCH_BYTES, &mut self.batch);
        let (packets, bytes) = &mut self.unwritten;
        *packets = self.batch.len();
        *bytes = self.batch.iter().map(Vec::len).sum();
        for packet in self.batch.drain(..) {
            let sealed = self.sealer.seal(&packet, &mut self.sealed);
            sealed.map_err(|SealError| DownReason::Exhausted)?;
        }
        Ok(*packets > 0)
    }

    async fn write_sealed(&mut self) -> Result<(), DownReason> {
        while let Some(rest) = self
            .sealed
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
        {
            match timeout(self.idle_timeout, self.half.write(rest)).await {
                Err(_) => return Err(DownReason::Stalled),
                Ok(Err(error)) => return Err(DownReason::Io(error.kind())),
                Ok(Ok(0)) => return Err(DownReason::PeerClosed),
                Ok(Ok(written)) => self.written += written,
            }
        }
        self.sealed.clear();
        self.written = 0;
        let (packets, bytes) = std::mem::take(&mut self.unwritten);
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.counts.packets_out.fetch_add(count(packets), Relaxed);
        self.counts.bytes_out.fetch_add(count(bytes), Relaxed);
        Ok(())
    }
}

impl Drop for Writer {
    /// Counts what was taken from the queue and, as far as we know, not written.
    fn drop(&mut self) {
        self.hub.registry.count_lost(self.unwritten.0);
    }
}
