mod answer;
mod book;

pub use book::{BookError, MAX_OPEN_INVOICES};

use crate::node_source::NodeSource;
use answer::{CallError, Wanted, paid, read_invoice};
use async_trait::async_trait;
use blvm_mesh::{
    Clock as _, Incoming, Invoice, InvoiceRequest, LightningError, LightningInfo, LightningNode,
    Msat, Network, Outgoing, PaidInvoice, PayLimits, SettledInvoice, SystemClock,
    bitcoin::secp256k1::PublicKey, to_hex,
};
use blvm_mesh_node::{NodeConfig, config::LightningSection};
use blvm_node::module::manager::ModuleManager;
use book::{Book, Note};
use serde_json::{Value, json};
use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Mutex as AsyncMutex, OnceCell},
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

/// The name under which the node knows the module.
const MODULE: &str = "blvm-lightning";

/// How long the module may take to answer: ten seconds, as every Lightning back end has.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// The amount of the invoice that is issued once to see who signs. Nobody is given it.
const PROBE_AMOUNT: Msat = Msat::from_msat(1_000);

/// How long the probe may be paid.
const PROBE_EXPIRY: Duration = Duration::from_secs(60);

/// How often the module is asked which invoices are paid: every two seconds, which a payer does not mind.
const POLL: Duration = Duration::from_secs(2);

/// The longest wait for an invoice to be paid: a day, so that no deadline is beyond what a clock can say.
const MAX_WAIT: Duration = Duration::from_secs(86_400);

/// How many invoices are asked about each time: 64, because each is a call, and then all that may be open are asked about
/// within ten minutes. Who shows a proof does not wait for that.
const ASKED_AT_ONCE: usize = 64;

/// The wallet that another module of the node is, `blvm-lightning`, by its module API.
///
/// - It takes no preimage of ours: each request gives a new invoice, and the preimage of the request is not used.
/// - It does not name the key that signs, so the first call of `info` issues an invoice of one satoshi and reads the key from
///   it. Other modules of the node can have the same key sign.
/// - It tells of an invoice only when it is asked with the invoice itself. So what it has issued is noted in a file, and asked
///   about until it is paid or over.
/// - It pays nobody.
///
/// Its word that an invoice is paid is believed, and nobody else's.
pub struct LightningModule {
    source: Arc<NodeSource>,
    book: Arc<Book>,
    network: Network,
    payee_key: OnceCell<PublicKey>,
    /// The payment hash that was asked about last.
    asked: Mutex<[u8; 32]>,
}

impl LightningModule {
    /// Makes ready to ask the module of a node; nothing is asked yet.
    ///
    /// - `folder`: where what was issued is noted.
    ///
    /// # Errors
    /// [`BookError`], when the notes cannot be read.
    pub fn open(
        manager: Arc<AsyncMutex<ModuleManager>>,
        folder: &Path,
        network: Network,
    ) -> Result<Self, BookError> {
        Self::of(Arc::new(NodeSource::inside(manager)), folder, network)
    }

    /// The one that a configuration chooses, if it does.
    pub(crate) fn chosen(
        source: &Arc<NodeSource>,
        config: &NodeConfig,
    ) -> Result<Option<Arc<dyn LightningNode>>, BookError> {
        if config.lightning != LightningSection::Module {
            return Ok(None);
        }
        let (folder, network) = (&config.node.data_dir, config.mesh.network);
        let wallet = Self::of(Arc::clone(source), folder, network)?;
        tracing::warn!(
            "the Lightning back end is the node's module {MODULE}: this mesh is paid with it, and can pay nobody"
        );
        Ok(Some(Arc::new(wallet)))
    }

    pub(crate) fn of(
        source: Arc<NodeSource>,
        folder: &Path,
        network: Network,
    ) -> Result<Self, BookError> {
        Ok(Self {
            source,
            book: Arc::new(Book::open(folder)?),
            network,
            payee_key: OnceCell::new(),
            asked: Mutex::default(),
        })
    }

