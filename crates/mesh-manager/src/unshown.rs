use mesh_types::{MAX_KEPT_PROOFS, NodeId, PaymentProof, Store, StoreError, UnixTime};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// Proofs of what this node has paid and whose payee has not yet said that it has them.
///
/// A proof is money until it is credited: it is kept from the moment of the payment until the payee answers, whatever
/// became of the packet or the caller that wanted it, and over a restart.
pub(crate) struct Unshown {
    kept: Mutex<HashMap<NodeId, Vec<PaymentProof>>>,
    store: Arc<dyn Store>,
}

impl Unshown {
    /// Reads what the store has kept.
    pub(crate) async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut kept = HashMap::<_, Vec<_>>::new();
        for (payee, proof) in store.kept_proofs().await? {
            kept.entry(payee).or_default().push(proof);
        }
        let kept = Mutex::new(kept);
        Ok(Self { kept, store })
    }

    /// Says whether another proof could be kept: to be asked before paying. Proofs that have expired make room.
    pub(crate) async fn has_room(&self, now: UnixTime) -> bool {
        if self.len() < MAX_KEPT_PROOFS {
            return true;
        }
        for (payee, proof) in self.expired(now) {
            self.forget(&payee, &proof).await;
        }
        self.len() < MAX_KEPT_PROOFS
    }

    pub(crate) async fn keep(&self, payee: NodeId, proof: PaymentProof) {
        let kept = self.store.keep_proof(payee, proof.clone()).await;
        if let Err(error) = kept {
            tracing::error!(%payee, %error, "a paid proof is in memory alone until its payee has it");
        }
        self.kept.lock().entry(payee).or_default().push(proof);
    }

    /// What `payee` has been paid and not yet been shown.
    pub(crate) fn of(&self, payee: &NodeId) -> Vec<PaymentProof> {
        self.kept.lock().get(payee).cloned().unwrap_or_default()
    }

    pub(crate) async fn forget(&self, payee: &NodeId, shown: &PaymentProof) {
        {
            let mut kept = self.kept.lock();
            if let Some(proofs) = kept.get_mut(payee) {
                proofs.retain(|proof| proof != shown);
                if proofs.is_empty() {
                    kept.remove(payee);
                }
            }
        }
        if let Err(error) = self.store.forget_proof(*payee, shown.clone()).await {
            tracing::warn!(%payee, %error, "a proof that its payee has will be shown once more");
        }
    }

    fn len(&self) -> usize {
        self.kept.lock().values().map(Vec::len).sum()
    }

    fn expired(&self, now: UnixTime) -> Vec<(NodeId, PaymentProof)> {
        let is_over = |proof: &PaymentProof| match proof {
            PaymentProof::Lightning { expires_at, .. } => {
                !UnixTime::from_secs(*expires_at).is_alive_at(now)
            }
            PaymentProof::OnChainSettlement { .. } | PaymentProof::InstantSettlement { .. } => {
                false
            }
        };
        let kept = self.kept.lock();
        kept.iter()
            .flat_map(|(payee, proofs)| proofs.iter().map(|proof| (*payee, proof)))
            .filter(|(_, proof)| is_over(proof))
            .map(|(payee, proof)| (payee, proof.clone()))
            .collect()
    }
}
