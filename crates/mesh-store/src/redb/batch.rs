mod proofs;
mod refunds;

pub(super) use proofs::proof_row;

use super::{
    fault::Fault,
    rows::{
        IDENTITY, NEXT_SEQUENCE, SWEPT_AT, identity, number, settled_place, settled_place_name,
    },
    tables::{Debits, Tables, plus},
};
use crate::{
    backend::{Answer, Op},
    judgement::{Judgement, too_many_watched},
    record::{Account, ClaimRecord, Deposit},
};
use mesh_types::{
    CLAIM_SKEW, Claim, ClaimKey, ClaimOutcome, Drawn, MAX_BALANCE, MAX_WATCHED, Msat, NodeId,
    PacketTag, SequenceBlock, Settled, Settlement, Standing, StoreError, UnixTime, Watched,
};
use redb::WriteTransaction;
use std::{
    collections::{HashMap, hash_map},
    time::Duration,
};

/// How many sequence numbers are reserved at once.
///
/// 8,192, because a busy source then waits for the disk once in some thousand packets, and a crash costs it nothing that
/// it could run out of.
const SEQUENCE_BLOCK: u64 = 8_192;

/// The span that one line of the journal of debits sums up.
///
/// An hour, because an operator asks for days, and a payer that is always there costs 24 lines a day.
const DEBIT_PERIOD: Duration = Duration::from_secs(3_600);

/// What each payer has drawn; nothing of it is in the file.
pub(super) type AllDrawn = HashMap<NodeId, Msat>;

/// The changes of one transaction.
///
/// What is read is kept, and what is changed is gathered and written at the end in the order of the trees: each page is
/// found and copied once, however many changes it takes.
pub(super) struct Batch<'t> {
    tables: Tables<'t>,
    /// Claims as they were found, with those that are new.
    claims: HashMap<ClaimKey, Option<ClaimRecord>>,
    /// New claims, each with the serial number of its deposit.
    new_claims: Vec<(u64, ClaimRecord)>,
    /// Claims made by no packet that one has shown now.
    taken_over: Vec<ClaimRecord>,
    deposits: Vec<Deposit>,
    next_serial: u64,
    accounts: HashMap<NodeId, Held>,
    debits: Debits,
    swept_at: UnixTime,
    drawn: &'t AllDrawn,
    /// Whether there is something to be made durable.
    changed: bool,
}

/// A payer's account while it is worked on.
#[derive(Clone, Copy)]
struct Held {
    /// `None` before the first deposit.
    account: Option<Account>,
    drawn: Msat,
    changed: bool,
}

/// What a batch has come to.
pub(super) struct Outcome {
    /// What is drawn now by those who drew or settled.
    pub(super) drawn: Vec<(NodeId, Msat)>,
    /// Whether there is something to be made durable.
    pub(super) changed: bool,
}

impl<'t> Batch<'t> {
    pub(super) fn begin(
        transaction: &'t WriteTransaction,
        drawn: &'t AllDrawn,
    ) -> Result<Self, Fault> {
        let tables = Tables::open(transaction)?;
        Ok(Self {
            next_serial: tables.next_serial()?,
            swept_at: UnixTime::from_millis(number(&tables.meta, SWEPT_AT)?),
            tables,
            claims: HashMap::new(),
            new_claims: Vec::new(),
            taken_over: Vec::new(),
            deposits: Vec::new(),
            accounts: HashMap::new(),
            debits: Debits::new(),
            drawn,
            changed: false,
        })
    }

    pub(super) fn run(&mut self, ops: &[Op]) -> Result<Vec<Answer>, Fault> {
        self.look_up(ops)?;
        ops.iter().map(|op| self.one(op)).collect()
    }

