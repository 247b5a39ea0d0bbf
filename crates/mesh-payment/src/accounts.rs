use crate::VerifiedPayment;
use mesh_types::{Msat, NodeId};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::atomic::{AtomicUsize, Ordering},
};
use thiserror::Error;

/// The most payers that have credit at one time.
///
/// A million, because that is more than a node has ever had to serve and takes about 100 MB. Every account was opened
/// with a payment, so nobody fills this for free; at the bound new payers are not quoted, and nobody who paid is lost.
pub const MAX_ACCOUNTS: usize = 1_000_000;

const SHARD_COUNT: usize = 16;

/// What payers have deposited and not yet used, and what this node has earned from them.
///
/// Deposits = credit + reserved + earned, at every moment (P-14).
#[derive(Debug)]
pub struct Accounts {
    shards: [Mutex<Shard>; SHARD_COUNT],
    open: AtomicUsize,
    limit: usize,
}

#[derive(Debug, Default)]
struct Shard {
    accounts: HashMap<NodeId, Account>,
    deposited: u128,
    earned: u128,
}

#[derive(Debug, Clone, Copy, Default)]
struct Account {
    available: Msat,
    reserved: Msat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settlement {
    Earned,
    GivenBack,
}

/// Credit set aside for one packet, until it was carried or was not.
///
/// It cannot be copied: what was reserved is either committed or released, once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a reservation has to be committed or released"]
pub struct Reservation {
    payer: NodeId,
    amount: Msat,
}

impl Reservation {
    /// What was set aside.
    pub const fn amount(&self) -> Msat {
        self.amount
    }
}

/// A payer's credit does not cover an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("credit of {available} lacks {missing}")]
pub struct Shortfall {
    /// What there is.
    pub available: Msat,
    /// What is missing.
    pub missing: Msat,
}

/// Why a deposit was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AccountError {
    /// There are [`MAX_ACCOUNTS`] others.
    #[error("no room for another account")]
    Full,
    /// The balance would exceed what an amount holds.
    #[error("the balance would overflow")]
    Overflow,
}

/// Sums over all accounts, in millisatoshi.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// All that was ever deposited.
    pub deposited: u128,
    /// What payers can spend.
    pub credit: u128,
    /// What is set aside for packets on their way out.
    pub reserved: u128,
    /// What this node has earned by carrying.
    pub earned: u128,
    /// Payers with an account.
    pub accounts: usize,
}

impl Default for Accounts {
    fn default() -> Self {
        Self::with_limit(MAX_ACCOUNTS)
    }
}

