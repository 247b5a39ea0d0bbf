//! A paywall's handler: the parts of a request go in, a status and a body come out.
//!
//! It stands on no web framework. In one, the handler is a line, with the program's own clock for `now`:
//! `async fn article(State(gate): State<Arc<Gate>>, headers: HeaderMap) -> impl IntoResponse`.
//!
//! ```text
//! cargo run -p mesh-payment --example lightning_handler
//! ```
#![expect(clippy::print_stdout, reason = "it shows what it does")]

use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret};
use mesh_payment::{Invoice, QuoteKey, Quoter, SettlementPolicy, Verifier, VerifyError};
use mesh_types::{
    ClaimKey, InvoiceRequest, Msat, Network, NodeId, PaymentProof, UnixTime, from_hex, to_hex,
};
use secp256k1::{Secp256k1, SecretKey};
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, hash_map::Entry},
    error::Error,
    sync::{Mutex, PoisonError},
    time::Duration,
};

const PRICE: Msat = Msat::from_msat(20_000);
const LIFETIME: Duration = Duration::from_secs(600);

/// The parts of a request that matter here.
#[derive(Debug, Clone, Copy)]
struct Parts<'a> {
    /// `x-payer`: who pays, in hex.
    payer: &'a str,
    /// `authorization`: `Invoice`, the invoice, a colon and the preimage in hex.
    authorization: Option<&'a str>,
}

#[derive(Debug)]
struct Reply {
    status: u16,
    /// `www-authenticate` of a 402: the invoice to pay.
    invoice: Option<String>,
    body: String,
}

impl Reply {
    fn new(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            invoice: None,
            body: body.into(),
        }
    }
}

/// What all requests share.
struct Gate {
    quoter: Quoter,
    verifier: Verifier,
    wallet: Wallet,
    /// What was claimed, until its proof is over. A program that may be restarted keeps it on a disk.
    claimed: Mutex<HashMap<ClaimKey, UnixTime>>,
}

impl Gate {
    /// Serves whoever has paid, once for each payment.
    fn handle(&self, parts: Parts<'_>, nonce: [u8; 16], now: UnixTime) -> Reply {
        let Ok(payer) = from_hex(parts.payer).map(NodeId::from_bytes) else {
            return Reply::new(400, "x-payer has to be 32 bytes in hex");
        };
        let Some(shown) = parts.authorization else {
            return self.ask(payer, "this costs 20 satoshi", nonce, now);
        };
        let Some(proof) = read(shown) else {
            return Reply::new(400, "expected \"Invoice <bolt11>:<preimage>\"");
        };
        let payment = match self.verifier.verify(&proof, now) {
            Ok(payment) => payment,
            Err(error @ VerifyError::Invoice(_)) => return Reply::new(400, error.to_string()),
            Err(error) => return self.ask(payer, &error.to_string(), nonce, now),
        };
        // Verified first, remembered second, served last: what is refused leaves no trace.
        if self.claim(payment.key(), payment.expires_at(), now) {
            Reply::new(200, format!("the article, for {}", payment.amount()))
        } else {
            Reply::new(409, "this payment was used before")
        }
    }

    /// Says what it costs, by an invoice that nothing is remembered of.
    fn ask(&self, payer: NodeId, why: &str, nonce: [u8; 16], now: UnixTime) -> Reply {
        let issued = self.quoter.quote(payer, PRICE, nonce, now);
        let issued = issued.map_err(|error| error.to_string());
        match issued.and_then(|issued| self.wallet.issue(&issued.request, now)) {
            Ok(invoice) => Reply {
                invoice: Some(invoice),
                ..Reply::new(402, why)
            },
            Err(error) => Reply::new(500, error),
        }
    }

    /// Says whether it is the first time, and remembers it as long as it could be shown again.
    fn claim(&self, key: ClaimKey, until: UnixTime, now: UnixTime) -> bool {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.retain(|_, until| until.is_alive_at(now));
        match claimed.entry(key) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(until);
                true
            }
        }
    }
}

/// Reads the header. A proof's other fields say what its invoice says, so they need not be sent.
fn read(shown: &str) -> Option<PaymentProof> {
    let (text, preimage) = shown.strip_prefix("Invoice ")?.split_once(':')?;
    let invoice = Invoice::parse(text).ok();
    let invoice = invoice.as_ref();
    Some(PaymentProof::Lightning {
        invoice: text.to_owned(),
        preimage: from_hex(preimage).ok()?,
        amount_msats: invoice.and_then(Invoice::amount).map_or(0, Msat::to_msat),
        timestamp: invoice.map_or(0, |it| it.timestamp().to_secs()),
        expires_at: invoice.map_or(0, |it| it.expires_at().to_secs()),
    })
}

