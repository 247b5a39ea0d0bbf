use super::tally::Tally;
use crate::{
    backend::Answer,
    refunding::{self, disagrees, too_many_open},
};
use mesh_types::{Msat, Refund, RefundBegun, RefundEnd};

/// What goes back to payers.
impl Tally<'_> {
    pub(super) fn begin_refund(&mut self, refund: &Refund) -> Answer {
        let known = self.refunds.get(&refund.payment_hash).cloned();
        if let Some(begun) = refunding::known(known, refund) {
            return Answer::RefundBegun(Box::new(begun));
        }
        if !self.refunds.has_room() {
            return Answer::Refused(too_many_open());
        }
        let too_little = |free, undrawn: u64| {
            Answer::RefundBegun(Box::new(RefundBegun::TooLittle {
                free: Msat::from_msat(free),
                drawn: Msat::from_msat(undrawn.saturating_sub(free)),
            }))
        };
        let Some(balance) = self.accounts.get_mut(&refund.payer) else {
            return too_little(0, 0);
        };
        let (free, undrawn) = (balance.free(balance.drawn), balance.free(0));
        let taken = refund.taken().map(Msat::to_msat);
        let Some(taken) = taken.filter(|taken| *taken <= free) else {
            if undrawn > free {
                // A gateway that has died may hold it.
                self.short.insert(refund.payer);
            }
            return too_little(free, undrawn);
        };
        balance.credit = balance.credit.saturating_sub(taken);
        balance.refunded = balance.refunded.saturating_add(taken);
        balance.changed = true;
        self.refunds.begin(refund.clone());
        Answer::RefundBegun(Box::new(RefundBegun::Noted))
    }

    pub(super) fn end_refund(&mut self, end: &RefundEnd) -> Answer {
        let before = self.refunds.get(&end.payment_hash);
        let ended = before.and_then(|before| Some((before.clone(), before.ended(end)?)));
        let Some((before, after)) = ended else {
            return Answer::Done;
        };
        let Some(balance) = self.accounts.get_mut(&before.payer) else {
            return Answer::Refused(disagrees());
        };
        let back = refunding::back(&before, &after);
        let refunded = back.and_then(|back| balance.refunded.checked_sub(back.to_msat()));
        let (Some(back), Some(refunded)) = (back, refunded) else {
            return Answer::Refused(disagrees());
        };
        let credit = match refunding::with_back(Msat::from_msat(balance.credit), back) {
            Ok(credit) => credit,
            Err(refused) => return Answer::Refused(refused),
        };
        balance.credit = credit.to_msat();
        balance.refunded = refunded;
        balance.changed = true;
        self.refunds.end(after);
        Answer::Done
    }
}
