mod answer;
mod macaroon;
mod settled;

use crate::{
    LndConfig, MAX_SECRET_LEN, OpenError, REQUEST_PATIENCE,
    call::CallError,
    http::{Endpoint, Http, pinned},
    invoice::{Invoice, check_issued, check_request, payment_hash},
    pay::{Payer, Sent, pay_once, time_to_try},
};
use answer::{Info, Issued, LookedUp, Payment, failure, is_no_invoice, read, read_line};
use async_trait::async_trait;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use hyper::{
    Method,
    header::{HeaderName, HeaderValue},
};
use macaroon::Macaroon;
use mesh_types::{
    Incoming, InvoiceRequest, LightningError, LightningInfo, LightningNode, Network, Outgoing,
    PaidInvoice, PayLimits, SettledInvoice, from_hex, to_hex,
};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// The setting that says where LND is.
const ADDRESS: &str = "address";

/// The number of gRPC for what is not there.
const NOT_FOUND: i64 = 5;

/// An LND node, by REST.
///
/// It takes our preimages, and refuses a second invoice for one; then the first is looked up, and given again.
///
/// # Source
/// LND's API reference: `lnrpc.Lightning` (AddInvoice, LookupInvoice, ListInvoices, SubscribeInvoices, GetInfo),
/// `routerrpc.Router` (SendPaymentV2, TrackPaymentV2).
#[derive(Debug)]
pub struct Lnd {
    http: Http,
    network: Network,
    private_channels: bool,
}

impl Lnd {
    /// Reads the certificate and the macaroon; nothing is asked of the node yet. The second part of the answer is what
    /// its operator should know of the macaroon.
    ///
    /// # Errors
    /// [`OpenError`] for an address, a certificate or a macaroon that is none.
    pub fn open(config: &LndConfig, network: Network) -> Result<(Self, Option<String>), OpenError> {
        let endpoint = Endpoint::read(ADDRESS, &format!("https://{}", config.address))?;
        let no_macaroon = || OpenError::Macaroon {
            place: config.macaroon.to_string(),
            command: macaroon::bake(),
        };
        let macaroon =
            Macaroon::read(&config.macaroon.read(MAX_SECRET_LEN)?).ok_or_else(no_macaroon)?;
        let mut key = HeaderValue::from_str(macaroon.hex()).map_err(|_| no_macaroon())?;
        key.set_sensitive(true);
        let server = endpoint.server_name(ADDRESS)?;
        let http = Http {
            name: "LND",
            endpoint,
            tls: Some((pinned(&config.tls_cert)?, server)),
            key_header: HeaderName::from_static("grpc-metadata-macaroon"),
            key,
            certificate_hint: format!(
                "copy LND's tls.cert to {} again, if that is really its server",
                config.tls_cert.display()
            ),
        };
        let node = Self {
            http,
            network,
            private_channels: config.private_channels,
        };
        Ok((node, macaroon.warning()))
    }

