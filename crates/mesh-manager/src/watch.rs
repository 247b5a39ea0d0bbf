use crate::{MeshManager, manager::Shared};
use mesh_payment::{
    CovenantProof,
    bitcoin::{Transaction, Txid, consensus::serialize, hashes::Hash as _},
};
use mesh_types::{
    ChainError, ChainNode, ChainTransaction, ClaimKey, PaymentProof, Standing, StoreError, TxHash,
    Watched,
};
use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// How often the chain is asked how the watched payments stand, and what is to be collected.
///
/// Half a minute, because blocks come every ten, and what is undone should not be spent for long.
const INTERVAL: Duration = Duration::from_secs(30);

/// How long one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many answers in a row may fail before the rest of a round is left for the next one.
///
/// Three, because one transaction that the node cannot tell of must not keep the others from being watched, and a node that
/// is away is not asked 65,536 times.
const MOST_FAILURES: u32 = 3;

impl MeshManager {
    /// Asks the chain how the payments on it stand: credit whose payment is gone is frozen, and can be spent again when the
    /// payment is back. Then sends the transactions that collect what covenants pay, until they are deep.
    ///
    /// A running mesh does this by itself; it is here for those who drive a mesh without its clock.
    pub async fn watch_payments(&self) {
        round(&Arc::downgrade(&self.shared), &mut BrokeOff::default()).await;
    }
}

/// Where a round broke off, so that what is not answered in one does not stop the next at the same place.
#[derive(Default)]
struct BrokeOff {
    payment: Option<ClaimKey>,
    covenant: Option<Txid>,
}

/// Watches payments until the mesh is gone.
pub(crate) async fn keep_watch(mesh: Weak<Shared>) {
    let mut last = BrokeOff::default();
    // A round ends early when the mesh has gone.
    while round(&mesh, &mut last).await.is_some() {
        sleep(INTERVAL).await;
    }
}

/// Looks at everything once, first at what comes behind where the last round broke off.
///
/// The mesh is not held between two looks, so that it can end in the middle of a round: `None` says that it has.
async fn round(mesh: &Weak<Shared>, last: &mut BrokeOff) -> Option<()> {
    let shared = mesh.upgrade()?;
    let asked = shared.store.watched().await;
    drop(shared);
    if let Ok(mut watched) = asked.inspect_err(say_unknown) {
        begin_behind(&mut watched, last.payment, |payment| payment.key);
        last.payment = look_at_all(mesh, &mut watched).await;
        mesh.upgrade()?.suspend(&watched);
    }
    // Whatever cannot be told of payments, there is money to be collected.
    let shared = mesh.upgrade()?;
    let asked = shared.covenants().await;
    drop(shared);
    if let Ok(mut covenants) = asked.inspect_err(say_unknown) {
        begin_behind(&mut covenants, last.covenant, |covenant| covenant.txid);
        last.covenant = collect_all(mesh, &covenants).await;
    }
    Some(())
}

/// Puts in order, and begins behind `last`.
fn begin_behind<T, K: Ord>(things: &mut [T], last: Option<K>, key: impl Fn(&T) -> K) {
    things.sort_unstable_by_key(&key);
    if let Some(last) = last {
        let behind = things.partition_point(|thing| key(thing) <= last);
        things.rotate_left(behind);
    }
}

/// Looks at each payment and notes in it how it stands; answers with where it broke off.
async fn look_at_all(mesh: &Weak<Shared>, watched: &mut [Watched]) -> Option<ClaimKey> {
    let mut failures = 0;
    let mut standings = HashMap::new();
    for payment in watched {
        let (shared, chain) = both(mesh)?;
        let looked = shared.look_at(payment, chain.as_ref(), &mut standings);
        if !goes_on(looked.await, &mut failures) {
            return Some(payment.key);
        }
    }
    None
}

/// Collects what each covenant pays; answers with where it broke off.
async fn collect_all(mesh: &Weak<Shared>, covenants: &[Covenant]) -> Option<Txid> {
    let mut failures = 0;
    for covenant in covenants {
        let (shared, chain) = both(mesh)?;
        if !goes_on(
            shared.collect(covenant, chain.as_ref()).await,
            &mut failures,
        ) {
            return Some(covenant.txid);
        }
    }
    None
}

/// Says whether to go on with the round.
fn goes_on(looked: Result<(), String>, failures: &mut u32) -> bool {
    match looked {
        Ok(()) => *failures = 0,
        Err(reason) => {
            tracing::warn!(reason, "a payment on the chain is not looked at now");
            *failures = failures.saturating_add(1);
        }
    }
    *failures < MOST_FAILURES
}

fn both(mesh: &Weak<Shared>) -> Option<(Arc<Shared>, Arc<dyn ChainNode>)> {
    let shared = mesh.upgrade()?;
    let chain = shared.node_api.chain()?;
    Some((shared, chain))
}

