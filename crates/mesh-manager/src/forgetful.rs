use crate::forgetful_payments::Payments;
use async_trait::async_trait;
use mesh_replay::MAX_CLAIMS;
use mesh_types::{
    Books, CLAIM_SKEW, Claim, ClaimKey, ClaimOutcome, ClaimStore, CreditStore, Drawn, MAX_BALANCE,
    MAX_KEPT_PROOFS, MAX_WATCHED, Msat, NodeId, NodeStore, PacketTag, PaymentProof, Refund,
    RefundBegun, SequenceBlock, Settled, Settlement, Standing, StoreError, UnixTime, Watched,
};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many numbers are reserved at once; they cost nothing here.
const SEQUENCES_AT_ONCE: u64 = 1 << 20;

/// A store that forgets everything when the process ends: for tests and demonstrations, never for real money.
#[derive(Debug, Default)]
pub struct ForgetfulStore(pub(crate) Mutex<Memory>);

#[derive(Debug, Default)]
pub(crate) struct Memory {
    claims: HashMap<ClaimKey, PacketTag>,
    /// In the order in which they end.
    ends: BTreeSet<(UnixTime, ClaimKey)>,
    swept_at: UnixTime,
    watched: BTreeMap<ClaimKey, Watched>,
    accounts: HashMap<NodeId, Account>,
    identity: Option<[u8; 32]>,
    next_sequence: u64,
    proofs: Vec<(NodeId, PaymentProof)>,
    pub(crate) payments: Payments,
    pub(crate) refunds: BTreeMap<[u8; 32], Refund>,
    settled_places: HashMap<[u8; 33], u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Account {
    deposited: Msat,
    credit: Msat,
    drawn: Msat,
    earned: Msat,
    refunded: Msat,
    frozen: Msat,
}

impl Account {
    /// What can be drawn.
    fn free(&self) -> Msat {
        let undrawn = self.credit.saturating_sub(self.drawn);
        undrawn.saturating_sub(self.frozen)
    }
}

impl Memory {
    fn claim(&mut self, claim: Claim, by: PacketTag) -> Result<ClaimOutcome, StoreError> {
        if let Some(first) = self.claims.get_mut(&claim.key) {
            if *first == PacketTag::NONE {
                *first = by;
            }
            return Ok(if *first == by {
                ClaimOutcome::Again
            } else {
                ClaimOutcome::AlreadyClaimed
            });
        }
        if claim.on_chain.is_some() && self.watched.contains_key(&claim.key) {
            return Ok(ClaimOutcome::AlreadyClaimed);
        }
        if !claim.expires_at.plus(CLAIM_SKEW).is_alive_at(self.swept_at) {
            return Err(StoreError::Expired(claim.expires_at));
        }
        if self.claims.len() >= MAX_CLAIMS {
            return Err(StoreError::Unavailable("the memory is full".to_owned()));
        }
        if claim.on_chain.is_some() && self.watched.len() >= MAX_WATCHED {
            let reason = format!("{MAX_WATCHED} payments on the chain are watched already");
            return Err(StoreError::Unavailable(reason));
        }
        let account = self.accounts.get(&claim.payer).copied().unwrap_or_default();
        let raised = |sum: Msat| sum.checked_add(claim.amount);
        let (credit, deposited) = raised(account.credit)
            .filter(|credit| *credit <= MAX_BALANCE)
            .zip(raised(account.deposited))
            .ok_or(StoreError::TooMuch(claim.amount))?;
        let account = Account {
            credit,
            deposited,
            ..account
        };
        self.accounts.insert(claim.payer, account);
        self.claims.insert(claim.key, by);
        self.ends.insert((claim.expires_at, claim.key));
        if let Some(tx_hash) = claim.on_chain {
            let watched = Watched {
                key: claim.key,
                payer: claim.payer,
                amount: claim.amount,
                tx_hash,
                is_frozen: false,
            };
            self.watched.insert(claim.key, watched);
        }
        Ok(ClaimOutcome::New)
    }

