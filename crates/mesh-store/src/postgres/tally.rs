use super::{number::signed, purse::Purse, refunds::Refunds, watched::Watches};
use crate::{
    backend::{Answer, Op},
    judgement::{Judgement, too_many_watched},
};
use mesh_types::{
    CLAIM_SKEW, Claim, ClaimKey, ClaimOutcome, Drawn, MAX_BALANCE, MAX_WATCHED, Msat, NodeId,
    PacketTag, Settled, Settlement, Standing, StoreError, UnixTime, Watched,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

/// The smallest part of what is free that a draw hands over: a quarter.
///
/// A quarter, because a busy payer is then drawn for a few times and not for each packet, and other gateways still find
/// something.
const SHARE: u64 = 4;

/// The span of one line of debits.
///
/// An hour, because that is fine enough for a report and keeps a busy payer to 24 lines a day.
const PERIOD: Duration = Duration::from_secs(3_600);

/// What one payer has, as `blvm_mesh.account` says; locked by this transaction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Balance {
    pub(super) deposited: u64,
    pub(super) credit: u64,
    pub(super) drawn: u64,
    pub(super) earned: u64,
    pub(super) refunded: u64,
    pub(super) frozen: u64,
    pub(super) deposits: u64,
    pub(super) packets: u64,
    pub(super) changed: bool,
}

impl Balance {
    /// What could be drawn if `drawn` were.
    pub(super) fn free(&self, drawn: u64) -> u64 {
        let undrawn = self.credit.saturating_sub(drawn);
        undrawn.saturating_sub(self.frozen)
    }
}

/// The one row of `blvm_mesh.claim` for a payment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot {
    /// This transaction has made it, for the first who asks, and nobody has been credited yet.
    Fresh { for_first: (PacketTag, UnixTime) },
    /// This transaction has made it and credited the payment.
    Taken {
        for_first: (PacketTag, UnixTime),
        by: PacketTag,
        expires_at: UnixTime,
    },
    /// It was there before.
    Known { by: PacketTag },
    /// It was there before, made by no packet, and this transaction writes down which one has shown it.
    TakenOver { by: PacketTag },
}

/// A payment that was credited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) claim: Claim,
    pub(super) at: UnixTime,
}

/// Works out what changes of money do to what the transaction has read and locked, one after the other.
#[derive(Debug)]
pub(super) struct Tally<'p> {
    pub(super) swept_at: UnixTime,
    pub(super) slots: BTreeMap<[u8; 32], Slot>,
    pub(super) accounts: HashMap<NodeId, Balance>,
    pub(super) watches: Watches,
    pub(super) refunds: Refunds,
    pub(super) purse: &'p mut Purse,
    /// Whether what this process had drawn before was taken from it, and it has not heard of that.
    pub(super) revoked: bool,
    /// Whether nothing may be drawn, because it hears of that now, and could take this for revoked too.
    pub(super) draws_nothing: bool,
    pub(super) lines: Vec<Line>,
    /// By period and payer: how much on how many packets.
    pub(super) debits: BTreeMap<(UnixTime, NodeId), (u64, u64)>,
    /// Who got less than was wanted while other gateways hold some.
    pub(super) short: BTreeSet<NodeId>,
}

