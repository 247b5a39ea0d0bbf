//! A double of LNbits's API: amounts in satoshi on the way in, in millisatoshi on the way out.

use crate::{
    rest::{Api, Asked, Reply, secret_file, serve},
    suite::{
        Pair,
        wallet::{Op, Payment, Stage, Wallet},
    },
};
use lightning_invoice::Bolt11Invoice;
use mesh_lightning::{LightningConfig, Lnbits, LnbitsConfig, SecretFrom};
use mesh_types::{LightningNode, Network, from_hex, to_hex};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

pub(crate) const ADMIN_KEY: &str = "d08a3313322a4514af75d488bcc27eee";
pub(crate) const INVOICE_KEY: &str = "b1e5a7c09d2f4e6881aa0c3d5e7f9012";

/// In what a server differs from a plain recent one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trait {
    /// It names the text as versions before 1 did, and has no times.
    OldName,
    /// All that is settled has the same time.
    AllAtOnce,
    /// It has a fault in all that it does.
    Fault,
    /// It has a fault in the middle of a payment, which goes through.
    FaultWhilePaying,
    /// The node behind it keeps to no limit.
    SpendsMore,
    /// It is a web server.
    WebServer,
}

pub(crate) struct LnbitsPair {
    node: Lnbits,
    wallet: Arc<Wallet>,
    folder: TempDir,
    config: LnbitsConfig,
    serving: JoinHandle<()>,
}

impl LnbitsPair {
    pub(crate) async fn with(traits: &[Trait]) -> Self {
        Self::behind(None, traits).await
    }

