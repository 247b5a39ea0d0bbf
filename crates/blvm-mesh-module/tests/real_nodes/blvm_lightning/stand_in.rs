//! A stand-in for the module `blvm-lightning`, in the real registry of a node's modules.
//!
//! Nobody here has run the module itself: what this one answers was written from its documented calls.

use blvm_mesh::{
    Clock as _, Network, SystemClock,
    bitcoin::{
        hashes::{Hash as _, sha256},
        secp256k1::{Secp256k1, SecretKey},
    },
    from_hex,
};
use blvm_mesh_module::LightningModule;
use blvm_node::{
    module::{
        api::node_api::NodeApiImpl,
        inter_module::{api::ModuleAPI, registry::ModuleApiRegistry, router::ModuleRouter},
        manager::ModuleManager,
        traits::ModuleError,
    },
    storage::Storage,
};
use lightning_invoice::{Bolt11Invoice, Currency, InvoiceBuilder, PaymentSecret};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    fs,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;

/// What an invoice is made of.
pub(crate) struct Wish {
    pub(crate) amount_msats: u64,
    pub(crate) description: String,
    pub(crate) expiry: Duration,
    pub(crate) currency: Currency,
    /// Of the key that signs.
    pub(crate) key: u8,
}

/// Makes another wish of one.
pub(crate) type Twist = fn(&mut Wish);

/// What a stand-in does in place of what it is asked.
pub(crate) enum Fault {
    /// It makes another invoice.
    Other(Twist),
    /// It answers with these bytes.
    Bytes(Vec<u8>),
    /// It says that it cannot.
    Error(String),
    /// The node has lost it.
    Lost,
    /// It never answers.
    Silent,
}

struct Issued {
    text: String,
    amount_msats: u64,
    preimage: [u8; 32],
    is_paid: bool,
}

#[derive(Default)]
pub(crate) struct StandIn {
    issued: Mutex<HashMap<[u8; 32], Issued>>,
    fault: Mutex<Option<Fault>>,
}

impl StandIn {
    pub(crate) fn does(&self, fault: impl Into<Option<Fault>>) {
        *self.fault.lock().unwrap() = fault.into();
    }

    /// Has an invoice be paid, and gives its preimage, as a payer has it.
    pub(crate) fn pay(&self, invoice: &str) -> [u8; 32] {
        let hash = payment_hash(invoice);
        let mut issued = self.issued.lock().unwrap();
        let issued = issued.get_mut(&hash).unwrap();
        issued.is_paid = true;
        issued.preimage
    }

    /// The preimage of an invoice that nobody has paid: what a thief of it would have.
    pub(crate) fn preimage(&self, invoice: &str) -> [u8; 32] {
        self.issued.lock().unwrap()[&payment_hash(invoice)].preimage
    }

    /// Issues an invoice, as for any module that asks for one.
    pub(crate) fn issue(&self, wish: &Wish) -> String {
        let mut issued = self.issued.lock().unwrap();
        let number = u64::try_from(issued.len()).unwrap();
        let preimage = sha256::Hash::hash(&number.to_be_bytes()).to_byte_array();
        let hash = sha256::Hash::hash(&preimage);
        let key = SecretKey::from_slice(&[wish.key; 32]).unwrap();
        let signer = Secp256k1::new();
        let invoice = InvoiceBuilder::new(wish.currency.clone())
            .description(wish.description.clone())
            .payment_hash(hash)
            .payment_secret(PaymentSecret([1; 32]))
            .duration_since_epoch(Duration::from_secs(SystemClock.now().to_secs()))
            .min_final_cltv_expiry_delta(144)
            .amount_milli_satoshis(wish.amount_msats)
            .expiry_time(wish.expiry)
            .build_signed(|message| signer.sign_ecdsa_recoverable(message, &key));
        let text = invoice.unwrap().to_string();
        let note = Issued {
            text: text.clone(),
            amount_msats: wish.amount_msats,
            preimage,
            is_paid: false,
        };
        issued.insert(hash.to_byte_array(), note);
        text
    }

    fn create_invoice(&self, params: &Value) -> Value {
        let mut wish = Wish {
            amount_msats: params["amount_msats"].as_u64().unwrap(),
            description: params["description"].as_str().unwrap().to_owned(),
            expiry: Duration::from_secs(params["expiry_seconds"].as_u64().unwrap()),
            currency: Currency::Regtest,
            key: 1,
        };
        if let Some(Fault::Other(otherwise)) = *self.fault.lock().unwrap() {
            otherwise(&mut wish);
        }
        json!({ "invoice": self.issue(&wish) })
    }

