use crate::{call::CallError, http::Answer, pay::paid, said::said};
use mesh_types::{Incoming, Msat, Outgoing};
use serde::{Deserialize, de::DeserializeOwned};

/// The status of LNbits for a payment that did not go through.
const PAYMENT_ERROR: u16 = 520;

/// What LNbits calls a payment that failed for good.
const FAILED: &str = "failed";

/// Answers `POST /api/v1/payments`. Before version 1 the text was named otherwise.
#[derive(Deserialize)]
pub(super) struct Issued {
    #[serde(alias = "payment_request")]
    pub(super) bolt11: String,
}

/// Answers `GET /api/v1/payments/fee-reserve`.
#[derive(Deserialize)]
pub(super) struct FeeReserve {
    fee_reserve: u64,
}

/// Answers `GET /api/v1/payments/{hash}`.
#[derive(Deserialize)]
pub(super) struct Found {
    paid: bool,
    preimage: Option<String>,
    details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    /// In millisatoshi; what was sent is less than nothing.
    amount: i64,
    #[serde(default)]
    fee: i64,
    status: Option<String>,
}

#[derive(Deserialize)]
struct Failure {
    detail: serde_json::Value,
    status: Option<String>,
}

/// Reads a good answer, or the reason why it is none.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, CallError> {
    if !matches!(answer.status, 200 | 201) {
        return Err(failure(answer));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|error| unlike_lnbits(&format!("{:?}", error.classify())))
}

/// Why an answer with a bad status is one.
pub(super) fn failure(answer: &Answer) -> CallError {
    let status = answer.status;
    if matches!(status, 401 | 403) {
        return CallError::Denied(
            "LNbits does not take this key for that: an invoice key receives, to pay takes the admin key of the wallet"
                .to_owned(),
        );
    }
    let failure: Failure = match serde_json::from_slice(&answer.body) {
        Ok(failure) => failure,
        Err(_) => return unlike_lnbits(&format!("HTTP {status}")),
    };
    let detail = failure.detail.as_str().map(str::to_owned);
    let message = said(&detail.unwrap_or_else(|| failure.detail.to_string()));
    // Without a status the payment may be under way.
    let is_final = failure.status.is_some_and(|word| word == FAILED);
    match status {
        404 if message == "Not Found" => unlike_lnbits("it has no such method"),
        400..=499 => CallError::Refused {
            code: status.into(),
            message,
        },
        PAYMENT_ERROR if is_final => CallError::Refused {
            code: status.into(),
            message,
        },
        _ => CallError::Lost(format!(
            "LNbits has a fault of its own, HTTP {status}: {message}"
        )),
    }
}

fn unlike_lnbits(what: &str) -> CallError {
    CallError::Lost(format!(
        "the server does not answer as LNbits does ({what}): set `url` to where its wallets are"
    ))
}

impl FeeReserve {
    /// The most that LNbits lets routing cost.
    pub(super) const fn most(&self) -> Msat {
        Msat::from_msat(self.fee_reserve)
    }
}

impl Found {
    pub(super) fn incoming(&self) -> Option<Incoming> {
        let details = self.details.as_ref()?;
        let Ok(amount @ 1..) = u64::try_from(details.amount) else {
            return Some(Incoming::NotOurs);
        };
        let amount = Msat::from_msat(amount);
        Some(if self.paid {
            Incoming::Settled { amount }
        } else {
            Incoming::Unpaid
        })
    }

    pub(super) fn outgoing(&self, hash: &[u8; 32]) -> Option<Outgoing> {
        let details = self.details.as_ref()?;
        if details.amount >= 0 || (!self.paid && details.status.as_deref() == Some(FAILED)) {
            return Some(Outgoing::NotPaid);
        }
        if !self.paid {
            return Some(Outgoing::Pending);
        }
        let fee = Msat::from_msat(details.fee.unsigned_abs());
        paid(self.preimage.as_deref()?, hash, fee).map(Outgoing::Paid)
    }
}
