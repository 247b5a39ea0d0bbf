use crate::{
    Budgets, Delivery, Engine, EngineSetup, ForgetfulStore, Refusal,
    chain::{QUESTIONS_BURST, QUESTIONS_PER_SECOND},
    chain_places::ChainPlaces,
    delivery::Inbox,
    identity::{identity_in, load_or_create_identity},
    learning::{Learning, keep_learning, price_of},
    on_chain_deposit::{Showing, keep_showing},
    pending::Pending,
    purse::{
        LOOKUPS_BURST, LOOKUPS_PER_SECOND, MAX_ASKING, RECENT_CLAIMS, TURNS, VAIN_CLAIMS_BURST,
        VAIN_CLAIMS_PER_SECOND, keep_books,
    },
    refunds::Refunding,
    route_watch::{RouteWatch, keep_routes},
    sends::Sends,
    setup::{Wallet, check, settlement, wallet, wrong_setting},
    spending::{self, Spending},
    unshown::Unshown,
    wallet::{WalletWatch, keep_wallet},
    watch::keep_watch,
};
use mesh_payment::NONCE_LEN;
use mesh_protocol::{IdentityKey, PacketView, emit};
use mesh_replay::ClaimSet;
use mesh_types::{
    LightningNode, MeshConfig, MeshError, MeshEvent, MeshPacket, ModuleContext, Msat, NodeAPI,
    NodeEvent, NodeId, Store, StoreError, UnixTime,
};
use std::{
    fmt,
    num::NonZeroU32,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Mutex, Notify, RwLock, Semaphore};

/// A node's mesh: the async shell round an [`Engine`]. A clone is another handle to the same mesh.
#[derive(Clone)]
pub struct MeshManager {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) node_api: Arc<dyn NodeAPI>,
    pub(crate) store: Arc<dyn Store>,
    /// Claims whose packets have been carried: what is here was claimed, and what is not here the store knows.
    pub(crate) recent: ClaimSet,
    pub(crate) asking: Semaphore,
    pub(crate) lookups: Budgets,
    pub(crate) questions: Budgets,
    pub(crate) chain_places: ChainPlaces,
    pub(crate) final_depth: NonZeroU32,
    pub(crate) wallet: WalletWatch,
    pub(crate) vain_claims: Budgets,
    pub(crate) turns: [Mutex<()>; TURNS],
    /// Held shared by each payment under way.
    pub(crate) paying: Arc<RwLock<()>>,
    /// Held while what was earned is booked.
    pub(crate) booking: Mutex<()>,
    pub(crate) booked: Notify,
    /// Held while idle credit goes back.
    pub(crate) returning: Mutex<()>,
    pub(crate) numbering: Mutex<()>,
    pub(crate) inbox: Inbox,
    pub(crate) unshown: Unshown,
    pub(crate) showing: Showing,
    pub(crate) spending: Spending,
    pub(crate) refunding: Refunding,
    pub(crate) learning: Learning,
    pending: Pending,
    pub(crate) sends: Sends,
    pub(crate) route_watch: RouteWatch,
    pub(crate) spent_msat: AtomicU64,
    pub(crate) swept_at_millis: AtomicU64,
}

impl MeshManager {
    /// Starts the mesh of a node, with the settings and the data folder of `ctx`.
    ///
    /// The money is where [`NodeAPI::store`] says; where it names no store, a restart forgets claims and credit.
    ///
    /// # Errors
    /// [`MeshError::ConfigError`] when a setting is wrong, the mesh is disabled, the identity key cannot be read or
    /// made, or `node_api` speaks for another node than that key.
    pub async fn new(ctx: &ModuleContext, node_api: Arc<dyn NodeAPI>) -> Result<Self, MeshError> {
        let config = MeshConfig::from_flat(&ctx.config).map_err(wrong_setting)?;
        let path = Path::new(&ctx.data_dir).join(&config.identity_path);
        let identity = match node_api.store() {
            Some(store) => identity_in(store.as_ref(), &path).await,
            None => load_or_create_identity(&path),
        };
        Self::start(config, identity.map_err(wrong_setting)?, node_api).await
    }