    fn judge(&mut self, key: ClaimKey, standing: Standing) {
        let Some(watched) = self.watched.get_mut(&key) else {
            return;
        };
        let was_frozen = watched.is_frozen;
        watched.is_frozen = standing == Standing::Gone;
        if let Some(account) = self.accounts.get_mut(&watched.payer) {
            // No sum of payments of one payer is beyond what it has deposited.
            account.frozen = match (was_frozen, watched.is_frozen) {
                (false, true) => account.frozen.checked_add(watched.amount),
                (true, false) => account.frozen.checked_sub(watched.amount),
                _ => Some(account.frozen),
            }
            .unwrap_or(account.frozen);
        }
        if standing == Standing::Final {
            self.watched.remove(&key);
        }
    }

    fn remove_expired(&mut self, now: UnixTime) -> usize {
        self.swept_at = self.swept_at.max(now);
        let mut removed = 0;
        while let Some((expires_at, key)) = self.ends.first().copied()
            && !expires_at.plus(CLAIM_SKEW).is_alive_at(now)
        {
            self.ends.pop_first();
            self.claims.remove(&key);
            removed += 1;
        }
        removed
    }

    fn settle(&mut self, settlement: Settlement) {
        let Some(account) = self.accounts.get_mut(&settlement.payer) else {
            return;
        };
        let spent = settlement.spent.min(account.drawn);
        account.drawn = account.drawn.saturating_sub(spent);
        account.drawn = account.drawn.saturating_sub(settlement.back);
        account.credit = account.credit.saturating_sub(spent);
        account.earned = account.earned.checked_add(spent).unwrap_or(Msat::MAX);
    }

    /// Takes what a refund may cost; `None` is more than there is.
    pub(crate) fn take_out(&mut self, payer: NodeId, taken: Option<Msat>) -> RefundBegun {
        let mut none = Account::default();
        let account = self.accounts.get_mut(&payer).unwrap_or(&mut none);
        let (free, undrawn) = (
            account.free(),
            account.credit.saturating_sub(account.frozen),
        );
        let Some(taken) = taken.filter(|taken| *taken <= free) else {
            let drawn = undrawn.saturating_sub(free);
            return RefundBegun::TooLittle { free, drawn };
        };
        account.credit = account.credit.saturating_sub(taken);
        account.refunded = account.refunded.checked_add(taken).unwrap_or(Msat::MAX);
        RefundBegun::Noted
    }

    /// Gives back what a refund has not cost.
    pub(crate) fn put_back(&mut self, payer: NodeId, back: Msat) -> Result<(), StoreError> {
        let Some(account) = self.accounts.get_mut(&payer) else {
            return Ok(());
        };
        let credit = account.credit.checked_add(back);
        let credit = credit.filter(|credit| *credit <= MAX_BALANCE);
        account.credit = credit.ok_or(StoreError::TooMuch(back))?;
        account.refunded = account.refunded.saturating_sub(back);
        Ok(())
    }

    pub(crate) fn keep(&mut self, payee: NodeId, proof: PaymentProof) -> Result<(), StoreError> {
        let kept = (payee, proof);
        if self.proofs.contains(&kept) {
            return Ok(());
        }
        if self.proofs.len() >= MAX_KEPT_PROOFS {
            let reason = "too many proofs are kept".to_owned();
            return Err(StoreError::Unavailable(reason));
        }
        self.proofs.push(kept);
        Ok(())
    }

    pub(crate) fn forget(&mut self, payee: NodeId, proof: &PaymentProof) {
        self.proofs
            .retain(|(owner, kept)| *owner != payee || kept != proof);
    }

