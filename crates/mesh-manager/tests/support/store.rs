use super::*;
use mesh_manager::ForgetfulStore;
use tokio::sync::Semaphore;

/// A store that can be made to fail, and that outlives the meshes that use it.
pub(crate) struct TestStore {
    pub(crate) inner: ForgetfulStore,
    /// While set, nothing about money is answered.
    pub(crate) is_down: AtomicBool,
    /// Claims of which it does what it is asked, and says that it cannot tell.
    pub(crate) silent_claims: AtomicU64,
    /// Payments of which it notes the beginning, and says that it cannot tell.
    pub(crate) silent_payments: AtomicU64,
    /// Refunds of which it does not write down the end, and says that it cannot.
    pub(crate) lost_refund_ends: AtomicU64,
    /// Bookings wait here; closed, they pass.
    pub(crate) bookings: Semaphore,
    /// How often it was asked to claim.
    pub(crate) claims_asked: AtomicU64,
    /// How often it was asked for credit.
    pub(crate) draws_asked: AtomicU64,
    /// What its node denies, where it is a thief.
    pub(crate) denial: Mutex<Option<Denial>>,
}

/// What a node says that has taken a payment and does not want to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denial {
    /// There is no credit.
    Credit,
    /// The payment was used before.
    Payment,
}

/// One [`TestStore`] for each node of a chain.
pub(crate) struct Stores(Vec<Arc<TestStore>>);

impl Stores {
    pub(crate) fn of(count: usize) -> Self {
        Self((0..count).map(|_| Arc::default()).collect())
    }

    pub(crate) fn at(&self, index: usize) -> &Arc<TestStore> {
        &self.0[index]
    }

    /// Hands them out in the order of the chain.
    pub(crate) fn each(&self) -> impl Fn() -> Arc<dyn Store> + use<> {
        let (stores, next) = (self.0.clone(), AtomicU64::new(0));
        move || {
            let index = next.fetch_add(1, Ordering::SeqCst) as usize;
            Arc::clone(&stores[index]) as Arc<dyn Store>
        }
    }
}

impl Default for TestStore {
    fn default() -> Self {
        let bookings = Semaphore::new(0);
        bookings.close();
        Self {
            inner: ForgetfulStore::default(),
            is_down: AtomicBool::default(),
            silent_claims: AtomicU64::default(),
            silent_payments: AtomicU64::default(),
            lost_refund_ends: AtomicU64::default(),
            bookings,
            claims_asked: AtomicU64::default(),
            draws_asked: AtomicU64::default(),
            denial: Mutex::default(),
        }
    }
}

impl TestStore {
    /// A store that books nothing until it is told to.
    pub(crate) fn that_books_late() -> Self {
        Self {
            bookings: Semaphore::new(0),
            ..Self::default()
        }
    }

    fn denies(&self, what: Denial) -> bool {
        *self.denial.lock().unwrap() == Some(what)
    }

    fn up(&self) -> Result<(), StoreError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the disk is gone".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl ClaimStore for TestStore {
    async fn claim(
        &self,
        claim: Claim,
        by: PacketTag,
        now: UnixTime,
    ) -> Result<ClaimOutcome, StoreError> {
        self.claims_asked.fetch_add(1, Ordering::SeqCst);
        self.up()?;
        let outcome = self.inner.claim(claim, by, now).await?;
        let silent = self
            .silent_claims
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        match silent {
            Ok(_) => Err(StoreError::Unknown("the answer was lost".to_owned())),
            Err(_) if self.denies(Denial::Payment) => Ok(ClaimOutcome::AlreadyClaimed),
            Err(_) => Ok(outcome),
        }
    }

    async fn remove_expired(&self, now: UnixTime) -> Result<usize, StoreError> {
        self.up()?;
        self.inner.remove_expired(now).await
    }

    async fn watched(&self) -> Result<Vec<Watched>, StoreError> {
        self.up()?;
        self.inner.watched().await
    }

    async fn judge(&self, key: ClaimKey, standing: Standing) -> Result<(), StoreError> {
        self.up()?;
        self.inner.judge(key, standing).await
    }
}

#[async_trait]
impl CreditStore for TestStore {
    async fn draw(&self, payer: NodeId, wanted: Msat) -> Result<Drawn, StoreError> {
        self.draws_asked.fetch_add(1, Ordering::SeqCst);
        self.up()?;
        if self.denial.lock().unwrap().is_some() {
            return Ok(Drawn::default());
        }
        self.inner.draw(payer, wanted).await
    }

