use super::Batch;
use crate::{
    backend::Answer,
    redb::fault::Fault,
    refunding::{self, disagrees, too_many_open},
};
use mesh_types::{Refund, RefundBegun, RefundEnd};

/// What goes back to payers.
impl Batch<'_> {
    pub(super) fn begin_refund(&mut self, refund: &Refund) -> Result<Answer, Fault> {
        let known = self.tables.refunds.one(&refund.payment_hash)?;
        if let Some(begun) = refunding::known(known, refund) {
            return Ok(Answer::RefundBegun(Box::new(begun)));
        }
        if !self.tables.refunds.has_room()? {
            return Ok(Answer::Refused(too_many_open()));
        }
        let held = self.held(refund.payer)?;
        let drawn = held.drawn;
        let too_little = |free, drawn| {
            let begun = RefundBegun::TooLittle { free, drawn };
            Ok(Answer::RefundBegun(Box::new(begun)))
        };
        let Some(mut account) = held.account else {
            return too_little(mesh_types::Msat::ZERO, mesh_types::Msat::ZERO);
        };
        let free = account.free(drawn);
        let Some(taken) = refund.taken().filter(|taken| *taken <= free) else {
            let undrawn = account.free(mesh_types::Msat::ZERO);
            return too_little(free, undrawn.saturating_sub(free));
        };
        let (Some(credit), Some(refunded)) = (
            account.credit.checked_sub(taken),
            account.refunded.checked_add(taken),
        ) else {
            return Err(Fault::Corrupt("an account's sums do not agree"));
        };
        account.credit = credit;
        account.refunded = refunded;
        held.account = Some(account);
        held.changed = true;
        self.changed = true;
        let refunds = &mut self.tables.refunds;
        refunds.write_refunded(refund.payer.as_bytes(), refunded)?;
        refunds.write(refund)?;
        Ok(Answer::RefundBegun(Box::new(RefundBegun::Noted)))
    }

    pub(super) fn end_refund(&mut self, end: &RefundEnd) -> Result<Answer, Fault> {
        let Some(before) = self.tables.refunds.one(&end.payment_hash)? else {
            return Ok(Answer::Done);
        };
        let Some(after) = before.ended(end) else {
            return Ok(Answer::Done);
        };
        let held = self.held(before.payer)?;
        let back = refunding::back(&before, &after);
        let sums = held.account.as_mut().zip(back).and_then(|(account, back)| {
            let refunded = account.refunded.checked_sub(back)?;
            Some((account, back, refunded))
        });
        let Some((account, back, refunded)) = sums else {
            return Ok(Answer::Refused(disagrees()));
        };
        let credit = match refunding::with_back(account.credit, back) {
            Ok(credit) => credit,
            Err(refused) => return Ok(Answer::Refused(refused)),
        };
        account.credit = credit;
        account.refunded = refunded;
        held.changed = true;
        self.changed = true;
        let refunds = &mut self.tables.refunds;
        refunds.write_refunded(before.payer.as_bytes(), refunded)?;
        refunds.write(&after)?;
        Ok(Answer::Done)
    }
}