    /// Writes what was gathered.
    pub(super) fn finish(mut self) -> Result<Outcome, Fault> {
        self.write_claims()?;
        let accounts = self.accounts.values();
        let changed = accounts.filter(|held| held.changed);
        self.tables
            .write_accounts(changed.filter_map(|held| held.account).collect())?;
        self.tables.write_debits(&self.debits)?;
        let held = self.accounts.into_iter();
        Ok(Outcome {
            drawn: held.map(|(payer, held)| (payer, held.drawn)).collect(),
            changed: self.changed,
        })
    }

    /// Finds out which payments were claimed, in the order of the tree.
    fn look_up(&mut self, ops: &[Op]) -> Result<(), Fault> {
        let mut keys: Vec<_> = ops
            .iter()
            .filter_map(|op| match op {
                Op::Claim { claim, .. } => Some(*claim.key.as_bytes()),
                _ => None,
            })
            .collect();
        keys.sort_unstable();
        keys.dedup();
        self.claims.reserve(keys.len());
        for key in keys {
            let found = self.tables.claim(&key)?;
            self.claims.insert(ClaimKey::from_payment_hash(key), found);
        }
        Ok(())
    }

    fn one(&mut self, op: &Op) -> Result<Answer, Fault> {
        match op {
            Op::Claim { claim, by, now } => self.claim(claim, *by, *now),
            Op::RemoveExpired { now, most } => self.remove_expired(*now, *most),
            Op::Judge { key, standing } => self.judge(*key, *standing),
            Op::Draw { payer, wanted } => self.draw(*payer, *wanted),
            Op::Settle { settlements, now } => self.settle(settlements, *now),
            Op::KeepIdentity { secret } => self.keep_identity(secret),
            Op::ReserveSequences { at_least } => self.reserve_sequences(*at_least),
            Op::KeepProof { payee, proof } => self.keep_proof(*payee, proof),
            Op::ForgetProof { payee, proof } => self.forget_proof(*payee, proof),
            Op::BeginPayment {
                payment,
                note,
                caps,
            } => self.begin_payment(payment, note, *caps),
            Op::EndPayment(end) => self.end_payment(end),
            Op::BeginRefund(refund) => self.begin_refund(refund),
            Op::EndRefund(end) => self.end_refund(end),
            Op::KeepSettledPlace { payee_key, place } => self.keep_place(payee_key, *place),
        }
    }

    fn claim(&mut self, claim: &Claim, by: PacketTag, now: UnixTime) -> Result<Answer, Fault> {
        if let Some(Some(record)) = self.claims.get_mut(&claim.key) {
            if record.by == PacketTag::NONE && by != PacketTag::NONE {
                record.by = by;
                self.taken_over.push(*record);
                self.changed = true;
            }
            return Ok(Answer::Claimed(if record.by == by {
                ClaimOutcome::Again
            } else {
                ClaimOutcome::AlreadyClaimed
            }));
        }
        if claim.on_chain.is_some() && self.tables.watched(claim.key)?.is_some() {
            return Ok(Answer::Claimed(ClaimOutcome::AlreadyClaimed));
        }
        if claim.expires_at.plus(CLAIM_SKEW) <= self.swept_at {
            return Ok(Answer::Refused(StoreError::Expired(claim.expires_at)));
        }
        if claim.on_chain.is_some() && self.tables.count_watched()? >= MAX_WATCHED as u64 {
            return Ok(Answer::Refused(too_many_watched()));
        }
        let held = self.held(claim.payer)?;
        let account = held.account.unwrap_or_else(|| empty(claim.payer));
        let Some(account) = with_deposit(account, claim.amount) else {
            return Ok(Answer::Refused(StoreError::TooMuch(claim.amount)));
        };
        held.account = Some(account);
        held.changed = true;
        let record = ClaimRecord {
            key: claim.key,
            by,
            expires_at: claim.expires_at,
        };
        let serial = self.next_serial;
        self.next_serial = serial.saturating_add(1);
        self.claims.insert(claim.key, Some(record));
        self.new_claims.push((serial, record));
        self.deposits.push(Deposit {
            serial,
            at: now,
            payer: claim.payer,
            amount: claim.amount,
            key: claim.key,
        });
        if let Some(tx_hash) = claim.on_chain {
            self.tables.watch(&Watched {
                key: claim.key,
                payer: claim.payer,
                amount: claim.amount,
                tx_hash,
                is_frozen: false,
            })?;
        }
        self.changed = true;
        Ok(Answer::Claimed(ClaimOutcome::New))
    }

