use super::{
    backend::{Failed, Shared},
    batch::proof_row,
    fault::Fault,
    payments::PaymentTables,
    refunds::RefundTables,
    rows::{
        ACCOUNTS, AccountRow, Bytes32, CLAIMS, ClaimRow, DEBITS, DEPOSITS, DepositRow, ENDS,
        FROZEN, IDENTITY, META, NEXT_SEQUENCE, PROOFS, SWEPT_AT, WATCHED, WatchedRow, account_row,
        frozen_of,
    },
};
use crate::record::Record;
use mesh_types::{Refund, Watched};
use redb::{
    ReadableTable as _, ReadableTableMetadata as _, Table, TableDefinition, WriteTransaction,
};
use tokio::sync::mpsc;

/// While an import runs: the serial number of the last deposit of a payment.
const SERIALS: TableDefinition<'_, Bytes32, u64> = TableDefinition::new("import");

/// Fills an empty store in one transaction.
pub(super) fn import(
    shared: &Shared,
    mut pages: mpsc::Receiver<Vec<Record>>,
) -> Result<(), Failed> {
    let transaction = shared.begin_write()?;
    match fill(&transaction, &mut pages) {
        Ok(()) => transaction
            .commit()
            .map_err(|error| Failed::InCommit(error.into())),
        Err(fault @ Fault::Refused(_)) => {
            transaction.abort()?;
            Err(Failed::Refused(fault))
        }
        Err(fault) => Err(Failed::Before(fault)),
    }
}

fn fill(
    transaction: &WriteTransaction,
    pages: &mut mpsc::Receiver<Vec<Record>>,
) -> Result<(), Fault> {
    let mut filling = Filling::begin(transaction)?;
    while let Some(page) = pages.blocking_recv() {
        for record in page {
            if record == Record::End {
                filling.index_ends()?;
                drop(filling);
                transaction.delete_table(SERIALS)?;
                return Ok(());
            }
            filling.take(&record)?;
        }
    }
    Err(Fault::Refused("the records end too early".to_owned()))
}

struct Filling<'t> {
    meta: Table<'t, &'static str, &'static [u8]>,
    claims: Table<'t, Bytes32, ClaimRow>,
    ends: Table<'t, (u64, u64), ()>,
    accounts: Table<'t, Bytes32, AccountRow>,
    deposits: Table<'t, u64, DepositRow>,
    debits: Table<'t, (u64, Bytes32), (u64, u64)>,
    proofs: Table<'t, &'static [u8], ()>,
    watched: Table<'t, Bytes32, WatchedRow>,
    frozen: Table<'t, Bytes32, u64>,
    payments: PaymentTables<'t>,
    refunds: RefundTables<'t>,
    serials: Table<'t, Bytes32, u64>,
}

impl<'t> Filling<'t> {
    fn begin(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        let filling = Self {
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
            serials: transaction.open_table(SERIALS)?,
        };
        let is_empty = filling.claims.is_empty()?
            && filling.accounts.is_empty()?
            && filling.deposits.is_empty()?
            && filling.debits.is_empty()?
            && filling.proofs.is_empty()?
            && filling.watched.is_empty()?
            && filling.payments.is_empty()?
            && filling.refunds.is_empty()?
            && filling.meta.get(IDENTITY)?.is_none()
            && filling.meta.get(NEXT_SEQUENCE)?.is_none()
            && filling.meta.get(SWEPT_AT)?.is_none();
        if is_empty {
            Ok(filling)
        } else {
            let reason = "there is a ledger already; only an empty store takes another";
            Err(Fault::Refused(reason.to_owned()))
        }
    }

