//! A double of Core Lightning: JSON-RPC 2.0 on a unix socket, each answer closed by two line ends.

use crate::suite::{
    Pair,
    wallet::{Fault, Op, Payment, Stage, Wallet},
};
use lightning_invoice::Bolt11Invoice;
use mesh_lightning::{Cln, ClnConfig, LightningConfig, MAX_CLN_ANSWER};
use mesh_types::{LightningNode, Network, from_hex, to_hex};
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
    time::timeout,
};

/// In what a node differs from a plain recent one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trait {
    OnlyXpay,
    TextAmounts,
    EarlierFailure,
    PluginDies,
}

pub(crate) struct ClnPair {
    node: Cln,
    wallet: Arc<Wallet>,
    folder: TempDir,
    serving: JoinHandle<()>,
}

impl ClnPair {
    pub(crate) async fn with(traits: &[Trait]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wallet = Arc::new(Wallet::new());
        let listener = UnixListener::bind(socket(&folder)).unwrap();
        let double = Arc::new(Double {
            wallet: Arc::clone(&wallet),
            traits: traits.to_vec(),
        });
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(Arc::clone(&double).serve(stream));
            }
        });
        let config = ClnConfig {
            socket: socket(&folder),
        };
        Self {
            node: Cln::new(&config, Network::Regtest),
            wallet,
            folder,
            serving,
        }
    }

    pub(crate) fn config(&self) -> ClnConfig {
        ClnConfig {
            socket: socket(&self.folder),
        }
    }
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("lightning-rpc")
}

impl Pair for ClnPair {
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
        std::fs::remove_file(socket(&self.folder)).unwrap();
    }

    fn reopen(&mut self) {
        self.node = Cln::new(&self.config(), Network::Regtest);
    }

    fn debug(&self) -> String {
        format!("{:?}", self.node)
    }

    fn settings(&self) -> LightningConfig {
        LightningConfig::Cln(self.config())
    }

    fn secrets(&self) -> Vec<String> {
        [1, 5].map(|number| to_hex(&[number; 32])).to_vec()
    }
}

struct Double {
    wallet: Arc<Wallet>,
    traits: Vec<Trait>,
}

type Answered = Result<Value, (i64, String)>;

