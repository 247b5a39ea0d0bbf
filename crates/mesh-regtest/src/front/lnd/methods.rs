use super::{
    super::{
        Faults,
        payment::{NoAnswer, look_up, next_event, pay},
    },
    invoices::{self, Told},
    reply::{Reply, code, hex},
};
use crate::{
    Peer,
    network::{DeskError, Outgoing, Wanted},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use bitcoin::hex::FromHex as _;
use hyper::Method;
use ldk_node::{
    lightning::events::PaymentFailureReason, lightning_invoice::Bolt11Invoice,
    payment::PaymentStatus,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// How long an invoice may be paid when nobody says, in seconds: a day.
const EXPIRY: u64 = 86_400;

pub(super) struct Methods {
    pub(super) peer: Arc<Peer>,
    pub(super) faults: Arc<Faults>,
}

/// A request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: Value,
}

impl Asked {
    fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.split('&');
        pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.parameter(name)?.parse().ok()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.parameter(name) == Some("true")
    }

    /// A number of the body, which may be written as a text.
    fn field(&self, name: &str) -> Option<u64> {
        let value = self.body.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    fn text(&self, name: &str) -> &str {
        let text = self.body.get(name).and_then(Value::as_str);
        text.unwrap_or_default()
    }
}

impl Methods {
    pub(super) async fn answer(&self, asked: &Asked) -> Result<Reply, NoAnswer> {
        let not_found = || Ok(Reply::error(code::NOT_FOUND, "Not Found"));
        let (above, last) = asked.path.rsplit_once('/').unwrap_or_default();
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/v1/getinfo") => self.info(),
            ("GET", "/v1/invoices") => self.list(asked),
            ("POST", "/v1/invoices") => self.add_invoice(asked),
            ("GET", "/v1/invoices/subscribe") => self.subscribe(asked),
            ("POST", "/v2/router/send") => self.send(asked).await,
            ("GET", _) if above == "/v1/invoice" => self.look_up(last),
            ("GET", _) if above == "/v2/router/track" => self.track(last),
            _ => not_found(),
        }
    }

    fn info(&self) -> Result<Reply, NoAnswer> {
        let (node, _) = self.peer.both().map_err(|_| NoAnswer)?;
        let channels = node.list_channels();
        let active = channels.iter().filter(|channel| channel.is_usable);
        Ok(Reply::good(&json!({
            "version": concat!("mesh-regtest-", env!("CARGO_PKG_VERSION")),
            "identity_pubkey": self.peer.node_id().to_string(),
            "alias": self.peer.name(),
            "num_active_channels": active.count(),
            "num_peers": node.list_peers().len(),
            "block_height": node.status().current_best_block.height,
            "block_hash": node.status().current_best_block.block_hash.to_string(),
            "synced_to_chain": true,
            "synced_to_graph": true,
            "chains": [{ "chain": "bitcoin", "network": "regtest" }],
        })))
    }

    fn add_invoice(&self, asked: &Asked) -> Result<Reply, NoAnswer> {
        let (node, desk) = self.peer.both().map_err(|_| NoAnswer)?;
        let bad = |what: &str| Ok(Reply::refused(what));
        let preimage = STANDARD.decode(asked.text("r_preimage"));
        let Some(preimage) = preimage.ok().and_then(|bytes| bytes.try_into().ok()) else {
            return bad("payment preimage must be exactly 32 bytes");
        };
        let Some(amount_msat) = asked.field("value_msat") else {
            return bad("this front issues invoices with value_msat alone");
        };
        let expiry = asked.field("expiry").filter(|expiry| *expiry > 0);
        let Ok(expiry) = u32::try_from(expiry.unwrap_or(EXPIRY)) else {
            return bad("expiry of more than 31536000 seconds");
        };
        let wanted = Wanted {
            amount_msat,
            preimage,
            // LND has no labels; the desk wants one of each invoice.
            label: format!("lnd {}", hex(&preimage)),
            description: asked.text("memo").to_owned(),
            expiry,
        };
        Ok(match desk.issue(&node, wanted) {
            Ok(invoice) => Reply::good(&json!({
                "r_hash": STANDARD.encode(invoice.hash.0),
                "payment_request": invoice.bolt11,
                "add_index": desk.book().invoices.len().to_string(),
                "payment_addr": "",
            })),
            Err(DeskError::LabelUsed | DeskError::PreimageUsed) => {
                Reply::refused("invoice with payment hash already exists")
            }
            Err(other) => Reply::refused(&other.to_string()),
        })
    }

    fn look_up(&self, text: &str) -> Result<Reply, NoAnswer> {
        let (_, desk) = self.peer.both().map_err(|_| NoAnswer)?;
        let Ok(hash) = <[u8; 32]>::from_hex(text) else {
            let words = "payment hash must be exactly 32 bytes";
            return Ok(Reply::error(code::INVALID_ARGUMENT, words));
        };
        let book = desk.book();
        let mut invoices = (1..).zip(&book.invoices);
        let found = invoices.find(|(_, invoice)| invoice.hash.0 == hash);
        Ok(match found {
            Some((index, invoice)) => Reply::good(&invoices::shape(index, invoice)),
            None => Reply::error(code::NOT_FOUND, "unable to locate invoice"),
        })
    }

    fn list(&self, asked: &Asked) -> Result<Reply, NoAnswer> {
        let (_, desk) = self.peer.both().map_err(|_| NoAnswer)?;
        Ok(Reply::good(&invoices::list(&desk.book(), asked)))
    }

    /// Tells of invoices that are issued and paid, until nobody listens or the node stops.
    fn subscribe(&self, asked: &Asked) -> Result<Reply, NoAnswer> {
        let (_, desk) = self.peer.both().map_err(|_| NoAnswer)?;
        let mut told = Told::new(&desk.book(), asked);
        let mut events = desk.events();
        let peer = Arc::clone(&self.peer);
        let (lines, reply) = Reply::stream();
        tokio::spawn(async move {
            while let Ok((_, desk)) = peer.both() {
                let news = told.news(&desk.book());
                drop(desk);
                for invoice in news {
                    if !lines.send(&invoice).await {
                        return;
                    }
                }
                tokio::select! {
                    () = next_event(&mut events) => {}
                    () = lines.closed() => return,
                }
            }
        });
        Ok(reply)
    }

    async fn send(&self, asked: &Asked) -> Result<Reply, NoAnswer> {
        let Ok(invoice) = asked.text("payment_request").parse::<Bolt11Invoice>() else {
            return Ok(Reply::stream_error(
                code::UNKNOWN,
                "invalid payment request",
            ));
        };
        // Without a limit LND pays no fee at all.
        let max_fee = asked.field("fee_limit_msat").unwrap_or(0);
        let hash = *invoice.payment_hash().as_ref();
        let paid = pay(&self.peer, &self.faults, &invoice, max_fee).await?;
        Ok(match paid {
            Ok(outgoing) => Reply::line(&shape(&hash, &outgoing)),
            Err(DeskError::Paid) => {
                Reply::stream_error(code::ALREADY_EXISTS, "invoice is already paid")
            }
            Err(DeskError::Pending) => {
                Reply::stream_error(code::ALREADY_EXISTS, "payment is in transition")
            }
            Err(DeskError::Expired) => {
                Reply::stream_error(code::UNKNOWN, "invoice expired. Valid until the past")
            }
            // To LND a payment that finds no way is one that was begun, and failed.
            Err(DeskError::NoRoute) => match look_up(&self.peer, &hash)? {
                Some(outgoing) => {
                    let mut shaped = shape(&hash, &outgoing);
                    if let Some(reason) = shaped.get_mut("failure_reason") {
                        *reason = json!("FAILURE_REASON_NO_ROUTE");
                    }
                    Reply::line(&shaped)
                }
                None => return Err(NoAnswer),
            },
            Err(other) => Reply::stream_error(code::UNKNOWN, &other.to_string()),
        })
    }

    /// Tells what a payment's state is now. LND goes on until the end; this front ends here, as a proxy may.
    fn track(&self, text: &str) -> Result<Reply, NoAnswer> {
        let hash = URL_SAFE.decode(text).ok();
        let Some(hash) = hash.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) else {
            return Ok(Reply::stream_error(code::INVALID_ARGUMENT, "invalid hash"));
        };
        Ok(match look_up(&self.peer, &hash)? {
            Some(outgoing) => Reply::line(&shape(&hash, &outgoing)),
            None => Reply::stream_error(code::NOT_FOUND, "payment isn't initiated"),
        })
    }
}

