use crate::{
    Budgets, RefusalReason,
    conditions::Conditions,
    debts::Debts,
    free_lane::{FreeLane, Lane},
    in_hand::InHand,
    keyring::Keyring,
    numbering::Numbering,
    refusal::RefusalCounts,
    traffic::Traffic,
};
use mesh_payment::{Accounts, QuoteKey, Quoter, SettlementPolicy, Verifier};
use mesh_protocol::IdentityKey;
use mesh_replay::SequenceWindows;
use mesh_routing::RoutingTable;
use mesh_types::{MeshConfig, MeshMode, NodeId, Price, SequenceBlock, UnixTime};
use parking_lot::{RwLock, RwLockReadGuard};
use secp256k1::PublicKey;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// How many invoices a payer is issued at once, and a second, for refusals and for its requests each: an invoice costs the
/// Lightning back end. Two budgets, because a refused packet can be repeated by whoever it came past, and that must not
/// use up what its source asks for itself.
const QUOTES_BURST: u64 = 20;
const QUOTES_PER_SECOND: u64 = 2;

/// How many bytes about announcements are read of a neighbour, at once and a second: a lane of their own, since the mesh has
/// to be learned whatever else is carried, and since it comes in a burst when a link comes up.
///
/// 16 MiB and 192 KiB, a bit more than a neighbour sends that keeps to the limits of docs/routing.md: 8 MiB and 64 KiB of
/// announcements, and the names and comparisons beside them. To check and decode a second's bytes takes half a millisecond.
const GOSSIP_BURST_BYTES: u64 = 16 << 20;
const GOSSIP_BYTES_PER_SECOND: u64 = 192 << 10;

/// The decision about every packet: synchronous, with the time as an argument, shared by many threads.
#[derive(Debug)]
pub struct Engine {
    pub(crate) local: NodeId,
    conditions: RwLock<Conditions>,
    pub(crate) started_at: UnixTime,
    pub(crate) keys: Keyring,
    pub(crate) windows: SequenceWindows,
    pub(crate) in_hand: InHand,
    free_lane: RwLock<FreeLane>,
    control_lane: RwLock<FreeLane>,
    pub(crate) gossip_lane: Budgets,
    pub(crate) invoices_in_refusals: Budgets,
    pub(crate) quotes_asked_for: Budgets,
    pub(crate) accounts: Accounts,
    pub(crate) debts: Debts,
    pub(crate) quoter: Quoter,
    /// Of quotes that are paid on the chain, which takes longer.
    pub(crate) on_chain_quoter: Quoter,
    verifier: RwLock<Verifier>,
    is_wallet_away: AtomicBool,
    pub(crate) routes: RoutingTable,
    pub(crate) refusals: RefusalCounts,
    pub(crate) traffic: Traffic,
    pub(crate) numbering: Numbering,
}

/// What an [`Engine`] is made of.
#[derive(Debug)]
pub struct EngineSetup {
    /// The node's key.
    pub identity: IdentityKey,
    /// The node's settings.
    pub config: MeshConfig,
    /// The key that signs the invoices of the node's Lightning back end, where it does not take our preimages.
    pub payee_key: Option<PublicKey>,
    /// Which payments on the chain count.
    pub settlement: SettlementPolicy,
    /// The first numbers of the node's own packets.
    pub sequences: SequenceBlock,
}

