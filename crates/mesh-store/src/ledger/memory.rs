use crate::{
    backend::{Answer, Backend, Op, Reader, Snapshot},
    record::{Account, ClaimRecord, Debit, Deposit, PaymentLine, Record},
    store::MeshStore,
};
use async_trait::async_trait;
use mesh_types::{
    Books, ClaimKey, DaySpent, DaySums, Msat, NodeId, PaymentProof, Refund, StoreError, UnixTime,
    Watched,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::mpsc;

/// All that a store holds, in memory: what the tests of the ledger read and fill. It changes in no other way.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Contents {
    pub(super) identity: Option<[u8; 32]>,
    pub(super) next_sequence: u64,
    pub(super) swept_at: UnixTime,
    pub(super) accounts: BTreeMap<NodeId, Account>,
    pub(super) deposits: BTreeMap<u64, Deposit>,
    pub(super) debits: BTreeMap<(UnixTime, NodeId), Debit>,
    pub(super) claims: BTreeMap<ClaimKey, ClaimRecord>,
    pub(super) watched: BTreeMap<ClaimKey, Watched>,
    pub(super) payments: BTreeMap<u64, PaymentLine>,
    pub(super) spent: BTreeMap<(UnixTime, NodeId), DaySpent>,
    pub(super) refunds: BTreeMap<[u8; 32], Refund>,
    pub(super) proofs: Vec<(NodeId, PaymentProof)>,
}

/// A store over [`Contents`].
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Contents>>);

impl Memory {
    pub(super) fn open(&self) -> MeshStore {
        MeshStore::start(self.clone(), Arc::new(self.clone()))
    }

    pub(super) fn contents(&self) -> Contents {
        self.0.lock().unwrap().clone()
    }
}

impl Contents {
    pub(super) fn put(&mut self, record: Record) {
        match record {
            Record::Identity(secret) => self.identity = Some(secret),
            Record::NextSequence(next) => self.next_sequence = next,
            Record::SweptAt(swept_at) => self.swept_at = swept_at,
            Record::Account(account) => {
                self.accounts.insert(account.payer, account);
            }
            Record::Deposit(deposit) => {
                self.deposits.insert(deposit.serial, deposit);
            }
            Record::Debit(debit) => {
                self.debits.insert((debit.period, debit.payer), debit);
            }
            Record::Claim(claim) => {
                self.claims.insert(claim.key, claim);
            }
            Record::Watched(watched) => {
                let frozen = self.accounts.get_mut(&watched.payer);
                if let Some(account) = frozen.filter(|_| watched.is_frozen) {
                    let sum = account.frozen.checked_add(watched.amount);
                    account.frozen = sum.unwrap();
                }
                self.watched.insert(watched.key, watched);
            }
            Record::Payment(line) => {
                self.payments.insert(line.serial, line);
            }
            Record::Spent(day) => {
                self.spent.insert((day.day, day.payee), day);
            }
            Record::Refund(refund) => {
                self.refunds.insert(refund.payment_hash, refund);
            }
            Record::Proof(payee, proof) => self.proofs.push((payee, proof)),
            Record::End => {}
        }
    }
}

#[async_trait]
impl Backend for Memory {
    async fn commit(&mut self, _: &[Op]) -> Result<Vec<Answer>, StoreError> {
        Err(StoreError::Unavailable("this one is read".to_owned()))
    }

    async fn import(&mut self, mut records: mpsc::Receiver<Vec<Record>>) -> Result<(), StoreError> {
        if self.contents() != Contents::default() {
            return Err(StoreError::Unavailable("it is not empty".to_owned()));
        }
        let mut contents = Contents::default();
        while let Some(page) = records.recv().await {
            for record in page {
                if record == Record::End {
                    *self.0.lock().unwrap() = contents;
                    return Ok(());
                }
                contents.put(record);
            }
        }
        Err(StoreError::Unavailable("there was no end".to_owned()))
    }

    async fn close(&mut self) {}
}

