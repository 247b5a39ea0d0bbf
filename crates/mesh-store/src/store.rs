use crate::{
    backend::{Answer, Backend, Op, Reader},
    writer::Writer,
};
use async_trait::async_trait;
use mesh_types::{
    Begun, Books, Claim, ClaimKey, ClaimOutcome, ClaimStore, CreditStore, DayCaps, DaySums, Drawn,
    Msat, NodeId, NodeStore, OwnPayment, PacketTag, PaymentEnd, PaymentProof, Refund, RefundBegun,
    RefundEnd, RefundStore, SequenceBlock, Settled, Settlement, SpendingStore, Standing,
    StoreError, UnixTime, Watched,
};
use std::{fmt, sync::Arc};

/// How many claims are forgotten in one transaction.
///
/// 4,096, because service goes on between two of them.
const EXPIRED_AT_ONCE: usize = 4_096;

/// A store that is open. A clone is another handle to it.
#[derive(Clone)]
pub struct MeshStore {
    pub(crate) writer: Writer,
    pub(crate) reader: Arc<dyn Reader>,
}

impl MeshStore {
    pub(crate) fn start(backend: impl Backend, reader: Arc<dyn Reader>) -> Self {
        let writer = Writer::start(backend);
        Self { writer, reader }
    }

    /// Says whether the store answered when it was last asked, which is seconds ago at most.
    pub fn is_reachable(&self) -> bool {
        self.reader.is_reachable()
    }

    /// Waits until everything that was asked for is durable, and closes for all handles.
    pub async fn close(&self) {
        self.writer.close().await;
    }
}

#[async_trait]
impl ClaimStore for MeshStore {
    async fn claim(
        &self,
        claim: Claim,
        by: PacketTag,
        now: UnixTime,
    ) -> Result<ClaimOutcome, StoreError> {
        match self.writer.ask(Op::Claim { claim, by, now }).await? {
            Answer::Claimed(outcome) => Ok(outcome),
            other => Err(unlike(other)),
        }
    }

    async fn remove_expired(&self, now: UnixTime) -> Result<usize, StoreError> {
        let mut removed = 0_usize;
        loop {
            let op = Op::RemoveExpired {
                now,
                most: EXPIRED_AT_ONCE,
            };
            match self.writer.ask(op).await? {
                Answer::Removed(0) => return Ok(removed),
                Answer::Removed(some) => removed = removed.saturating_add(some),
                other => return Err(unlike(other)),
            }
        }
    }

    async fn watched(&self) -> Result<Vec<Watched>, StoreError> {
        self.reader.watched().await
    }

    async fn judge(&self, key: ClaimKey, standing: Standing) -> Result<(), StoreError> {
        done(self.writer.ask(Op::Judge { key, standing }).await?)
    }
}

#[async_trait]
impl CreditStore for MeshStore {
    async fn draw(&self, payer: NodeId, wanted: Msat) -> Result<Drawn, StoreError> {
        match self.writer.ask(Op::Draw { payer, wanted }).await? {
            Answer::Drawn(drawn) => Ok(drawn),
            other => Err(unlike(other)),
        }
    }

    async fn settle(
        &self,
        settlements: Vec<Settlement>,
        now: UnixTime,
    ) -> Result<Settled, StoreError> {
        let op = Op::Settle { settlements, now };
        match self.writer.ask_long(op).await? {
            Answer::Settled(settled) => Ok(settled),
            other => Err(unlike(other)),
        }
    }

    async fn credit(&self, payer: NodeId) -> Result<Msat, StoreError> {
        self.reader.credit(payer).await
    }

    fn is_answering(&self) -> bool {
        self.is_reachable()
    }

    async fn books(&self, most: usize) -> Result<Books, StoreError> {
        self.reader.books(most).await
    }
}

#[async_trait]
impl NodeStore for MeshStore {
    async fn identity(&self) -> Result<Option<[u8; 32]>, StoreError> {
        self.reader.identity().await
    }