impl Tally<'_> {
    /// Answers one change; `None` when it is not of money.
    pub(super) fn answer(&mut self, op: &Op) -> Option<Answer> {
        match op {
            Op::Claim { claim, by, now } => Some(self.claim(claim, *by, *now)),
            Op::Judge { key, standing } => Some(self.judge(*key, *standing)),
            Op::Draw { .. } if self.draws_nothing => Some(Answer::Drawn(Drawn::default())),
            Op::Draw { payer, wanted } => Some(self.draw(*payer, wanted.to_msat())),
            Op::Settle { .. } if self.revoked => Some(Answer::Settled(Settled::Revoked)),
            Op::Settle { settlements, now } => {
                for settlement in settlements {
                    self.settle(settlement, *now);
                }
                Some(Answer::Settled(Settled::Booked))
            }
            Op::BeginRefund(refund) => Some(self.begin_refund(refund)),
            Op::EndRefund(end) => Some(self.end_refund(end)),
            _ => None,
        }
    }

    fn claim(&mut self, claim: &Claim, by: PacketTag, now: UnixTime) -> Answer {
        let Some(slot) = self.slots.get_mut(claim.key.as_bytes()) else {
            let reason = "the claim was not looked up".to_owned();
            return Answer::Refused(StoreError::Unavailable(reason));
        };
        if by != PacketTag::NONE {
            match slot {
                Slot::Known { by: first } if *first == PacketTag::NONE => {
                    *slot = Slot::TakenOver { by };
                }
                Slot::Taken { by: first, .. } if *first == PacketTag::NONE => *first = by,
                _ => {}
            }
        }
        let for_first = match *slot {
            Slot::Known { by: first }
            | Slot::Taken { by: first, .. }
            | Slot::TakenOver { by: first } => {
                return Answer::Claimed(if first == by {
                    ClaimOutcome::Again
                } else {
                    ClaimOutcome::AlreadyClaimed
                });
            }
            Slot::Fresh { for_first } => for_first,
        };
        if claim.on_chain.is_some() && self.watches.get(claim.key).is_some() {
            return Answer::Claimed(ClaimOutcome::AlreadyClaimed);
        }
        let expires_at = claim.expires_at;
        if expires_at.plus(CLAIM_SKEW) <= self.swept_at {
            return Answer::Refused(StoreError::Expired(expires_at));
        }
        if claim.on_chain.is_some() && self.watches.count >= MAX_WATCHED as u64 {
            return Answer::Refused(too_many_watched());
        }
        let balance = self.accounts.entry(claim.payer).or_default();
        let Some((credit, deposited)) = added(balance, claim.amount.to_msat()) else {
            return Answer::Refused(StoreError::TooMuch(claim.amount));
        };
        balance.credit = credit;
        balance.deposited = deposited;
        balance.deposits = balance.deposits.saturating_add(1);
        balance.changed = true;
        *slot = Slot::Taken {
            for_first,
            by,
            expires_at,
        };
        self.lines.push(Line {
            claim: *claim,
            at: now,
        });
        if let Some(tx_hash) = claim.on_chain {
            self.watches.set(
                claim.key,
                Some(Watched {
                    key: claim.key,
                    payer: claim.payer,
                    amount: claim.amount,
                    tx_hash,
                    is_frozen: false,
                }),
            );
        }
        Answer::Claimed(ClaimOutcome::New)
    }

    fn judge(&mut self, key: ClaimKey, standing: Standing) -> Answer {
        let Some(watched) = self.watches.get(key) else {
            return Answer::Done;
        };
        let Some(judgement) = Judgement::of(watched, standing) else {
            return Answer::Done;
        };
        // Without its account it is another payment of the same name, made since it was looked for.
        let Some(balance) = self.accounts.get_mut(&watched.payer) else {
            return Answer::Done;
        };
        let Some(frozen) = judgement.frozen(Msat::from_msat(balance.frozen)) else {
            let reason = "what is frozen of the payer is not what its payments come to";
            return Answer::Refused(StoreError::Unavailable(reason.to_owned()));
        };
        balance.frozen = frozen.to_msat();
        balance.changed = true;
        self.watches.set(key, judgement.after);
        Answer::Done
    }

    fn draw(&mut self, payer: NodeId, wanted: u64) -> Answer {
        let Some(balance) = self.accounts.get_mut(&payer) else {
            return Answer::Drawn(Drawn::default());
        };
        let held = self.purse.of(&payer);
        let free = balance.free(balance.drawn);
        let amount = wanted.max(free / SHARE).min(free);
        let elsewhere = balance.free(held).saturating_sub(free);
        if amount > 0 {
            balance.drawn = balance.drawn.saturating_add(amount);
            balance.changed = true;
            self.purse.set(payer, held.saturating_add(amount));
        }
        if amount < wanted && elsewhere > 0 {
            self.short.insert(payer);
        }
        Answer::Drawn(Drawn {
            amount: Msat::from_msat(amount),
            elsewhere: Msat::from_msat(elsewhere),
        })
    }

    fn settle(&mut self, settlement: &Settlement, now: UnixTime) {
        let payer = settlement.payer;
        let (wanted, packets) = (settlement.spent.to_msat(), settlement.packets);
        let held = self.purse.of(&payer);
        let Some(balance) = self.accounts.get_mut(&payer) else {
            if wanted > 0 {
                tracing::warn!(%payer, spent = wanted, "settled for a payer who has no account");
            }
            return;
        };
        let spent = wanted.min(held);
        if spent < wanted {
            tracing::warn!(%payer, wanted, held, "more was spent than is drawn; the rest stays the payer's");
        }
        let back = settlement.back.to_msat().min(held.saturating_sub(spent));
        let gone = spent.saturating_add(back);
        balance.credit = balance.credit.saturating_sub(spent);
        balance.earned = balance.earned.saturating_add(spent);
        balance.drawn = balance.drawn.saturating_sub(gone);
        balance.packets = balance.packets.saturating_add(packets);
        balance.changed = true;
        if gone > 0 {
            self.purse.set(payer, held.saturating_sub(gone));
        }
        if spent > 0 || packets > 0 {
            let line = self.debits.entry((period(now), payer)).or_default();
            line.0 = line.0.saturating_add(spent);
            line.1 = line.1.saturating_add(packets);
        }
    }
}

/// Credit and deposits with `amount` more, where both have room for it.
fn added(balance: &Balance, amount: u64) -> Option<(u64, u64)> {
    let credit = balance.credit.checked_add(amount)?;
    let deposited = balance.deposited.checked_add(amount)?;
    let fits = credit <= MAX_BALANCE.to_msat() && deposited < signed(u64::MAX).unsigned_abs();
    fits.then_some((credit, deposited))
}

/// The full hour before `now`.
fn period(now: UnixTime) -> UnixTime {
    let span = u64::try_from(PERIOD.as_millis()).unwrap_or(1).max(1);
    let into = now.to_millis().checked_rem(span).unwrap_or_default();
    UnixTime::from_millis(now.to_millis().saturating_sub(into))
}
