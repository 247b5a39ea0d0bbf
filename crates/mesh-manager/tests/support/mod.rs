//! Whole nodes without sockets: real keys, real packets, real BOLT11 invoices; links are queues, money is a table.
#![allow(dead_code, reason = "each test file uses its own part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

pub(crate) mod learning;
pub(crate) mod relay;
pub(crate) mod settling;
pub(crate) mod store;
pub(crate) mod two_ways;

use async_trait::async_trait;
use bitcoin::hashes::{Hash, sha256};
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret};
use mesh_manager::{
    Composed, Draft, Engine, EngineSetup, ForgetfulStore, MeshManager, Money, Refusal,
};
use mesh_protocol::{ControlMessage, IdentityKey};
use mesh_types::*;
use secp256k1::{PublicKey, Secp256k1, SecretKey};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, mpsc};

pub(crate) const START: UnixTime = UnixTime::from_secs(1_790_000_000);
pub(crate) const RELAY_PRICE: Msat = Msat::from_msat(3_000);
pub(crate) const DESTINATION_PRICE: Msat = Msat::from_msat(6_000);

pub(crate) fn identity(seed: u8) -> IdentityKey {
    IdentityKey::from_secret_bytes([seed; 32]).unwrap()
}

pub(crate) fn id(seed: u8) -> NodeId {
    identity(seed).node_id()
}

pub(crate) fn gated(price: Msat) -> MeshConfig {
    MeshConfig {
        mode: MeshMode::PaymentGated,
        network: Network::Regtest,
        price_per_packet_msat: price.to_msat(),
        price_per_kib_msat: 0,
        // Fees do not make deposits larger where a test is about something else.
        spending: SpendingConfig {
            fee_share_permille: 1_000,
            ..SpendingConfig::default()
        },
        ..MeshConfig::default()
    }
}

pub(crate) fn open() -> MeshConfig {
    MeshConfig {
        mode: MeshMode::Open,
        ..gated(Msat::ZERO)
    }
}

/// The decision of the node `seed`, with links to the nodes `peers`.
pub(crate) fn engine(seed: u8, config: MeshConfig, peers: &[u8]) -> Engine {
    let setup = EngineSetup {
        settlement: mesh_payment::SettlementPolicy::from_config(&config.on_chain, config.network)
            .unwrap(),
        identity: identity(seed),
        config,
        payee_key: None,
        sequences: SequenceBlock {
            next: START.to_millis() * 1_000,
            end: u64::MAX,
            good_for: None,
        },
    };
    let engine = Engine::new(setup, START);
    for peer in peers {
        engine
            .routes()
            .add_direct_peer(id(*peer), format!("node-{peer}"));
    }
    engine
}

pub(crate) fn route(seeds: &[u8]) -> Route {
    Route::new(seeds.iter().map(|seed| id(*seed)).collect()).unwrap()
}

/// A data packet without anything special about it.
pub(crate) fn data(seeds: &[u8], payload: &[u8], fee: Msat) -> Draft {
    Draft {
        route: route(seeds),
        kind: PacketKind::Data,
        payload: payload.to_vec(),
        fee,
        proof: None,
        is_sealed: false,
        wants_receipt: false,
    }
}

pub(crate) fn compose(source: &Engine, draft: Draft, now: UnixTime) -> Composed {
    source.compose(draft, [7; 24], now).unwrap()
}

/// One whole Bitcoin message: a `ping` on mainnet.
pub(crate) fn bitcoin_ping(nonce: u64) -> Vec<u8> {
    let payload = nonce.to_le_bytes();
    let checksum = sha256::Hash::hash(sha256::Hash::hash(&payload).as_ref());
    let mut message = vec![0xf9, 0xbe, 0xb4, 0xd9];
    message.extend(*b"ping\0\0\0\0\0\0\0\0");
    message.extend(8_u32.to_le_bytes());
    message.extend(&checksum.as_byte_array()[..4]);
    message.extend(payload);
    message
}