impl Engine {
    /// Starts at `now` with empty books; packets made before `now` are out of time from the start, since the memory of
    /// their sequence numbers is gone.
    pub fn new(setup: EngineSetup, now: UnixTime) -> Self {
        let EngineSetup {
            identity,
            config,
            payee_key,
            settlement,
            sequences,
        } = setup;
        let local = identity.node_id();
        let key = QuoteKey::derive(&identity.secret_bytes()).on(config.network);
        let quoter = |lifetime_secs: u32| Quoter {
            payee: local,
            key: key.clone(),
            lifetime: Duration::from_secs(lifetime_secs.into()),
            price_epoch: 0,
        };
        let lane = || RwLock::new(FreeLane::new(config.free_lane, now));
        Self {
            local,
            conditions: RwLock::new(Conditions::of(&config)),
            started_at: now,
            windows: SequenceWindows::new(),
            in_hand: InHand::default(),
            free_lane: lane(),
            control_lane: lane(),
            gossip_lane: Budgets::new(GOSSIP_BYTES_PER_SECOND, GOSSIP_BURST_BYTES),
            invoices_in_refusals: Budgets::new(QUOTES_PER_SECOND, QUOTES_BURST),
            quotes_asked_for: Budgets::new(QUOTES_PER_SECOND, QUOTES_BURST),
            accounts: Accounts::default(),
            debts: Debts::new(Duration::from_millis(config.debit_interval_ms.into())),
            verifier: RwLock::new(Verifier {
                node_id: local,
                network: config.network,
                quote_key: Some(key.clone()),
                payee_key,
                settlement,
            }),
            is_wallet_away: AtomicBool::new(false),
            quoter: quoter(config.quote_lifetime_secs),
            on_chain_quoter: quoter(config.on_chain.quote_lifetime_secs),
            routes: RoutingTable::new(local),
            refusals: RefusalCounts::default(),
            traffic: Traffic::default(),
            numbering: Numbering::new(sequences, now),
            keys: Keyring::new(identity),
        }
    }

    /// This node.
    pub const fn node_id(&self) -> NodeId {
        self.local
    }

    /// What passes here, and what has to pay.
    pub fn mode(&self) -> MeshMode {
        self.conditions().mode()
    }

    /// What this node asks for a packet; nothing unless its mode is `payment_gated`.
    pub fn price(&self) -> Price {
        self.conditions().price
    }

    pub(crate) fn conditions(&self) -> Conditions {
        *self.conditions.read()
    }

    /// Decides on these conditions from now on. Lanes that become another are full again.
    pub(crate) fn set_conditions(&self, conditions: Conditions, now: UnixTime) {
        let before = std::mem::replace(&mut *self.conditions.write(), conditions);
        if conditions.free_lane != before.free_lane {
            for lane in [&self.free_lane, &self.control_lane] {
                *lane.write() = FreeLane::new(conditions.free_lane, now);
            }
        }
    }

    /// The credit that this process has in hand.
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

    /// What a payment to this node looks like.
    pub(crate) fn verifier(&self) -> RwLockReadGuard<'_, Verifier> {
        self.verifier.read()
    }

    /// Takes payments of invoices that `payee_key` has signed, from now on: to be called when a Lightning back end is met that
    /// does not take our preimages.
    pub fn expect_payee(&self, payee_key: PublicKey) {
        self.verifier.write().payee_key = Some(payee_key);
    }

    /// Says whether the Lightning back end answers: while it is away nobody can pay, so nobody is told to.
    pub fn wallet_is(&self, answering: bool) {
        self.is_wallet_away.store(!answering, Ordering::Relaxed);
    }

    /// Whether there is a Lightning back end that does not answer.
    pub fn is_wallet_away(&self) -> bool {
        self.is_wallet_away.load(Ordering::Relaxed)
    }

    pub(crate) fn lane(&self, lane: Lane) -> RwLockReadGuard<'_, FreeLane> {
        match lane {
            Lane::Free => self.free_lane.read(),
            Lane::Control => self.control_lane.read(),
        }
    }

    /// Goes on numbering with `block`: to be called when [`Engine::compose`] has run out of numbers.
    pub fn go_on_with(&self, block: SequenceBlock, now: UnixTime) {
        self.numbering.go_on(block, now);
    }

    /// Says that what was earned is about to be collected and booked.
    pub(crate) fn booking(&self) {
        self.debts.booking();
    }

    /// Says that it is booked.
    pub(crate) fn booked(&self) {
        self.debts.booked();
    }
}
