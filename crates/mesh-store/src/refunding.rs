use mesh_types::{MAX_BALANCE, MAX_OPEN_REFUNDS, Msat, Refund, RefundBegun, StoreError};

/// What is answered where one of that payment hash was begun before.
pub(crate) fn known(known: Option<Refund>, refund: &Refund) -> Option<RefundBegun> {
    known.map(|known| {
        if known.payer == refund.payer {
            RefundBegun::Known(known)
        } else {
            RefundBegun::Anothers
        }
    })
}

/// What goes back to the credit; `None` when the sums do not agree.
pub(crate) fn back(before: &Refund, after: &Refund) -> Option<Msat> {
    before.taken()?.checked_sub(after.taken()?)
}

/// The credit with what goes back; refused, and to be said again, where deposits have filled the balance meanwhile.
pub(crate) fn with_back(credit: Msat, back: Msat) -> Result<Msat, StoreError> {
    credit
        .checked_add(back)
        .filter(|credit| *credit <= MAX_BALANCE)
        .ok_or(StoreError::TooMuch(back))
}

/// What is said where a payer's sums are not what its refunds come to, as only a ledger can have them that was made by hand.
pub(crate) fn disagrees() -> StoreError {
    let reason = "what was refunded to the payer is not what its refunds come to";
    StoreError::Unavailable(reason.to_owned())
}

pub(crate) fn too_many_open() -> StoreError {
    StoreError::Unavailable(format!("{MAX_OPEN_REFUNDS} refunds are under way already"))
}