fn shape(hash: &[u8; 32], outgoing: &Outgoing) -> Value {
    let (status, reason) = match (outgoing.status, outgoing.reason) {
        (PaymentStatus::Pending, _) => ("IN_FLIGHT", "FAILURE_REASON_NONE"),
        (PaymentStatus::Succeeded, _) => ("SUCCEEDED", "FAILURE_REASON_NONE"),
        (PaymentStatus::Failed, Some(PaymentFailureReason::RecipientRejected)) => {
            ("FAILED", "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS")
        }
        (PaymentStatus::Failed, Some(PaymentFailureReason::PaymentExpired)) => {
            ("FAILED", "FAILURE_REASON_TIMEOUT")
        }
        (
            PaymentStatus::Failed,
            Some(PaymentFailureReason::RouteNotFound | PaymentFailureReason::RetriesExhausted),
        ) => ("FAILED", "FAILURE_REASON_NO_ROUTE"),
        (PaymentStatus::Failed, _) => ("FAILED", "FAILURE_REASON_ERROR"),
    };
    let preimage = outgoing.preimage.unwrap_or_default();
    let succeeded = outgoing.status == PaymentStatus::Succeeded;
    let fee_msat = if succeeded { outgoing.fee_msat } else { 0 };
    json!({
        "payment_hash": hex(hash),
        "value": (outgoing.amount_msat / 1_000).to_string(),
        "value_sat": (outgoing.amount_msat / 1_000).to_string(),
        "value_msat": outgoing.amount_msat.to_string(),
        "creation_date": outgoing.at.to_string(),
        "fee": (fee_msat / 1_000).to_string(),
        "fee_sat": (fee_msat / 1_000).to_string(),
        "fee_msat": fee_msat.to_string(),
        "payment_preimage": hex(&preimage),
        "payment_request": "",
        "status": status,
        "failure_reason": reason,
        "htlcs": [],
    })
}