    /// It tells of an invoice to who shows it.
    fn verify_payment(&self, params: &Value) -> Value {
        let hash: [u8; 32] = from_hex(params["payment_hash"].as_str().unwrap()).unwrap();
        let issued = self.issued.lock().unwrap();
        let issued = issued.get(&hash);
        let issued = issued.filter(|issued| params["invoice"] == issued.text && issued.is_paid);
        let amount = issued.map_or(0, |issued| issued.amount_msats);
        json!({ "verified": issued.is_some(), "amount_msats": amount, "timestamp": 1_700_000_000 })
    }
}

#[async_trait::async_trait]
impl ModuleAPI for StandIn {
    async fn handle_request(
        &self,
        method: &str,
        params: &[u8],
        _: &str,
    ) -> Result<Vec<u8>, ModuleError> {
        let is_silent = match &*self.fault.lock().unwrap() {
            Some(Fault::Bytes(bytes)) => return Ok(bytes.clone()),
            Some(Fault::Error(error)) => return Err(ModuleError::OperationError(error.clone())),
            Some(Fault::Lost) => return Err(ModuleError::ModuleCrashed(NAME.to_owned())),
            Some(Fault::Silent) => true,
            Some(Fault::Other(_)) | None => false,
        };
        if is_silent {
            return pending().await;
        }
        let params: Value = serde_json::from_slice(params).unwrap();
        let answer = match method {
            "create_invoice" => self.create_invoice(&params),
            "verify_payment" => self.verify_payment(&params),
            _ => return Err(ModuleError::OperationError(format!("no method {method}"))),
        };
        Ok(answer.to_string().into_bytes())
    }

    fn list_methods(&self) -> Vec<String> {
        vec!["create_invoice".to_owned(), "verify_payment".to_owned()]
    }

    fn api_version(&self) -> u32 {
        1
    }
}

fn payment_hash(invoice: &str) -> [u8; 32] {
    let invoice: Bolt11Invoice = invoice.parse().unwrap();
    *invoice.payment_hash().as_ref()
}

/// The parts of a node that modules call each other by, all of them real, with the stand-in among the modules.
pub(crate) struct Modules {
    pub(crate) manager: Arc<tokio::sync::Mutex<ModuleManager>>,
    registry: Arc<ModuleApiRegistry>,
    folder: TempDir,
}

impl Modules {
    pub(crate) async fn with(module: &Arc<StandIn>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        for part in ["chain", "sockets"] {
            fs::create_dir(path(part)).unwrap();
        }
        let registry = Arc::new(ModuleApiRegistry::new());
        let manager = ModuleManager::new(path("modules"), path("data"), path("sockets"));
        let manager = Arc::new(tokio::sync::Mutex::new(manager));
        // It would not hand on calls to what is no process that the manager has started.
        let router = Arc::new(ModuleRouter::new(Arc::clone(&registry)));
        let mut api = NodeApiImpl::new(Arc::new(Storage::new(path("chain")).unwrap()));
        api.set_module_api_registry(Arc::clone(&registry), router);
        let started = manager
            .lock()
            .await
            .start(path("sockets").join("node.sock"), Arc::new(api))
            .await;
        started.unwrap();
        let modules = Self {
            manager,
            registry,
            folder,
        };
        modules.load(module).await;
        modules
    }

    /// Enters the stand-in as the node enters a module: under its name, and a number of its own.
    pub(crate) async fn load(&self, module: &Arc<StandIn>) {
        let module = Arc::clone(module);
        let loaded = self.registry.register_api(NAME.to_owned(), module).await;
        loaded.unwrap();
    }

    pub(crate) async fn unload(&self) {
        self.registry.unregister_api(NAME).await.unwrap();
    }

    /// A client, with the notes of those before it.
    pub(crate) fn client(&self) -> LightningModule {
        self.client_in("notes")
    }

    /// One with notes of its own.
    pub(crate) fn client_beside(&self) -> LightningModule {
        self.client_in("other-notes")
    }

    fn client_in(&self, notes: &str) -> LightningModule {
        let notes = self.folder.path().join(notes);
        LightningModule::open(Arc::clone(&self.manager), &notes, Network::Regtest).unwrap()
    }
}

const NAME: &str = "blvm-lightning_5f0c";
