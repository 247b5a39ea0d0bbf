mod answer;
mod socket;

use crate::{
    ClnConfig, MAX_WAIT,
    call::CallError,
    invoice::{Invoice, check_issued, check_request, payment_hash},
    pay::{Payer, REQUEST_PATIENCE, Sent, paid, pay_once, time_to_try},
};
use answer::{Info, Invoices, Issued, Paid, Pays, Settled};
use async_trait::async_trait;
use mesh_types::{
    Incoming, InvoiceRequest, LightningError, LightningInfo, LightningNode, MAX_SETTLED, Network,
    Outgoing, PaidInvoice, PayLimits, SettledInvoice, from_hex, to_hex,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
pub use socket::MAX_CLN_ANSWER;
use socket::Socket;
use std::time::Duration;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// What the label of every invoice of ours begins with. Labels are unique in Core Lightning.
const LABEL: &str = "blvm-mesh ";

/// Errors of `invoice`: the label, or the preimage, has been used.
const ISSUED_BEFORE: [i64; 2] = [900, 901];

/// The error of JSON-RPC for a method that there is not.
const NO_SUCH_METHOD: i64 = -32601;

/// Errors of JSON-RPC for a request that was not looked at further.
const BAD_PARAMETERS: i64 = -32602;

/// The error of `waitanyinvoice` when no invoice was paid in time.
const NONE_IN_TIME: i64 = 904;

/// Errors of `pay` and `xpay` after which no part is under way: refused by the payee, no route, too dear, expired, out of
/// time with nothing under way.
const FAILED_FOR_GOOD: [i64; 5] = [203, 205, 206, 207, 210];

/// A Core Lightning node, by the JSON-RPC of its unix socket.
///
/// - Each call has a connection of its own, so a node that was restarted is found again by the next call.
/// - The node takes our preimages. Its label of an invoice is derived from the payment hash, so a repeated request finds
///   the invoice that was issued, and gives it again.
///
/// # Source
/// Core Lightning's manual pages `lightning-invoice`, `lightning-listinvoices`, `lightning-waitanyinvoice`,
/// `lightning-pay`, `lightning-xpay`, `lightning-listpays`, `lightning-getinfo`.
#[derive(Debug)]
pub struct Cln {
    socket: Socket,
    network: Network,
}

impl Cln {
    /// Takes the place of a node; nothing is asked of it yet.
    pub fn new(config: &ClnConfig, network: Network) -> Self {
        Self {
            socket: Socket::new(config.socket.clone()),
            network,
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, CallError> {
        self.ask_for(method, params, REQUEST_PATIENCE).await
    }

    async fn ask_for<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
        patience: Duration,
    ) -> Result<T, CallError> {
        let call = self.socket.call(method, &params);
        let answer = timeout(patience, call).await;
        answer.unwrap_or_else(|_| {
            let seconds = patience.as_secs();
            Err(CallError::Lost(format!(
                "Core Lightning took longer than {seconds} s to answer {method}"
            )))
        })
    }

    /// The first invoice that was paid behind `place`; waits `seconds` for it.
    async fn next_settled(
        &self,
        place: u64,
        seconds: u64,
    ) -> Result<Option<SettledInvoice>, LightningError> {
        let params = json!({ "lastpay_index": place, "timeout": seconds });
        let patience = REQUEST_PATIENCE.saturating_add(Duration::from_secs(seconds));
        let waiting = self.ask_for::<Settled>("waitanyinvoice", params, patience);
        match waiting.await {
            Err(CallError::Refused { code, .. }) if code == NONE_IN_TIME => Ok(None),
            Err(error) => Err(error.into()),
            Ok(settled) => {
                let settled = settled.told_behind(place);
                settled.map(Some).map_err(LightningError::Unreachable)
            }
        }
    }

    /// The invoice that was issued for this payment hash before.
    async fn issued_before(&self, hash: &[u8; 32]) -> Result<String, LightningError> {
        let invoices: Invoices = self
            .ask("listinvoices", json!({ "payment_hash": to_hex(hash) }))
            .await?;
        let text = invoices.unexpired_text().map_err(LightningError::Refused)?;
        Ok(text.to_owned())
    }

    /// Calls `pay`, or `xpay` where the node has no `pay`.
    async fn call_pay(&self, text: &str, limits: PayLimits) -> Result<Paid, CallError> {
        let max_fee = limits.max_fee.to_msat();
        let retry_for = time_to_try(limits.patience);
        let params = json!({ "bolt11": text, "maxfee": max_fee, "retry_for": retry_for });
        match self.socket.call("pay", &params).await {
            Err(CallError::Refused { code, .. }) if code == NO_SUCH_METHOD => {
                let params =
                    json!({ "invstring": text, "maxfee": max_fee, "retry_for": retry_for });
                self.socket.call("xpay", &params).await
            }
            answer => answer,
        }
    }
}

#[async_trait]
impl LightningNode for Cln {
    async fn info(&self) -> Result<LightningInfo, LightningError> {
        let info: Info = self.ask("getinfo", json!({})).await?;
        let no_node = |what: &str| {
            LightningError::Unreachable(format!(
                "what listens on the socket does not answer as Core Lightning does: {what}"
            ))
        };
        Ok(LightningInfo {
            payee_key: from_hex(&info.id).map_err(|_| no_node("its id is no public key"))?,
            network: info
                .network
                .parse()
                .map_err(|_| no_node("its network is none that is known"))?,
            takes_preimages: true,
            is_shared: false,
        })
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<String, LightningError> {
        check_request(&request)?;
        let hash = payment_hash(&request.preimage);
        let preimage = Zeroizing::new(to_hex(&request.preimage));
        let params = json!({
            "amount_msat": request.amount.to_msat(),
            "label": format!("{LABEL}{}", to_hex(&hash)),
            "description": request.description,
            "expiry": request.expiry.as_secs(),
            "preimage": preimage.as_str(),
        });
        let text = match self.ask::<Issued>("invoice", params).await {
            Ok(issued) => issued.bolt11,
            Err(CallError::Refused { code, .. }) if ISSUED_BEFORE.contains(&code) => {
                self.issued_before(&hash).await?
            }
            Err(error) => return Err(error.into()),
        };
        check_issued(&text, request.amount, Some(hash), self.network)?;
        Ok(text)
    }

    async fn pay_invoice(
        &self,
        invoice: &str,
        limits: PayLimits,
    ) -> Result<PaidInvoice, LightningError> {
        pay_once(self, invoice, self.network, limits).await
    }

    async fn incoming(&self, payment_hash: [u8; 32]) -> Result<Incoming, LightningError> {
        let params = json!({ "payment_hash": to_hex(&payment_hash) });
        let invoices: Invoices = self.ask("listinvoices", params).await?;
        invoices.incoming().map_err(LightningError::Unreachable)
    }

    async fn outgoing(&self, payment_hash: [u8; 32]) -> Result<Outgoing, LightningError> {
        let params = json!({ "payment_hash": to_hex(&payment_hash) });
        let pays: Pays = self.ask("listpays", params).await?;
        pays.outgoing(&payment_hash)
            .map_err(LightningError::Unreachable)
    }

    /// Places are Core Lightning's `pay_index`.
    async fn settled_behind(
        &self,
        place: u64,
        patience: Duration,
    ) -> Result<Vec<SettledInvoice>, LightningError> {
        let mut told: Vec<SettledInvoice> = Vec::new();
        while told.len() < MAX_SETTLED {
            let last = told.last().map_or(place, |invoice| invoice.place);
            match self.next_settled(last, 0).await? {
                Some(invoice) => told.push(invoice),
                None => break,
            }
        }
        if told.is_empty() {
            let seconds = patience.min(MAX_WAIT).as_millis().div_ceil(1_000);
            let seconds = u64::try_from(seconds).unwrap_or(0);
            told.extend(self.next_settled(place, seconds).await?);
        }
        Ok(told)
    }
}

#[async_trait]
impl Payer for Cln {
    async fn send(
        &self,
        text: &str,
        invoice: &Invoice,
        limits: PayLimits,
    ) -> Result<Sent, LightningError> {
        match self.call_pay(text, limits).await {
            Ok(answer) if answer.is_complete() => {
                let paid = paid(
                    &answer.payment_preimage,
                    &invoice.payment_hash,
                    answer.fee(),
                );
                Ok(paid.map_or_else(
                    || Sent::Lost("Core Lightning's preimage is not the invoice's".to_owned()),
                    Sent::Paid,
                ))
            }
            Ok(_) => Ok(Sent::Lost("Core Lightning has parts under way".to_owned())),
            Err(error @ (CallError::NotSent(_) | CallError::Denied(_))) => Err(error.into()),
            Err(CallError::Lost(why)) => Ok(Sent::Lost(why)),
            Err(CallError::Refused { code, message }) => Ok(match code {
                code if FAILED_FOR_GOOD.contains(&code) => Sent::Rejected(message),
                NO_SUCH_METHOD | BAD_PARAMETERS => Sent::Rejected(message),
                _ => Sent::Lost(message),
            }),
        }
    }
}