    async fn look_up(&self, hash: &[u8; 32]) -> Result<Option<LookedUp>, CallError> {
        let path = format!("/v1/invoice/{}", to_hex(hash));
        let answer = self.http.ask(Method::GET, &path, None).await?;
        match read(&answer) {
            Ok(found) => Ok(Some(found)),
            Err(CallError::Refused { message, .. }) if is_no_invoice(&message) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn issued_before(&self, hash: &[u8; 32]) -> Result<String, LightningError> {
        let refused = |why: &str| LightningError::Refused(why.to_owned());
        let found = self.look_up(hash).await?;
        let found = found.ok_or_else(|| refused("LND has an invoice, and does not find it"))?;
        if found.state == "CANCELED" {
            return Err(refused("the invoice of this preimage has expired"));
        }
        Ok(found.payment_request)
    }

    /// The first word of a payment's track, which is its state now; `None` when there is no such payment.
    async fn track(&self, hash: &[u8; 32]) -> Result<Option<Payment>, CallError> {
        let path = format!("/v2/router/track/{}", URL_SAFE.encode(hash));
        let mut stream = self.http.start(Method::GET, &path, None).await?;
        let found = if stream.status() == 200 {
            let line = stream.line().await?;
            let silent = || CallError::Lost("LND tells nothing of the payment".to_owned());
            read_line(&line.ok_or_else(silent)?)
        } else {
            Err(failure(&stream.whole().await?))
        };
        match found {
            Ok(payment) => Ok(Some(payment)),
            Err(CallError::Refused { code, .. }) if code == NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends the payment, and follows it to its end.
    async fn follow(&self, text: &str, limits: PayLimits) -> Result<Payment, CallError> {
        let body = json!({
            "payment_request": text,
            "timeout_seconds": time_to_try(limits.patience),
            "fee_limit_msat": limits.max_fee.to_msat().to_string(),
            "no_inflight_updates": true,
        });
        let path = "/v2/router/send";
        let mut stream = self.http.start(Method::POST, path, Some(&body)).await?;
        if stream.status() != 200 {
            return Err(failure(&stream.whole().await?));
        }
        while let Some(line) = stream.line().await? {
            let payment: Payment = read_line(&line)?;
            if matches!(payment.status.as_str(), "SUCCEEDED" | "FAILED") {
                return Ok(payment);
            }
        }
        Err(CallError::Lost(
            "LND stopped telling of the payment".to_owned(),
        ))
    }
}

#[async_trait]
impl LightningNode for Lnd {
    async fn info(&self) -> Result<LightningInfo, LightningError> {
        let answer = self.http.ask(Method::GET, "/v1/getinfo", None).await?;
        let info: Info = read(&answer)?;
        let unlike = |what: &str| LightningError::Unreachable(format!("LND's {what} is none"));
        let network = info.network().and_then(|word| word.parse().ok());
        Ok(LightningInfo {
            payee_key: from_hex(&info.identity_pubkey).map_err(|_| unlike("public key"))?,
            network: network.ok_or_else(|| unlike("network"))?,
            takes_preimages: true,
            is_shared: false,
        })
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<String, LightningError> {
        check_request(&request)?;
        let hash = payment_hash(&request.preimage);
        let preimage = Zeroizing::new(STANDARD.encode(request.preimage));
        let body = json!({
            "value_msat": request.amount.to_msat().to_string(),
            "memo": request.description,
            "expiry": request.expiry.as_secs().to_string(),
            "r_preimage": preimage.as_str(),
            "private": self.private_channels,
        });
        let answer = self
            .http
            .ask(Method::POST, "/v1/invoices", Some(&body))
            .await?;
        let text = match read::<Issued>(&answer) {
            Ok(issued) => issued.payment_request,
            Err(CallError::Refused { message, .. }) if message.contains("already exists") => {
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
        let Some(found) = self.look_up(&payment_hash).await? else {
            return Ok(Incoming::NotOurs);
        };
        found.incoming().ok_or_else(|| {
            LightningError::Unreachable("LND has an invoice of an unknown state".to_owned())
        })
    }

    async fn outgoing(&self, payment_hash: [u8; 32]) -> Result<Outgoing, LightningError> {
        let tracked = timeout(REQUEST_PATIENCE, self.track(&payment_hash)).await;
        let tracked = tracked.unwrap_or_else(|_| Err(self.http.too_slow()))?;
        let Some(payment) = tracked else {
            return Ok(Outgoing::NotPaid);
        };
        payment.outgoing(&payment_hash).ok_or_else(|| {
            let why = "LND has a payment of an unknown state, or with a preimage that does not fit";
            LightningError::Unreachable(why.to_owned())
        })
    }

    /// Places are LND's `settle_index`.
    async fn settled_behind(
        &self,
        place: u64,
        patience: Duration,
    ) -> Result<Vec<SettledInvoice>, LightningError> {
        Ok(self.told_behind(place, patience).await?)
    }
}

#[async_trait]
impl Payer for Lnd {
    async fn send(
        &self,
        text: &str,
        invoice: &Invoice,
        limits: PayLimits,
    ) -> Result<Sent, LightningError> {
        match self.follow(text, limits).await {
            Ok(payment) => Ok(match payment.outgoing(&invoice.payment_hash) {
                Some(Outgoing::Paid(paid)) => Sent::Paid(paid),
                Some(Outgoing::NotPaid) => Sent::Rejected(payment.failure_reason),
                _ => Sent::Lost("LND's preimage is not the invoice's".to_owned()),
            }),
            Err(CallError::Lost(why)) => Ok(Sent::Lost(why)),
            Err(CallError::Refused { message, .. }) => Ok(Sent::Rejected(message)),
            Err(error) => Err(error.into()),
        }
    }
}