    /// Starts the mesh of a node from its parts.
    ///
    /// # Errors
    /// As [`MeshManager::new`]; [`MeshError::Busy`] when the store does not answer.
    pub async fn start(
        config: MeshConfig,
        identity: IdentityKey,
        node_api: Arc<dyn NodeAPI>,
    ) -> Result<Self, MeshError> {
        check(&config, &identity, node_api.as_ref())?;
        spending::check(&config.spending)?;
        let spending = config.spending;
        let final_depth = config.on_chain.final_depth;
        let settlement = settlement(&config, node_api.as_ref())?;
        let Wallet {
            payee_key,
            is_shared,
            is_away,
        } = wallet(&config, node_api.as_ref()).await?;
        let check_settlement = config.check_settlement || is_shared;
        let may_tell = node_api.lightning().is_some();
        let known_nodes = config.known_nodes.clone();
        let interval = Duration::from_millis(config.debit_interval_ms.into());
        let store: Arc<dyn Store> = match node_api.store() {
            Some(store) => {
                next_second(node_api.as_ref()).await;
                store
            }
            None => {
                tracing::warn!("there is no store: a restart forgets claims and credit");
                Arc::new(ForgetfulStore::default())
            }
        };
        if node_api.chain().is_none() && store.watched().await.is_ok_and(|it| !it.is_empty()) {
            tracing::warn!(
                "payments on the chain are not deep yet, and this node has no chain to watch them"
            );
        }
        let now = node_api.now();
        let sequences = store.reserve_sequences(micros(now)).await;
        let learning = Learning::start(&config, &identity, random()?, now)?;
        let engine = Engine::new(
            EngineSetup {
                identity,
                config,
                payee_key,
                settlement,
                sequences: sequences.map_err(no_store)?,
            },
            now,
        );
        engine.wallet_is(!is_away);
        for node in known_nodes {
            let routes = engine.routes();
            routes
                .set_price(node.node_id, price_of(&node))
                .map_err(wrong_setting)?;
            for other in node.linked_with {
                routes
                    .add_link(node.node_id, other)
                    .map_err(wrong_setting)?;
            }
        }
        let shared = Shared {
            engine,
            node_api,
            recent: ClaimSet::new(RECENT_CLAIMS),
            asking: Semaphore::new(MAX_ASKING),
            lookups: Budgets::new(LOOKUPS_PER_SECOND, LOOKUPS_BURST),
            questions: Budgets::new(QUESTIONS_PER_SECOND, QUESTIONS_BURST),
            chain_places: ChainPlaces::default(),
            final_depth,
            wallet: WalletWatch::new(check_settlement, may_tell),
            vain_claims: Budgets::new(VAIN_CLAIMS_PER_SECOND, VAIN_CLAIMS_BURST),
            turns: std::array::from_fn(|_| Mutex::default()),
            paying: Arc::default(),
            booking: Mutex::default(),
            booked: Notify::new(),
            returning: Mutex::default(),
            numbering: Mutex::default(),
            inbox: Inbox::default(),
            unshown: Unshown::load(Arc::clone(&store)).await.map_err(no_store)?,
            showing: Showing::default(),
            spending: Spending::load(spending, store.as_ref())
                .await
                .map_err(no_store)?,
            store,
            refunding: Refunding::default(),
            learning,
            pending: Pending::default(),
            sends: Sends::default(),
            route_watch: RouteWatch::new(now),
            spent_msat: AtomicU64::new(0),
            swept_at_millis: AtomicU64::new(now.to_millis()),
        };
        let shared = Arc::new(shared);
        tokio::spawn(keep_books(Arc::downgrade(&shared), interval));
        tokio::spawn(keep_watch(Arc::downgrade(&shared)));
        tokio::spawn(keep_wallet(Arc::downgrade(&shared)));
        tokio::spawn(keep_showing(Arc::downgrade(&shared)));
        tokio::spawn(keep_learning(Arc::downgrade(&shared)));
        tokio::spawn(keep_routes(Arc::downgrade(&shared)));
        Ok(Self { shared })
    }

