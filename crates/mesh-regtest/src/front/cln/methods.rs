use super::super::{
    Faults,
    payment::{NoAnswer, look_up, next_event, pay},
};
use crate::{
    Peer, clock,
    network::{DeskError, Invoice, Outgoing, State, Wanted},
};
use bitcoin::hex::{DisplayHex as _, FromHex as _};
use ldk_node::{
    lightning::events::PaymentFailureReason, lightning_invoice::Bolt11Invoice,
    payment::PaymentStatus,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Core Lightning's numbers of errors.
mod code {
    pub(super) const NO_SUCH_METHOD: i64 = -32601;
    pub(super) const PARAMETER: i64 = -32602;
    pub(super) const IN_PROGRESS: i64 = 200;
    pub(super) const DESTINATION_FAILED: i64 = 203;
    pub(super) const NO_ROUTE: i64 = 205;
    pub(super) const INVOICE_EXPIRED: i64 = 207;
    pub(super) const STOPPED_RETRYING: i64 = 210;
    pub(super) const LABEL_USED: i64 = 900;
    pub(super) const PREIMAGE_USED: i64 = 901;
    pub(super) const WAIT_TIMED_OUT: i64 = 904;
    pub(super) const OTHER: i64 = -1;
}

/// How long an invoice may be paid when nobody says, in seconds: a week.
const EXPIRY: u64 = 604_800;

/// What a payment may cost when nobody says: one part in two hundred, and five satoshi at least.
const FEE_DIVISOR: u64 = 200;
const LEAST_FEE_MSAT: u64 = 5_000;

pub(super) struct Methods {
    pub(super) peer: Arc<Peer>,
    pub(super) faults: Arc<Faults>,
}

/// What Core Lightning says of a call that it does not do.
#[derive(Debug)]
pub(super) struct ClnError {
    pub(super) code: i64,
    pub(super) message: String,
}

type Answered = Result<Value, ClnError>;

fn error(code: i64, message: impl Into<String>) -> ClnError {
    let message = message.into();
    ClnError { code, message }
}

impl Methods {
    pub(super) async fn answer(&self, method: &str, params: &Value) -> Result<Answered, NoAnswer> {
        match method {
            "getinfo" => self.info(),
            "invoice" => self.invoice(params),
            "listinvoices" => self.list_invoices(params),
            "waitanyinvoice" => self.wait_any_invoice(params).await,
            "pay" => self.pay(params, "bolt11", true).await,
            "xpay" => self.pay(params, "invstring", false).await,
            "listpays" => self.list_pays(params),
            method => Ok(Err(error(
                code::NO_SUCH_METHOD,
                format!("Unknown command '{method}'"),
            ))),
        }
    }

    fn info(&self) -> Result<Answered, NoAnswer> {
        let (node, _) = self.peer.both().map_err(|_| NoAnswer)?;
        let channels = node.list_channels();
        let active = channels.iter().filter(|channel| channel.is_usable);
        Ok(Ok(json!({
            "id": self.peer.node_id().to_string(),
            "alias": self.peer.name(),
            "color": "000000",
            "num_peers": node.list_peers().len(),
            "num_active_channels": active.count(),
            "address": [],
            "binding": [],
            "version": concat!("mesh-regtest-", env!("CARGO_PKG_VERSION")),
            "blockheight": node.status().current_best_block.height,
            "network": "regtest",
            "fees_collected_msat": 0,
        })))
    }

    fn invoice(&self, params: &Value) -> Result<Answered, NoAnswer> {
        let (node, desk) = self.peer.both().map_err(|_| NoAnswer)?;
        let wanted = match wanted(params) {
            Ok(wanted) => wanted,
            Err(error) => return Ok(Err(error)),
        };
        let label = wanted.label.clone();
        let issued = desk.issue(&node, wanted);
        let created_index = desk.book().invoices.len();
        Ok(match issued {
            Ok(invoice) => Ok(json!({
                "bolt11": invoice.bolt11,
                "payment_hash": invoice.hash,
                "expires_at": invoice.expires_at,
                "created_index": created_index,
            })),
            Err(DeskError::LabelUsed) => Err(error(
                code::LABEL_USED,
                format!("Duplicate label '{label}'"),
            )),
            Err(DeskError::PreimageUsed) => {
                Err(error(code::PREIMAGE_USED, "preimage already used"))
            }
            Err(other) => Err(error(code::OTHER, other.to_string())),
        })
    }

    fn list_invoices(&self, params: &Value) -> Result<Answered, NoAnswer> {
        let (_, desk) = self.peer.both().map_err(|_| NoAnswer)?;
        let hash = params.get("payment_hash").and_then(Value::as_str);
        let label = params.get("label").and_then(Value::as_str);
        let book = desk.book();
        let invoices = (1_u64..).zip(&book.invoices);
        let fits = invoices.filter(|(_, invoice)| {
            let hash_fits = hash.is_none_or(|hash| invoice.hash.0.to_lower_hex_string() == hash);
            hash_fits && label.is_none_or(|label| invoice.label == label)
        });
        let invoices: Vec<_> = fits.map(|(index, invoice)| shape(index, invoice)).collect();
        Ok(Ok(json!({ "invoices": invoices })))
    }

    /// Waits for the invoice that is paid next after one of a number.
    async fn wait_any_invoice(&self, params: &Value) -> Result<Answered, NoAnswer> {
        let (_, desk) = self.peer.both().map_err(|_| NoAnswer)?;
        let last = number(params, "lastpay_index").unwrap_or(0);
        let patience = number(params, "timeout").map(Duration::from_secs);
        let mut events = desk.events();
        let paid = async {
            loop {
                let (_, desk) = self.peer.both().map_err(|_| NoAnswer)?;
                let next = {
                    let book = desk.book();
                    let paid = (1_u64..).zip(&book.invoices);
                    let later = paid.filter(|(_, it)| it.number().is_some_and(|it| it > last));
                    let next = later.min_by_key(|(_, invoice)| invoice.number());
                    next.map(|(index, invoice)| shape(index, invoice))
                };
                match next {
                    Some(invoice) => return Ok(Ok(invoice)),
                    None => next_event(&mut events).await,
                }
            }
        };
        match patience {
            None => paid.await,
            Some(patience) => timeout(patience, paid).await.unwrap_or_else(|_| {
                let words = "Timed out while waiting for invoice to be paid";
                Ok(Err(error(code::WAIT_TIMED_OUT, words)))
            }),
        }
    }

    async fn pay(
        &self,
        params: &Value,
        name: &str,
        tells_status: bool,
    ) -> Result<Answered, NoAnswer> {
        let text = params.get(name).and_then(Value::as_str).unwrap_or_default();
        let invoice: Bolt11Invoice = match text.parse() {
            Ok(invoice) => invoice,
            Err(_) => {
                let words = format!("{name}: Invalid bolt11");
                return Ok(Err(error(code::PARAMETER, words)));
            }
        };
        let amount = invoice.amount_milli_satoshis().unwrap_or(0);
        let usual = LEAST_FEE_MSAT.max(amount / FEE_DIVISOR);
        let max_fee = number(params, "maxfee").unwrap_or(usual);
        let paid = pay(&self.peer, &self.faults, &invoice, max_fee).await?;
        let hash = *invoice.payment_hash().as_ref();
        let outgoing = match paid {
            Ok(outgoing) => outgoing,
            // As Core Lightning has it, who pays again is told what he got.
            Err(DeskError::Paid) => match look_up(&self.peer, &hash)? {
                Some(outgoing) => outgoing,
                None => return Err(NoAnswer),
            },
            Err(refused) => return Ok(Err(not_begun(&refused))),
        };
        Ok(match outgoing.status {
            PaymentStatus::Succeeded => Ok(paid_shape(&outgoing, &hash, tells_status)),
            _ => Err(failed(outgoing.reason)),
        })
    }

    fn list_pays(&self, params: &Value) -> Result<Answered, NoAnswer> {
        let hash = params.get("payment_hash").and_then(Value::as_str);
        let Ok(hash) = <[u8; 32]>::from_hex(hash.unwrap_or_default()) else {
            let words = "this front lists pays by payment_hash alone";
            return Ok(Err(error(code::PARAMETER, words)));
        };
        let found = look_up(&self.peer, &hash)?;
        let pays = found.map(|outgoing| {
            let mut pay = json!({
                "payment_hash": hash.to_lower_hex_string(),
                "created_at": outgoing.at,
            });
            let status = match outgoing.status {
                PaymentStatus::Pending => "pending",
                PaymentStatus::Failed => "failed",
                PaymentStatus::Succeeded => {
                    merge(&mut pay, paid_shape(&outgoing, &hash, true));
                    let preimage = outgoing.preimage.map(|it| it.to_lower_hex_string());
                    merge(&mut pay, json!({ "preimage": preimage }));
                    "complete"
                }
            };
            merge(&mut pay, json!({ "status": status }));
            pay
        });
        Ok(Ok(json!({ "pays": pays.into_iter().collect::<Vec<_>>() })))
    }
}

fn wanted(params: &Value) -> Result<Wanted, ClnError> {
    let bad = |name: &str| error(code::PARAMETER, format!("{name}: missing or invalid"));
    let text = |name: &str| params.get(name).and_then(Value::as_str);
    let preimage = text("preimage").ok_or_else(|| bad("preimage"))?;
    let expiry = number(params, "expiry").unwrap_or(EXPIRY);
    Ok(Wanted {
        amount_msat: number(params, "amount_msat").ok_or_else(|| bad("amount_msat"))?,
        preimage: <[u8; 32]>::from_hex(preimage).map_err(|_| bad("preimage"))?,
        label: text("label").ok_or_else(|| bad("label"))?.to_owned(),
        description: text("description")
            .ok_or_else(|| bad("description"))?
            .to_owned(),
        expiry: u32::try_from(expiry).map_err(|_| bad("expiry"))?,
    })
}

/// A number, which Core Lightning also takes as a text, with `msat` behind it or not.
fn number(params: &Value, name: &str) -> Option<u64> {
    let value = params.get(name)?;
    let text = value.as_str().map(|text| text.trim_end_matches("msat"));
    value.as_u64().or_else(|| text?.parse().ok())
}

fn shape(created_index: u64, invoice: &Invoice) -> Value {
    let mut shaped = json!({
        "label": invoice.label,
        "bolt11": invoice.bolt11,
        "payment_hash": invoice.hash,
        "amount_msat": invoice.amount_msat,
        "description": invoice.description,
        "expires_at": invoice.expires_at,
        "created_index": created_index,
    });
    let status = match invoice.state {
        State::Settled {
            amount_msat,
            at,
            number,
        } => {
            let paid = json!({
                "pay_index": number,
                "amount_received_msat": amount_msat,
                "paid_at": at,
                "payment_preimage": invoice.preimage,
            });
            merge(&mut shaped, paid);
            "paid"
        }
        // A payment that a plugin holds is no business of the list of invoices.
        State::Held { .. } => "unpaid",
        State::Open if !invoice.has_expired(clock::now()) => "unpaid",
        State::Open | State::Canceled => "expired",
    };
    merge(&mut shaped, json!({ "status": status }));
    shaped
}

fn paid_shape(outgoing: &Outgoing, hash: &[u8; 32], tells_status: bool) -> Value {
    let sent = outgoing.amount_msat.saturating_add(outgoing.fee_msat);
    let preimage = outgoing.preimage.map(|it| it.to_lower_hex_string());
    let mut shaped = json!({
        "payment_preimage": preimage,
        "amount_msat": outgoing.amount_msat,
        "amount_sent_msat": sent,
    });
    if tells_status {
        let more = json!({
            "status": "complete",
            "payment_hash": hash.to_lower_hex_string(),
            "created_at": outgoing.at,
            "parts": 1,
        });
        merge(&mut shaped, more);
    }
    shaped
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

fn not_begun(refused: &DeskError) -> ClnError {
    match refused {
        DeskError::Pending => error(code::IN_PROGRESS, "Payment is pending"),
        DeskError::Expired => error(code::INVOICE_EXPIRED, "Invoice expired"),
        DeskError::NoRoute => error(code::NO_ROUTE, "Could not find a route"),
        other => error(code::OTHER, other.to_string()),
    }
}

fn failed(reason: Option<PaymentFailureReason>) -> ClnError {
    match reason {
        Some(PaymentFailureReason::RecipientRejected) => error(
            code::DESTINATION_FAILED,
            "Destination said it doesn't know invoice: incorrect_or_unknown_payment_details",
        ),
        Some(PaymentFailureReason::PaymentExpired) => {
            error(code::INVOICE_EXPIRED, "Invoice expired")
        }
        Some(PaymentFailureReason::RouteNotFound | PaymentFailureReason::RetriesExhausted) => {
            error(code::NO_ROUTE, "Could not find a route")
        }
        _ => error(code::STOPPED_RETRYING, "Stopped retrying"),
    }
}