    /// Asks the module, and waits for its answer as long as any may take.
    async fn call(&self, method: &str, params: &Value) -> Result<Vec<u8>, CallError> {
        let params = params.to_string().into_bytes();
        let asked = self.source.call_module(MODULE, method, params);
        match timeout(ANSWER_PATIENCE, asked).await {
            Ok(answered) => answered.map_err(CallError::of),
            Err(_) => {
                let why = format!("the module {MODULE} does not answer");
                Err(CallError::Away(why))
            }
        }
    }

    /// Has an invoice issued that is what was wanted, and nothing else.
    async fn issue(&self, wanted: Wanted<'_>) -> Result<(String, Invoice), CallError> {
        let params = json!({
            "amount_msats": wanted.amount.to_msat(),
            "description": wanted.description,
            "expiry_seconds": wanted.expiry.as_secs(),
        });
        let answer = self.call("create_invoice", &params).await?;
        let (text, invoice) = read_invoice(&answer)?;
        wanted.check(&invoice, SystemClock.now())?;
        Ok((text, invoice))
    }

    async fn probe(&self) -> Result<PublicKey, CallError> {
        let wanted = Wanted {
            amount: PROBE_AMOUNT,
            description: "blvm-mesh asks who signs",
            expiry: PROBE_EXPIRY,
            network: self.network,
        };
        let (_, invoice) = self.issue(wanted).await?;
        let payee = invoice.payee();
        payee.map_err(|error| CallError::Refused(error.to_string()))
    }

    /// What has arrived for an invoice; `None` when nothing has.
    async fn ask(&self, hash: [u8; 32], text: &str) -> Result<Option<Msat>, CallError> {
        let params = json!({ "invoice": text, "payment_hash": to_hex(&hash) });
        let answer = self.call("verify_payment", &params).await?;
        let Some(amount) = paid(&answer, text)? else {
            return Ok(None);
        };
        let settled = self.noted(move |book| book.settle(&hash, amount, SystemClock.now()));
        settled.await.map(|()| Some(amount))
    }

    /// Asks about some of the invoices that are open, the next ones each time.
    ///
    /// An invoice about which the module answers nonsense keeps no other from being asked about.
    async fn ask_some(&self, until: Instant) -> Result<(), CallError> {
        let behind = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = self.noted(move |book| book.open_behind(&behind, ASKED_AT_ONCE));
        let (mut has_answered, mut refusal) = (false, None);
        for (hash, text) in listed.await? {
            *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = hash;
            match self.ask(hash, &text).await {
                Ok(_) => has_answered = true,
                Err(CallError::Refused(why)) => refusal = Some(why),
                Err(away) => return Err(away),
            }
            if Instant::now() > until {
                break;
            }
        }
        match refusal {
            None => Ok(()),
            Some(why) if has_answered => {
                tracing::warn!(
                    why,
                    "the module {MODULE} does not say whether an invoice is paid"
                );
                Ok(())
            }
            Some(why) => Err(CallError::Away(why)),
        }
    }

    /// Reads or writes the notes.
    async fn noted<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Book) -> Result<T, BookError> + Send + 'static,
    ) -> Result<T, CallError> {
        let book = Arc::clone(&self.book);
        match spawn_blocking(move || what(&book)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error @ BookError::Full)) => Err(CallError::Refused(error.to_string())),
            Ok(Err(error)) => Err(CallError::Away(error.to_string())),
            Err(error) => Err(CallError::Away(error.to_string())),
        }
    }
}