    /// Takes a packet as if the node before this one on its route had handed it over.
    ///
    /// The caller vouches for that; a program with links of its own calls [`MeshManager::receive`].
    ///
    /// # Errors
    /// [`MeshError`] says why the packet was not carried. Its source has been told, where it can be.
    pub async fn handle_packet(&self, packet: MeshPacket) -> Result<(), MeshError> {
        let bytes = emit(&packet).map_err(|error| MeshError::InvalidPacket(error.to_string()))?;
        let position = packet.route.position(&self.node_id());
        let previous = position.and_then(|position| packet.route.get(position.checked_sub(1)?));
        let from = *previous.ok_or_else(|| MeshError::from(Refusal::NotOnRoute))?;
        Ok(self.receive(from, bytes).await?)
    }

    /// Takes a packet that the authenticated peer `from` has handed over: carries it, or says why not.
    ///
    /// # Errors
    /// [`Refusal`]; the source has been told, where it can be.
    pub async fn receive(&self, from: NodeId, bytes: Vec<u8>) -> Result<(), Refusal> {
        match self.carry(&from, bytes).await {
            Ok(()) => Ok(()),
            Err(refused) => {
                tracing::debug!(%from, refusal = %refused.refusal, "packet refused");
                if let Some(learning) = self.shared.learning() {
                    let now = self.shared.node_api.now();
                    learning.refused(&refused, from, self.engine().routes(), now);
                }
                self.tell(&refused).await;
                Err(refused.refusal)
            }
        }
    }

    /// Hands a packet of this format to the peer at `peer_address`.
    ///
    /// # Errors
    /// [`MeshError::InvalidPacket`] when the receiver would refuse such bytes, and what the node says when it has no such
    /// peer or the link is full. `Ok` means that the link has taken it.
    pub async fn send_mesh_packet(
        &self,
        peer_address: String,
        packet_data: Vec<u8>,
    ) -> Result<(), MeshError> {
        PacketView::parse(&packet_data)
            .map_err(|error| MeshError::InvalidPacket(error.to_string()))?;
        self.shared
            .node_api
            .send_mesh_packet_to_peer(peer_address, packet_data)
            .await
    }

    /// Takes what the node around the mesh says: peers that come and go. Nothing it says is evidence of a payment.
    pub fn handle_event(&self, event: NodeEvent) {
        match event {
            NodeEvent::PeerConnected {
                peer_addr,
                peer_node_id: Some(node_id),
            } => {
                let routes = self.engine().routes();
                routes.add_direct_peer(node_id, peer_addr);
                if routes.peer_address(&node_id).is_some() {
                    let now = self.shared.node_api.now();
                    self.shared.learning.peer_up(node_id, routes, now);
                }
            }
            NodeEvent::PeerDisconnected { peer_addr, .. } => {
                let routes = self.engine().routes();
                for (node_id, address) in routes.direct_peers() {
                    if *address == *peer_addr {
                        routes.remove_direct_peer(&node_id);
                        let now = self.shared.node_api.now();
                        self.shared.learning.peer_down(&node_id, routes, now);
                    }
                }
            }
            hint => tracing::trace!(?hint, "a hint from the node"),
        }
    }

    /// Waits for the next packet that is addressed to this node.
    pub async fn next_delivery(&self) -> Delivery {
        self.shared.inbox.next().await
    }

    /// Takes up to `most` packets that are addressed to this node and have arrived already.
    pub fn poll_deliveries(&self, most: usize) -> Vec<Delivery> {
        self.take_deliveries(most, |_| true)
    }

    /// The same for those of them that are `wanted`; the others stay where they are, for whoever wants them.
    ///
    /// `wanted` is asked while nothing can arrive, so it has to be quick.
    pub fn take_deliveries(
        &self,
        most: usize,
        wanted: impl FnMut(&Delivery) -> bool,
    ) -> Vec<Delivery> {
        self.shared.inbox.take(most, wanted)
    }

