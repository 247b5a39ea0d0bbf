//! A double of LND's REST API: JSON with integers as texts, streams of lines, errors of gRPC.

use super::macaroons;
use crate::{
    rest::{
        Api, Asked, Reply,
        certificates::{Certified, own},
        secret_file, serve,
    },
    suite::{
        Pair,
        wallet::{Event, Issued, Op, Payment, Stage, Wallet},
    },
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use lightning_invoice::Bolt11Invoice;
use mesh_lightning::{LightningConfig, Lnd, LndConfig, SecretFrom};
use mesh_types::{LightningNode, Network, from_hex, to_hex};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// In what a node differs from a plain recent one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trait {
    /// It has another root key: no macaroon of ours is good.
    OtherRootKey,
    /// Its macaroon may not pay.
    MayNotPay,
    /// Its macaroon may not look invoices up.
    MayNotRead,
    /// Its wallet is locked.
    Locked,
    /// It says as old versions did that an invoice is not there.
    OldNotFound,
    /// It is a web server.
    WebServer,
    /// It says that it has been shut down in the middle of a payment, and of a wait.
    Stops,
    /// It settles the first invoice when it is listened to, before it listens itself.
    SettlesUnseen,
    /// It tells of invoices that are issued, without end.
    TellsWithoutEnd,
    /// It tells of parts under way before the end.
    TellsOfParts,
    /// It does not find a payment at once.
    TracksLate,
}

pub(crate) struct LndPair {
    node: Lnd,
    wallet: Arc<Wallet>,
    folder: TempDir,
    config: LndConfig,
    serving: JoinHandle<()>,
}

impl LndPair {
    pub(crate) async fn with(traits: &[Trait]) -> Self {
        Self::behind(own(), traits).await
    }

    pub(crate) async fn behind(certified: Certified, traits: &[Trait]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wallet = Arc::new(Wallet::new());
        let double = Arc::new(Double {
            wallet: Arc::clone(&wallet),
            traits: traits.to_vec(),
            tracked: AtomicBool::new(false),
        });
        let (address, serving) = serve(double, Some(certified.acceptor)).await;
        let tls_cert = folder.path().join("tls.cert");
        fs::write(&tls_cert, certified.pem).unwrap();
        let macaroon = folder.path().join("mesh.macaroon");
        secret_file(&macaroon, &macaroons::right());
        let config = LndConfig {
            address: address.to_string(),
            tls_cert,
            macaroon: SecretFrom::File(macaroon),
            private_channels: false,
        };
        Self {
            node: Lnd::open(&config, Network::Regtest).unwrap().0,
            wallet,
            folder,
            config,
            serving,
        }
    }

