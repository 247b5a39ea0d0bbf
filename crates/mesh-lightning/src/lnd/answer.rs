use crate::{call::CallError, http::Answer, pay::paid, said::said};
use mesh_types::{Incoming, Msat, Outgoing};
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

/// A line of the streams of payments.
#[derive(Deserialize)]
pub(super) struct Line {
    result: Option<Payment>,
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

impl Line {
    pub(super) fn read(line: &[u8]) -> Result<Payment, CallError> {
        let line: Self = serde_json::from_slice(line)
            .map_err(|error| unlike_lnd(&format!("{:?}", error.classify())))?;
        match line {
            Self {
                error: Some(error), ..
            } => Err(error.into()),
            Self {
                result: Some(payment),
                ..
            } => Ok(payment),
            Self { .. } => Err(unlike_lnd("neither result nor error")),
        }
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

/// Reads an integer, which LND's REST writes as a text.
fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Msat, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Number(msat) => Ok(Msat::from_msat(msat)),
        Written::Text(text) => {
            let msat = text.parse().map_err(|_| D::Error::custom("no amount"))?;
            Ok(Msat::from_msat(msat))
        }
    }
}
