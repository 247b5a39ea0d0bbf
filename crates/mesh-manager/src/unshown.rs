use mesh_types::{NodeId, PaymentProof, UnixTime};
use parking_lot::Mutex;
use std::collections::HashMap;

/// The most paid proofs that wait to be shown; each takes about a KiB. At the bound nothing more is paid.
pub(crate) const MAX_UNSHOWN: usize = 1_024;

/// Proofs of what this node has paid and whose payee has not yet said that it has them.
///
/// A proof is money until it is credited: it is kept from the moment of the payment until the payee answers, whatever
/// became of the packet or the caller that wanted it.
#[derive(Debug, Default)]
pub(crate) struct Unshown(Mutex<HashMap<NodeId, Vec<PaymentProof>>>);

impl Unshown {
    /// Says whether another proof could be kept: to be asked before paying. Proofs that have expired make room.
    pub(crate) fn has_room(&self, now: UnixTime) -> bool {
        let mut kept = self.0.lock();
        if kept.values().map(Vec::len).sum::<usize>() < MAX_UNSHOWN {
            return true;
        }
        kept.retain(|_, proofs| {
            proofs.retain(|proof| match proof {
                PaymentProof::Lightning { expires_at, .. } => {
                    UnixTime::from_secs(*expires_at).is_alive_at(now)
                }
                PaymentProof::OnChainSettlement { .. } | PaymentProof::InstantSettlement { .. } => {
                    true
                }
            });
            !proofs.is_empty()
        });
        kept.values().map(Vec::len).sum::<usize>() < MAX_UNSHOWN
    }

    pub(crate) fn keep(&self, payee: NodeId, proof: PaymentProof) {
        self.0.lock().entry(payee).or_default().push(proof);
    }

    /// What `payee` has been paid and not yet been shown.
    pub(crate) fn of(&self, payee: &NodeId) -> Vec<PaymentProof> {
        self.0.lock().get(payee).cloned().unwrap_or_default()
    }

    pub(crate) fn forget(&self, payee: &NodeId, shown: &PaymentProof) {
        let mut kept = self.0.lock();
        if let Some(proofs) = kept.get_mut(payee) {
            proofs.retain(|proof| proof != shown);
            if proofs.is_empty() {
                kept.remove(payee);
            }
        }
    }
}
