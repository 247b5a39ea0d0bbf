use super::Batch;
use crate::{backend::Answer, proof_bytes, redb::fault::Fault};
use mesh_types::{
    Begun, DayCaps, MAX_KEPT_PROOFS, NodeId, OwnPayment, PaymentEnd, PaymentProof, StoreError,
};
use redb::{ReadableTable as _, ReadableTableMetadata as _};

/// What this node has paid, and what shows it.
impl Batch<'_> {
    pub(super) fn keep_proof(
        &mut self,
        payee: NodeId,
        proof: &PaymentProof,
    ) -> Result<Answer, Fault> {
        let row = match proof_row(payee, proof) {
            Ok(row) => row,
            Err(refused) => return Ok(Answer::Refused(refused)),
        };
        let proofs = &mut self.tables.proofs;
        if proofs.get(row.as_slice())?.is_some() {
            return Ok(Answer::Done);
        }
        if proofs.len()? >= MAX_KEPT_PROOFS as u64 {
            let reason = format!("{MAX_KEPT_PROOFS} proofs wait to be shown, and no more are kept");
            return Ok(Answer::Refused(StoreError::Unavailable(reason)));
        }
        proofs.insert(row.as_slice(), ())?;
        self.changed = true;
        Ok(Answer::Done)
    }

    pub(super) fn forget_proof(
        &mut self,
        payee: NodeId,
        proof: &PaymentProof,
    ) -> Result<Answer, Fault> {
        // One that cannot be written is not kept either.
        if let Ok(row) = proof_row(payee, proof) {
            self.changed |= self.tables.proofs.remove(row.as_slice())?.is_some();
        }
        Ok(Answer::Done)
    }

    pub(super) fn begin_payment(
        &mut self,
        payment: &OwnPayment,
        note: &PaymentProof,
        caps: DayCaps,
    ) -> Result<Answer, Fault> {
        let begun = self.tables.payments.may_begin(payment, caps)?;
        if begun == Begun::Noted {
            let kept = self.keep_proof(payment.payee, note)?;
            if kept != Answer::Done {
                return Ok(kept);
            }
            self.tables.payments.begin(payment)?;
            self.changed = true;
        }
        Ok(Answer::Begun(begun))
    }

    pub(super) fn end_payment(&mut self, end: &PaymentEnd) -> Result<Answer, Fault> {
        self.forget_proof(end.payee, &end.note)?;
        if let Some(proof) = &end.proof {
            let kept = self.keep_proof(end.payee, proof)?;
            if kept != Answer::Done {
                return Ok(kept);
            }
        }
        self.changed |= self.tables.payments.end(end)?;
        Ok(Answer::Done)
    }
}

/// A kept proof as the bytes it is found by.
pub(in crate::redb) fn proof_row(
    payee: NodeId,
    proof: &PaymentProof,
) -> Result<Vec<u8>, StoreError> {
    let encoded = proof_bytes::encode(proof)?;
    Ok([payee.as_bytes().as_slice(), &encoded].concat())
}