#[async_trait]
impl Reader for Memory {
    async fn credit(&self, _: NodeId) -> Result<Msat, StoreError> {
        Ok(Msat::ZERO)
    }

    async fn books(&self, _: usize) -> Result<Books, StoreError> {
        Ok(Books::default())
    }

    async fn watched(&self) -> Result<Vec<Watched>, StoreError> {
        Ok(self.contents().watched.into_values().collect())
    }

    async fn identity(&self) -> Result<Option<[u8; 32]>, StoreError> {
        Ok(self.contents().identity)
    }

    async fn kept_proofs(&self) -> Result<Vec<(NodeId, PaymentProof)>, StoreError> {
        Ok(self.contents().proofs)
    }

    async fn spent_on_day(&self, _: UnixTime, _: NodeId) -> Result<DaySums, StoreError> {
        Ok(DaySums::default())
    }

    async fn settled_place(&self, _: [u8; 33]) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    async fn refund(&self, payment_hash: [u8; 32]) -> Result<Option<Refund>, StoreError> {
        Ok(self.contents().refunds.remove(&payment_hash))
    }

    async fn open_refunds(&self) -> Result<Vec<Refund>, StoreError> {
        Ok(Vec::new())
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(self.contents()))
    }
}

fn page<K: Ord, T: Clone>(all: &BTreeMap<K, T>, after: Option<K>, most: usize) -> Vec<T> {
    let later = all
        .iter()
        .filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
    later.take(most).map(|(_, record)| record.clone()).collect()
}

#[async_trait]
impl Snapshot for Contents {
    async fn accounts(
        &mut self,
        after: Option<NodeId>,
        most: usize,
    ) -> Result<Vec<Account>, StoreError> {
        Ok(page(&self.accounts, after, most))
    }

    async fn deposits(
        &mut self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<Deposit>, StoreError> {
        Ok(page(&self.deposits, after, most))
    }

    async fn last_deposits(&mut self, most: usize) -> Result<Vec<Deposit>, StoreError> {
        Ok(self.deposits.values().rev().take(most).copied().collect())
    }

    async fn debits(
        &mut self,
        after: Option<(UnixTime, NodeId)>,
        most: usize,
    ) -> Result<Vec<Debit>, StoreError> {
        Ok(page(&self.debits, after, most))
    }

    async fn claims(
        &mut self,
        after: Option<ClaimKey>,
        most: usize,
    ) -> Result<Vec<ClaimRecord>, StoreError> {
        Ok(page(&self.claims, after, most))
    }

    async fn watched(
        &mut self,
        after: Option<ClaimKey>,
        most: usize,
    ) -> Result<Vec<Watched>, StoreError> {
        Ok(page(&self.watched, after, most))
    }

    async fn payments(
        &mut self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<PaymentLine>, StoreError> {
        Ok(page(&self.payments, after, most))
    }

    async fn last_payments(
        &mut self,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<PaymentLine>, StoreError> {
        let lines = self.payments.range(..before.unwrap_or(u64::MAX)).rev();
        Ok(lines.take(most).map(|(_, line)| line.clone()).collect())
    }

    async fn spent(
        &mut self,
        after: Option<(UnixTime, NodeId)>,
        most: usize,
    ) -> Result<Vec<DaySpent>, StoreError> {
        Ok(page(&self.spent, after, most))
    }

    async fn refunds(
        &mut self,
        after: Option<[u8; 32]>,
        most: usize,
    ) -> Result<Vec<Refund>, StoreError> {
        Ok(page(&self.refunds, after, most))
    }

    async fn identity(&mut self) -> Result<Option<[u8; 32]>, StoreError> {
        Ok(self.identity)
    }

    async fn next_sequence(&mut self) -> Result<u64, StoreError> {
        Ok(self.next_sequence)
    }

    async fn swept_at(&mut self) -> Result<UnixTime, StoreError> {
        Ok(self.swept_at)
    }

    async fn kept_proofs(&mut self) -> Result<Vec<(NodeId, PaymentProof)>, StoreError> {
        Ok(self.proofs.clone())
    }
}
