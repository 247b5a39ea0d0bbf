use crate::pay::paid;
use mesh_types::{Incoming, Msat, Outgoing, SettledInvoice, from_hex};
use serde::{Deserialize, Deserializer, de::Error as _};

/// Answers `getinfo`.
#[derive(Deserialize)]
pub(super) struct Info {
    pub(super) id: String,
    pub(super) network: String,
}

/// Answers `invoice`.
#[derive(Deserialize)]
pub(super) struct Issued {
    pub(super) bolt11: String,
}

/// Answers `listinvoices`.
#[derive(Deserialize)]
pub(super) struct Invoices {
    invoices: Vec<ListedInvoice>,
}

#[derive(Deserialize)]
struct ListedInvoice {
    status: String,
    bolt11: Option<String>,
    #[serde(default, deserialize_with = "amount")]
    amount_received_msat: Option<Msat>,
}

/// Answers `waitanyinvoice`.
#[derive(Deserialize)]
pub(super) struct Settled {
    payment_hash: String,
    status: String,
    pay_index: u64,
    description: Option<String>,
    #[serde(default, deserialize_with = "amount")]
    amount_received_msat: Option<Msat>,
}

/// Answers `pay` and `xpay`; `xpay` has no status, and answers only when all is paid.
#[derive(Deserialize)]
pub(super) struct Paid {
    pub(super) payment_preimage: String,
    status: Option<String>,
    #[serde(default, deserialize_with = "amount")]
    amount_msat: Option<Msat>,
    #[serde(default, deserialize_with = "amount")]
    amount_sent_msat: Option<Msat>,
}

/// Answers `listpays`.
#[derive(Deserialize)]
pub(super) struct Pays {
    pays: Vec<ListedPay>,
}

#[derive(Deserialize)]
struct ListedPay {
    status: String,
    preimage: Option<String>,
    #[serde(default, deserialize_with = "amount")]
    amount_msat: Option<Msat>,
    #[serde(default, deserialize_with = "amount")]
    amount_sent_msat: Option<Msat>,
}

impl Invoices {
    /// The text of the invoice, while it can be paid or has been.
    pub(super) fn unexpired_text(&self) -> Result<&str, String> {
        let Some(invoice) = self.invoices.first() else {
            return Err("the preimage was used for an invoice that was deleted since".to_owned());
        };
        if invoice.status == "expired" {
            return Err("the invoice of this preimage has expired".to_owned());
        }
        let text = invoice.bolt11.as_deref();
        text.ok_or_else(|| "the invoice of this preimage is no BOLT11 invoice".to_owned())
    }

    pub(super) fn incoming(&self) -> Result<Incoming, String> {
        let Some(invoice) = self.invoices.first() else {
            return Ok(Incoming::NotOurs);
        };
        match (invoice.status.as_str(), invoice.amount_received_msat) {
            ("unpaid" | "expired", _) => Ok(Incoming::Unpaid),
            ("paid", Some(amount)) => Ok(Incoming::Settled { amount }),
            _ => Err("Core Lightning lists an invoice of a status that is not known".to_owned()),
        }
    }
}

impl Settled {
    pub(super) fn told_behind(self, place: u64) -> Result<SettledInvoice, String> {
        let payment_hash = from_hex(&self.payment_hash).ok();
        match (payment_hash, self.amount_received_msat) {
            (Some(payment_hash), Some(amount))
                if self.status == "paid" && self.pay_index > place =>
            {
                Ok(SettledInvoice {
                    payment_hash,
                    description: self.description.unwrap_or_default(),
                    amount,
                    place: self.pay_index,
                })
            }
            _ => Err("Core Lightning tells of a paid invoice that reads as none".to_owned()),
        }
    }
}

impl Paid {
    pub(super) fn is_complete(&self) -> bool {
        self.status
            .as_deref()
            .is_none_or(|status| status == "complete")
    }

    pub(super) fn fee(&self) -> Msat {
        fee(self.amount_sent_msat, self.amount_msat)
    }
}

impl Pays {
    /// One attempt that is paid outweighs all others, and one that is under way outweighs those that failed.
    pub(super) fn outgoing(&self, hash: &[u8; 32]) -> Result<Outgoing, String> {
        let mut outcome = Outgoing::NotPaid;
        for pay in &self.pays {
            match (pay.status.as_str(), &pay.preimage) {
                ("complete", Some(preimage)) => {
                    let paid = paid(preimage, hash, fee(pay.amount_sent_msat, pay.amount_msat));
                    let paid = paid.ok_or("Core Lightning lists a preimage that does not fit")?;
                    return Ok(Outgoing::Paid(paid));
                }
                ("pending", _) => outcome = Outgoing::Pending,
                ("failed", _) => {}
                _ => return Err("Core Lightning lists a payment of an unknown status".to_owned()),
            }
        }
        Ok(outcome)
    }
}

/// What was sent beyond the amount; nothing when the node leaves one of them out.
fn fee(sent: Option<Msat>, amount: Option<Msat>) -> Msat {
    let fee = sent
        .zip(amount)
        .and_then(|(sent, amount)| sent.checked_sub(amount));
    fee.unwrap_or(Msat::ZERO)
}

/// Reads a number, or a text such as `1000msat`, which nodes wrote before version 23.
fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Msat>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }
    let msat = match Option::<Written>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Written::Number(msat)) => msat,
        Some(Written::Text(text)) => text
            .trim_end_matches("msat")
            .parse()
            .map_err(|_| D::Error::custom("no amount in millisatoshi"))?,
    };
    Ok(Some(Msat::from_msat(msat)))
}