    pub(crate) async fn behind(tls: Option<TlsAcceptor>, traits: &[Trait]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wallet = Arc::new(Wallet::new());
        let double = Arc::new(Double {
            wallet: Arc::clone(&wallet),
            traits: traits.to_vec(),
            number: AtomicU8::new(100),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (address, serving) = serve(double, tls).await;
        let key = folder.path().join("key");
        secret_file(&key, format!("{ADMIN_KEY}\n").as_bytes());
        let config = LnbitsConfig {
            url: format!("{scheme}://{address}/"),
            key: SecretFrom::File(key),
            tls_cert: None,
        };
        Self {
            node: Lnbits::open(&config, Network::Regtest).unwrap(),
            wallet,
            folder,
            config,
            serving,
        }
    }

    pub(crate) fn config(&self) -> &LnbitsConfig {
        &self.config
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Pair for LnbitsPair {
    async fn start() -> Self {
        Self::with(&[]).await
    }

    fn node(&self) -> &dyn LightningNode {
        &self.node
    }

    fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    async fn stop(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    fn takes_preimages(&self) -> bool {
        false
    }

    fn tells_again(&self) -> bool {
        true
    }

    fn reopen(&mut self) {
        self.node = Lnbits::open(&self.config, Network::Regtest).unwrap();
    }

    fn debug(&self) -> String {
        format!("{:?} {:?}", self.node, self.config)
    }

    fn settings(&self) -> LightningConfig {
        LightningConfig::Lnbits(self.config.clone())
    }

    fn secrets(&self) -> Vec<String> {
        vec![ADMIN_KEY.to_owned(), to_hex(&[5; 32])]
    }
}

struct Double {
    wallet: Arc<Wallet>,
    traits: Vec<Trait>,
    number: AtomicU8,
}

impl Api for Double {
    fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// One address tells of both directions, so the amount asked for tells the probe, and the hash a direction.
    fn op(&self, asked: &Asked) -> Op {
        if asked.path.contains("fee-reserve") {
            return Op::Fee;
        }
        if asked.body["out"] == json!(true) {
            return Op::Pay;
        }
        match asked.method.as_str() {
            "GET" if asked.path.contains("?status=success") => Op::Settled,
            "POST" if asked.body["memo"] == json!("blvm-mesh asks who signs") => Op::Info,
            "POST" => Op::Create,
            _ if self.wallet.state().faults.contains_key(&Op::Incoming) => Op::Incoming,
            _ => Op::Outgoing,
        }
    }

    fn answer(&self, asked: &Asked) -> Reply {
        if self.traits.contains(&Trait::WebServer) {
            let body = "<html>404</html>".to_owned();
            return Reply { status: 404, body };
        }
        if self.traits.contains(&Trait::Fault) {
            return detail(500, "Internal Server Error");
        }
        let key = asked.headers.get("x-api-key").unwrap();
        let is_known = key == ADMIN_KEY || key == INVOICE_KEY;
        if !is_known && asked.method == "POST" {
            return detail(404, "Wallet not found.");
        }
        if let Some((_, text)) = asked.path.split_once("/fee-reserve?invoice=") {
            text.parse::<Bolt11Invoice>().unwrap();
            let fee = match self.traits.contains(&Trait::SpendsMore) {
                true => 0,
                false => self.wallet.fee(),
            };
            return good(200, &json!({ "fee_reserve": fee }));
        }
        if let Some(query) = asked.path.strip_prefix("/api/v1/payments?") {
            self.wallet.waiting.send_modify(|count| *count += 1);
            return match is_known {
                true => self.list(query),
                false => detail(404, "Wallet not found."),
            };
        }
        match (asked.method.as_str(), &asked.body["out"]) {
            ("POST", out) if *out == json!(false) => self.create(&asked.body),
            ("POST", _) if key != ADMIN_KEY => detail(403, "Invoice (or Admin) key required."),
            ("POST", _) => self.pay(&asked.body),
            _ => {
                let hash = asked.path.strip_prefix("/api/v1/payments/").unwrap();
                self.find(from_hex(hash).unwrap(), is_known)
            }
        }
    }

    fn error(&self, message: &str) -> Reply {
        detail(520, message)
    }
}

impl Double {
    fn create(&self, body: &Value) -> Reply {
        let sats = body["amount"].as_u64().unwrap();
        let (memo, expiry) = (
            body["memo"].as_str().unwrap(),
            body["expiry"].as_u64().unwrap(),
        );
        let preimage = [self.number.fetch_add(1, Ordering::Relaxed); 32];
        let issued = self.wallet.issue(preimage, sats * 1_000, memo, expiry);
        let text = issued.unwrap().text;
        let mut answer =
            json!({ "payment_request": text, "checking_id": "c", "status": "pending" });
        if !self.traits.contains(&Trait::OldName) {
            answer["bolt11"] = json!(text);
        }
        good(201, &answer)
    }

    fn pay(&self, body: &Value) -> Reply {
        let invoice: Bolt11Invoice = body["bolt11"].as_str().unwrap().parse().unwrap();
        let hash = *invoice.payment_hash().as_ref();
        let msat = invoice.amount_milli_satoshis().unwrap();
        let payment = self.wallet.pay(hash, msat, u64::MAX);
        if self.traits.contains(&Trait::FaultWhilePaying) {
            return detail(500, "Internal Server Error");
        }
        match payment {
            Payment::Failed => {
                let body = json!({ "detail": "Payment failed: no route", "status": "failed" });
                let body = body.to_string();
                Reply { status: 520, body }
            }
            Payment::Pending => good(201, &json!({ "checking_id": "c", "status": "pending" })),
            Payment::Paid { .. } => good(201, &json!({ "checking_id": "c", "status": "success" })),
        }
    }

    /// The newest first, by the time when they were settled: one a second, or all at once.
    fn list(&self, query: &str) -> Reply {
        let query = query.replace("%5B", "[").replace("%5D", "]");
        let asked: HashMap<_, _> = query
            .split('&')
            .filter_map(|it| it.split_once('='))
            .collect();
        assert_eq!([asked["status"], asked["amount[gt]"]], ["success", "0"]);
        assert_eq!(
            [asked["sortby"], asked["direction"]],
            ["updated_at", "desc"]
        );
        let [limit, offset] = ["limit", "offset"].map(|name| asked[name].parse().unwrap());
        let state = self.wallet.state();
        let settled = state.settled().into_iter().rev();
        let told = settled.skip(offset).take(limit).map(|(hash, number)| {
            let issued = &state.invoices[&hash];
            let number = if self.traits.contains(&Trait::AllAtOnce) { 1 } else { number };
            let time = format!("2026-11-25T18:{:02}:{:02}", number / 60, number % 60);
            let mut told = json!({
                "payment_hash": to_hex(&hash), "amount": issued.amount, "fee": 0, "status": "success",
                "memo": issued.memo, "preimage": to_hex(&state.preimages[&hash]), "extra": {},
                "created_at": "2026-11-25T18:00:00.306447+00:00",
            });
            if !self.traits.contains(&Trait::OldName) {
                told["updated_at"] = json!(format!("{time}.781946+00:00"));
            }
            told
        });
        let told: Vec<Value> = told.collect();
        good(200, &json!(told))
    }

    /// Tells everyone whether it is paid, and the details to the wallet.
    fn find(&self, hash: [u8; 32], is_known: bool) -> Reply {
        let state = self.wallet.state();
        let (amount, fee, status) = if let Some(issued) = state.invoices.get(&hash) {
            let paid = issued.stage == Stage::Paid;
            let status = if paid { "success" } else { "pending" };
            (i64::try_from(issued.amount).unwrap(), 0, status)
        } else if let Some((payment, msat)) = state.payments.get(&hash) {
            let amount = -i64::try_from(*msat).unwrap();
            match payment {
                Payment::Pending => (amount, -2_000, "pending"),
                Payment::Failed => (amount, -2_000, "failed"),
                Payment::Paid { fee } => (amount, -i64::try_from(*fee).unwrap(), "success"),
            }
        } else {
            return detail(404, "Payment does not exist.");
        };
        let paid = status == "success";
        let preimage = paid.then(|| to_hex(&state.preimages[&hash]));
        let mut answer = json!({ "paid": paid, "preimage": preimage });
        if is_known {
            answer["status"] = json!(status);
            answer["details"] = json!({ "amount": amount, "fee": fee, "status": status });
        }
        good(200, &answer)
    }
}

fn good(status: u16, body: &Value) -> Reply {
    let body = body.to_string();
    Reply { status, body }
}

fn detail(status: u16, text: &str) -> Reply {
    good(status, &json!({ "detail": text }))
}