/// A wallet that signs real invoices, and pays those of the wallets that share its table.
#[derive(Clone)]
pub(crate) struct TableWallet {
    key: SecretKey,
    table: Arc<Mutex<HashMap<[u8; 32], [u8; 32]>>>,
    pub(crate) paid: Arc<Mutex<Vec<String>>>,
    pub(crate) outcome: Arc<Mutex<Outcome>>,
    /// What it says of every invoice of its own; nothing, when it is away.
    pub(crate) incoming: Arc<Mutex<Option<Incoming>>>,
    pub(crate) is_shared: bool,
    /// What routing asks for each payment.
    pub(crate) fee: Arc<Mutex<Msat>>,
    /// Payments wait here, where there is one.
    pub(crate) gate: Arc<Mutex<Option<Arc<Semaphore>>>>,
    /// Payments that wait.
    pub(crate) waiting: Arc<AtomicU64>,
    /// What it has received, where it tells.
    pub(crate) settled: Option<Arc<Mutex<Vec<SettledInvoice>>>>,
    /// While set, it answers nothing.
    pub(crate) is_away: Arc<AtomicBool>,
    /// While set, it never says what became of a payment.
    is_silent: Arc<AtomicBool>,
    pub(crate) takes_preimages: bool,
}

/// What becomes of the next payments of a wallet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// They are made, and that is told.
    #[default]
    Told,
    /// They fail.
    Failed,
    /// The answer is lost, and nothing was paid.
    LostBefore,
    /// The answer is lost, and they are made.
    LostBehind,
}

impl TableWallet {
    pub(crate) fn new(seed: u8) -> Self {
        Self {
            key: SecretKey::from_slice(&[seed; 32]).unwrap(),
            table: Arc::default(),
            paid: Arc::default(),
            outcome: Arc::default(),
            incoming: Arc::default(),
            is_shared: false,
            fee: Arc::default(),
            gate: Arc::default(),
            waiting: Arc::default(),
            settled: None,
            is_away: Arc::default(),
            is_silent: Arc::default(),
            takes_preimages: true,
        }
    }

    /// The same, telling what it has received.
    pub(crate) fn telling(self) -> Self {
        Self {
            settled: Some(Arc::default()),
            ..self
        }
    }

    /// Receives what an invoice of its own asks for, from whomever.
    pub(crate) fn receive(&self, invoice: &str) {
        let invoice: lightning_invoice::Bolt11Invoice = invoice.parse().unwrap();
        let mut settled = self.settled.as_ref().unwrap().lock().unwrap();
        let place = settled.len() as u64 + 1;
        let description = match invoice.description() {
            lightning_invoice::Bolt11InvoiceDescriptionRef::Direct(text) => text.to_string(),
            lightning_invoice::Bolt11InvoiceDescriptionRef::Hash(_) => String::new(),
        };
        settled.push(SettledInvoice {
            payment_hash: invoice.payment_hash().to_byte_array(),
            description,
            amount: Msat::from_msat(invoice.amount_milli_satoshis().unwrap()),
            place,
        });
    }

    /// Has it say nothing any more of what became of payments.
    pub(crate) fn looks_nothing_up(&self) {
        self.is_silent.store(true, Ordering::SeqCst);
    }

    /// Lets each of the next payments wait for a permit.
    pub(crate) fn hold(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.gate.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }

