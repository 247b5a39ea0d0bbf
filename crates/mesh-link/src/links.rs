use crate::{
    DialError, DialInfo, Identity, LinkConfig, LinkError, LinkEvent, LinkInfo, LinkTotals,
    MAX_FRAME_LEN, SendError, dial,
    hub::Hub,
    listen,
    tasks::{Phase, Tasks},
};
use mesh_types::{NodeId, PeerAddress};
use parking_lot::Mutex;
use std::{convert::Infallible, net::SocketAddr, sync::Arc};
use tokio::{
    net::TcpListener,
    sync::{Mutex as AsyncMutex, mpsc, watch},
    time::timeout,
};

/// All links of one node; cheap to clone. When the last clone is dropped, every link ends at once.
#[derive(Debug, Clone)]
pub struct Links {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    hub: Arc<Hub>,
    local_addr: Option<SocketAddr>,
    /// `None` once shut down.
    tasks: Mutex<Option<Tasks>>,
    phase: watch::Sender<Phase>,
    alive: AsyncMutex<mpsc::Receiver<Infallible>>,
}

impl Links {
    /// Starts with no link; inside a tokio runtime.
    ///
    /// - `secret_key`: the node's identity. - `listen`: where other nodes may connect, port 0 for any; `None` for a node
    ///   that only dials.
    ///
    /// The events have to be read: while their queue is full nothing is received, and when the receiver is dropped each
    /// link ends as soon as it has something to tell.
    ///
    /// # Errors
    /// [`LinkError`] when the key is none, the address is taken, or a bound of `config` leaves no room.
    pub async fn start(
        secret_key: [u8; 32],
        listen: Option<SocketAddr>,
        config: LinkConfig,
    ) -> Result<(Self, mpsc::Receiver<LinkEvent>), LinkError> {
        config.check()?;
        let identity = Identity::from_secret_key(secret_key)?;
        let (events, event_receiver) = mpsc::channel(config.event_queue);
        let (phase, phase_receiver) = watch::channel(Phase::Running);
        let (alive, alive_receiver) = mpsc::channel(1);
        let hub = Arc::new(Hub::new(identity, config));
        let tasks = Tasks::new(Arc::clone(&hub), events, phase_receiver, alive);
        let local_addr = match listen {
            Some(address) => Some(listen_on(address, &tasks).await?),
            None => None,
        };
        let inner = Arc::new(Inner {
            hub,
            local_addr,
            tasks: Mutex::new(Some(tasks)),
            phase,
            alive: AsyncMutex::new(alive_receiver),
        });
        Ok((Self { inner }, event_receiver))
    }

    /// This node's id.
    pub fn node_id(&self) -> NodeId {
        self.inner.hub.identity.node_id()
    }

    /// Where other nodes may connect.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.inner.local_addr
    }

    /// Keeps a link with `peer` from now on: dials, and after a pause dials again, until [`Links::forget`].
    ///
    /// A node that is dialled already gets the new address; a link with it that is up stays.
    ///
    /// # Errors
    /// [`DialError`] when the id is our own, the list is full, or the links are shut down.
    pub fn dial(&self, peer: PeerAddress) -> Result<(), DialError> {
        if peer.node_id == self.node_id() {
            return Err(DialError::OwnId);
        }
        let tasks = self.inner.tasks.lock();
        let tasks = tasks.as_ref().ok_or(DialError::Closed)?;
        self.inner.hub.dials.add(peer, |target| {
            tasks.spawn(Phase::Draining, dial::run(tasks.clone(), target))
        })
    }

    /// Stops dialling the node; a link that is up stays. Answers whether it was dialled.
    pub fn forget(&self, node_id: &NodeId) -> bool {
        self.inner.hub.dials.remove(node_id)
    }

    /// Hands a packet of 1 to [`MAX_FRAME_LEN`] bytes to the link with `to`; never waits.
    ///
    /// `Ok` means that it is queued. Should the link end before it is written, it is counted in
    /// [`LinkTotals::packets_lost`].
    ///
    /// # Errors
    /// [`SendError`]; the packet was not taken.
    pub fn try_send(&self, to: &NodeId, packet: Vec<u8>) -> Result<(), SendError> {
        match packet.len() {
            0 => Err(SendError::Empty),
            1..=MAX_FRAME_LEN => self.inner.hub.registry.send(to, packet),
            len => Err(SendError::TooLong { len }),
        }
    }

    /// Closes the link with the node without sending what is queued; a dialled node is dialled again after a pause.
    /// Answers whether there was a link.
    pub fn disconnect(&self, node_id: &NodeId) -> bool {
        self.inner.hub.registry.close(node_id)
    }

    /// The links, in the order of their node ids.
    pub fn peers(&self) -> Vec<LinkInfo> {
        self.inner.hub.registry.infos()
    }

    /// The nodes that are dialled, in the order of their ids.
    pub fn dialled(&self) -> Vec<DialInfo> {
        self.inner.hub.dials.infos()
    }

    /// What was counted since the start.
    pub fn totals(&self) -> LinkTotals {
        self.inner.hub.totals()
    }

    /// Ends everything: takes no more packets, sends what is queued, closes every link, and waits until no task is left.
    ///
    /// What is not done after [`LinkConfig::shutdown_timeout`] is cut off; `Down` is then no longer told. That happens
    /// too when nobody reads the events meanwhile and their queue is full.
    pub async fn shutdown(&self) {
        let inner = &self.inner;
        inner.tasks.lock().take();
        inner.hub.registry.close_all();
        inner.phase.send_replace(Phase::Draining);
        let mut alive = inner.alive.lock().await;
        let limit = inner.hub.config.shutdown_timeout;
        if timeout(limit, alive.recv()).await.is_err() {
            inner.phase.send_replace(Phase::Ended);
            alive.recv().await;
        }
    }
}

async fn listen_on(address: SocketAddr, tasks: &Tasks) -> Result<SocketAddr, LinkError> {
    let cannot = |error: std::io::Error| LinkError::Listen {
        address,
        kind: error.kind(),
    };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let local_addr = listener.local_addr().map_err(cannot)?;
    tasks.spawn(Phase::Draining, listen::run(tasks.clone(), listener));
    Ok(local_addr)
}
