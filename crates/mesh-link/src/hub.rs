use crate::{
    Identity, LinkConfig, LinkTotals, Refusal,
    dial_list::DialList,
    half_open::HalfOpen,
    registry::{Candidate, Place, Registry},
};
use mesh_types::NodeId;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::time::Instant;

/// What all tasks of one node share.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) identity: Arc<Identity>,
    pub(crate) config: LinkConfig,
    pub(crate) registry: Registry,
    pub(crate) dials: DialList,
    pub(crate) half_open: Arc<HalfOpen>,
    pub(crate) refused: Refused,
}

/// Inbound connections that came to nothing, by what stopped them.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    pub(crate) half_open: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) proven: AtomicU64,
}

/// A place in the registry; left when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) hub: Arc<Hub>,
    pub(crate) peer: NodeId,
    pub(crate) place: Place,
}

impl Hub {
    /// Starts with no link.
    pub(crate) fn new(identity: Identity, config: LinkConfig) -> Self {
        Self {
            registry: Registry::new(identity.node_id(), &config),
            identity: Arc::new(identity),
            dials: DialList::default(),
            half_open: Arc::new(HalfOpen::new(&config)),
            refused: Refused::default(),
            config,
        }
    }

    /// Gives a proven connection its place among the links.
    pub(crate) fn admit(
        self: &Arc<Self>,
        peer: NodeId,
        address: SocketAddr,
        outbound: bool,
    ) -> Result<Seat, Refusal> {
        let candidate = Candidate {
            peer,
            address,
            outbound,
            dialled: self.dials.has(&peer),
        };
        let place = self
            .registry
            .admit(candidate, &self.config, Instant::now())?;
        Ok(Seat {
            hub: Arc::clone(self),
            peer,
            place,
        })
    }

    /// What was counted so far.
    pub(crate) fn totals(&self) -> LinkTotals {
        LinkTotals {
            half_open_refused: self.refused.half_open.load(Relaxed),
            handshakes_failed: self.refused.failed.load(Relaxed),
            handshakes_timed_out: self.refused.timed_out.load(Relaxed),
            links_refused: self.refused.proven.load(Relaxed),
            packets_lost: self.registry.lost(),
        }
    }
}

impl Seat {
    /// Takes no more packets for this connection.
    pub(crate) fn end(&self) {
        self.hub.registry.end(&self.peer, self.place.generation);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.registry.leave(&self.peer, self.place.generation);
        self.hub.dials.wake(&self.peer);
    }
}
