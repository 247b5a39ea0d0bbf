mod book;
mod chain;
mod channels;
mod core;
mod folder;
mod logging;
mod payments;
mod recent;
mod seed;
mod start;

use crate::{
    LdkConfig, OpenError,
    invoice::{Invoice, check_issued, check_request, payment_hash},
    pay::{Payer, Sent, pay_once},
};
use async_trait::async_trait;
pub use book::MAX_WAITING_INVOICES;
use book::{BookError, Issued};
use chain::Source;
pub use channels::{LdkChannel, LdkStatus, OPENING_PATIENCE, OpenChannel};
use core::Core;
use folder::Folder;
use mesh_types::{
    Incoming, InvoiceRequest, LightningError, LightningInfo, LightningNode, Network, Outgoing,
    PaidInvoice, PayLimits, SettledInvoice,
};
use start::Workers;
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

/// How long nothing is tried after the disk did not take a note: a second, because a full disk stays so for a while.
const DISK_PAUSE: Duration = Duration::from_secs(1);

/// A Lightning node inside this program, which is LDK's.
///
/// - It has a folder, threads and a wallet of its own, and runs from [`Ldk::open`] to [`Ldk::close`]. When it is dropped it
///   stops in the background; a program that ends meanwhile loses nothing, as with a crash.
/// - The node takes our preimages: they are in its folder until their invoice is paid or has expired.
/// - What was settled has its place in a list of this back end's own, noted before LDK forgets that it told of it.
///
/// # Source
/// The documentation of the crate `ldk-node`, and its code where that says nothing.
pub struct Ldk {
    /// `None` once closed.
    running: Mutex<Option<Running>>,
    info: LightningInfo,
    network: Network,
}

/// What is there while the node runs.
struct Running {
    core: Arc<Core>,
    handle: Handle,
    stop: watch::Sender<bool>,
    events: JoinHandle<()>,
    workers: Workers,
    folder: Folder,
}

impl Ldk {
    /// Starts a node, or starts it again. The second part of the answer is what its operator should know of the settings.
    ///
    /// # Errors
    /// [`OpenError`] says in one sentence what is wrong; nothing runs then.
    pub async fn open(
        config: &LdkConfig,
        network: Network,
    ) -> Result<(Self, Option<String>), OpenError> {
        start::check(config)?;
        let source = Source::read(&config.chain)?;
        let warning = source.warning(&config.chain);
        let folder = Folder::take(&config.folder)?;
        source.check(network).await?;
        let workers = Workers::start()?;
        let failed = |why: &str| OpenError::Start(why.to_owned());
        let handle = workers
            .handle()
            .ok_or_else(|| failed("it has no threads"))?;
        let handle = handle.clone();
        let (settings, inner) = (config.clone(), handle.clone());
        let starting = handle.spawn_blocking(move || {
            let core = start::start(&folder, &settings, network, &source, inner)?;
            Ok::<_, OpenError>((core, folder))
        });
        let started = starting.await;
        let (core, folder) = started.map_err(|ended| failed(&ended.to_string()))??;
        let info = LightningInfo {
            payee_key: core.node.node_id().serialize(),
            network,
            takes_preimages: true,
            is_shared: false,
        };
        let core = Arc::new(core);
        let (stop, stopped) = watch::channel(false);
        let events = handle.spawn(handle_events(Arc::clone(&core), stopped));
        let running = Running {
            core,
            handle,
            stop,
            events,
            workers,
            folder,
        };
        let node = Self {
            running: Mutex::new(Some(running)),
            info,
            network,
        };
        Ok((node, warning))
    }

    /// Stops the node, and frees its folder. What is asked afterwards is refused.
    pub async fn close(&self) {
        if let Some(stopped) = self.stop() {
            // A thread that is gone has stopped.
            let _ = stopped.await;
        }
    }

