mod answer;
mod settled;
mod time;

use crate::{
    LnbitsConfig, MAX_SECRET_LEN, OpenError,
    call::CallError,
    http::{Endpoint, Http, pinned, public},
    invoice::{Invoice, check_issued, check_request},
    pay::{Payer, Sent, pay_once},
};
use answer::{FeeReserve, Found, Issued, failure, read};
use async_trait::async_trait;
use hyper::{
    Method,
    header::{HeaderName, HeaderValue},
};
use mesh_types::{
    Incoming, InvoiceRequest, LightningError, LightningInfo, LightningNode, Msat, Network,
    Outgoing, PaidInvoice, PayLimits, SettledInvoice, to_hex,
};
use serde_json::{Value, json};
use settled::Told;
use std::{str, time::Duration};
use tokio::sync::OnceCell;

/// The amount of the invoice that is issued once to see who signs: one satoshi, the least that LNbits takes. Nobody is
/// given it.
pub const PROBE_AMOUNT: Msat = Msat::from_msat(1_000);

/// How long the probe may be paid: a minute, the shortest that every funding source takes.
const PROBE_EXPIRY: Duration = Duration::from_secs(60);

/// The setting that says where LNbits is.
const URL: &str = "url";

/// Where payments of both directions are.
const PAYMENTS: &str = "/api/v1/payments";

/// A status of HTTP.
const NOT_FOUND: i64 = 404;

/// A wallet of an LNbits server, by REST.
///
/// - It takes no preimage of ours: each request gives a new invoice, and the preimage of the request is not used.
/// - The key that signs is that of the node behind the server, and signs for all wallets there. LNbits does not name it,
///   so the first call of `info` issues an invoice of [`PROBE_AMOUNT`] and reads key and network from it.
/// - Amounts are whole satoshi.
/// - It takes no limit of fees. It names the most that it lets routing and its own service cost, and a payment is sent
///   only when that is within the limit. Some of the nodes that can be behind it keep to no limit; what they spend beyond it
///   is told with the payment, and logged.
///
/// # Source
/// LNbits's API, `/docs` of any server.
#[derive(Debug)]
pub struct Lnbits {
    http: Http,
    network: Network,
    signer: OnceCell<Signer>,
    told: Told,
}

/// What an issued invoice says of the node behind the server.
#[derive(Debug, Clone, Copy)]
struct Signer {
    payee_key: [u8; 33],
    network: Network,
}

impl Lnbits {
    /// Reads the key, and the certificate if there is one; nothing is asked of the server yet.
    ///
    /// # Errors
    /// [`OpenError`] for an address, a certificate or a key that is none, and for an address that needs encryption.
    pub fn open(config: &LnbitsConfig, network: Network) -> Result<Self, OpenError> {
        let endpoint = Endpoint::read(URL, &config.url)?;
        let tls = if endpoint.is_secure {
            let connector = match &config.tls_cert {
                Some(path) => pinned(path)?,
                None => public()?,
            };
            Some((connector, endpoint.server_name(URL)?))
        } else if endpoint.is_here() {
            None
        } else {
            return Err(OpenError::InClear {
                setting: URL,
                host: endpoint.host,
            });
        };
        let http = Http {
            name: "LNbits",
            endpoint,
            tls,
            key_header: HeaderName::from_static("x-api-key"),
            key: read_key(config)?,
            certificate_hint: "set `tls_cert` to its certificate, if it is its own".to_owned(),
        };
        Ok(Self {
            http,
            network,
            signer: OnceCell::new(),
            told: Told::default(),
        })
    }

    async fn issue(&self, amount: Msat, memo: &str, expiry: Duration) -> Result<String, CallError> {
        let body = json!({
            "out": false,
            "amount": amount.to_sats_floor(),
            "unit": "sat",
            "memo": memo,
            "expiry": expiry.as_secs(),
        });
        let answer = self.http.ask(Method::POST, PAYMENTS, Some(&body)).await?;
        read::<Issued>(&answer)?.text()
    }

    async fn probe(&self) -> Result<Signer, LightningError> {
        let memo = "blvm-mesh asks who signs";
        let text = self.issue(PROBE_AMOUNT, memo, PROBE_EXPIRY).await?;
        let invoice = Invoice::read(&text).map_err(|why| {
            LightningError::Refused(format!(
                "LNbits issued an invoice that does not read: {why}"
            ))
        })?;
        Ok(Signer {
            payee_key: invoice.payee_key,
            network: invoice.network(self.network),
        })
    }