    fn take(&mut self, record: &Record) -> Result<(), Fault> {
        let twice = match record {
            Record::Identity(secret) => self.single(IDENTITY, secret)?,
            Record::NextSequence(next) => self.single(NEXT_SEQUENCE, &next.to_le_bytes())?,
            Record::SweptAt(at) => self.single(SWEPT_AT, &at.to_millis().to_le_bytes())?,
            Record::Account(account) => {
                let row = account_row(account);
                let payer = account.payer.as_bytes();
                self.refunds.write_refunded(payer, account.refunded)?;
                let before = self.accounts.insert(payer, row)?;
                before.is_some()
            }
            Record::Deposit(line) => {
                let (payer, key) = (line.payer.as_bytes(), line.key.as_bytes());
                let row = (line.at.to_millis(), payer, line.amount.to_msat(), key);
                self.note_serial(key, line.serial)?;
                self.deposits.insert(line.serial, row)?.is_some()
            }
            Record::Debit(line) => {
                let place = (line.period.to_millis(), line.payer.as_bytes());
                let row = (line.amount.to_msat(), line.packets);
                self.debits.insert(place, row)?.is_some()
            }
            Record::Claim(claim) => {
                let row = (claim.by.as_bytes(), claim.expires_at.to_millis());
                self.claims.insert(claim.key.as_bytes(), row)?.is_some()
            }
            Record::Watched(payment) => self.watch(payment)?,
            Record::Payment(line) => self.payments.import_line(line)?,
            Record::Spent(day) => self.payments.import_day(day)?,
            Record::Refund(refund) => self.refund(refund)?,
            Record::Proof(payee, proof) => {
                let row = proof_row(*payee, proof);
                let row = row.map_err(|error| Fault::Refused(error.to_string()))?;
                self.proofs.insert(row.as_slice(), ())?.is_some()
            }
            Record::End => false,
        };
        if twice {
            return Err(Fault::Refused(format!("{record:?} comes twice")));
        }
        Ok(())
    }

    /// Says whether the value was there already.
    fn single(&mut self, name: &'static str, value: &[u8]) -> Result<bool, Fault> {
        Ok(self.meta.insert(name, value)?.is_some())
    }

    /// Takes a watched payment, with what is frozen of it, and says whether it was there already.
    fn watch(&mut self, payment: &Watched) -> Result<bool, Fault> {
        let (payer, amount) = (payment.payer.as_bytes(), payment.amount.to_msat());
        if self.accounts.get(payer)?.is_none() {
            let reason = "a watched payment comes without its payer's account";
            return Err(Fault::Refused(reason.to_owned()));
        }
        if payment.is_frozen {
            let before = frozen_of(&self.frozen, payer)?;
            let frozen = before.checked_add(payment.amount);
            let beyond = || Fault::Refused("more is frozen than there can be".to_owned());
            let frozen = frozen.ok_or_else(beyond)?;
            self.frozen.insert(payer, frozen.to_msat())?;
        }
        let row = (payer, amount, payment.tx_hash.as_bytes(), payment.is_frozen);
        let before = self.watched.insert(payment.key.as_bytes(), row)?;
        Ok(before.is_some())
    }

    /// Takes a refund, and says whether it was there already; what it has taken came with its payer's account.
    fn refund(&mut self, refund: &Refund) -> Result<bool, Fault> {
        if self.accounts.get(refund.payer.as_bytes())?.is_none() {
            let reason = "a refund comes without its payer's account";
            return Err(Fault::Refused(reason.to_owned()));
        }
        self.refunds.write(refund)
    }

    fn note_serial(&mut self, key: &[u8; 32], serial: u64) -> Result<(), Fault> {
        let before = self.serials.get(key)?.map(|serial| serial.value());
        let last = before.map_or(serial, |before| before.max(serial));
        self.serials.insert(key, last)?;
        Ok(())
    }

    fn index_ends(&mut self) -> Result<(), Fault> {
        for entry in self.claims.iter()? {
            let (key, row) = entry?;
            let (_, expires_at) = row.value();
            let Some(serial) = self.serials.get(key.value())? else {
                let reason = "a claim comes without its deposit";
                return Err(Fault::Refused(reason.to_owned()));
            };
            self.ends.insert((expires_at, serial.value()), ())?;
        }
        Ok(())
    }
}