    /// How the node is: its money and its channels.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn status(&self) -> Result<LdkStatus, LightningError> {
        self.with(|core| Ok(channels::status(core))).await
    }

    /// A new address to which money for channels can be sent.
    ///
    /// # Errors
    /// When it is closed, or its disk does not take the address.
    pub async fn deposit_address(&self) -> Result<String, LightningError> {
        self.with(channels::address).await
    }

    /// Opens a channel, and waits until its transaction is sent; answers with its id. It is ready some blocks later.
    ///
    /// # Errors
    /// [`LightningError::Refused`] when there will be none; [`LightningError::Unknown`] after [`OPENING_PATIENCE`].
    pub async fn open_channel(&self, open: OpenChannel) -> Result<[u8; 32], LightningError> {
        let opening = move |core: &Core| channels::begin_opening(core, &open);
        let number = self.with(opening).await?;
        let (core, _) = self.running()?;
        channels::opened(&core, number).await
    }

    /// Closes the channel whose id begins with `name`. `is_forced`: without its peer, which takes longer and costs more.
    ///
    /// # Errors
    /// When there is none, or more than one, or its peer is not there.
    pub async fn close_channel(&self, name: &str, is_forced: bool) -> Result<(), LightningError> {
        let name = name.to_owned();
        self.with(move |core| channels::close(core, &name, is_forced))
            .await
    }

    /// Looks at the chain now instead of in a while.
    ///
    /// # Errors
    /// When the chain cannot be asked.
    pub async fn sync(&self) -> Result<(), LightningError> {
        let sync = |core: &Core| core.node.sync_wallets();
        let synced = self.with(move |core| Ok(sync(core))).await?;
        synced.map_err(|error| LightningError::Unreachable(error.to_string()))
    }

    /// Does something that blocks where it may.
    async fn with<T: Send + 'static>(
        &self,
        doing: impl FnOnce(&Core) -> Result<T, LightningError> + Send + 'static,
    ) -> Result<T, LightningError> {
        let (core, handle) = self.running()?;
        let done = handle.spawn_blocking(move || doing(&core)).await;
        done.unwrap_or_else(|_| Err(closed()))
    }

    fn running(&self) -> Result<(Arc<Core>, Handle), LightningError> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = running.as_ref().ok_or_else(closed)?;
        Ok((Arc::clone(&running.core), running.handle.clone()))
    }

    /// Has a thread of its own stop the node, because that blocks; `None` when another has been told to.
    fn stop(&self) -> Option<oneshot::Receiver<()>> {
        let running = self.running.lock();
        let running = running.unwrap_or_else(PoisonError::into_inner).take()?;
        let (done, stopped) = oneshot::channel();
        let stopping = thread::Builder::new().name("ldk-stop".to_owned());
        let spawned = stopping.spawn(move || {
            running.stop();
            // Whoever does not wait need not know.
            let _ = done.send(());
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "the Lightning node is cut off");
        }
        Some(stopped)
    }
}

impl Running {
    fn stop(self) {
        let Self {
            core,
            handle,
            stop,
            events,
            workers,
            folder,
        } = self;
        stop.send_replace(true);
        if let Err(error) = handle.block_on(events) {
            tracing::warn!(%error, "the events of the Lightning node did not end well");
        }
        // LDK panics where its disk has failed it, and would once more when it is dropped.
        match catch_unwind(AssertUnwindSafe(|| core.node.stop())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the Lightning node did not stop well"),
            Err(_) => {
                tracing::error!("the Lightning node had stopped by itself: is its disk full?");
                std::mem::forget(core);
                return;
            }
        }
        // In this order: the folder is free when nothing is left that could write to it.
        drop(core);
        drop(workers);
        drop(folder);
    }
}

impl Drop for Ldk {
    fn drop(&mut self) {
        drop(self.stop());
    }
}