    fn judge(&mut self, key: ClaimKey, standing: Standing) -> Result<Answer, Fault> {
        let Some(watched) = self.tables.watched(key)? else {
            return Ok(Answer::Done);
        };
        let Some(judgement) = Judgement::of(watched, standing) else {
            return Ok(Answer::Done);
        };
        let held = self.held(watched.payer)?;
        let account = held.account.as_mut();
        let account = account.ok_or(Fault::Corrupt("a watched payment has no account"))?;
        let frozen = judgement.frozen(account.frozen);
        let frozen = frozen.ok_or(Fault::Corrupt("what is frozen does not agree"))?;
        account.frozen = frozen;
        self.tables.write_frozen(watched.payer, frozen)?;
        match judgement.after {
            Some(watched) => self.tables.watch(&watched)?,
            None => self.tables.unwatch(key)?,
        }
        self.changed = true;
        Ok(Answer::Done)
    }

    fn remove_expired(&mut self, now: UnixTime, most: usize) -> Result<Answer, Fault> {
        // What is new in this batch may have ended too.
        self.write_claims()?;
        if now > self.swept_at {
            self.swept_at = now;
            let millis = now.to_millis().to_le_bytes();
            self.tables.meta.insert(SWEPT_AT, millis.as_slice())?;
            self.changed = true;
        }
        let removed = self.tables.remove_ended(now, most)?;
        for key in &removed {
            self.claims.remove(key);
        }
        self.changed |= !removed.is_empty();
        Ok(Answer::Removed(removed.len()))
    }

    /// Hands over all that is not frozen to whoever wants some: there is nobody else who could use it.
    fn draw(&mut self, payer: NodeId, wanted: Msat) -> Result<Answer, Fault> {
        if wanted == Msat::ZERO {
            return Ok(Answer::Drawn(Drawn::default()));
        }
        let held = self.held(payer)?;
        let amount = held
            .account
            .map_or(Msat::ZERO, |account| account.free(held.drawn));
        let drawn = held.drawn.checked_add(amount);
        held.drawn = drawn.ok_or(Fault::Corrupt("more is drawn than there can be"))?;
        Ok(Answer::Drawn(Drawn {
            amount,
            elsewhere: Msat::ZERO,
        }))
    }

    fn settle(&mut self, settlements: &[Settlement], now: UnixTime) -> Result<Answer, Fault> {
        for settlement in settlements {
            self.settle_one(settlement, now)?;
        }
        Ok(Answer::Settled(Settled::Booked))
    }

    fn settle_one(&mut self, settlement: &Settlement, now: UnixTime) -> Result<(), Fault> {
        let payer = settlement.payer;
        let held = self.held(payer)?;
        let account = held.account.unwrap_or_else(|| empty(payer));
        let spent = settlement.spent.min(held.drawn).min(account.credit);
        if spent < settlement.spent {
            let missing = settlement.spent.saturating_sub(spent);
            tracing::warn!(%payer, %missing, "more was spent than was drawn; the rest is not booked");
        }
        held.drawn = held
            .drawn
            .saturating_sub(spent)
            .saturating_sub(settlement.back);
        if held.account.is_none() || (spent == Msat::ZERO && settlement.packets == 0) {
            return Ok(());
        }
        held.account = Some(with_spending(account, spent, settlement.packets)?);
        held.changed = true;
        self.changed = true;
        let line = self.debits.entry((period(now), payer)).or_default();
        *line = plus(*line, (spent.to_msat(), settlement.packets))?;
        Ok(())
    }

