use crate::payer::PaymentUnderWay;
use mesh_payment::MAX_CLOCK_SKEW;
use mesh_types::{
    Begun, DayCaps, MAX_KEPT_PROOFS, MeshError, Msat, NodeId, OwnPayment, PaymentEnd,
    PaymentOutcome, PaymentProof, Store, StoreError, UnixTime,
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Proofs of what this node has paid and whose payee has not yet said that it has them.
///
/// A proof is money until it is credited: it is kept from the moment of the payment until the payee answers, whatever
/// became of the packet or the caller that wanted it, and over a restart.
///
/// Notes of payments whose outcome is not known are among them, and are shown to nobody.
pub(crate) struct Unshown {
    kept: Mutex<HashMap<NodeId, Vec<PaymentProof>>>,
    /// The payments that the wallet is being asked to make by this process.
    asking: Mutex<HashSet<[u8; 32]>>,
    /// Outcomes that the store has not taken, at most [`MAX_KEPT_PROOFS`]; what is beyond is looked up after a restart.
    unsaid: Mutex<Vec<PaymentEnd>>,
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
        let asking = Mutex::default();
        Ok(Self {
            kept,
            asking,
            unsaid: Mutex::default(),
            store,
        })
    }

    /// Notes durably that a payment is about to be made, and that this process waits for its outcome while the answer lives.
    ///
    /// What is not noted, because of `caps` or because it is under way, is not to be made.
    pub(crate) async fn begin(
        &self,
        payment: &OwnPayment,
        note: &PaymentProof,
        caps: DayCaps,
    ) -> Result<Result<Asking<'_>, Begun>, StoreError> {
        let payment_hash = payment.payment_hash;
        if !self.asking.lock().insert(payment_hash) {
            return Ok(Err(Begun::UnderWay));
        }
        let asking = Asking {
            unshown: self,
            payment_hash,
        };
        let begun = self
            .store
            .begin_payment(payment.clone(), note.clone(), caps)
            .await;
        if let Err(StoreError::Unknown(_)) = &begun {
            // It may be written down and count, and will not be made.
            self.remember(PaymentEnd {
                payment_hash,
                payee: payment.payee,
                outcome: PaymentOutcome::Failed { at: payment.at },
                fee: Msat::ZERO,
                note: note.clone(),
                proof: None,
            });
        }
        let begun = begun?;
        if begun != Begun::Noted {
            return Ok(Err(begun));
        }
        let mut kept = self.kept.lock();
        kept.entry(payment.payee).or_default().push(note.clone());
        drop(kept);
        Ok(Ok(asking))
    }

    /// Writes down what became of a payment, and keeps its proof where it has one. Of several who have found it out the first
    /// does.
    pub(crate) async fn end(&self, end: PaymentEnd) {
        {
            let mut kept = self.kept.lock();
            let Some(proofs) = kept.get_mut(&end.payee) else {
                return;
            };
            let before = proofs.len();
            proofs.retain(|proof| *proof != end.note);
            if proofs.len() == before {
                return;
            }
            proofs.extend(end.proof.clone());
            if proofs.is_empty() {
                kept.remove(&end.payee);
            }
        }
        if let Err(error) = self.store.end_payment(end.clone()).await {
            let payee = end.payee;
            tracing::error!(%payee, %error, "what became of a payment is in memory alone for now");
            self.remember(end);
        }
    }

    /// Keeps what the store has not taken, to be told once more.
    fn remember(&self, end: PaymentEnd) {
        let mut unsaid = self.unsaid.lock();
        if unsaid.len() < MAX_KEPT_PROOFS {
            unsaid.push(end);
        }
    }

    /// Tells the store once more what it has not taken.
    ///
    /// A proof that its payee has got meanwhile may so be kept again: it is shown once more, and found to be known.
    pub(crate) async fn say_again(&self) {
        let unsaid = std::mem::take(&mut *self.unsaid.lock());
        for end in unsaid {
            if self.store.end_payment(end.clone()).await.is_err() {
                self.remember(end);
            }
        }
    }

    /// Says no while what became of a payment to `payee` is not known, and nobody here waits to hear it.
    ///
    /// # Errors
    /// [`MeshError::Busy`] when it is so.
    pub(crate) fn nothing_is_under_way(&self, payee: &NodeId) -> Result<(), MeshError> {
        let kept = self.kept.lock();
        let mut notes = kept.get(payee).into_iter().flatten();
        let is_under_way = notes.any(|note| {
            PaymentUnderWay::of(note).is_some_and(|it| !self.is_asking(&it.payment_hash))
        });
        if is_under_way {
            let reason = "a payment to this node is under way".to_owned();
            return Err(MeshError::Busy(reason));
        }
        Ok(())
    }

    pub(crate) fn all_under_way(&self) -> Vec<(NodeId, PaymentProof)> {
        self.those(|proof| PaymentUnderWay::of(proof).is_some())
    }

    /// Whether this process waits for the outcome of that payment.
    pub(crate) fn is_asking(&self, payment_hash: &[u8; 32]) -> bool {
        self.asking.lock().contains(payment_hash)
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

    /// What `payee` has been paid over Lightning and not yet been shown: what it credits at once.
    pub(crate) fn of(&self, payee: &NodeId) -> Vec<PaymentProof> {
        let kept = self.kept.lock();
        let proofs = kept.get(payee).into_iter().flatten();
        proofs
            .filter(|it| matches!(it, PaymentProof::Lightning { .. }))
            .filter(|it| PaymentUnderWay::of(it).is_none())
            .cloned()
            .collect()
    }

    /// What was paid on the chain and is not credited yet, with the payees.
    pub(crate) fn on_chain(&self) -> Vec<(NodeId, PaymentProof)> {
        let is_wanted =
            |proof: &PaymentProof| matches!(proof, PaymentProof::OnChainSettlement { .. });
        self.those(is_wanted)
    }

    /// Keeps a proof durably, until its payee has it.
    pub(crate) async fn keep(&self, payee: NodeId, proof: &PaymentProof) -> Result<(), StoreError> {
        self.store.keep_proof(payee, proof.clone()).await?;
        let mut kept = self.kept.lock();
        let proofs = kept.entry(payee).or_default();
        if !proofs.contains(proof) {
            proofs.push(proof.clone());
        }
        Ok(())
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
        self.those(|proof| is_over(proof, now))
    }

    fn those(&self, is_wanted: impl Fn(&PaymentProof) -> bool) -> Vec<(NodeId, PaymentProof)> {
        let kept = self.kept.lock();
        kept.iter()
            .flat_map(|(payee, proofs)| proofs.iter().map(|proof| (*payee, proof)))
            .filter(|(_, proof)| is_wanted(proof))
            .map(|(payee, proof)| (payee, proof.clone()))
            .collect()
    }
}

/// Whether no payee takes a proof any more, by whichever clock.
pub(crate) fn is_over(proof: &PaymentProof, now: UnixTime) -> bool {
    match proof {
        // What became of it has to be known first.
        note if PaymentUnderWay::of(note).is_some() => false,
        PaymentProof::Lightning { expires_at, .. } => {
            !UnixTime::from_secs(*expires_at).is_alive_at(now)
        }
        PaymentProof::OnChainSettlement { timestamp, .. } => {
            let ends_at = UnixTime::from_secs(*timestamp).plus(MAX_CLOCK_SKEW);
            !ends_at.is_alive_at(now)
        }
        PaymentProof::InstantSettlement { .. } => false,
    }
}

/// A payment that the wallet is being asked to make.
pub(crate) struct Asking<'u> {
    unshown: &'u Unshown,
    payment_hash: [u8; 32],
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.unshown.asking.lock().remove(&self.payment_hash);
    }
}
