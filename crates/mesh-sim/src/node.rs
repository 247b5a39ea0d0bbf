use crate::{Trade, bank::QUOTES_BURST, errand::Errand, signer::Signer};
use mesh_manager::{Budgets, Engine, EngineSetup, ForgetfulStore};
use mesh_payment::{QuoteKey, Quoter, SettlementPolicy};
use mesh_protocol::IdentityKey;
use mesh_routing::{Gossip, OwnWords};
use mesh_types::{
    CarryLimits, MeshConfig, MeshMode, Msat, Network, NodeId, NodeStore as _, PaymentProof, Price,
    UnixTime,
};
use std::{
    collections::{BTreeMap, VecDeque},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// One node: the decisions of a real one, and what the program around them keeps.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    secret: [u8; 32],
    /// What it asks for a packet, and says so unless it lies.
    pub(crate) price: Price,
    /// How it lies, where it does.
    pub(crate) trade: Option<Trade>,
    /// Whether it sends packets, and so keeps a table of the mesh.
    pub(crate) is_source: bool,
    /// All links that it ever has: the peer, its number, the number of the wire.
    pub(crate) peers: BTreeMap<NodeId, (u32, u32)>,
    /// Nothing while it is down.
    pub(crate) gossip: Option<Gossip<Signer>>,
    /// Made when the first packet comes by, and gone when the node goes down.
    engine: Option<Arc<Engine>>,
    /// What is on its disk: it survives the node's going down.
    pub(crate) store: ForgetfulStore,
    pub(crate) started_at: UnixTime,
    /// When its gossip is woken next.
    pub(crate) wakes_at: Option<UnixTime>,
    /// What it has sent and waits to hear about, by the number of the packet.
    pub(crate) errands: BTreeMap<u64, Errand>,
    /// Payments whose payees have not seen the proof yet; on its disk, too.
    pub(crate) unshown: Vec<(NodeId, PaymentProof)>,
    /// How many invoices others may have.
    pub(crate) invoices: Budgets,
    /// Packets that a replayer has seen.
    pub(crate) loot: VecDeque<Arc<[u8]>>,
}

/// What a node asks at most for a packet, in satoshi.
const DEAREST_SAT: u64 = 12;

impl Node {
    pub(crate) fn new(chance: &mut fastrand::Rng) -> Self {
        let (identity, secret) = loop {
            let secret: [u8; 32] = std::array::from_fn(|_| chance.u8(..));
            if let Ok(identity) = IdentityKey::from_secret_bytes(secret) {
                break (identity, secret);
            }
        };
        Self {
            id: identity.node_id(),
            secret,
            price: Price {
                per_packet: Msat::from_msat(chance.u64(1..=DEAREST_SAT) * 1_000),
                per_kib: Msat::ZERO,
            },
            trade: None,
            is_source: false,
            peers: BTreeMap::new(),
            gossip: None,
            engine: None,
            store: ForgetfulStore::default(),
            started_at: UnixTime::default(),
            wakes_at: None,
            errands: BTreeMap::new(),
            unshown: Vec::new(),
            invoices: Budgets::new(2, QUOTES_BURST),
            loot: VecDeque::new(),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.gossip.is_some()
    }

    /// What it says of itself, unless it lies.
    pub(crate) fn words(&self) -> OwnWords {
        OwnWords {
            price: self.price,
            limits: CarryLimits::default(),
            addresses: vec![ADDRESS.to_owned()],
        }
    }

    /// A payment that `payee` may not have seen the proof of yet.
    pub(crate) fn unshown_to(&self, payee: &NodeId) -> Option<&PaymentProof> {
        let mut unshown = self.unshown.iter();
        unshown.find(|(to, _)| to == payee).map(|(_, proof)| proof)
    }

    pub(crate) fn is_honest(&self) -> bool {
        self.trade.is_none()
    }

    /// Makes the engine unless there is one; `linked` are its peers.
    pub(crate) fn engine(&mut self, linked: impl Iterator<Item = NodeId>) -> Arc<Engine> {
        if let Some(engine) = &self.engine {
            return Arc::clone(engine);
        }
        let engine = Arc::new(self.make_engine());
        for peer in linked {
            engine.routes().add_direct_peer(peer, ADDRESS.to_owned());
        }
        Arc::clone(self.engine.insert(engine))
    }

    /// The engine, where one was made.
    pub(crate) fn made_engine(&self) -> Option<&Arc<Engine>> {
        self.engine.as_ref()
    }

    /// The engine ends with the process. What it had in hand is credit again, as a store takes care of that finds its
    /// process dead.
    pub(crate) fn drop_engine(&mut self, now: UnixTime) {
        if let Some(engine) = self.engine.take() {
            let back = engine.accounts().take_idle(true);
            let _ = at_once(mesh_types::CreditStore::settle(&self.store, back, now));
        }
    }

    /// Makes offers as the node's manager does.
    pub(crate) fn quoter(&self) -> Quoter {
        Quoter {
            payee: self.id,
            key: QuoteKey::derive(&self.secret).on(NETWORK),
            lifetime: Duration::from_secs(600),
            price_epoch: 0,
        }
    }

    fn make_engine(&self) -> Engine {
        let sequences = at_once(self.store.reserve_sequences(1));
        let identity = IdentityKey::from_secret_bytes(self.secret);
        let (Ok(sequences), Ok(identity)) = (sequences, identity) else {
            unreachable!("the key was one before, and the store is in memory");
        };
        let config = MeshConfig {
            mode: MeshMode::PaymentGated,
            network: NETWORK,
            price_per_packet_msat: self.price.per_packet.to_msat(),
            price_per_kib_msat: self.price.per_kib.to_msat(),
            // Debits are booked here the moment they are made, so none is ever late.
            debit_interval_ms: u32::MAX,
            ..MeshConfig::default()
        };
        let setup = EngineSetup {
            identity,
            config,
            payee_key: None,
            settlement: SettlementPolicy::default(),
            sequences,
        };
        Engine::new(setup, self.started_at)
    }
}

/// No money of this network is worth anything.
pub(crate) const NETWORK: Network = Network::Regtest;

/// Where each peer is reached; nobody dials in virtual time.
pub(crate) const ADDRESS: &str = "203.0.113.210:8334";

/// What a store in memory answers, which never waits.
pub(crate) fn at_once<T>(answer: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(answer).poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("a store in memory never waits"),
    }
}