    /// Finds a payment of this wallet, of either direction.
    async fn find(&self, hash: &[u8; 32]) -> Result<Option<Found>, CallError> {
        let path = format!("{PAYMENTS}/{}", to_hex(hash));
        let answer = self.http.ask(Method::GET, &path, None).await?;
        match read(&answer) {
            Ok(found) => Ok(Some(found)),
            Err(CallError::Refused { code, .. }) if code == NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The most that LNbits would let this payment cost.
    async fn most_fee(&self, text: &str) -> Result<Msat, CallError> {
        let path = format!("{PAYMENTS}/fee-reserve?invoice={text}");
        let answer = self.http.ask(Method::GET, &path, None).await?;
        Ok(read::<FeeReserve>(&answer)?.most())
    }

    /// Sends the payment, and waits for the word of LNbits.
    async fn post_payment(&self, text: &str) -> Result<(), CallError> {
        let body = json!({ "out": true, "bolt11": text });
        let sent = self.http.start(Method::POST, PAYMENTS, Some(&body)).await?;
        let answer = sent.whole().await?;
        if !matches!(answer.status, 200 | 201) {
            return Err(failure(&answer));
        }
        read::<Value>(&answer).map(drop)
    }
}

fn read_key(config: &LnbitsConfig) -> Result<HeaderValue, OpenError> {
    let no_key = || OpenError::Key {
        place: config.key.to_string(),
    };
    let secret = config.key.read(MAX_SECRET_LEN)?;
    let text = str::from_utf8(secret.bytes()).map_err(|_| no_key())?.trim();
    let is_key = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let mut key = HeaderValue::from_str(text).map_err(|_| no_key())?;
    key.set_sensitive(true);
    if is_key { Ok(key) } else { Err(no_key()) }
}

#[async_trait]
impl LightningNode for Lnbits {
    async fn info(&self) -> Result<LightningInfo, LightningError> {
        let signer = self.signer.get_or_try_init(|| self.probe()).await?;
        Ok(LightningInfo {
            payee_key: signer.payee_key,
            network: signer.network,
            takes_preimages: false,
            is_shared: true,
        })
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<String, LightningError> {
        check_request(&request)?;
        if !request.amount.to_msat().is_multiple_of(1_000) {
            let why = "LNbits issues invoices for whole satoshi alone";
            return Err(LightningError::Refused(why.to_owned()));
        }
        let memo = &request.description;
        let text = self.issue(request.amount, memo, request.expiry).await?;
        let invoice = check_issued(&text, request.amount, None, self.network)?;
        let known = self.signer.get();
        if known.is_some_and(|signer| signer.payee_key != invoice.payee_key) {
            let why = "the node behind LNbits was changed, and signs with another key: restart";
            return Err(LightningError::Refused(why.to_owned()));
        }
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
        let Some(found) = self.find(&payment_hash).await? else {
            return Ok(Incoming::NotOurs);
        };
        Ok(found.incoming()?)
    }

    async fn outgoing(&self, payment_hash: [u8; 32]) -> Result<Outgoing, LightningError> {
        let Some(found) = self.find(&payment_hash).await? else {
            return Ok(Outgoing::NotPaid);
        };
        Ok(found.outgoing(&payment_hash)?)
    }

    /// Places are microseconds of the server's clock. What was settled in the last hour before `place` is told again where
    /// this back end was opened since.
    async fn settled_behind(
        &self,
        place: u64,
        patience: Duration,
    ) -> Result<Vec<SettledInvoice>, LightningError> {
        Ok(self.told_behind(place, patience).await?)
    }
}

#[async_trait]
impl Payer for Lnbits {
    async fn send(
        &self,
        text: &str,
        invoice: &Invoice,
        limits: PayLimits,
    ) -> Result<Sent, LightningError> {
        let most = self.most_fee(text).await?;
        if most > limits.max_fee {
            let (most, allowed) = (most.to_msat(), limits.max_fee.to_msat());
            return Err(LightningError::PaymentFailed(format!(
                "LNbits may spend {most} msat on routing, and {allowed} msat are allowed"
            )));
        }
        match self.post_payment(text).await {
            // Whether it is paid is for the look-up to say, which has the preimage, too.
            Ok(()) => match self.outgoing(invoice.payment_hash).await {
                Ok(Outgoing::Paid(paid)) => {
                    if paid.fee > most {
                        let (fee, most) = (paid.fee.to_msat(), most.to_msat());
                        tracing::warn!(
                            fee_msat = fee,
                            most_msat = most,
                            "LNbits spent more on routing than it lets a payment cost"
                        );
                    }
                    Ok(Sent::Paid(paid))
                }
                _ => Ok(Sent::Lost("LNbits has not paid yet".to_owned())),
            },
            Err(CallError::Lost(why)) => Ok(Sent::Lost(why)),
            Err(CallError::Refused { message, .. }) => Ok(Sent::Rejected(message)),
            Err(error) => Err(error.into()),
        }
    }
}