/// Stands for a Lightning back end: it signs invoices, and whoever pays one learns its preimage.
struct Wallet {
    secp: Secp256k1<secp256k1::All>,
    key: SecretKey,
    preimages: Mutex<HashMap<String, [u8; 32]>>,
}

impl Wallet {
    fn issue(&self, request: &InvoiceRequest, now: UnixTime) -> Result<String, String> {
        let hash = to_hex(&Sha256::digest(request.preimage));
        let invoice = InvoiceBuilder::new(Currency::Regtest)
            .amount_milli_satoshis(request.amount.to_msat())
            .description(request.description.clone())
            .payment_hash(hash.parse().map_err(|_| "no hash")?)
            .payment_secret(PaymentSecret([2; 32]))
            .duration_since_epoch(Duration::from_secs(now.to_secs()))
            .expiry_time(request.expiry)
            .min_final_cltv_expiry_delta(80)
            .build_signed(|digest| self.secp.sign_ecdsa_recoverable(digest, &self.key))
            .map_err(|error| error.to_string())?
            .to_string();
        let mut preimages = self
            .preimages
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        preimages.insert(invoice.clone(), request.preimage);
        Ok(invoice)
    }

    fn pay(&self, invoice: &str) -> Option<[u8; 32]> {
        let preimages = self
            .preimages
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        preimages.get(invoice).copied()
    }
}

fn gate() -> Result<Gate, Box<dyn Error>> {
    let node_id = NodeId::from_bytes([1; 32]);
    let key = QuoteKey::derive(&[3; 32]).on(Network::Regtest);
    Ok(Gate {
        quoter: Quoter {
            payee: node_id,
            key: key.clone(),
            lifetime: LIFETIME,
            price_epoch: 0,
        },
        verifier: Verifier {
            node_id,
            network: Network::Regtest,
            quote_key: Some(key),
            payee_key: None,
            settlement: SettlementPolicy::default(),
        },
        wallet: Wallet {
            secp: Secp256k1::new(),
            key: SecretKey::from_slice(&[5; 32])?,
            preimages: Mutex::default(),
        },
        claimed: Mutex::default(),
    })
}

/// Prints a reply, which has to be the one that was expected.
fn show(step: &str, reply: &Reply, status: u16, body: &str) {
    println!("{step:<34} {} {}", reply.status, reply.body);
    assert_eq!((reply.status, reply.body.as_str()), (status, body));
    assert_eq!(reply.invoice.is_some(), status == 402);
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let gate = gate()?;
    let now = UnixTime::from_secs(1_790_000_000);
    let payer = to_hex(&[0xaa; 32]);
    let mut nonce = 0;
    let mut send = |authorization: Option<&str>, now| {
        nonce += 1;
        let parts = Parts {
            payer: &payer,
            authorization,
        };
        gate.handle(parts, [nonce; 16], now)
    };

    let asked = send(None, now);
    show("without a proof", &asked, 402, "this costs 20 satoshi");
    let invoice = asked.invoice.ok_or("a 402 brings an invoice")?;
    println!("{:<34} {invoice:.60}…", "the invoice");

    let preimage = gate.wallet.pay(&invoice).ok_or("nobody issued it")?;
    let good = format!("Invoice {invoice}:{}", to_hex(&preimage));
    let unpaid = format!("Invoice {invoice}:{}", to_hex(&[0; 32]));
    let why = "the preimage does not hash to the invoice's payment hash";
    show(
        "a preimage that was made up",
        &send(Some(&unpaid), now),
        402,
        why,
    );
    show(
        "the same invoice, paid",
        &send(Some(&good), now),
        200,
        "the article, for 20000 msat",
    );
    let used = "this payment was used before";
    show("the same proof again", &send(Some(&good), now), 409, used);
    show(
        "and again, in upper case",
        &send(Some(&upper_case(&invoice, &preimage)), now),
        409,
        used,
    );
    let remembered = gate
        .claimed
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .len();
    println!("{:<34} {remembered}", "payments remembered");
    assert_eq!(remembered, 1);

    let over = "the payment could be shown until 1790000600, Unix seconds";
    show(
        "at its end",
        &send(Some(&good), now.plus(LIFETIME)),
        402,
        over,
    );
    let shape = "expected \"Invoice <bolt11>:<preimage>\"";
    show(
        "a header of another kind",
        &send(Some("Bearer 1234"), now),
        400,
        shape,
    );
    let cut = good.replacen("Invoice lnbcrt", "Invoice lnbcr", 1);
    let no_invoice = "not a BOLT11 invoice: Invalid bech32: invalid checksum";
    show("a letter too few", &send(Some(&cut), now), 400, no_invoice);
    Ok(())
}

/// The same invoice in the other case in which BOLT11 lets it be written, as QR codes have it.
fn upper_case(invoice: &str, preimage: &[u8; 32]) -> String {
    format!("Invoice {}:{}", invoice.to_uppercase(), to_hex(preimage))
}