    /// This node.
    pub fn node_id(&self) -> NodeId {
        self.engine().node_id()
    }

    /// The decision that this shell carries out.
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub(crate) fn pending(&self) -> &Pending {
        &self.shared.pending
    }

    pub(crate) fn lightning(&self) -> Result<Arc<dyn LightningNode>, MeshError> {
        self.shared.node_api.lightning().ok_or_else(|| {
            MeshError::LightningError("this node has no Lightning back end".to_owned())
        })
    }

    pub(crate) fn count_spent(&self, amount: Msat) {
        self.shared
            .spent_msat
            .fetch_add(amount.to_msat(), Ordering::Relaxed);
    }

    /// Issues an invoice that buys `payer` credit here, whoever pays it: the wallet tells when it is paid, so that no packet has
    /// to bring a proof.
    ///
    /// # Errors
    /// [`MeshError::PaymentVerificationFailed`] when the amount is nothing or too much; [`MeshError::Busy`] when the Lightning
    /// back end is away, or `payer` has been quoted too much lately.
    pub async fn quote_for(&self, payer: NodeId, amount: Msat) -> Result<String, MeshError> {
        let budget = &self.engine().quotes_asked_for;
        self.issue_quote(payer, amount, budget).await
    }

    /// Issues an invoice that buys `payer` credit here, within one of its budgets of invoices.
    pub(crate) async fn issue_quote(
        &self,
        payer: NodeId,
        amount: Msat,
        budget: &Budgets,
    ) -> Result<String, MeshError> {
        let lightning = self.lightning()?;
        self.shared.is_payable()?;
        let now = self.shared.node_api.now();
        let engine = self.engine();
        let issued = engine
            .quoter
            .quote(payer, amount, random::<NONCE_LEN>()?, now)
            .map_err(|error| MeshError::PaymentVerificationFailed(error.to_string()))?;
        budget
            .take(&payer, 1, now)
            .map_err(|error| MeshError::Busy(error.to_string()))?;
        let preimage = issued.request.preimage;
        let invoice = lightning.create_invoice(issued.request).await;
        let invoice = invoice.map_err(|error| self.shared.failed(&error))?;
        if engine.verifier().would_recognise(&invoice, &preimage) {
            return Ok(invoice);
        }
        let reason = "its invoice could not be told from somebody else's when it is paid";
        Err(MeshError::LightningError(reason.to_owned()))
    }
}

impl Shared {
    /// What is learned of the mesh; nothing in a mode in which a node neither tells nor hears.
    pub(crate) fn learning(&self) -> Option<&Learning> {
        self.engine.conditions().learns().then_some(&self.learning)
    }

    pub(crate) async fn publish(&self, event: MeshEvent) {
        if let Err(error) = self.node_api.publish_event(event).await {
            tracing::debug!(%error, "the node did not take an event");
        }
    }
}

/// Waits for the next full second: packets of the second in which a process before this one died may have been carried by
/// it, and are told from new ones by their timestamps, which are in seconds.
async fn next_second(node_api: &dyn NodeAPI) {
    let into_second = node_api.now().to_millis() % 1_000;
    if into_second > 0 {
        tokio::time::sleep(Duration::from_millis(1_000 - into_second)).await;
    }
}

/// The clock as a number for packets: above all numbers of a node that sends less than a million a second, even where its
/// store was lost.
const fn micros(now: UnixTime) -> u64 {
    now.to_millis().saturating_mul(1_000)
}

pub(crate) fn no_store(error: StoreError) -> MeshError {
    MeshError::Busy(error.to_string())
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], MeshError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| MeshError::Busy(format!("no randomness: {error}")))?;
    Ok(bytes)
}

impl fmt::Debug for MeshManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeshManager")
            .field("node_id", &self.node_id())
            .finish_non_exhaustive()
    }
}