    async fn settle(
        &self,
        settlements: Vec<Settlement>,
        now: UnixTime,
    ) -> Result<Settled, StoreError> {
        // Closed or not: what was let through is booked.
        let _ = self.bookings.acquire().await;
        self.inner.settle(settlements, now).await
    }

    async fn credit(&self, payer: NodeId) -> Result<Msat, StoreError> {
        self.up()?;
        if self.denial.lock().unwrap().is_some() {
            return Ok(Msat::ZERO);
        }
        self.inner.credit(payer).await
    }

    async fn books(&self, most: usize) -> Result<Books, StoreError> {
        self.up()?;
        self.inner.books(most).await
    }
}

#[async_trait]
impl NodeStore for TestStore {
    async fn identity(&self) -> Result<Option<[u8; 32]>, StoreError> {
        self.inner.identity().await
    }

    async fn keep_identity(&self, secret: [u8; 32]) -> Result<[u8; 32], StoreError> {
        self.inner.keep_identity(secret).await
    }

    async fn reserve_sequences(&self, at_least: u64) -> Result<SequenceBlock, StoreError> {
        self.inner.reserve_sequences(at_least).await
    }

    async fn keep_proof(&self, payee: NodeId, proof: PaymentProof) -> Result<(), StoreError> {
        self.up()?;
        self.inner.keep_proof(payee, proof).await
    }

    async fn forget_proof(&self, payee: NodeId, proof: PaymentProof) -> Result<(), StoreError> {
        self.inner.forget_proof(payee, proof).await
    }

    async fn kept_proofs(&self) -> Result<Vec<(NodeId, PaymentProof)>, StoreError> {
        self.inner.kept_proofs().await
    }

    async fn settled_place(&self, payee_key: [u8; 33]) -> Result<Option<u64>, StoreError> {
        self.inner.settled_place(payee_key).await
    }

    async fn keep_settled_place(&self, payee_key: [u8; 33], place: u64) -> Result<(), StoreError> {
        self.up()?;
        self.inner.keep_settled_place(payee_key, place).await
    }
}

#[async_trait]
impl SpendingStore for TestStore {
    async fn begin_payment(
        &self,
        payment: OwnPayment,
        note: PaymentProof,
        caps: DayCaps,
    ) -> Result<Begun, StoreError> {
        self.up()?;
        let begun = self.inner.begin_payment(payment, note, caps).await?;
        let silent =
            self.silent_payments
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                });
        match silent {
            Ok(_) => Err(StoreError::Unknown("the answer was lost".to_owned())),
            Err(_) => Ok(begun),
        }
    }

    async fn end_payment(&self, end: PaymentEnd) -> Result<(), StoreError> {
        self.up()?;
        self.inner.end_payment(end).await
    }

    async fn spent_on_day(&self, at: UnixTime, payee: NodeId) -> Result<DaySums, StoreError> {
        self.inner.spent_on_day(at, payee).await
    }

    async fn last_payments(&self, most: usize) -> Result<Vec<OwnPayment>, StoreError> {
        self.inner.last_payments(most).await
    }
}

#[async_trait]
impl RefundStore for TestStore {
    async fn begin_refund(&self, refund: Refund) -> Result<RefundBegun, StoreError> {
        self.up()?;
        let begun = self.inner.begin_refund(refund).await?;
        let silent =
            self.silent_payments
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                });
        match silent {
            Ok(_) => Err(StoreError::Unknown("the answer was lost".to_owned())),
            Err(_) => Ok(begun),
        }
    }

    async fn end_refund(&self, end: RefundEnd) -> Result<(), StoreError> {
        self.up()?;
        let lost = self
            .lost_refund_ends
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        match lost {
            Ok(_) => Err(StoreError::Unavailable("the disk is gone".to_owned())),
            Err(_) => self.inner.end_refund(end).await,
        }
    }

    async fn refund(&self, payment_hash: [u8; 32]) -> Result<Option<Refund>, StoreError> {
        self.up()?;
        self.inner.refund(payment_hash).await
    }

    async fn open_refunds(&self) -> Result<Vec<Refund>, StoreError> {
        self.up()?;
        self.inner.open_refunds().await
    }
}