    pub(crate) fn config(&self) -> &LndConfig {
        &self.config
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Pair for LndPair {
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

    fn reopen(&mut self) {
        self.node = Lnd::open(&self.config, Network::Regtest).unwrap().0;
    }

    fn debug(&self) -> String {
        format!("{:?} {:?}", self.node, self.config)
    }

    fn settings(&self) -> LightningConfig {
        LightningConfig::Lnd(self.config.clone())
    }

    fn secrets(&self) -> Vec<String> {
        let mut secrets = [1, 5].map(|number| to_hex(&[number; 32])).to_vec();
        secrets.push(STANDARD.encode([1; 32]));
        secrets.push(to_hex(&macaroons::right()));
        secrets
    }
}

struct Double {
    wallet: Arc<Wallet>,
    traits: Vec<Trait>,
    tracked: AtomicBool,
}

impl Api for Double {
    fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    fn op(&self, asked: &Asked) -> Op {
        match asked.path.as_str() {
            "/v1/getinfo" => Op::Info,
            "/v1/invoices" => Op::Create,
            "/v2/router/send" => Op::Pay,
            path if path.starts_with("/v2/router/track/") => Op::Outgoing,
            path if path.starts_with("/v1/invoices") => Op::Settled,
            _ => Op::Incoming,
        }
    }

    fn answer(&self, asked: &Asked) -> Reply {
        if self.is(Trait::WebServer) {
            let body = "<html>404</html>".to_owned();
            return Reply { status: 404, body };
        }
        if self.is(Trait::Locked) {
            return error(500, 2, "wallet locked, unlock it to enable full RPC access");
        }
        let macaroon = asked.headers.get("grpc-metadata-macaroon");
        if macaroon != Some(&to_hex(&macaroons::right())) || self.is(Trait::OtherRootKey) {
            return error(
                500,
                2,
                "verification failed: signature mismatch after caveat verification",
            );
        }
        if self.is(Trait::MayNotRead) && asked.path.starts_with("/v1/invoices") {
            return error(403, 7, "permission denied");
        }
        if asked.path.starts_with("/v1/invoices/subscribe") {
            return stream_error(14, "server is shutting down");
        }
        if let Some(query) = asked.path.strip_prefix("/v1/invoices?") {
            return self.list(query);
        }
        let (path, hash) = asked.path.rsplit_once('/').unwrap();
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/v1/getinfo") => good(&json!({
                "identity_pubkey": to_hex(&self.wallet.payee_key()), "block_height": 800_000,
                "chains": [{ "chain": "bitcoin", "network": "regtest" }], "synced_to_chain": true,
            })),
            ("POST", "/v1/invoices") => self.add_invoice(&asked.body),
            ("POST", "/v2/router/send") => self.send(&asked.body),
            ("GET", _) if path == "/v1/invoice" => self.look_up(from_hex(hash).unwrap()),
            ("GET", _) if path == "/v2/router/track" => {
                self.track(URL_SAFE.decode(hash).unwrap().try_into().unwrap())
            }
            _ => error(404, 5, "Not Found"),
        }
    }

    /// Without the word for which a message is not repeated at all.
    fn error(&self, message: &str) -> Reply {
        error(500, 2, &message.replace("macaroon", "key"))
    }

    /// What is settled behind a place, but nothing behind 0.
    fn stream(&self, asked: &Asked) -> Option<Vec<String>> {
        let number = asked
            .path
            .strip_prefix("/v1/invoices/subscribe?settle_index=")?;
        if self.is(Trait::MayNotRead) || self.is(Trait::Stops) {
            return None;
        }
        let place: u64 = number.parse().unwrap();
        if self.is(Trait::TellsWithoutEnd) {
            let memo = "a".repeat(1_000_000);
            let line = json!({ "result": { "memo": memo, "r_hash": "", "state": "OPEN" } });
            return Some(vec![format!("{line}\n"); 70]);
        }
        if self.is(Trait::SettlesUnseen) && self.wallet.state().settled().is_empty() {
            let first = self.wallet.state().events[0];
            let (Event::Issued(hash) | Event::Settled(hash, _)) = first;
            self.wallet.set_stage(&hash, Stage::Paid);
        }
        let mut behind = self.wallet.state().settled_behind(place);
        behind.retain(|_| place > 0);
        let told = |(hash, number)| self.line_of(Event::Settled(hash, number));
        Some(behind.into_iter().map(told).collect())
    }

    fn line_of(&self, event: Event) -> String {
        let (Event::Issued(hash) | Event::Settled(hash, _)) = event;
        let state = self.wallet.state();
        let mut told = invoice(hash, &state.invoices[&hash]);
        match event {
            Event::Issued(_) => told["state"] = json!("OPEN"),
            Event::Settled(_, number) => told["settle_index"] = json!(number.to_string()),
        }
        format!("{}\n", json!({ "result": told }))
    }
}

impl Double {
    fn is(&self, one: Trait) -> bool {
        self.traits.contains(&one)
    }

    fn add_invoice(&self, body: &Value) -> Reply {
        let number = |name: &str| body[name].as_str().unwrap().parse().unwrap();
        let preimage = STANDARD
            .decode(body["r_preimage"].as_str().unwrap())
            .unwrap();
        let memo = body["memo"].as_str().unwrap();
        let preimage = preimage.try_into().unwrap();
        match self
            .wallet
            .issue(preimage, number("value_msat"), memo, number("expiry"))
        {
            Some(issued) => good(&json!({
                "r_hash": "", "payment_request": issued.text, "add_index": "1", "payment_addr": "",
            })),
            None => error(500, 2, "invoice with payment hash already exists"),
        }
    }

    fn look_up(&self, hash: [u8; 32]) -> Reply {
        let state = self.wallet.state();
        let Some(issued) = state.invoices.get(&hash) else {
            let code = if self.is(Trait::OldNotFound) { 2 } else { 5 };
            return error(
                if code == 5 { 404 } else { 500 },
                code,
                "unable to locate invoice",
            );
        };
        good(&invoice(hash, issued))
    }