#[async_trait]
impl LightningNode for LightningModule {
    async fn info(&self) -> Result<LightningInfo, LightningError> {
        let probed = self.payee_key.get_or_try_init(|| self.probe()).await;
        // Without an answer that is one, it is as good as away: there is nothing else to be asked for.
        let payee_key = probed.map_err(|error| LightningError::Unreachable(error.to_string()))?;
        Ok(LightningInfo {
            payee_key: payee_key.serialize(),
            network: self.network,
            takes_preimages: false,
            is_shared: true,
        })
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<String, LightningError> {
        let wanted = Wanted {
            amount: request.amount,
            description: &request.description,
            expiry: request.expiry,
            network: self.network,
        };
        // First, so that nobody has the wallet issue without end what cannot be handed out.
        self.noted(|book| book.make_room(SystemClock.now())).await?;
        let (text, invoice) = self.issue(wanted).await?;
        let known = self.payee_key.get();
        if known.is_some_and(|key| !invoice.is_signed_by(key)) {
            let why =
                "the node behind blvm-lightning was changed, and signs with another key: restart";
            return Err(LightningError::Refused(why.to_owned()));
        }
        // Nobody sees it before it is noted, so that whoever pays it is credited after a power cut, too.
        let (hash, over, noted) = (*invoice.payment_hash(), invoice.expires_at(), text.clone());
        self.noted(move |book| book.issue(&hash, &noted, over, SystemClock.now()))
            .await?;
        Ok(text)
    }

    async fn pay_invoice(&self, _: &str, _: PayLimits) -> Result<PaidInvoice, LightningError> {
        let why = "the node's module blvm-lightning has no call to pay with";
        Err(LightningError::Refused(why.to_owned()))
    }

    async fn incoming(&self, payment_hash: [u8; 32]) -> Result<Incoming, LightningError> {
        let note = self.noted(move |book| book.find(&payment_hash)).await?;
        let arrived = match note {
            None => return Ok(Incoming::NotOurs),
            Some(Note::Settled(amount)) => Some(amount),
            Some(Note::Open(text)) => self.ask(payment_hash, &text).await?,
        };
        Ok(arrived.map_or(Incoming::Unpaid, |amount| Incoming::Settled { amount }))
    }

    /// Nothing was ever paid.
    async fn outgoing(&self, _: [u8; 32]) -> Result<Outgoing, LightningError> {
        Ok(Outgoing::NotPaid)
    }

    /// Places are microseconds, or one more than the last.
    async fn settled_behind(
        &self,
        place: u64,
        patience: Duration,
    ) -> Result<Vec<SettledInvoice>, LightningError> {
        let until = Instant::now() + patience.min(MAX_WAIT);
        loop {
            self.ask_some(until).await?;
            let found = self.noted(move |book| book.settled_behind(place)).await?;
            let left = until.saturating_duration_since(Instant::now());
            if !found.is_empty() || left.is_zero() {
                return Ok(found);
            }
            sleep(left.min(POLL)).await;
        }
    }
}

impl fmt::Debug for LightningModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LightningModule")
            .field("network", &self.network)
            .field("payee_key", &self.payee_key.get())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::{Heard, IpcLink, NodeSocket};
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn nothing_more_is_issued_while_as_many_invoices_are_open_as_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let socket = NodeSocket {
            path: folder.path().join("node.sock"),
            module_id: "blvm-mesh".to_owned(),
        };
        let (events, calls) = (mpsc::channel(1).0, mpsc::channel(1).0);
        let (link, _) = IpcLink::to(socket, Heard { events, calls });
        let source = Arc::new(NodeSource::Beside(link));
        let wallet = LightningModule::of(source, folder.path(), Network::Regtest).unwrap();
        let issued = async || {
            let request = InvoiceRequest {
                amount: PROBE_AMOUNT,
                preimage: [9; 32],
                description: "a quote".to_owned(),
                expiry: PROBE_EXPIRY,
            };
            wallet.create_invoice(request).await
        };
        let away = issued().await;
        assert!(
            matches!(away, Err(LightningError::Unreachable(_))),
            "{away:?}"
        );
        wallet.book.fill(0);
        let full = issued().await;
        assert!(matches!(full, Err(LightningError::Refused(_))), "{full:?}");
    }
}
