use super::time::read_micros;
use crate::{call::CallError, http::Answer, pay::paid, said::said};
use mesh_types::{Incoming, Msat, Outgoing, from_hex};
use serde::{Deserialize, de::DeserializeOwned};

/// The status of LNbits for a payment that did not go through.
const PAYMENT_ERROR: u16 = 520;

/// What LNbits calls a payment that went through.
const SUCCESS: &str = "success";

/// What LNbits calls a payment that failed for good.
const FAILED: &str = "failed";

/// Answers `POST /api/v1/payments`. Version 1 writes the text under both names, older ones under the second alone.
#[derive(Deserialize)]
pub(super) struct Issued {
    bolt11: Option<String>,
    payment_request: Option<String>,
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

/// Answers `GET /api/v1/payments`.
#[derive(Deserialize)]
pub(super) struct Listed {
    payment_hash: String,
    /// In millisatoshi; what was sent is less than nothing.
    amount: i64,
    status: String,
    memo: Option<String>,
    updated_at: Option<String>,
}

/// An invoice that is paid.
pub(super) struct Settled {
    pub(super) payment_hash: [u8; 32],
    pub(super) description: String,
    pub(super) amount: Msat,
    /// When LNbits noted that, or last changed anything about it.
    pub(super) micros: u64,
}

#[derive(Deserialize)]
struct Failure {
    detail: serde_json::Value,
    status: Option<String>,
}

/// What LNbits says of a key that it does not know.
const NO_WALLET: &str = "Wallet not found.";

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
        return denied();
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
        404 if message == NO_WALLET => denied(),
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

fn denied() -> CallError {
    CallError::Denied(
        "LNbits does not take this key for that: an invoice key receives, to pay takes the admin key of the wallet"
            .to_owned(),
    )
}

fn unlike_lnbits(what: &str) -> CallError {
    CallError::Lost(format!(
        "the server does not answer as LNbits does ({what}): set `url` to where its wallets are"
    ))
}

impl Issued {
    pub(super) fn text(self) -> Result<String, CallError> {
        let text = self.bolt11.or(self.payment_request);
        text.ok_or_else(|| unlike_lnbits("an invoice without its text"))
    }
}

impl Listed {
    /// The invoice, if it is one and is settled.
    pub(super) fn settled(self) -> Result<Option<Settled>, CallError> {
        let Ok(amount @ 1..) = u64::try_from(self.amount) else {
            return Ok(None);
        };
        // What an operator or an extension has credited may have a name of its own there, and is no invoice.
        let Ok(payment_hash) = from_hex(&self.payment_hash) else {
            return Ok(None);
        };
        if self.status != SUCCESS {
            return Ok(None);
        }
        let no_time = || CallError::Refused {
            code: 0,
            message: "LNbits does not tell when an invoice was paid: it takes version 1.0 or later"
                .to_owned(),
        };
        let time = self.updated_at.ok_or_else(no_time)?;
        Ok(Some(Settled {
            payment_hash,
            description: self.memo.unwrap_or_default(),
            amount: Msat::from_msat(amount),
            micros: read_micros(&time).ok_or_else(|| unlike_lnbits("no time"))?,
        }))
    }
}

impl FeeReserve {
    /// The most that LNbits lets routing cost.
    pub(super) const fn most(&self) -> Msat {
        Msat::from_msat(self.fee_reserve)
    }
}

impl Found {
    /// LNbits tells everyone whether something is paid, and the rest only to the key of the wallet.
    fn details(&self) -> Result<&Details, CallError> {
        self.details.as_ref().ok_or_else(denied)
    }

    pub(super) fn incoming(&self) -> Result<Incoming, CallError> {
        let Ok(amount @ 1..) = u64::try_from(self.details()?.amount) else {
            return Ok(Incoming::NotOurs);
        };
        let amount = Msat::from_msat(amount);
        Ok(if self.paid {
            Incoming::Settled { amount }
        } else {
            Incoming::Unpaid
        })
    }

    pub(super) fn outgoing(&self, hash: &[u8; 32]) -> Result<Outgoing, CallError> {
        let details = self.details()?;
        if details.amount >= 0 || (!self.paid && details.status.as_deref() == Some(FAILED)) {
            return Ok(Outgoing::NotPaid);
        }
        if !self.paid {
            return Ok(Outgoing::Pending);
        }
        let fee = Msat::from_msat(details.fee.unsigned_abs());
        let preimage = self.preimage.as_deref().unwrap_or_default();
        let paid = paid(preimage, hash, fee);
        let no_proof = || CallError::Lost("LNbits has no preimage that fits a payment".to_owned());
        Ok(Outgoing::Paid(paid.ok_or_else(no_proof)?))
    }
}