    fn answer(&self) -> Result<(), LightningError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(LightningError::Unreachable("it is away".to_owned()));
        }
        Ok(())
    }

    /// Another wallet with the same table.
    pub(crate) fn beside(&self, seed: u8) -> Self {
        Self {
            table: Arc::clone(&self.table),
            ..Self::new(seed)
        }
    }

    /// Knows from now on what `other` knows of preimages.
    pub(crate) fn learn_from(&self, other: &Self) {
        let known = other.table.lock().unwrap().clone();
        self.table.lock().unwrap().extend(known);
    }

    pub(crate) fn issue(&self, request: &InvoiceRequest, now: UnixTime) -> String {
        let secp = Secp256k1::new();
        let hash = sha256::Hash::hash(&request.preimage);
        self.table
            .lock()
            .unwrap()
            .insert(hash.to_byte_array(), request.preimage);
        InvoiceBuilder::new(Currency::Regtest)
            .description(request.description.clone())
            .amount_milli_satoshis(request.amount.to_msat())
            .payment_hash(hash)
            .payment_secret(PaymentSecret([9; 32]))
            .duration_since_epoch(Duration::from_secs(now.to_secs()))
            .expiry_time(request.expiry)
            .min_final_cltv_expiry_delta(18)
            .build_signed(|digest| secp.sign_ecdsa_recoverable(digest, &self.key))
            .unwrap()
            .to_string()
    }

    pub(crate) fn preimage_of(&self, invoice: &str) -> [u8; 32] {
        let invoice: lightning_invoice::Bolt11Invoice = invoice.parse().unwrap();
        self.table.lock().unwrap()[invoice.payment_hash().as_byte_array()]
    }
}

/// What the payer of `invoice` shows.
pub(crate) fn proof(invoice: &str, preimage: [u8; 32]) -> PaymentProof {
    let parsed: lightning_invoice::Bolt11Invoice = invoice.parse().unwrap();
    PaymentProof::Lightning {
        invoice: invoice.to_owned(),
        preimage,
        amount_msats: parsed.amount_milli_satoshis().unwrap(),
        timestamp: parsed.duration_since_epoch().as_secs(),
        expires_at: parsed.expires_at().unwrap().as_secs(),
    }
}

/// A clock that tests move.
#[derive(Clone)]
pub(crate) struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    pub(crate) fn start() -> Self {
        Self(Arc::new(AtomicU64::new(START.to_millis())))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}

/// Moves a clock on, much faster than it should, until it is dropped.
pub(crate) struct Hurry(tokio::task::JoinHandle<()>);

impl Hurry {
    pub(crate) fn on(clock: &ManualClock) -> Self {
        let clock = clock.clone();
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                clock.advance(Duration::from_millis(40));
            }
        }))
    }
}

impl Drop for Hurry {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A packet with its sender and the address that it went to.
pub(crate) type OnTheWire = (NodeId, String, Vec<u8>);
type Queue = mpsc::UnboundedSender<(NodeId, Vec<u8>)>;

/// The links between all nodes of a test.
#[derive(Clone, Default)]
pub(crate) struct Wires {
    queues: Arc<Mutex<HashMap<String, Queue>>>,
    /// Every packet that went over a link.
    pub(crate) log: Arc<Mutex<Vec<OnTheWire>>>,
    /// Addresses whose links lose everything.
    lossy: Arc<Mutex<Vec<String>>>,
    /// While set, every link's queue is full.
    pub(crate) are_full: Arc<AtomicBool>,
    /// What becomes of packets that a node hands over, where it is not what it should be.
    rule: Arc<Mutex<Option<Rule>>>,
}

/// Says what becomes of a packet that the node hands over.
type Rule = Box<dyn Fn(NodeId, &mesh_protocol::PacketView<'_>) -> Passage + Send>;

/// What becomes of a packet between two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    Free,
    /// It is lost, and whoever hands it over does not notice: or has dropped it, and says that it was carried.
    Lost,
    /// It takes so long.
    Late(Duration),
    /// The link does not take it.
    Full,
    /// The link takes it, and whoever hands it over says that it did not.
    Denied,
}

impl Wires {
    /// Takes what is sent to the node `seed`, with who sends it.
    pub(crate) fn listen(&self, seed: u8) -> mpsc::UnboundedReceiver<(NodeId, Vec<u8>)> {
        let (queue, arrivals) = mpsc::unbounded_channel();
        let mut queues = self.queues.lock().unwrap();
        queues.insert(format!("node-{seed}"), queue);
        arrivals
    }