impl Double {
    async fn serve(self: Arc<Self>, mut stream: UnixStream) {
        let mut bytes = Vec::new();
        let request: Value = loop {
            if stream.read_buf(&mut bytes).await.unwrap() == 0 {
                return;
            }
            if let Ok(request) = serde_json::from_slice(&bytes) {
                break request;
            }
        };
        let text = String::from_utf8(bytes).unwrap();
        let fault = self.wallet.meets(op(&request), &text);
        if fault == Some(Fault::Silent) {
            tokio::time::pause();
            return std::future::pending().await;
        }
        if fault == Some(Fault::Closes) {
            return;
        }
        let answered = match fault {
            Some(Fault::Echoes) => Err((-1, format!("what is {text}?"))),
            Some(Fault::Garbage | Fault::Truncated | Fault::Huge) => Ok(json!("a".repeat(64))),
            _ if request["method"] == "waitanyinvoice" => self.wait(&request["params"]).await,
            _ => self.answer(&request),
        };
        let mut answer = match answered {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }),
            Err((code, message)) => json!({
                "jsonrpc": "2.0", "id": request["id"], "error": { "code": code, "message": message },
            }),
        }
        .to_string();
        match fault {
            Some(Fault::LosesAnswer) => return,
            Some(Fault::Garbage) => answer = "SSH-2.0-OpenSSH_9.9".to_owned(),
            Some(Fault::Truncated) => answer.truncate(answer.len() / 2),
            Some(Fault::Huge) => answer = "[".repeat(MAX_CLN_ANSWER + (64 << 10)),
            _ => answer.push_str("\n\n"),
        }
        // A client that has read enough closes the connection.
        let _ = stream.write_all(answer.as_bytes()).await;
    }

    fn answer(&self, request: &Value) -> Answered {
        let params = &request["params"];
        match request["method"].as_str().unwrap() {
            "getinfo" => {
                Ok(json!({ "id": to_hex(&self.wallet.payee_key()), "network": "regtest" }))
            }
            "invoice" => self.invoice(params),
            "listinvoices" => Ok(self.list_invoices(params)),
            "pay" if !self.traits.contains(&Trait::OnlyXpay) => {
                self.pay(params["bolt11"].as_str().unwrap(), params)
            }
            "xpay" if self.traits.contains(&Trait::OnlyXpay) => {
                let mut answer = self.pay(params["invstring"].as_str().unwrap(), params)?;
                answer.as_object_mut().unwrap().remove("status");
                Ok(answer)
            }
            "listpays" => Ok(self.list_pays(params)),
            method => Err((-32601, format!("Unknown command '{method}'"))),
        }
    }

    async fn wait(&self, params: &Value) -> Answered {
        let place = params["lastpay_index"].as_u64().unwrap();
        let patience = Duration::from_secs(params["timeout"].as_u64().unwrap());
        let paid = async {
            loop {
                let rings = self.wallet.rings.notified();
                if let Some(found) = self.paid_behind(place) {
                    return found;
                }
                if !patience.is_zero() {
                    self.wallet.waiting.send_modify(|count| *count += 1);
                }
                rings.await;
            }
        };
        let none = (
            904,
            "Timed out while waiting for invoice to be paid".to_owned(),
        );
        timeout(patience, paid).await.map_err(|_| none)
    }

    fn paid_behind(&self, place: u64) -> Option<Value> {
        let state = self.wallet.state();
        let (hash, number) = *state.settled_behind(place).first()?;
        let issued = &state.invoices[&hash];
        Some(json!({
            "label": "l", "bolt11": issued.text, "payment_hash": to_hex(&hash), "status": "paid",
            "pay_index": number, "description": issued.memo, "expires_at": 1_700_000_600,
            "amount_received_msat": self.amount(issued.amount), "paid_at": 1_700_000_100,
            "payment_preimage": to_hex(&state.preimages[&hash]), "created_index": 1,
        }))
    }

    fn invoice(&self, params: &Value) -> Answered {
        let preimage = from_hex(params["preimage"].as_str().unwrap()).unwrap();
        let memo = params["description"].as_str().unwrap();
        let label = params["label"].as_str().unwrap();
        let amount = params["amount_msat"].as_u64().unwrap();
        let expiry = params["expiry"].as_u64().unwrap();
        let issued = self.wallet.issue(preimage, amount, memo, expiry);
        let issued = issued.ok_or((900, format!("Duplicate label '{label}'")))?;
        Ok(json!({ "bolt11": issued.text, "expires_at": 1_700_000_600, "created_index": 1 }))
    }

    fn list_invoices(&self, params: &Value) -> Value {
        let hash: [u8; 32] = from_hex(params["payment_hash"].as_str().unwrap()).unwrap();
        let state = self.wallet.state();
        let Some(issued) = state.invoices.get(&hash) else {
            return json!({ "invoices": [] });
        };
        let mut invoice = json!({
            "label": "l", "bolt11": issued.text, "payment_hash": to_hex(&hash),
            "amount_msat": self.amount(issued.amount), "status": "unpaid", "expires_at": 1_700_000_600,
        });
        match issued.stage {
            Stage::Open | Stage::Held => {}
            Stage::Over => invoice["status"] = json!("expired"),
            Stage::Paid => {
                invoice["status"] = json!("paid");
                invoice["amount_received_msat"] = self.amount(issued.amount);
            }
        }
        json!({ "invoices": [invoice] })
    }

    fn pay(&self, text: &str, params: &Value) -> Answered {
        if self.traits.contains(&Trait::PluginDies) {
            return Err((
                -4,
                "Plugin terminated before replying to RPC call.".to_owned(),
            ));
        }
        let invoice: Bolt11Invoice = text.parse().unwrap();
        let hash = *invoice.payment_hash().as_ref();
        let msat = invoice.amount_milli_satoshis().unwrap();
        match self
            .wallet
            .pay(hash, msat, params["maxfee"].as_u64().unwrap())
        {
            Payment::Paid { fee } => Ok(json!({
                "payment_preimage": self.wallet.preimage(&hash), "status": "complete",
                "amount_msat": self.amount(msat), "amount_sent_msat": self.amount(msat + fee),
                "payment_hash": to_hex(&hash), "parts": 1, "created_at": 1_700_000_000.1,
            })),
            Payment::Failed => Err((205, "Could not find a route".to_owned())),
            Payment::Pending => Err((200, "Timed out with parts in progress".to_owned())),
        }
    }

    fn list_pays(&self, params: &Value) -> Value {
        let hash: [u8; 32] = from_hex(params["payment_hash"].as_str().unwrap()).unwrap();
        let found = self.wallet.state().payments.get(&hash).copied();
        let mut pays = Vec::new();
        if let Some((payment, msat)) = found {
            let mut pay = json!({ "payment_hash": to_hex(&hash), "created_at": 1_700_000_000 });
            match payment {
                Payment::Pending => pay["status"] = json!("pending"),
                Payment::Failed => pay["status"] = json!("failed"),
                Payment::Paid { fee } => {
                    pay["status"] = json!("complete");
                    pay["preimage"] = json!(self.wallet.preimage(&hash));
                    pay["amount_msat"] = self.amount(msat);
                    pay["amount_sent_msat"] = self.amount(msat + fee);
                }
            }
            pays.push(pay);
        }
        if self.traits.contains(&Trait::EarlierFailure) {
            pays.push(json!({ "payment_hash": to_hex(&hash), "status": "failed" }));
        }
        json!({ "pays": pays })
    }

    fn amount(&self, msat: u64) -> Value {
        if self.traits.contains(&Trait::TextAmounts) {
            json!(format!("{msat}msat"))
        } else {
            json!(msat)
        }
    }
}

fn op(request: &Value) -> Op {
    match request["method"].as_str().unwrap() {
        "getinfo" => Op::Info,
        "invoice" => Op::Create,
        "listinvoices" => Op::Incoming,
        "listpays" => Op::Outgoing,
        "waitanyinvoice" => Op::Settled,
        _ => Op::Pay,
    }
}