fn say_unknown(error: &StoreError) {
    tracing::warn!(%error, "payments on the chain are not watched now");
}

impl Shared {
    /// Has the links with those whose payments are gone not announced: nobody should be sent over a node that owes.
    fn suspend(&self, watched: &[Watched]) {
        let frozen = watched.iter().filter(|payment| payment.is_frozen);
        let payers = frozen.map(|payment| payment.payer).collect();
        if let Some(learning) = &self.learning {
            learning.suspend(payers, self.engine.routes(), self.node_api.now());
        }
    }

    /// Looks at one payment, and notes in it how it stands.
    ///
    /// - `standings`: what this round has been told already; one transaction may pay for many.
    async fn look_at(
        &self,
        payment: &mut Watched,
        chain: &dyn ChainNode,
        standings: &mut HashMap<TxHash, Standing>,
    ) -> Result<(), String> {
        let standing = match standings.get(&payment.tx_hash) {
            Some(known) => *known,
            None => {
                let found = ask(chain.transaction(payment.tx_hash)).await?;
                let standing = standing(found.as_ref(), self.final_depth);
                standings.insert(payment.tx_hash, standing);
                standing
            }
        };
        let was_frozen = std::mem::replace(&mut payment.is_frozen, standing == Standing::Gone);
        let Watched {
            payer,
            amount,
            tx_hash,
            ..
        } = *payment;
        match (standing, was_frozen) {
            (Standing::Holds, false) => return Ok(()),
            // Frozen by this process or by another gateway: what is still in hand of it goes back each time.
            (Standing::Gone, true) => {}
            (Standing::Gone, false) => {
                tracing::warn!(%payer, %amount, %tx_hash, "a payment has left the chain: its credit is frozen");
                self.write_down(payment, standing).await?;
            }
            (Standing::Holds | Standing::Final, _) => {
                tracing::info!(%payer, %amount, %tx_hash, ?standing, "a payment is in the chain");
                return self.write_down(payment, standing).await;
            }
        }
        self.take_back(&payer).await;
        Ok(())
    }

    async fn write_down(&self, payment: &Watched, standing: Standing) -> Result<(), String> {
        let judged = self.store.judge(payment.key, standing).await;
        judged.map_err(|error| error.to_string())
    }

    /// The covenants that were credited and are not known to be collected.
    async fn covenants(&self) -> Result<Vec<Covenant>, StoreError> {
        let local = self.engine.node_id();
        let kept = self.store.kept_proofs().await?.into_iter();
        let own = kept.filter(|(payee, _)| *payee == local);
        Ok(own.filter_map(|(_, proof)| Covenant::of(proof)).collect())
    }

    /// Sends the transaction that takes what a covenant pays, until it is so deep that nothing undoes it.
    async fn collect(&self, covenant: &Covenant, chain: &dyn ChainNode) -> Result<(), String> {
        let tx_hash = TxHash::from_bytes(covenant.txid.to_byte_array());
        match ask(chain.transaction(tx_hash)).await {
            // A node without an index cannot tell of what was never sent. To send it once too often does no harm.
            Ok(None) | Err(_) => ask(chain.submit(serialize(&covenant.spend))).await,
            Ok(Some(found)) if found.depth >= self.final_depth.get() => {
                let (local, proof) = (self.engine.node_id(), covenant.proof.clone());
                let forgotten = self.store.forget_proof(local, proof).await;
                forgotten.map_err(|error| error.to_string())
            }
            Ok(Some(_)) => Ok(()),
        }
    }
}

/// A covenant that was credited.
struct Covenant {
    proof: PaymentProof,
    /// The transaction that takes what it pays.
    spend: Transaction,
    /// That transaction's.
    txid: Txid,
}

impl Covenant {
    /// `None` for any other proof.
    fn of(proof: PaymentProof) -> Option<Self> {
        let PaymentProof::InstantSettlement { covenant_proof, .. } = &proof else {
            return None;
        };
        let spend = CovenantProof::from_bytes(covenant_proof).ok()?.spend();
        let txid = spend.compute_txid();
        Some(Self { proof, spend, txid })
    }
}

fn standing(found: Option<&ChainTransaction>, final_depth: NonZeroU32) -> Standing {
    match found.map(|found| found.depth) {
        Some(depth) if depth >= final_depth.get() => Standing::Final,
        Some(1..) => Standing::Holds,
        // In the mempool again is not in the chain again.
        Some(0) | None => Standing::Gone,
    }
}

async fn ask<T>(question: impl Future<Output = Result<T, ChainError>>) -> Result<T, String> {
    match timeout(PATIENCE, question).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("the chain is slow to answer".to_owned()),
    }
}