/// Handles what happens on the node until `stop` says so.
async fn handle_events(core: Arc<Core>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            // Only waited for: what it is, the handler asks itself.
            _ = core.node.next_event_async() => {}
        }
        let handling = Arc::clone(&core);
        let handled = tokio::task::spawn_blocking(move || handling.handle_all()).await;
        let wrong = match handled {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(ended) => ended.to_string(),
        };
        tracing::error!(
            wrong,
            "what happened on the Lightning node is not noted; trying again"
        );
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = sleep(DISK_PAUSE) => {}
        }
    }
}

#[async_trait]
impl LightningNode for Ldk {
    async fn info(&self) -> Result<LightningInfo, LightningError> {
        self.running()?;
        Ok(self.info)
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<String, LightningError> {
        check_request(&request)?;
        let (amount, hash) = (request.amount, payment_hash(&request.preimage));
        let text = self
            .with(move |core| payments::issue(core, &request, &hash))
            .await?;
        check_issued(&text, amount, Some(hash), self.network)?;
        Ok(text)
    }

    async fn pay_invoice(
        &self,
        invoice: &str,
        limits: PayLimits,
    ) -> Result<PaidInvoice, LightningError> {
        pay_once(self, invoice, self.network, limits).await
    }

    async fn incoming(&self, payment_hash: [u8; 32]) -> Result<Incoming, LightningError> {
        let look = move |core: &Core| {
            Ok(match core.book.issued(&payment_hash)? {
                None => Incoming::NotOurs,
                Some(Issued::Settled { amount, .. }) => Incoming::Settled { amount },
                Some(Issued::Waiting(_)) if core.is_held(&payment_hash) => Incoming::Held,
                Some(Issued::Waiting(_)) => Incoming::Unpaid,
            })
        };
        self.with(look).await
    }

    async fn outgoing(&self, payment_hash: [u8; 32]) -> Result<Outgoing, LightningError> {
        self.with(move |core| Ok(core.outgoing(&payment_hash)?))
            .await
    }

    async fn settled_behind(
        &self,
        place: u64,
        patience: Duration,
    ) -> Result<Vec<SettledInvoice>, LightningError> {
        let mut last = {
            let (core, _) = self.running()?;
            core.book.last_place()
        };
        // That none came, and that the node was closed, are told by the list.
        let _ = timeout(patience, last.wait_for(|last| *last > place)).await;
        self.with(move |core| Ok(core.book.settled_behind(place)?))
            .await
    }
}

#[async_trait]
impl Payer for Ldk {
    async fn send(
        &self,
        text: &str,
        invoice: &Invoice,
        limits: PayLimits,
    ) -> Result<Sent, LightningError> {
        let hash = invoice.payment_hash;
        let mut happened = {
            let (core, _) = self.running()?;
            core.happened()
        };
        let text = text.to_owned();
        // In one piece: whoever gives up waiting does not stop it half-way.
        let sending = self.with(move |core| payments::send(core, &text, &hash, limits));
        if let Some(sent) = sending.await? {
            return Ok(sent);
        }
        loop {
            match self.outgoing(hash).await? {
                Outgoing::Paid(paid) => return Ok(Sent::Paid(paid)),
                Outgoing::NotPaid => {
                    let (core, _) = self.running()?;
                    let why = core.failures.why(&hash);
                    let why = why.unwrap_or_else(|| "LDK does not say why".to_owned());
                    return Ok(Sent::Rejected(why));
                }
                Outgoing::Pending => {}
            }
            if happened.changed().await.is_err() {
                return Ok(Sent::Lost("the Lightning node stops".to_owned()));
            }
        }
    }
}

impl From<BookError> for LightningError {
    fn from(error: BookError) -> Self {
        match error {
            BookError::Full => Self::Refused(error.to_string()),
            BookError::Disk { .. } | BookError::Corrupt(_) => Self::Unreachable(error.to_string()),
        }
    }
}

fn closed() -> LightningError {
    LightningError::Unreachable("the Lightning node is stopped".to_owned())
}

impl fmt::Debug for Ldk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ldk")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}
