use super::ControlError;
use crate::wire::{MAX_INVOICE_LEN, MAX_SEQUENCE, Reader};
use mesh_types::Msat;

pub(super) fn u8(reader: &mut Reader<'_>) -> Result<u8, ControlError> {
    reader.u8().ok_or(ControlError::Truncated)
}

pub(super) fn msat(reader: &mut Reader<'_>) -> Result<Msat, ControlError> {
    let msat = reader.u64().ok_or(ControlError::Truncated)?;
    Ok(Msat::from_msat(msat))
}

pub(super) fn sequence(reader: &mut Reader<'_>) -> Result<u64, ControlError> {
    check_sequence(reader.u64().ok_or(ControlError::Truncated)?)
}

fn check_sequence(found: u64) -> Result<u64, ControlError> {
    if found > MAX_SEQUENCE {
        return Err(ControlError::Sequence { found });
    }
    Ok(found)
}

/// Takes the invoice, which is all the rest; no rest is no invoice.
pub(super) fn invoice(reader: &mut Reader<'_>) -> Result<Option<String>, ControlError> {
    let bytes = reader.take_rest();
    if bytes.is_empty() {
        return Ok(None);
    }
    check_invoice(bytes)?;
    let text = str::from_utf8(bytes).map_err(|_| ControlError::InvoiceText)?;
    Ok(Some(text.to_owned()))
}

fn check_invoice(invoice: &[u8]) -> Result<(), ControlError> {
    let found = invoice.len();
    if !(1..=MAX_INVOICE_LEN).contains(&found) {
        return Err(ControlError::InvoiceLength { found });
    }
    if !invoice.is_ascii() {
        return Err(ControlError::InvoiceText);
    }
    Ok(())
}

pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn msat(&mut self, value: Msat) {
        self.0.extend_from_slice(&value.to_msat().to_be_bytes());
    }

    pub(super) fn sequence(&mut self, value: u64) -> Result<(), ControlError> {
        self.0
            .extend_from_slice(&check_sequence(value)?.to_be_bytes());
        Ok(())
    }

    pub(super) fn invoice(&mut self, invoice: Option<&str>) -> Result<(), ControlError> {
        if let Some(text) = invoice {
            check_invoice(text.as_bytes())?;
            self.0.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }
}