    /// Loses from now on whatever is sent to `address`, without a word.
    pub(crate) fn drop_to(&self, address: &str) {
        let (queue, _) = mpsc::unbounded_channel();
        let lost = self
            .queues
            .lock()
            .unwrap()
            .insert(address.to_owned(), queue);
        drop(lost);
        self.lossy.lock().unwrap().push(address.to_owned());
    }

    /// Does with packets from now on what `rule` says.
    pub(crate) fn obey(
        &self,
        rule: impl Fn(NodeId, &mesh_protocol::PacketView<'_>) -> Passage + Send + 'static,
    ) {
        *self.rule.lock().unwrap() = Some(Box::new(rule));
    }

    /// Lets this become of every data packet that a node hands over, and all else pass.
    pub(crate) fn treat_data_of(&self, node: u8, passage: Passage) {
        let node = id(node);
        self.obey(move |from, packet| {
            let is_its_data = from == node && packet.kind() == PacketKind::Data;
            if is_its_data { passage } else { Passage::Free }
        });
    }

    fn passage(&self, from: NodeId, bytes: &[u8]) -> Passage {
        let packet = mesh_protocol::PacketView::parse(bytes).unwrap();
        let rule = self.rule.lock().unwrap();
        rule.as_ref()
            .map_or(Passage::Free, |rule| rule(from, &packet))
    }

    /// The numbers of the packets that `source` has sent.
    pub(crate) fn sequences_from(&self, source: NodeId) -> Vec<u64> {
        let log = self.log.lock().unwrap();
        let packets = log
            .iter()
            .filter_map(|(_, _, bytes)| mesh_protocol::PacketView::parse(bytes).ok());
        packets
            .filter(|packet| packet.source() == source)
            .map(|packet| packet.sequence())
            .collect()
    }
}

/// What a node's mesh sees of the node.
pub(crate) struct WiredNode {
    pub(crate) id: NodeId,
    pub(crate) wires: Wires,
    pub(crate) clock: ManualClock,
    pub(crate) wallet: Option<Arc<dyn LightningNode>>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blocks: Arc<BlockChain>,
    pub(crate) events: Mutex<Vec<MeshEvent>>,
}

impl Clock for WiredNode {
    fn now(&self) -> UnixTime {
        self.clock.now()
    }
}

#[async_trait]
impl NodeAPI for WiredNode {
    fn get_node_id(&self) -> NodeId {
        self.id
    }

    async fn send_mesh_packet_to_peer(&self, to: String, bytes: Vec<u8>) -> Result<(), MeshError> {
        if self.wires.are_full.load(Ordering::SeqCst) {
            return Err(MeshError::Busy("the link's queue is full".to_owned()));
        }
        let queue = self.wires.queues.lock().unwrap().get(&to).cloned();
        let queue = queue.ok_or_else(|| MeshError::NetworkError(format!("no link to {to}")))?;
        self.wires
            .log
            .lock()
            .unwrap()
            .push((self.id, to.clone(), bytes.clone()));
        if self.wires.lossy.lock().unwrap().contains(&to) {
            return Ok(());
        }
        match self.wires.passage(self.id, &bytes) {
            Passage::Free => {}
            Passage::Denied => {
                let _ = queue.send((self.id, bytes));
                return Err(MeshError::Busy("the link's queue is full".to_owned()));
            }
            Passage::Lost => return Ok(()),
            Passage::Full => return Err(MeshError::Busy("the link's queue is full".to_owned())),
            Passage::Late(by) => {
                let from = self.id;
                tokio::spawn(async move {
                    tokio::time::sleep(by).await;
                    let _ = queue.send((from, bytes));
                });
                return Ok(());
            }
        }
        queue
            .send((self.id, bytes))
            .map_err(|_| MeshError::NetworkError("link down".to_owned()))
    }

    async fn publish_event(&self, event: MeshEvent) -> Result<(), MeshError> {
        self.events.lock().unwrap().push(event);
        Ok(())
    }

