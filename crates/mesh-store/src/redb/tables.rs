use super::{
    fault::Fault,
    payments::PaymentTables,
    refunds::RefundTables,
    rows::{
        ACCOUNTS, AccountRow, Bytes32, CLAIMS, ClaimRow, DEBITS, DEPOSITS, DepositRow, ENDS,
        FROZEN, META, PROOFS, WATCHED, WatchedRow, account, account_row, claim_record, deposit,
        frozen_of, watched,
    },
};
use crate::record::{Account, ClaimRecord, Deposit};
use mesh_types::{CLAIM_SKEW, ClaimKey, Msat, NodeId, UnixTime, Watched};
use redb::{ReadableTable as _, ReadableTableMetadata as _, Table, WriteTransaction};
use std::{collections::BTreeMap, ops::Bound};

/// Amounts and packets by period, in milliseconds, and payer.
pub(super) type Debits = BTreeMap<(u64, NodeId), (u64, u64)>;

/// All tables, open to be changed.
///
/// Whatever is written in bulk is written in the order of its tree.
pub(super) struct Tables<'t> {
    pub(super) meta: Table<'t, &'static str, &'static [u8]>,
    pub(super) proofs: Table<'t, &'static [u8], ()>,
    claims: Table<'t, Bytes32, ClaimRow>,
    ends: Table<'t, (u64, u64), ()>,
    accounts: Table<'t, Bytes32, AccountRow>,
    deposits: Table<'t, u64, DepositRow>,
    debits: Table<'t, (u64, Bytes32), (u64, u64)>,
    watched: Table<'t, Bytes32, WatchedRow>,
    frozen: Table<'t, Bytes32, u64>,
    pub(super) payments: PaymentTables<'t>,
    pub(super) refunds: RefundTables<'t>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            claims: transaction.open_table(CLAIMS)?,
            ends: transaction.open_table(ENDS)?,
            accounts: transaction.open_table(ACCOUNTS)?,
            deposits: transaction.open_table(DEPOSITS)?,
            debits: transaction.open_table(DEBITS)?,
            proofs: transaction.open_table(PROOFS)?,
            watched: transaction.open_table(WATCHED)?,
            frozen: transaction.open_table(FROZEN)?,
            payments: PaymentTables::open(transaction)?,
            refunds: RefundTables::open(transaction)?,
        })
    }

    /// The serial number of the next deposit.
    pub(super) fn next_serial(&self) -> Result<u64, Fault> {
        let last = self.deposits.last()?.map(|(serial, _)| serial.value());
        Ok(last.map_or(0, |last| last.saturating_add(1)))
    }

    pub(super) fn claim(&self, key: &[u8; 32]) -> Result<Option<ClaimRecord>, Fault> {
        let found = self.claims.get(key)?;
        Ok(found.map(|row| claim_record(key, row.value())))
    }

    pub(super) fn account(&self, payer: NodeId) -> Result<Option<Account>, Fault> {
        let payer = payer.as_bytes();
        let Some(row) = self.accounts.get(payer)? else {
            return Ok(None);
        };
        let frozen = frozen_of(&self.frozen, payer)?;
        let refunded = self.refunds.refunded(payer)?;
        Ok(Some(account(payer, row.value(), frozen, refunded)))
    }

    pub(super) fn watched(&self, key: ClaimKey) -> Result<Option<Watched>, Fault> {
        let found = self.watched.get(key.as_bytes())?;
        Ok(found.map(|row| watched(key.as_bytes(), row.value())))
    }

    pub(super) fn count_watched(&self) -> Result<u64, Fault> {
        Ok(self.watched.len()?)
    }

    pub(super) fn watch(&mut self, payment: &Watched) -> Result<(), Fault> {
        let (payer, tx_hash) = (payment.payer.as_bytes(), payment.tx_hash.as_bytes());
        let row = (payer, payment.amount.to_msat(), tx_hash, payment.is_frozen);
        self.watched.insert(payment.key.as_bytes(), row)?;
        Ok(())
    }

    pub(super) fn unwatch(&mut self, key: ClaimKey) -> Result<(), Fault> {
        self.watched.remove(key.as_bytes())?;
        Ok(())
    }

    pub(super) fn write_frozen(&mut self, payer: NodeId, sum: Msat) -> Result<(), Fault> {
        if sum == Msat::ZERO {
            self.frozen.remove(payer.as_bytes())?;
        } else {
            self.frozen.insert(payer.as_bytes(), sum.to_msat())?;
        }
        Ok(())
    }

    /// Drops the first `most` claims that may be forgotten at `now`, and says which.
    pub(super) fn remove_ended(
        &mut self,
        now: UnixTime,
        most: usize,
    ) -> Result<Vec<ClaimKey>, Fault> {
        let mut ended = Vec::new();
        for entry in self.ends.iter()?.take(most) {
            let (end, _) = entry?;
            let (expires_at, serial) = end.value();
            if UnixTime::from_millis(expires_at).plus(CLAIM_SKEW) > now {
                break;
            }
            ended.push((expires_at, serial));
        }
        let mut keys = Vec::with_capacity(ended.len());
        for end in &ended {
            self.ends.remove(end)?;
            let row = self.deposits.get(end.1)?;
            let row = row.ok_or(Fault::Corrupt("a claim's deposit is missing"))?;
            keys.push(*deposit(end.1, row.value()).key.as_bytes());
        }
        keys.sort_unstable();
        for key in &keys {
            let claim = self.claims.remove(key)?;
            claim.ok_or(Fault::Corrupt("a claim that has an end is missing"))?;
        }
        Ok(keys.into_iter().map(ClaimKey::from_payment_hash).collect())
    }

    /// Writes lines behind the last one, with a cursor, which fills page after page.
    pub(super) fn append_deposits(&mut self, lines: &[Deposit]) -> Result<(), Fault> {
        let mut end = self.deposits.upper_bound_mut(Bound::<u64>::Unbounded)?;
        for line in lines {
            let (payer, key) = (line.payer.as_bytes(), line.key.as_bytes());
            let row = (line.at.to_millis(), payer, line.amount.to_msat(), key);
            end.insert_before(line.serial, row)?;
        }
        Ok(end.close()?)
    }

    /// Writes claims, each with the serial number of its deposit.
    pub(super) fn write_claims(&mut self, claims: &mut [(u64, ClaimRecord)]) -> Result<(), Fault> {
        claims.sort_unstable_by_key(|(serial, claim)| (claim.expires_at, *serial));
        let ends = claims.iter();
        let mut ends = ends
            .map(|(serial, claim)| (claim.expires_at.to_millis(), *serial))
            .peekable();
        let last = self.ends.last()?.map(|(last, _)| last.value());
        if last.as_ref() < ends.peek() {
            let unbounded = Bound::<(u64, u64)>::Unbounded;
            let mut cursor = self.ends.upper_bound_mut(unbounded)?;
            for end in ends {
                cursor.insert_before(end, ())?;
            }
            cursor.close()?;
        } else {
            for end in ends {
                self.ends.insert(end, ())?;
            }
        }
        claims.sort_unstable_by_key(|(_, claim)| *claim.key.as_bytes());
        for (_, claim) in claims {
            self.write_claim(claim)?;
        }
        Ok(())
    }

    /// Writes the row of one claim.
    pub(super) fn write_claim(&mut self, claim: &ClaimRecord) -> Result<(), Fault> {
        let row = (claim.by.as_bytes(), claim.expires_at.to_millis());
        self.claims.insert(claim.key.as_bytes(), row)?;
        Ok(())
    }

    pub(super) fn write_accounts(&mut self, mut accounts: Vec<Account>) -> Result<(), Fault> {
        accounts.sort_unstable_by_key(|account| account.payer);
        for account in accounts {
            let row = account_row(&account);
            self.accounts.insert(account.payer.as_bytes(), row)?;
        }
        Ok(())
    }

    /// Adds to what was booked before.
    pub(super) fn write_debits(&mut self, debits: &Debits) -> Result<(), Fault> {
        for ((period, payer), line) in debits {
            let place = (*period, payer.as_bytes());
            let before = self.debits.get(place)?.map(|row| row.value());
            let line = plus(before.unwrap_or_default(), *line)?;
            self.debits.insert(place, line)?;
        }
        Ok(())
    }
}

/// Adds up amounts and packets of one period.
pub(super) fn plus(line: (u64, u64), more: (u64, u64)) -> Result<(u64, u64), Fault> {
    let amount = line.0.checked_add(more.0);
    let amount = amount.ok_or(Fault::Corrupt("a period's debits do not agree"))?;
    Ok((amount, line.1.saturating_add(more.1)))
}
