use super::{ControlError, MAX_SCRIPT_LEN};
use crate::wire::{MAX_INVOICE_LEN, MAX_REQUEST_ID_LEN, MAX_SEQUENCE, Reader};
use mesh_types::{Msat, Network};
use std::num::NonZeroU32;

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

pub(super) fn network(reader: &mut Reader<'_>) -> Result<Network, ControlError> {
    let found = u8(reader)?;
    Network::ALL
        .into_iter()
        .find(|network| network_byte(*network) == found)
        .ok_or(ControlError::Network { found })
}

const fn network_byte(network: Network) -> u8 {
    match network {
        Network::Bitcoin => 0,
        Network::Testnet => 1,
        Network::Testnet4 => 2,
        Network::Signet => 3,
        Network::Regtest => 4,
    }
}

pub(super) fn non_zero(reader: &mut Reader<'_>) -> Result<NonZeroU32, ControlError> {
    let blocks = reader.u32().ok_or(ControlError::Truncated)?;
    NonZeroU32::new(blocks).ok_or(ControlError::Depth)
}

/// Takes a script behind its length, one byte.
pub(super) fn script(reader: &mut Reader<'_>) -> Result<Vec<u8>, ControlError> {
    let found = usize::from(u8(reader)?);
    check_script_len(found)?;
    let bytes = reader.bytes(found).ok_or(ControlError::Truncated)?;
    Ok(bytes.to_vec())
}

fn check_script_len(found: usize) -> Result<(), ControlError> {
    if !(1..=MAX_SCRIPT_LEN).contains(&found) {
        return Err(ControlError::ScriptLength { found });
    }
    Ok(())
}

/// Takes the id, which is all the rest.
pub(super) fn request_id(reader: &mut Reader<'_>) -> Result<String, ControlError> {
    let bytes = reader.take_rest();
    check_request_id_len(bytes.len())?;
    let text = str::from_utf8(bytes).map_err(|_| ControlError::RequestIdText)?;
    Ok(text.to_owned())
}

fn check_request_id_len(found: usize) -> Result<(), ControlError> {
    if !(1..=MAX_REQUEST_ID_LEN).contains(&found) {
        return Err(ControlError::RequestIdLength { found });
    }
    Ok(())
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

    pub(super) fn network(&mut self, value: Network) {
        self.u8(network_byte(value));
    }

    pub(super) fn non_zero(&mut self, value: NonZeroU32) {
        self.0.extend_from_slice(&value.get().to_be_bytes());
    }

    pub(super) fn script(&mut self, script: &[u8]) -> Result<(), ControlError> {
        let found = script.len();
        check_script_len(found)?;
        self.u8(u8::try_from(found).map_err(|_| ControlError::ScriptLength { found })?);
        self.0.extend_from_slice(script);
        Ok(())
    }

    pub(super) fn request_id(&mut self, id: &str) -> Result<(), ControlError> {
        check_request_id_len(id.len())?;
        self.0.extend_from_slice(id.as_bytes());
        Ok(())
    }
}