impl Accounts {
    /// Opens the books for at most `limit` payers.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            shards: Default::default(),
            open: AtomicUsize::new(0),
            limit,
        }
    }

    /// Says whether a deposit of `payer` would find room: to be asked before a payment is claimed.
    ///
    /// # Errors
    /// What [`Accounts::deposit`] would answer.
    pub fn check_room(&self, payer: &NodeId, amount: Msat) -> Result<(), AccountError> {
        match self.shard(payer).lock().accounts.get(payer) {
            Some(account) => account.with_deposit(amount).map(drop),
            None if self.open.load(Ordering::Relaxed) >= self.limit => Err(AccountError::Full),
            None => Ok(()),
        }
    }

    /// Credits a payment that has just been claimed to the payer that its quote names, and answers the new balance.
    ///
    /// # Errors
    /// [`AccountError`], with the payment handed back, when there is no room for it.
    pub fn deposit(
        &self,
        payment: VerifiedPayment,
    ) -> Result<Msat, (AccountError, VerifiedPayment)> {
        let (payer, amount) = (payment.payer(), payment.amount());
        let mut shard = self.shard(&payer).lock();
        let account = match shard.accounts.entry(payer) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if !self.take_place() => return Err((AccountError::Full, payment)),
            Entry::Vacant(entry) => entry.insert(Account::default()),
        };
        match account.with_deposit(amount) {
            Ok(credited) => *account = credited,
            Err(error) => return Err((error, payment)),
        }
        let balance = account.available;
        shard.deposited = shard.deposited.saturating_add(amount.to_msat().into());
        Ok(balance)
    }

    /// Sets `amount` aside for one packet of `payer`.
    ///
    /// # Errors
    /// [`Shortfall`] when the credit does not cover it; nothing changes then.
    pub fn reserve(&self, payer: &NodeId, amount: Msat) -> Result<Reservation, Shortfall> {
        let reservation = Reservation {
            payer: *payer,
            amount,
        };
        if amount == Msat::ZERO {
            return Ok(reservation);
        }
        let mut shard = self.shard(payer).lock();
        let short = |available: Msat| Shortfall {
            available,
            missing: amount.saturating_sub(available),
        };
        let account = shard
            .accounts
            .get_mut(payer)
            .ok_or_else(|| short(Msat::ZERO))?;
        let moved = account
            .available
            .checked_sub(amount)
            .zip(account.reserved.checked_add(amount));
        (account.available, account.reserved) = moved.ok_or_else(|| short(account.available))?;
        Ok(reservation)
    }

    /// Turns a reservation into earnings: its packet was carried.
    pub fn commit(&self, reservation: Reservation) {
        self.settle(reservation, Settlement::Earned);
    }

    /// Gives a reservation back to its payer: its packet was not carried.
    pub fn release(&self, reservation: Reservation) {
        self.settle(reservation, Settlement::GivenBack);
    }

    /// What `payer` can spend.
    pub fn credit(&self, payer: &NodeId) -> Msat {
        self.shard(payer)
            .lock()
            .accounts
            .get(payer)
            .map_or(Msat::ZERO, |account| account.available)
    }

    /// What every payer can spend, in no particular order.
    pub fn credits(&self) -> Vec<(NodeId, Msat)> {
        let mut credits = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            credits.extend(
                shard
                    .accounts
                    .iter()
                    .map(|(payer, account)| (*payer, account.available)),
            );
        }
        credits
    }

    /// The sums over all accounts, shard by shard: while packets move, a sum may straddle one of them.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for shard in &self.shards {
            let shard = shard.lock();
            totals.deposited = totals.deposited.saturating_add(shard.deposited);
            totals.earned = totals.earned.saturating_add(shard.earned);
            totals.accounts = totals.accounts.saturating_add(shard.accounts.len());
            for account in shard.accounts.values() {
                totals.credit = totals
                    .credit
                    .saturating_add(account.available.to_msat().into());
                totals.reserved = totals
                    .reserved
                    .saturating_add(account.reserved.to_msat().into());
            }
        }
        totals
    }

    /// Takes a reservation off its account, and an account with nothing left off the books.
    fn settle(&self, reservation: Reservation, settlement: Settlement) {
        let Reservation { payer, amount } = reservation;
        let mut shard = self.shard(&payer).lock();
        let Some(account) = shard.accounts.get_mut(&payer) else {
            return;
        };
        // What these books never reserved moves nothing in them.
        let Some(reserved) = account.reserved.checked_sub(amount) else {
            return;
        };
        account.reserved = reserved;
        if settlement == Settlement::GivenBack {
            // It fits: deposits leave room for what is reserved.
            account.available = account.available.checked_add(amount).unwrap_or(Msat::MAX);
        }
        if account.available == Msat::ZERO && reserved == Msat::ZERO {
            shard.accounts.remove(&payer);
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
        if settlement == Settlement::Earned {
            shard.earned = shard.earned.saturating_add(amount.to_msat().into());
        }
    }

    /// Counts one account more, unless there are as many as there may be.
    fn take_place(&self) -> bool {
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
                open.checked_add(1).filter(|open| *open <= self.limit)
            })
            .is_ok()
    }

    fn shard(&self, payer: &NodeId) -> &Mutex<Shard> {
        // The last byte of an x-only key is as good as random, and a payer who picks it crowds only his own shard.
        let [.., last] = payer.as_bytes();
        let [first, rest @ ..] = &self.shards;
        rest.get(usize::from(*last) % SHARD_COUNT).unwrap_or(first)
    }
}

impl Account {
    /// The account with `amount` more, so that what is reserved could still be given back.
    fn with_deposit(self, amount: Msat) -> Result<Self, AccountError> {
        let available = self
            .available
            .checked_add(amount)
            .ok_or(AccountError::Overflow)?;
        available
            .checked_add(self.reserved)
            .ok_or(AccountError::Overflow)?;
        Ok(Self { available, ..self })
    }
}