    /// In the order in which they were issued.
    fn list(&self, query: &str) -> Reply {
        let number = |name: &str| -> usize {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let (_, text) = pairs.find(|(each, _)| *each == name).unwrap();
            text.parse().unwrap()
        };
        let (behind, len) = (number("index_offset"), number("num_max_invoices"));
        let state = self.wallet.state();
        let settled = state.settled();
        let issued = state.events.iter().filter_map(|event| match event {
            Event::Issued(hash) => Some(*hash),
            Event::Settled(..) => None,
        });
        let list = issued.skip(behind).take(len).map(|hash| {
            let mut listed = invoice(hash, &state.invoices[&hash]);
            let found = settled.iter().find(|(each, _)| *each == hash);
            listed["settle_index"] = json!(found.map_or(0, |(_, number)| *number).to_string());
            listed
        });
        let invoices: Vec<Value> = list.collect();
        let last = behind + invoices.len();
        let last = if invoices.is_empty() { 0 } else { last };
        good(&json!({ "invoices": invoices, "last_index_offset": last.to_string() }))
    }

    fn send(&self, body: &Value) -> Reply {
        if self.is(Trait::MayNotPay) {
            return error(500, 2, "permission denied");
        }
        if self.is(Trait::Stops) {
            return stream_error(14, "router is shutting down");
        }
        let invoice: Bolt11Invoice = body["payment_request"].as_str().unwrap().parse().unwrap();
        let hash = *invoice.payment_hash().as_ref();
        let msat = invoice.amount_milli_satoshis().unwrap();
        let max_fee = body["fee_limit_msat"].as_str().unwrap().parse().unwrap();
        assert!(body["timeout_seconds"].is_u64());
        match self.wallet.state().payments.get(&hash) {
            Some((Payment::Paid { .. }, _)) => return stream_error(6, "invoice is already paid"),
            Some((Payment::Pending, _)) => return stream_error(6, "payment is in transition"),
            Some((Payment::Failed, _)) | None => {}
        }
        let payment = self.wallet.pay(hash, msat, max_fee);
        let mut body = String::new();
        if self.is(Trait::TellsOfParts) {
            body += &self.line(hash, msat, Payment::Pending);
        }
        // The stream of a payment that hangs ends where a proxy has had enough.
        body += &self.line(hash, msat, payment);
        Reply { status: 200, body }
    }

    fn track(&self, hash: [u8; 32]) -> Reply {
        let found = self.wallet.state().payments.get(&hash).copied();
        let lags = self.is(Trait::TracksLate) && !self.tracked.swap(true, Ordering::Relaxed);
        match found {
            Some((payment, msat)) if !lags => Reply {
                status: 200,
                body: self.line(hash, msat, payment),
            },
            _ => error(404, 5, "payment isn't initiated"),
        }
    }

    fn line(&self, hash: [u8; 32], msat: u64, payment: Payment) -> String {
        let mut result = json!({
            "payment_hash": to_hex(&hash), "value_msat": msat.to_string(), "fee_msat": "0",
            "payment_preimage": to_hex(&[0; 32]), "failure_reason": "FAILURE_REASON_NONE",
        });
        match payment {
            Payment::Pending => result["status"] = json!("IN_FLIGHT"),
            Payment::Failed => {
                result["status"] = json!("FAILED");
                result["failure_reason"] = json!("FAILURE_REASON_NO_ROUTE");
            }
            Payment::Paid { fee } => {
                result["status"] = json!("SUCCEEDED");
                result["payment_preimage"] = json!(self.wallet.preimage(&hash));
                result["fee_msat"] = json!(fee.to_string());
            }
        }
        format!("{}\n", json!({ "result": result }))
    }
}

fn invoice(hash: [u8; 32], issued: &Issued) -> Value {
    let (word, paid) = match issued.stage {
        Stage::Open => ("OPEN", 0),
        Stage::Held => ("ACCEPTED", issued.amount),
        Stage::Paid => ("SETTLED", issued.amount),
        Stage::Over => ("CANCELED", 0),
    };
    json!({
        "memo": issued.memo, "r_hash": STANDARD.encode(hash), "payment_request": issued.text,
        "value_msat": issued.amount.to_string(), "state": word, "amt_paid_msat": paid.to_string(),
        "settled": false, "settle_index": "0",
    })
}

fn good(body: &Value) -> Reply {
    let body = body.to_string();
    Reply { status: 200, body }
}

fn error(status: u16, code: i64, message: &str) -> Reply {
    let body = json!({ "error": message, "code": code, "message": message, "details": [] });
    let body = body.to_string();
    Reply { status, body }
}

fn stream_error(code: i64, message: &str) -> Reply {
    let error = json!({ "error": { "code": code, "message": message, "details": [] } });
    let body = format!("{error}\n");
    Reply { status: 200, body }
}
