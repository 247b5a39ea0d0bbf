use crate::{MeshManager, manager::Shared};
use mesh_types::{ChainNode, ChainTransaction, OnChainConfig, Standing, StoreError, Watched};
use std::{num::NonZeroU32, sync::Weak, time::Duration};
use tokio::time::{sleep, timeout};

/// How often the chain is asked how the watched payments stand.
///
/// Half a minute, because blocks come every ten, and what is undone should not be spent for long.
const INTERVAL: Duration = Duration::from_secs(30);

/// How long one answer is waited for; the rest of the round is left for the next one then.
const PATIENCE: Duration = Duration::from_secs(10);

/// How deep payments have to stay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Depths {
    /// From this depth on a payment holds.
    holds_at: u32,
    /// At this depth nothing undoes it any more.
    final_at: NonZeroU32,
}

impl Depths {
    pub(crate) const fn new(config: &OnChainConfig) -> Self {
        Self {
            // What counted in the mempool holds there; everything else has to be in a block.
            holds_at: if config.unconfirmed_covenants { 0 } else { 1 },
            final_at: config.final_depth,
        }
    }

    fn standing(self, found: Option<&ChainTransaction>) -> Standing {
        match found {
            Some(found) if found.depth >= self.final_at.get() => Standing::Final,
            Some(found) if found.depth >= self.holds_at => Standing::Holds,
            Some(_) | None => Standing::Gone,
        }
    }
}

impl MeshManager {
    /// Asks the chain how the payments on it stand: credit whose payment is gone is frozen, and can be spent again when the
    /// payment is back.
    ///
    /// A running mesh does this by itself; it is here for those who drive a mesh without its clock.
    pub async fn watch_payments(&self) {
        if let Some(chain) = self.shared.node_api.chain() {
            self.shared.watch(chain.as_ref()).await;
        }
    }
}

impl Shared {
    async fn watch(&self, chain: &dyn ChainNode) {
        let watched = match self.store.watched().await {
            Ok(watched) => watched,
            Err(error) => {
                return tracing::warn!(%error, "payments on the chain are not watched now");
            }
        };
        for payment in watched {
            let asked = timeout(PATIENCE, chain.transaction(payment.tx_hash)).await;
            let found = match asked {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => {
                    return tracing::warn!(%error, "payments on the chain are not watched now");
                }
                Err(_) => return tracing::warn!("the chain is slow: payments are not watched now"),
            };
            let standing = self.depths.standing(found.as_ref());
            if let Err(error) = self.judge(&payment, standing).await {
                return tracing::warn!(%error, "what became of a payment is not written down");
            }
        }
    }

    async fn judge(&self, payment: &Watched, standing: Standing) -> Result<(), StoreError> {
        let Watched {
            payer,
            amount,
            tx_hash,
            ..
        } = payment;
        match (standing, payment.is_frozen) {
            (Standing::Holds, false) => return Ok(()),
            // Frozen by this process or by another gateway: what is still in hand of it goes back each time.
            (Standing::Gone, true) => {}
            (Standing::Gone, false) => {
                tracing::warn!(%payer, %amount, %tx_hash, "a payment has left the chain: its credit is frozen");
                self.store.judge(payment.key, standing).await?;
            }
            (Standing::Holds | Standing::Final, _) => {
                tracing::info!(%payer, %amount, %tx_hash, ?standing, "a payment is in the chain");
                return self.store.judge(payment.key, standing).await;
            }
        }
        self.take_back(payer).await;
        Ok(())
    }
}

/// Watches payments until the mesh is gone.
pub(crate) async fn keep_watch(mesh: Weak<Shared>) {
    loop {
        sleep(INTERVAL).await;
        let Some(shared) = mesh.upgrade() else {
            return;
        };
        if let Some(chain) = shared.node_api.chain() {
            shared.watch(chain.as_ref()).await;
        }
    }
}
