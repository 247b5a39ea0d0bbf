use crate::{
    Budgets, RefusalReason,
    free_lane::{FreeLane, Lane},
    keyring::Keyring,
    refusal::RefusalCounts,
    traffic::Traffic,
};
use mesh_payment::{Accounts, QuoteKey, Quoter, Verifier};
use mesh_protocol::{IdentityKey, RoutingPolicyEngine};
use mesh_replay::SequenceWindows;
use mesh_routing::RoutingTable;
use mesh_types::{MeshConfig, MeshMode, NodeId, Price, UnixTime};
use secp256k1::PublicKey;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How many invoices a payer is issued at once, and a second, for refusals and for its requests each: an invoice costs the
/// Lightning back end. Two budgets, because a refused packet can be repeated by whoever it came past, and that must not
/// use up what its source asks for itself.
const QUOTES_BURST: u64 = 20;
const QUOTES_PER_SECOND: u64 = 2;

/// The decision about every packet: synchronous, with the time as an argument, shared by many threads.
#[derive(Debug)]
pub struct Engine {
    pub(crate) local: NodeId,
    pub(crate) mode: MeshMode,
    pub(crate) price: Price,
    pub(crate) started_at: UnixTime,
    pub(crate) policy: RoutingPolicyEngine,
    pub(crate) keys: Keyring,
    pub(crate) windows: SequenceWindows,
    free_lane: FreeLane,
    control_lane: FreeLane,
    pub(crate) invoices_in_refusals: Budgets,
    pub(crate) invoices_asked_for: Budgets,
    pub(crate) accounts: Accounts,
    pub(crate) quoter: Quoter,
    pub(crate) verifier: Verifier,
    pub(crate) routes: RoutingTable,
    pub(crate) refusals: RefusalCounts,
    pub(crate) traffic: Traffic,
    next_sequence: AtomicU64,
}

/// What an [`Engine`] is made of.
#[derive(Debug)]
pub struct EngineSetup {
    /// The node's key.
    pub identity: IdentityKey,
    /// The node's settings.
    pub config: MeshConfig,
    /// The key that signs the invoices of the node's Lightning back end, where there is one.
    pub payee_key: Option<PublicKey>,
}

impl Engine {
    /// Starts at `now` with empty books; packets made before `now` are out of time from the start, since the memory of
    /// their sequence numbers is gone.
    pub fn new(setup: EngineSetup, now: UnixTime) -> Self {
        let EngineSetup {
            identity,
            config,
            payee_key,
        } = setup;
        let local = identity.node_id();
        let key = QuoteKey::derive(&identity.secret_bytes()).on(config.network);
        let price = match config.mode {
            MeshMode::PaymentGated => config.price(),
            MeshMode::BitcoinOnly | MeshMode::Open => Price::FREE,
        };
        Self {
            local,
            mode: config.mode,
            price,
            started_at: now,
            policy: RoutingPolicyEngine::new(config.mode),
            windows: SequenceWindows::new(),
            free_lane: FreeLane::new(config.free_lane, now),
            control_lane: FreeLane::new(config.free_lane, now),
            invoices_in_refusals: Budgets::new(QUOTES_PER_SECOND, QUOTES_BURST),
            invoices_asked_for: Budgets::new(QUOTES_PER_SECOND, QUOTES_BURST),
            accounts: Accounts::default(),
            verifier: Verifier {
                node_id: local,
                network: config.network,
                quote_key: Some(key.clone()),
                payee_key,
            },
            quoter: Quoter {
                payee: local,
                key,
                lifetime: Duration::from_secs(config.quote_lifetime_secs.into()),
                price_epoch: 0,
            },
            routes: RoutingTable::new(local),
            refusals: RefusalCounts::default(),
            traffic: Traffic::default(),
            next_sequence: AtomicU64::new(now.to_millis().saturating_mul(1_000)),
            keys: Keyring::new(identity),
        }
    }

    /// This node.
    pub const fn node_id(&self) -> NodeId {
        self.local
    }

    /// What this node asks for a packet; nothing unless its mode is `payment_gated`.
    pub const fn price(&self) -> Price {
        self.price
    }

    /// The credit that payers have here.
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// What this node knows of the mesh.
    pub const fn routes(&self) -> &RoutingTable {
        &self.routes
    }

    /// How often each kind of refusal happened.
    pub fn refusals(&self) -> BTreeMap<RefusalReason, u64> {
        self.refusals.snapshot()
    }

    pub(crate) const fn lane(&self, lane: Lane) -> &FreeLane {
        match lane {
            Lane::Free => &self.free_lane,
            Lane::Control => &self.control_lane,
        }
    }

    /// The next number of this node's own packets.
    ///
    /// They start at the clock in microseconds, so that a restart does not go back: nobody sends a million packets a
    /// second for long.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.next_sequence.fetch_add(1, Ordering::Relaxed)
    }
}