    fn lightning(&self) -> Option<Arc<dyn LightningNode>> {
        self.wallet.clone()
    }

    fn chain(&self) -> Option<Arc<dyn ChainNode>> {
        Some(Arc::clone(&self.blocks) as Arc<dyn ChainNode>)
    }

    fn store(&self) -> Option<Arc<dyn Store>> {
        Some(Arc::clone(&self.store))
    }
}

/// What a node knows of the block chain: what the test has told it.
#[derive(Default)]
pub(crate) struct BlockChain {
    pub(crate) outputs: Mutex<HashMap<OutPoint, ChainOutput>>,
    pub(crate) transactions: Mutex<HashMap<TxHash, ChainTransaction>>,
    /// While set, it answers nothing.
    pub(crate) is_away: AtomicBool,
    /// Transactions that it cannot tell about.
    pub(crate) unanswerable: Mutex<Vec<TxHash>>,
    /// While set, it sends nothing.
    pub(crate) refuses_to_send: AtomicBool,
    /// What it was given to send.
    pub(crate) submitted: Mutex<Vec<Vec<u8>>>,
    pub(crate) questions: AtomicU64,
}

impl BlockChain {
    fn ask(&self) -> Result<(), ChainError> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        if self.is_away.load(Ordering::SeqCst) {
            return Err(ChainError("the node is away".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl ChainNode for BlockChain {
    async fn output(&self, outpoint: OutPoint) -> Result<ChainOutput, ChainError> {
        self.ask()?;
        let found = self.outputs.lock().unwrap().get(&outpoint).cloned();
        Ok(found.unwrap_or(ChainOutput::Missing))
    }

    async fn transaction(&self, tx_hash: TxHash) -> Result<Option<ChainTransaction>, ChainError> {
        self.ask()?;
        if self.unanswerable.lock().unwrap().contains(&tx_hash) {
            return Err(ChainError("there is no index of it".to_owned()));
        }
        Ok(self.transactions.lock().unwrap().get(&tx_hash).cloned())
    }

    async fn submit(&self, transaction: Vec<u8>) -> Result<(), ChainError> {
        self.submitted.lock().unwrap().push(transaction);
        if self.refuses_to_send.load(Ordering::SeqCst) {
            return Err(ChainError("its inputs are missing or spent".to_owned()));
        }
        Ok(())
    }
}

/// A [`TableWallet`] as a node's back end.
pub(crate) struct Backend {
    pub(crate) wallet: TableWallet,
    pub(crate) clock: ManualClock,
}

#[async_trait]
impl LightningNode for Backend {
    async fn info(&self) -> Result<LightningInfo, LightningError> {
        self.wallet.answer()?;
        let key = PublicKey::from_secret_key(&Secp256k1::new(), &self.wallet.key);
        Ok(LightningInfo {
            payee_key: key.serialize(),
            network: Network::Regtest,
            takes_preimages: self.wallet.takes_preimages,
            is_shared: self.wallet.is_shared,
        })
    }

    async fn create_invoice(&self, mut request: InvoiceRequest) -> Result<String, LightningError> {
        self.wallet.answer()?;
        if !self.wallet.takes_preimages {
            request.preimage = sha256::Hash::hash(&request.preimage).to_byte_array();
        }
        Ok(self.wallet.issue(&request, self.clock.now()))
    }

    async fn pay_invoice(
        &self,
        invoice: &str,
        limits: PayLimits,
    ) -> Result<PaidInvoice, LightningError> {
        self.wallet.waiting.fetch_add(1, Ordering::SeqCst);
        let gate = self.wallet.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
        self.wallet.waiting.fetch_sub(1, Ordering::SeqCst);
        let fee = *self.wallet.fee.lock().unwrap();
        if fee > limits.max_fee {
            let reason = format!("no route for {} or less", limits.max_fee);
            return Err(LightningError::PaymentFailed(reason));
        }
        let outcome = *self.wallet.outcome.lock().unwrap();
        if matches!(outcome, Outcome::Told | Outcome::LostBehind) {
            self.wallet.paid.lock().unwrap().push(invoice.to_owned());
        }
        match outcome {
            Outcome::Told => Ok(PaidInvoice {
                preimage: self.wallet.preimage_of(invoice),
                fee,
            }),
            Outcome::Failed => Err(LightningError::PaymentFailed("no route".to_owned())),
            Outcome::LostBefore | Outcome::LostBehind => Err(LightningError::Unknown(
                "the connection was lost".to_owned(),
            )),
        }
    }

    async fn incoming(&self, _: [u8; 32]) -> Result<Incoming, LightningError> {
        let said = *self.wallet.incoming.lock().unwrap();
        said.ok_or_else(|| LightningError::Unreachable("it is away".to_owned()))
    }

    async fn outgoing(&self, payment_hash: [u8; 32]) -> Result<Outgoing, LightningError> {
        if self.wallet.is_silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let paid = self.wallet.paid.lock().unwrap().clone();
        let hash = |text: &String| {
            let invoice: lightning_invoice::Bolt11Invoice = text.parse().unwrap();
            invoice.payment_hash().to_byte_array()
        };
        let found = paid.iter().find(|text| hash(text) == payment_hash);
        Ok(found.map_or(Outgoing::NotPaid, |text| {
            Outgoing::Paid(PaidInvoice {
                preimage: self.wallet.preimage_of(text),
                fee: *self.wallet.fee.lock().unwrap(),
            })
        }))
    }

    async fn settled_behind(
        &self,
        place: u64,
        patience: Duration,
    ) -> Result<Vec<SettledInvoice>, LightningError> {
        let Some(settled) = &self.wallet.settled else {
            return Err(LightningError::Refused("it does not tell".to_owned()));
        };
        let until = tokio::time::Instant::now() + patience;
        loop {
            self.wallet.answer()?;
            let mut told = settled.lock().unwrap().clone();
            told.retain(|invoice| invoice.place > place);
            told.truncate(MAX_SETTLED);
            if !told.is_empty() || tokio::time::Instant::now() >= until {
                return Ok(told);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// One node of a test mesh.
pub(crate) struct TestNode {
    pub(crate) mesh: MeshManager,
    pub(crate) api: Arc<WiredNode>,
    pub(crate) wallet: TableWallet,
}

impl TestNode {
    pub(crate) fn hears_that_linked(&self, peer: u8) {
        self.mesh.handle_event(NodeEvent::PeerConnected {
            peer_addr: format!("node-{peer}"),
            peer_node_id: Some(id(peer)),
        });
    }

    pub(crate) fn hears_that_gone(&self, peer: u8) {
        self.mesh.handle_event(NodeEvent::PeerDisconnected {
            peer_addr: format!("node-{peer}"),
            reason: "the test says so".to_owned(),
        });
    }
}

/// The nodes of a mesh, each of which knows all links: a chain `1 - 2 - … - n`, where nothing else is said.
pub(crate) struct Chain {
    pub(crate) nodes: Vec<TestNode>,
    pub(crate) wires: Wires,
    pub(crate) clock: ManualClock,
}

impl Chain {
    pub(crate) async fn of(configs: Vec<MeshConfig>) -> Self {
        Self::with_stores(configs, || Arc::new(ForgetfulStore::default())).await
    }

    pub(crate) async fn with_stores(
        configs: Vec<MeshConfig>,
        store: impl Fn() -> Arc<dyn Store>,
    ) -> Self {
        let links: Vec<_> = (1..configs.len() as u8)
            .map(|seed| (seed, seed + 1))
            .collect();
        Self::linked(configs, &links, store).await
    }

    /// The nodes `1`, `2`, … with these links, all of which know all links.
    pub(crate) async fn linked(
        configs: Vec<MeshConfig>,
        links: &[(u8, u8)],
        store: impl Fn() -> Arc<dyn Store>,
    ) -> Self {
        let chain = Self::unlinked(configs, store).await;
        for (node, seed) in chain.nodes.iter().zip(1..) {
            for &(a, b) in links {
                let routes = node.mesh.engine().routes();
                routes.add_link(id(a), id(b)).unwrap();
                if seed == a {
                    node.hears_that_linked(b);
                } else if seed == b {
                    node.hears_that_linked(a);
                }
            }
        }
        chain
    }

    /// The same nodes, which know nobody yet.
    pub(crate) async fn unlinked(
        configs: Vec<MeshConfig>,
        store: impl Fn() -> Arc<dyn Store>,
    ) -> Self {
        let (wires, clock, bank) = (
            Wires::default(),
            ManualClock::start(),
            TableWallet::new(200),
        );
        let mut nodes = Vec::new();
        for (config, seed) in configs.into_iter().zip(1..) {
            let wallet = bank.beside(100 + seed);
            let backend = Backend {
                wallet: wallet.clone(),
                clock: clock.clone(),
            };
            let api = Arc::new(WiredNode {
                id: id(seed),
                wires: wires.clone(),
                clock: clock.clone(),
                wallet: Some(Arc::new(backend)),
                store: store(),
                blocks: Arc::default(),
                events: Mutex::default(),
            });
            let node_api = Arc::clone(&api) as Arc<dyn NodeAPI>;
            let mesh = MeshManager::start(config, identity(seed), node_api)
                .await
                .unwrap();
            let mut arrivals = wires.listen(seed);
            let receiver = mesh.clone();
            tokio::spawn(async move {
                while let Some((from, bytes)) = arrivals.recv().await {
                    let receiver = receiver.clone();
                    tokio::spawn(async move { receiver.receive(from, bytes).await });
                }
            });
            nodes.push(TestNode { mesh, api, wallet });
        }
        Self {
            nodes,
            wires,
            clock,
        }
    }

    pub(crate) fn mesh(&self, index: usize) -> &MeshManager {
        &self.nodes[index].mesh
    }

    /// Has the first node of `way` say so about each packet that the last one has sent, and tells what that makes of it.
    pub(crate) async fn answer_as(
        &self,
        way: &[u8],
        answer: impl Fn(u64) -> ControlMessage,
    ) -> Vec<Result<(), Refusal>> {
        let (by, from, to) = (way[0], way[way.len() - 2], way[way.len() - 1]);
        let [by, asked] = [by, to].map(|seed| self.mesh(usize::from(seed) - 1));
        let mut heard = Vec::new();
        for sequence in self.wires.sequences_from(id(to)) {
            let draft = Draft {
                kind: PacketKind::Control,
                payload: answer(sequence).encode().unwrap(),
                ..data(way, b"", Msat::ZERO)
            };
            let composed = compose(by.engine(), draft, self.clock.now());
            heard.push(asked.receive(id(from), composed.bytes).await);
        }
        heard
    }
}

/// The books of a node, which have to balance: deposits = credit + reserved + earned + refunded.
pub(crate) async fn money(mesh: &MeshManager) -> Money {
    let money = mesh.status().await.money.unwrap();
    assert_eq!(
        money.deposited.to_msat(),
        money.credit.to_msat()
            + money.reserved.to_msat()
            + money.earned.to_msat()
            + money.refunded.to_msat()
    );
    money
}

/// The quote of the node `payee` for the credit of `payer`, and the invoice to issue for it.
pub(crate) fn quote_request(
    payee: u8,
    payer: NodeId,
    amount: Msat,
    now: UnixTime,
) -> InvoiceRequest {
    let quoter = mesh_payment::Quoter {
        payee: id(payee),
        key: quote_key(payee),
        lifetime: Duration::from_secs(600),
        price_epoch: 0,
    };
    quoter.quote(payer, amount, [5; 16], now).unwrap().request
}

pub(crate) fn quote_key(payee: u8) -> mesh_payment::QuoteKey {
    mesh_payment::QuoteKey::derive(&identity(payee).secret_bytes()).on(Network::Regtest)
}
