use super::{
    book::{Hash, Issued, Noted},
    core::{Core, is_expired},
};
use crate::pay::Sent;
use ldk_node::{
    NodeError,
    lightning::routing::router::RouteParametersConfig,
    lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescription, Description},
    lightning_types::payment::PaymentHash,
};
use mesh_types::{InvoiceRequest, LightningError, PayLimits};

/// Issues an invoice, or finds the one that was issued for this preimage.
pub(super) fn issue(
    core: &Core,
    request: &InvoiceRequest,
    hash: &Hash,
) -> Result<String, LightningError> {
    match core.book.issued(hash)? {
        Some(Issued::Settled { invoice, .. }) => return Ok(invoice),
        Some(Issued::Waiting(invoice)) if is_expired(&invoice) => {
            return refused("the invoice of this preimage has expired");
        }
        Some(Issued::Waiting(invoice)) => return Ok(invoice),
        None => {}
    }
    while let Some(expired) = core.book.forget_expired()? {
        core.strike(&expired);
    }
    let description = Description::new(request.description.clone());
    let Ok(description) = description else {
        return refused("the description is longer than an invoice carries");
    };
    let Ok(seconds) = u32::try_from(request.expiry.as_secs()) else {
        return refused("no invoice lives so long");
    };
    let invoice = core.node.bolt11_payment().receive_for_hash(
        request.amount.to_msat(),
        &Bolt11InvoiceDescription::Direct(description),
        seconds,
        PaymentHash(*hash),
    );
    let invoice = invoice.map_err(|error| LightningError::Refused(error.to_string()))?;
    let text = invoice.to_string();
    // Nobody has the invoice before the preimage is on disk.
    core.book.issue(&text, &request.preimage)?;
    Ok(text)
}

/// Sends a payment unless it is under way; `None` where its end is to be waited for.
pub(super) fn send(
    core: &Core,
    text: &str,
    hash: &Hash,
    limits: PayLimits,
) -> Result<Option<Sent>, LightningError> {
    let rejected = |why: &str| Ok(Some(Sent::Rejected(why.to_owned())));
    let Ok(invoice) = text.parse::<Bolt11Invoice>() else {
        return rejected("the invoice does not read");
    };
    if invoice.is_expired() {
        return rejected("the invoice has expired");
    }
    match core.book.begin(hash, text)? {
        Noted::Nothing => {}
        Noted::Begun { .. } => return Ok(None),
        Noted::Paid(paid) => return Ok(Some(Sent::Paid(paid))),
    }
    let route = RouteParametersConfig {
        max_total_routing_fee_msat: Some(limits.max_fee.to_msat()),
        ..RouteParametersConfig::default()
    };
    match core.node.bolt11_payment().send(&invoice, Some(route)) {
        Ok(_) | Err(NodeError::DuplicatePayment) => Ok(None),
        // LDK found no way to begin: nothing was sent.
        Err(NodeError::PaymentSendingFailed) => {
            core.book.failed(hash)?;
            core.strike(hash);
            rejected("there is no way to the payee with this balance and within the limit of fees")
        }
        Err(NodeError::InvalidInvoice | NodeError::NotRunning) => {
            core.book.failed(hash)?;
            rejected("the node does not take it")
        }
        Err(error) => Ok(Some(Sent::Lost(error.to_string()))),
    }
}

fn refused<T>(why: &str) -> Result<T, LightningError> {
    Err(LightningError::Refused(why.to_owned()))
}