    fn keep_identity(&mut self, secret: &[u8; 32]) -> Result<Answer, Fault> {
        if let Some(kept) = identity(&self.tables.meta)? {
            return Ok(Answer::Identity(kept));
        }
        self.tables.meta.insert(IDENTITY, secret.as_slice())?;
        self.changed = true;
        Ok(Answer::Identity(*secret))
    }

    fn reserve_sequences(&mut self, at_least: u64) -> Result<Answer, Fault> {
        let next = number(&self.tables.meta, NEXT_SEQUENCE)?.max(at_least);
        let Some(end) = next.checked_add(SEQUENCE_BLOCK) else {
            let reason = "there are no sequence numbers left".to_owned();
            return Ok(Answer::Refused(StoreError::Unavailable(reason)));
        };
        let bytes = end.to_le_bytes();
        self.tables.meta.insert(NEXT_SEQUENCE, bytes.as_slice())?;
        self.changed = true;
        Ok(Answer::Sequences(SequenceBlock {
            next,
            end,
            good_for: None,
        }))
    }

    fn keep_place(&mut self, payee_key: &[u8; 33], place: u64) -> Result<Answer, Fault> {
        let kept = settled_place(&self.tables.meta, payee_key)?;
        if kept.is_none_or(|kept| kept < place) {
            let name = settled_place_name(payee_key);
            let bytes = place.to_le_bytes();
            self.tables.meta.insert(name.as_str(), bytes.as_slice())?;
            self.changed = true;
        }
        Ok(Answer::Done)
    }

    /// The account of `payer`, read once.
    fn held(&mut self, payer: NodeId) -> Result<&mut Held, Fault> {
        match self.accounts.entry(payer) {
            hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            hash_map::Entry::Vacant(entry) => Ok(entry.insert(Held {
                account: self.tables.account(payer)?,
                drawn: self.drawn.get(&payer).copied().unwrap_or_default(),
                changed: false,
            })),
        }
    }

    fn write_claims(&mut self) -> Result<(), Fault> {
        if !self.new_claims.is_empty() {
            self.tables.append_deposits(&self.deposits)?;
            self.tables.write_claims(&mut self.new_claims)?;
            self.deposits.clear();
            self.new_claims.clear();
        }
        // Behind the new ones, which may be among them.
        for claim in self.taken_over.drain(..) {
            self.tables.write_claim(&claim)?;
        }
        Ok(())
    }
}

fn empty(payer: NodeId) -> Account {
    Account {
        payer,
        deposited: Msat::ZERO,
        credit: Msat::ZERO,
        earned: Msat::ZERO,
        refunded: Msat::ZERO,
        frozen: Msat::ZERO,
        deposits: 0,
        packets: 0,
    }
}

/// `None` when no balance holds as much.
fn with_deposit(mut account: Account, amount: Msat) -> Option<Account> {
    account.credit = account.credit.checked_add(amount)?;
    account.deposited = account.deposited.checked_add(amount)?;
    account.deposits = account.deposits.checked_add(1)?;
    (account.credit <= MAX_BALANCE).then_some(account)
}

fn with_spending(mut account: Account, spent: Msat, packets: u64) -> Result<Account, Fault> {
    let (Some(credit), Some(earned)) = (
        account.credit.checked_sub(spent),
        account.earned.checked_add(spent),
    ) else {
        return Err(Fault::Corrupt("an account's sums do not agree"));
    };
    account.credit = credit;
    account.earned = earned;
    account.packets = account.packets.saturating_add(packets);
    Ok(account)
}

/// When the period began that `now` is in, milliseconds.
fn period(now: UnixTime) -> u64 {
    let now = now.to_millis();
    let span = u64::try_from(DEBIT_PERIOD.as_millis()).unwrap_or(u64::MAX);
    now.saturating_sub(now.checked_rem(span).unwrap_or(0))
}
