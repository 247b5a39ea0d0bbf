use crate::{call::CallError, http::Answer, pay::paid, said::said};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use mesh_types::{Incoming, Msat, Outgoing, SettledInvoice};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};

/// Numbers of gRPC for errors that do not tell whether the request was acted on: cancelled, too late, unavailable.
const UNTOLD: [i64; 3] = [1, 4, 14];

/// What LND says of a macaroon that it does not take.
const DENIED: [&str; 3] = ["macaroon", "verification failed", "permission denied"];

/// What LND says before it is ready.
const NOT_READY: [&str; 4] = [
    "wallet locked",
    "wallet not created",
    "starting up",
    "not yet ready",
];

/// What LND says of an invoice that it does not have.
const NO_INVOICE: [&str; 2] = ["unable to locate invoice", "no existing invoices"];

/// Answers `/v1/getinfo`.
#[derive(Deserialize)]
pub(super) struct Info {
    pub(super) identity_pubkey: String,
    chains: Vec<Chain>,
}

#[derive(Deserialize)]
struct Chain {
    network: String,
}

/// Answers `POST /v1/invoices`.
#[derive(Deserialize)]
pub(super) struct Issued {
    pub(super) payment_request: String,
}

/// Answers `/v1/invoice/{hash}`.
#[derive(Deserialize)]
pub(super) struct LookedUp {
    pub(super) payment_request: String,
    pub(super) state: String,
    #[serde(default, deserialize_with = "amount")]
    amt_paid_msat: Msat,
}

/// Answers `/v1/invoices`, and is told of by `/v1/invoices/subscribe`.
#[derive(Deserialize)]
pub(super) struct Listed {
    r_hash: String,
    #[serde(default)]
    memo: String,
    state: String,
    #[serde(default, deserialize_with = "amount")]
    amt_paid_msat: Msat,
    #[serde(default, deserialize_with = "number")]
    settle_index: u64,
}

/// Answers `/v1/invoices`.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) invoices: Vec<Listed>,
    #[serde(default, deserialize_with = "number")]
    pub(super) last_index_offset: u64,
}

/// A line of a stream.
#[derive(Deserialize)]
struct Line<T> {
    result: Option<T>,
    error: Option<GrpcError>,
}

/// What became of a payment.
#[derive(Deserialize)]
pub(super) struct Payment {
    pub(super) status: String,
    #[serde(default)]
    payment_preimage: String,
    #[serde(default, deserialize_with = "amount")]
    fee_msat: Msat,
    #[serde(default)]
    pub(super) failure_reason: String,
}

#[derive(Deserialize)]
struct GrpcError {
    code: i64,
    message: String,
}

/// The two shapes of an error: of a request, and of a stream.
#[derive(Deserialize)]
#[serde(untagged)]
enum Failure {
    Plain(GrpcError),
    Stream { error: GrpcError },
}

/// Reads a good answer, or the reason why it is none.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, CallError> {
    if answer.status != 200 {
        return Err(failure(answer));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|error| unlike_lnd(&format!("{:?}", error.classify())))
}

/// Why an answer with a bad status is one.
pub(super) fn failure(answer: &Answer) -> CallError {
    match serde_json::from_slice(&answer.body) {
        Ok(Failure::Plain(error) | Failure::Stream { error }) => error.into(),
        Err(_) if matches!(answer.status, 401 | 403) => denied(),
        Err(_) => unlike_lnd(&format!("HTTP {}", answer.status)),
    }
}

fn denied() -> CallError {
    let bake = super::macaroon::bake();
    CallError::Denied(format!(
        "LND does not take this macaroon for that: make one with `{bake}`, on this very node"
    ))
}

fn unlike_lnd(what: &str) -> CallError {
    CallError::Lost(format!(
        "the server does not answer as LND does ({what}): set `address` to its restlisten"
    ))
}

impl From<GrpcError> for CallError {
    fn from(GrpcError { code, message }: GrpcError) -> Self {
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if says(&DENIED) {
            denied()
        } else if says(&NOT_READY) {
            let message = said(&message);
            Self::NotSent(format!(
                "LND is not ready ({message}): do `lncli unlock`, or wait"
            ))
        } else if message == "Not Found" {
            unlike_lnd("it has no such method")
        } else if UNTOLD.contains(&code) {
            Self::Lost(said(&message))
        } else {
            let message = said(&message);
            Self::Refused { code, message }
        }
    }
}

/// Whether an error says that there is no such invoice.
pub(super) fn is_no_invoice(message: &str) -> bool {
    NO_INVOICE.iter().any(|word| message.contains(word))
}

impl Info {
    /// The network, in this project's words.
    pub(super) fn network(&self) -> Option<&str> {
        match self.chains.first()?.network.as_str() {
            "mainnet" => Some("bitcoin"),
            other => Some(other),
        }
    }
}

impl LookedUp {
    pub(super) fn incoming(&self) -> Option<Incoming> {
        match self.state.as_str() {
            "OPEN" | "CANCELED" => Some(Incoming::Unpaid),
            "ACCEPTED" => Some(Incoming::Held),
            "SETTLED" => Some(Incoming::Settled {
                amount: self.amt_paid_msat,
            }),
            _ => None,
        }
    }
}

/// Reads a line of a stream.
pub(super) fn read_line<T: DeserializeOwned>(line: &[u8]) -> Result<T, CallError> {
    let line: Line<T> = serde_json::from_slice(line)
        .map_err(|error| unlike_lnd(&format!("{:?}", error.classify())))?;
    match line {
        Line {
            error: Some(error), ..
        } => Err(error.into()),
        Line {
            result: Some(result),
            ..
        } => Ok(result),
        Line { .. } => Err(unlike_lnd("neither result nor error")),
    }
}

impl Listed {
    /// The invoice, if it is settled behind `place`.
    pub(super) fn settled_behind(self, place: u64) -> Result<Option<SettledInvoice>, CallError> {
        if self.state != "SETTLED" || self.settle_index <= place {
            return Ok(None);
        }
        let hash = STANDARD.decode(&self.r_hash).ok();
        let payment_hash = hash.and_then(|hash| hash.try_into().ok());
        Ok(Some(SettledInvoice {
            payment_hash: payment_hash.ok_or_else(|| unlike_lnd("no payment hash"))?,
            description: self.memo,
            amount: self.amt_paid_msat,
            place: self.settle_index,
        }))
    }
}

impl Payment {
    pub(super) fn outgoing(&self, hash: &[u8; 32]) -> Option<Outgoing> {
        match self.status.as_str() {
            "FAILED" => Some(Outgoing::NotPaid),
            "INITIATED" | "IN_FLIGHT" => Some(Outgoing::Pending),
            "SUCCEEDED" => paid(&self.payment_preimage, hash, self.fee_msat).map(Outgoing::Paid),
            _ => None,
        }
    }
}

/// Reads an amount.
fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Msat, D::Error> {
    number(deserializer).map(Msat::from_msat)
}

/// Reads an integer, which LND's REST writes as a text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Number(number) => Ok(number),
        Written::Text(text) => text.parse().map_err(|_| D::Error::custom("no number")),
    }
}
