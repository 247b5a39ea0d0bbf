//! The network of all tests, one at a time.

use super::sides::Side;
use mesh_regtest::{LightningNetwork, wait_until};
use mesh_types::{InvoiceRequest, Msat, PayLimits};
use parking_lot::{ArcMutexGuard, Mutex, RawMutex};
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

pub(crate) const AMOUNT: Msat = Msat::from_msat(21_000);

/// What the relay takes for a payment.
pub(crate) const FEE: Msat = Msat::from_msat(1_000);

pub(crate) const LIMITS: PayLimits = PayLimits {
    max_fee: FEE,
    patience: Duration::from_secs(30),
};

type Stage = Mutex<LightningNetwork>;

/// A network takes seconds to begin, so all tests share one, which ends with the last of them.
static STAGE: Mutex<Weak<Stage>> = Mutex::new(Weak::new());

static PREIMAGES: AtomicU64 = AtomicU64::new(1);

/// A payer and a payee, each behind a front of its own, with a relay between them.
pub(crate) struct Scene<S: Side> {
    pub(crate) payer: S,
    pub(crate) payee: S,
    network: ArcMutexGuard<RawMutex, LightningNetwork>,
    _folder: TempDir,
}

impl<S: Side> Scene<S> {
    pub(crate) fn enter() -> Self {
        let stage = {
            let mut shared = STAGE.lock();
            shared.upgrade().unwrap_or_else(|| {
                let network = LightningNetwork::line().unwrap();
                let stage = Arc::new(Mutex::new(network));
                *shared = Arc::downgrade(&stage);
                stage
            })
        };
        let network = stage.lock_arc();
        // An earlier test may have failed in the middle.
        for name in ["a", "c"] {
            let peer = network.peer(name).unwrap();
            peer.hold(false);
            peer.start_again().unwrap();
            network.reconnect(name).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let side = |name: &str| {
            let peer = network.peer(name).unwrap();
            S::open(Arc::clone(peer), &folder.path().join(name))
        };
        Self {
            payer: side("a"),
            payee: side("c"),
            network,
            _folder: folder,
        }
    }

    /// Ends a side's front and its node, as a crash does, but for what the node writes on its way out.
    pub(crate) fn kill(&mut self, side: fn(&mut Self) -> &mut S) {
        side(self).go_away();
        side(self).peer().stop();
    }

    /// Starts a side's node and its front again, from what they wrote.
    pub(crate) fn revive(&mut self, side: fn(&mut Self) -> &mut S) {
        let name = side(self).peer().name().to_owned();
        self.network.peer(&name).unwrap().start_again().unwrap();
        side(self).come_back();
        self.network.reconnect(&name).unwrap();
    }

    /// What the payer can spend.
    pub(crate) fn purse(&self) -> u64 {
        let node = self.payer.peer().node().unwrap();
        let channels = node.list_channels();
        channels.iter().map(|it| it.outbound_capacity_msat).sum()
    }

    /// Waits until the payer has spent an amount, and nothing is under way.
    pub(crate) fn has_spent(&self, before: u64, spent: Msat) {
        let what = format!("the payer to have spent {spent}");
        wait_until(&what, || Ok(self.purse() + spent.to_msat() == before)).unwrap();
    }
}

/// An invoice that no other test asks for.
pub(crate) fn request() -> InvoiceRequest {
    let number = PREIMAGES.fetch_add(1, Ordering::Relaxed);
    let mut preimage = [7; 32];
    for (to, from) in preimage.iter_mut().zip(number.to_le_bytes()) {
        *to = from;
    }
    InvoiceRequest {
        amount: AMOUNT,
        preimage,
        description: "mesh: 21 packets".to_owned(),
        expiry: Duration::from_secs(600),
    }
}