    fn books(&self, most: usize) -> Books {
        let sum = |column: fn(&Account) -> Msat| {
            let amounts = self
                .accounts
                .values()
                .map(|account| column(account).to_msat());
            Msat::from_msat(amounts.fold(0, u64::saturating_add))
        };
        let mut largest: Vec<_> = self
            .accounts
            .iter()
            .map(|(payer, account)| (*payer, account.credit))
            .filter(|(_, credit)| *credit > Msat::ZERO)
            .collect();
        largest.sort_unstable_by(|(a, more), (b, less)| less.cmp(more).then(a.cmp(b)));
        largest.truncate(most);
        Books {
            deposited: sum(|account| account.deposited),
            credit: sum(|account| account.credit),
            earned: sum(|account| account.earned),
            refunded: sum(|account| account.refunded),
            frozen: sum(|account| account.frozen),
            watched: u64::try_from(self.watched.len()).unwrap_or(u64::MAX),
            accounts: u64::try_from(self.accounts.len()).unwrap_or(u64::MAX),
            largest,
        }
    }
}

#[async_trait]
impl ClaimStore for ForgetfulStore {
    async fn claim(
        &self,
        claim: Claim,
        by: PacketTag,
        _now: UnixTime,
    ) -> Result<ClaimOutcome, StoreError> {
        self.0.lock().claim(claim, by)
    }

    async fn remove_expired(&self, now: UnixTime) -> Result<usize, StoreError> {
        Ok(self.0.lock().remove_expired(now))
    }

    async fn watched(&self) -> Result<Vec<Watched>, StoreError> {
        Ok(self.0.lock().watched.values().copied().collect())
    }

    async fn judge(&self, key: ClaimKey, standing: Standing) -> Result<(), StoreError> {
        self.0.lock().judge(key, standing);
        Ok(())
    }
}

#[async_trait]
impl CreditStore for ForgetfulStore {
    async fn draw(&self, payer: NodeId, _wanted: Msat) -> Result<Drawn, StoreError> {
        let mut memory = self.0.lock();
        let Some(account) = memory.accounts.get_mut(&payer) else {
            return Ok(Drawn::default());
        };
        let amount = account.free();
        let drawn = account.drawn.checked_add(amount);
        account.drawn = drawn.unwrap_or(account.credit);
        Ok(Drawn {
            amount,
            elsewhere: Msat::ZERO,
        })
    }

    async fn settle(
        &self,
        settlements: Vec<Settlement>,
        _now: UnixTime,
    ) -> Result<Settled, StoreError> {
        let mut memory = self.0.lock();
        for settlement in settlements {
            memory.settle(settlement);
        }
        Ok(Settled::Booked)
    }

    async fn credit(&self, payer: NodeId) -> Result<Msat, StoreError> {
        let memory = self.0.lock();
        let account = memory.accounts.get(&payer).copied().unwrap_or_default();
        Ok(account.free())
    }

    async fn books(&self, most: usize) -> Result<Books, StoreError> {
        Ok(self.0.lock().books(most))
    }
}

#[async_trait]
impl NodeStore for ForgetfulStore {
    async fn identity(&self) -> Result<Option<[u8; 32]>, StoreError> {
        Ok(self.0.lock().identity)
    }

    async fn keep_identity(&self, secret: [u8; 32]) -> Result<[u8; 32], StoreError> {
        Ok(*self.0.lock().identity.get_or_insert(secret))
    }

    async fn reserve_sequences(&self, at_least: u64) -> Result<SequenceBlock, StoreError> {
        let mut memory = self.0.lock();
        let next = memory.next_sequence.max(at_least);
        let end = next.saturating_add(SEQUENCES_AT_ONCE);
        memory.next_sequence = end;
        Ok(SequenceBlock {
            next,
            end,
            good_for: None,
        })
    }

    async fn keep_proof(&self, payee: NodeId, proof: PaymentProof) -> Result<(), StoreError> {
        self.0.lock().keep(payee, proof)
    }

    async fn forget_proof(&self, payee: NodeId, proof: PaymentProof) -> Result<(), StoreError> {
        self.0.lock().forget(payee, &proof);
        Ok(())
    }

    async fn kept_proofs(&self) -> Result<Vec<(NodeId, PaymentProof)>, StoreError> {
        Ok(self.0.lock().proofs.clone())
    }

    async fn settled_place(&self, payee_key: [u8; 33]) -> Result<Option<u64>, StoreError> {
        Ok(self.0.lock().settled_places.get(&payee_key).copied())
    }

    async fn keep_settled_place(&self, payee_key: [u8; 33], place: u64) -> Result<(), StoreError> {
        let mut memory = self.0.lock();
        let kept = memory.settled_places.entry(payee_key).or_default();
        *kept = place.max(*kept);
        Ok(())
    }
}