    async fn keep_identity(&self, secret: [u8; 32]) -> Result<[u8; 32], StoreError> {
        match self.writer.ask(Op::KeepIdentity { secret }).await? {
            Answer::Identity(kept) => Ok(kept),
            other => Err(unlike(other)),
        }
    }

    async fn reserve_sequences(&self, at_least: u64) -> Result<SequenceBlock, StoreError> {
        match self.writer.ask(Op::ReserveSequences { at_least }).await? {
            Answer::Sequences(block) => Ok(block),
            other => Err(unlike(other)),
        }
    }

    async fn keep_proof(&self, payee: NodeId, proof: PaymentProof) -> Result<(), StoreError> {
        done(self.writer.ask(Op::KeepProof { payee, proof }).await?)
    }

    async fn forget_proof(&self, payee: NodeId, proof: PaymentProof) -> Result<(), StoreError> {
        done(self.writer.ask(Op::ForgetProof { payee, proof }).await?)
    }

    async fn kept_proofs(&self) -> Result<Vec<(NodeId, PaymentProof)>, StoreError> {
        self.reader.kept_proofs().await
    }

    async fn settled_place(&self, payee_key: [u8; 33]) -> Result<Option<u64>, StoreError> {
        self.reader.settled_place(payee_key).await
    }

    async fn keep_settled_place(&self, payee_key: [u8; 33], place: u64) -> Result<(), StoreError> {
        let op = Op::KeepSettledPlace { payee_key, place };
        done(self.writer.ask(op).await?)
    }
}

#[async_trait]
impl SpendingStore for MeshStore {
    async fn begin_payment(
        &self,
        payment: OwnPayment,
        note: PaymentProof,
        caps: DayCaps,
    ) -> Result<Begun, StoreError> {
        let op = Op::BeginPayment {
            payment: Box::new(payment),
            note,
            caps,
        };
        match self.writer.ask(op).await? {
            Answer::Begun(begun) => Ok(begun),
            other => Err(unlike(other)),
        }
    }

    async fn end_payment(&self, end: PaymentEnd) -> Result<(), StoreError> {
        done(self.writer.ask(Op::EndPayment(Box::new(end))).await?)
    }

    async fn spent_on_day(&self, at: UnixTime, payee: NodeId) -> Result<DaySums, StoreError> {
        self.reader.spent_on_day(at, payee).await
    }

    async fn last_payments(&self, most: usize) -> Result<Vec<OwnPayment>, StoreError> {
        let lines = self.ledger().last_payments(None, most).await?;
        Ok(lines.into_iter().map(|line| line.payment).collect())
    }
}

#[async_trait]
impl RefundStore for MeshStore {
    async fn begin_refund(&self, refund: Refund) -> Result<RefundBegun, StoreError> {
        let op = Op::BeginRefund(Box::new(refund));
        match self.writer.ask(op).await? {
            Answer::RefundBegun(begun) => Ok(*begun),
            other => Err(unlike(other)),
        }
    }

    async fn end_refund(&self, end: RefundEnd) -> Result<(), StoreError> {
        done(self.writer.ask(Op::EndRefund(end)).await?)
    }

    async fn refund(&self, payment_hash: [u8; 32]) -> Result<Option<Refund>, StoreError> {
        self.reader.refund(payment_hash).await
    }

    async fn open_refunds(&self) -> Result<Vec<Refund>, StoreError> {
        self.reader.open_refunds().await
    }
}

fn done(answer: Answer) -> Result<(), StoreError> {
    match answer {
        Answer::Done => Ok(()),
        other => Err(unlike(other)),
    }
}

/// What this operation itself was refused for; or the answer to another question, which no back end gives.
fn unlike(answer: Answer) -> StoreError {
    match answer {
        Answer::Refused(error) => error,
        _ => StoreError::Unknown("it answered something else than was asked".to_owned()),
    }
}

impl fmt::Debug for MeshStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeshStore").finish_non_exhaustive()
    }
}
