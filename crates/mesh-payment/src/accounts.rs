use mesh_types::{Msat, NodeId, Settlement};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::atomic::{AtomicUsize, Ordering},
};
use thiserror::Error;

/// The most payers whose credit is in hand at one time.
///
/// A million, because that is more than a node has ever had to serve at once and takes about 130 MB. Every account is
/// opened with credit, so nobody fills this for free; at the bound others wait until an idle one is given back.
pub const MAX_ACCOUNTS: usize = 1_000_000;

const SHARD_COUNT: usize = 16;

/// The credit that this process has in hand: drawn from where it is kept, spent packet by packet, then settled.
///
/// Put in = credit + reserved + earned + given back, at every moment (P-14). What was earned since the last
/// [`Accounts::take_earned`] is known here alone.
#[derive(Debug)]
pub struct Accounts {
    shards: [Mutex<Shard>; SHARD_COUNT],
    open: AtomicUsize,
    limit: usize,
}

#[derive(Debug, Default)]
struct Shard {
    accounts: HashMap<NodeId, Account>,
    /// Who has spent something that is not settled; each once.
    unsettled: Vec<NodeId>,
    /// Reservations of another generation count no more.
    generation: u64,
    put_in: u128,
    earned: u128,
    given_back: u128,
}

#[derive(Debug, Clone, Copy, Default)]
struct Account {
    available: Msat,
    reserved: Msat,
    /// Spent and not yet settled.
    spent: Msat,
    packets: u64,
    /// Whether it was used since idle credit was last looked for.
    is_used: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settling {
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
    generation: u64,
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

/// Why credit was not taken in hand.
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
    /// All that was ever put in.
    pub put_in: u128,
    /// What payers can spend.
    pub credit: u128,
    /// What is set aside for packets on their way out.
    pub reserved: u128,
    /// What this node has earned by carrying, settled or not.
    pub earned: u128,
    /// The part of that which is not settled.
    pub unsettled: u128,
    /// What was given back unspent, or taken away.
    pub given_back: u128,
    /// Payers with credit in hand, or something to settle.
    pub accounts: usize,
}

impl Default for Accounts {
    fn default() -> Self {
        Self::with_limit(MAX_ACCOUNTS)
    }
}

impl Accounts {
    /// Takes the credit of at most `limit` payers in hand at one time.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            shards: Default::default(),
            open: AtomicUsize::new(0),
            limit,
        }
    }

    /// Takes credit of `payer` in hand, and answers with all that it can spend now.
    ///
    /// - `amount`: what a claimed payment has brought, or a store has handed over; nothing else is credit.
    ///
    /// # Errors
    /// [`AccountError`] when there is no room for it; nothing changes then.
    pub fn put_in(&self, payer: NodeId, amount: Msat) -> Result<Msat, AccountError> {
        let mut shard = self.shard(&payer).lock();
        let account = match shard.accounts.entry(payer) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if amount == Msat::ZERO => return Ok(Msat::ZERO),
            Entry::Vacant(_) if !self.take_place() => return Err(AccountError::Full),
            Entry::Vacant(entry) => entry.insert(Account::default()),
        };
        *account = account.with(amount)?;
        let balance = account.available;
        shard.put_in = shard.put_in.saturating_add(amount.to_msat().into());
        Ok(balance)
    }

    /// Sets `amount` aside for one packet of `payer`.
    ///
    /// # Errors
    /// [`Shortfall`] when the credit does not cover it; nothing changes then.
    pub fn reserve(&self, payer: &NodeId, amount: Msat) -> Result<Reservation, Shortfall> {
        let mut shard = self.shard(payer).lock();
        let reservation = Reservation {
            payer: *payer,
            amount,
            generation: shard.generation,
        };
        if amount == Msat::ZERO {
            return Ok(reservation);
        }
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
        account.is_used = true;
        Ok(reservation)
    }

    /// Turns a reservation into earnings: its packet was carried.
    pub fn commit(&self, reservation: Reservation) {
        self.settle(reservation, Settling::Earned);
    }

    /// Gives a reservation back to its payer: its packet was not carried.
    pub fn release(&self, reservation: Reservation) {
        self.settle(reservation, Settling::GivenBack);
    }

    /// What was earned since this was last asked, payer by payer: to be booked where the credit is kept.
    pub fn take_earned(&self) -> Vec<Settlement> {
        let mut earned = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            let Shard {
                accounts,
                unsettled,
                ..
            } = &mut *shard;
            for payer in unsettled.drain(..) {
                let Entry::Occupied(mut entry) = accounts.entry(payer) else {
                    continue;
                };
                let account = entry.get_mut();
                earned.push(Settlement {
                    payer,
                    spent: std::mem::take(&mut account.spent),
                    packets: std::mem::take(&mut account.packets),
                    back: Msat::ZERO,
                });
                if account.is_empty() {
                    entry.remove();
                    self.open.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
        earned
    }

    /// Takes out the credit that nobody has used since this was last asked, so that it can be given back; with
    /// `everything`, all that is not set aside.
    pub fn take_idle(&self, everything: bool) -> Vec<Settlement> {
        let mut idle = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            let mut given_back = 0_u128;
            shard.accounts.retain(|payer, account| {
                if !everything && std::mem::take(&mut account.is_used) {
                    return true;
                }
                let back = std::mem::take(&mut account.available);
                if back > Msat::ZERO {
                    given_back = given_back.saturating_add(back.to_msat().into());
                    idle.push(Settlement {
                        payer: *payer,
                        spent: Msat::ZERO,
                        packets: 0,
                        back,
                    });
                }
                let stays = !account.is_empty();
                if !stays {
                    self.open.fetch_sub(1, Ordering::Relaxed);
                }
                stays
            });
            shard.given_back = shard.given_back.saturating_add(given_back);
        }
        idle
    }

    /// Takes out the credit of one payer that is not set aside, so that it can be given back.
    pub fn take_back(&self, payer: &NodeId) -> Option<Settlement> {
        let mut shard = self.shard(payer).lock();
        let shard = &mut *shard;
        let Entry::Occupied(mut entry) = shard.accounts.entry(*payer) else {
            return None;
        };
        let back = std::mem::take(&mut entry.get_mut().available);
        if entry.get().is_empty() {
            entry.remove();
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
        shard.given_back = shard.given_back.saturating_add(back.to_msat().into());
        (back > Msat::ZERO).then_some(Settlement {
            payer: *payer,
            spent: Msat::ZERO,
            packets: 0,
            back,
        })
    }

    /// Takes away everything that is in hand, set aside or not settled: it was given back already, by somebody else.
    pub fn revoke(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let gone = shard.accounts.values().map(Account::in_hand).sum::<u128>();
            let unsettled = shard
                .accounts
                .values()
                .map(|account| u128::from(account.spent.to_msat()));
            let unsettled = unsettled.sum::<u128>();
            self.open.fetch_sub(shard.accounts.len(), Ordering::Relaxed);
            shard.accounts.clear();
            shard.unsettled.clear();
            shard.generation = shard.generation.wrapping_add(1);
            shard.given_back = shard
                .given_back
                .saturating_add(gone)
                .saturating_add(unsettled);
            shard.earned = shard.earned.saturating_sub(unsettled);
        }
    }

    /// What `payer` can spend of what is in hand.
    pub fn credit(&self, payer: &NodeId) -> Msat {
        self.shard(payer)
            .lock()
            .accounts
            .get(payer)
            .map_or(Msat::ZERO, |account| account.available)
    }

    /// What `payer` has spent that is not settled, or set aside.
    pub fn pending(&self, payer: &NodeId) -> Msat {
        let shard = self.shard(payer).lock();
        let pending = shard.accounts.get(payer);
        pending.map_or(Msat::ZERO, |account| {
            account
                .spent
                .checked_add(account.reserved)
                .unwrap_or(Msat::MAX)
        })
    }

    /// The sums over all accounts, shard by shard: while packets move, a sum may straddle one of them.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for shard in &self.shards {
            let shard = shard.lock();
            totals.put_in = totals.put_in.saturating_add(shard.put_in);
            totals.earned = totals.earned.saturating_add(shard.earned);
            totals.given_back = totals.given_back.saturating_add(shard.given_back);
            totals.accounts = totals.accounts.saturating_add(shard.accounts.len());
            for account in shard.accounts.values() {
                totals.credit = totals
                    .credit
                    .saturating_add(account.available.to_msat().into());
                totals.reserved = totals
                    .reserved
                    .saturating_add(account.reserved.to_msat().into());
                totals.unsettled = totals
                    .unsettled
                    .saturating_add(account.spent.to_msat().into());
            }
        }
        totals
    }

    /// Takes a reservation off its account, and an account with nothing left off the books.
    fn settle(&self, reservation: Reservation, settlement: Settling) {
        let Reservation {
            payer,
            amount,
            generation,
        } = reservation;
        let mut shard = self.shard(&payer).lock();
        let shard = &mut *shard;
        let Entry::Occupied(mut entry) = shard.accounts.entry(payer) else {
            return;
        };
        let account = entry.get_mut();
        // What these books never reserved, or have revoked since, moves nothing in them.
        let Some(reserved) = account.reserved.checked_sub(amount) else {
            return;
        };
        if amount == Msat::ZERO || generation != shard.generation {
            return;
        }
        account.reserved = reserved;
        match settlement {
            // Both fit: there was room for them when they were put in.
            Settling::GivenBack => {
                account.available = account.available.checked_add(amount).unwrap_or(Msat::MAX);
            }
            Settling::Earned => {
                if account.spent == Msat::ZERO {
                    shard.unsettled.push(payer);
                }
                account.spent = account.spent.checked_add(amount).unwrap_or(Msat::MAX);
                account.packets = account.packets.saturating_add(1);
                shard.earned = shard.earned.saturating_add(amount.to_msat().into());
            }
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
    /// The account with `amount` more, so that all of it could still be given back.
    fn with(self, amount: Msat) -> Result<Self, AccountError> {
        let added = |sum: Msat, more: Msat| sum.checked_add(more).ok_or(AccountError::Overflow);
        let available = added(self.available, amount)?;
        added(added(available, self.reserved)?, self.spent)?;
        Ok(Self {
            available,
            is_used: true,
            ..self
        })
    }

    fn in_hand(&self) -> u128 {
        u128::from(self.available.to_msat()).saturating_add(self.reserved.to_msat().into())
    }

    fn is_empty(&self) -> bool {
        self.available == Msat::ZERO && self.reserved == Msat::ZERO && self.spent == Msat::ZERO
    }
}
