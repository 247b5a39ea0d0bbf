use crate::{MeshManager, PendingDraw, Refusal, Refused, Step, manager::Shared};
use mesh_types::{Drawn, Msat, NodeId, Settled, Settlement, StoreError, UnixTime};
use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::{Mutex, SemaphorePermit},
    time::{sleep, timeout},
};

/// The most packets that wait for the store at one time.
///
/// 512, because a store that has stopped answering must not fill the places of packets that do not need it.
pub(crate) const MAX_ASKING: usize = 512;

/// How often a source without enough credit may have the store asked for it: at once, and a second.
///
/// Whoever has no credit pays nothing for asking.
pub(crate) const LOOKUPS_BURST: u64 = 8;
pub(crate) const LOOKUPS_PER_SECOND: u64 = 4;

/// The most claims that are remembered in front of the store: some 14 MB.
pub(crate) const RECENT_CLAIMS: usize = 262_144;

/// How long a packet waits for older debits to be booked.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long payments under way may hold up the end of a mesh.
///
/// Ten seconds, because most are through in less, and a wallet that hangs is no reason never to stop.
const LAST_PAYMENTS: Duration = Duration::from_secs(10);

/// How often a source may show proofs that turn out to be used: at once, and a second. A proof that counts costs nothing
/// of it.
pub(crate) const VAIN_CLAIMS_BURST: u64 = 200;
pub(crate) const VAIN_CLAIMS_PER_SECOND: u64 = 50;

/// How many payers may have credit drawn for them at one time, about.
pub(crate) const TURNS: usize = 64;

/// How long credit may lie unused in this process's hands.
///
/// Two seconds: other gateways of the payer's may need it, and memory is for those who send.
const IDLE: Duration = Duration::from_secs(2);

/// How often what has passed is over for routes: a relay that was busy, a score that has recovered.
const REFRESH: Duration = Duration::from_secs(1);

/// How often expired claims are forgotten, at most: it costs in proportion to what expired, so there is no hurry.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// How many times in the allowed interval what was earned is booked: a booking that takes as long as the other three
/// quarters is still in time.
const BOOKINGS_PER_INTERVAL: u32 = 4;

impl MeshManager {
    /// Draws the credit that a packet lacks, and goes on with the packet.
    pub(crate) async fn draw(
        &self,
        pending: PendingDraw,
        bytes: &[u8],
    ) -> Result<Step<'_>, Refused> {
        let asking = self.may_ask(bytes)?;
        let (payer, wanted) = (pending.payer, pending.wanted);
        // One at a time for each payer: the next finds what this one has drawn.
        let turn = timeout(PATIENCE, self.shared.turn(&payer).lock()).await;
        let turn = turn.map_err(|_| {
            let busy = Refusal::Busy("the store is slow".to_owned());
            self.refuse(busy, bytes)
        })?;
        let elsewhere;
        let halfway = match self.shared.look_up(&payer, wanted).await {
            Ok(drawn) => {
                elsewhere = drawn.elsewhere;
                match self.engine().drawn(pending, drawn.amount) {
                    Ok(halfway) => halfway,
                    Err(refusal) => {
                        self.shared.give_back(payer, drawn.amount).await;
                        return Err(self.refuse(refusal, bytes));
                    }
                }
            }
            Err(error) => return Err(self.refuse(Refusal::Store(error), bytes)),
        };
        drop((asking, turn));
        let is_short = self.engine().accounts().credit(&payer) < wanted;
        if is_short && elsewhere > Msat::ZERO {
            let busy = Refusal::Busy(format!("another gateway holds {elsewhere} of its credit"));
            return Err(self.refuse(busy, bytes));
        }
        self.engine()
            .resume(bytes, halfway, self.shared.node_api.now())
    }

    /// A place among those who ask the store.
    pub(crate) fn may_ask(&self, bytes: &[u8]) -> Result<SemaphorePermit<'_>, Refused> {
        self.shared.asking.try_acquire().map_err(|_| {
            let busy = Refusal::Busy("too many packets wait for the store".to_owned());
            self.refuse(busy, bytes)
        })
    }

    /// What `payer` can spend here, in hand or not.
    pub(crate) async fn credit_of(&self, payer: NodeId) -> Result<Msat, StoreError> {
        let unavailable = |reason: &str| StoreError::Unavailable(reason.to_owned());
        let asking = self.shared.asking.try_acquire();
        let _asking = asking.map_err(|_| unavailable("too many wait for it"))?;
        let kept = timeout(PATIENCE, self.shared.store.credit(payer)).await;
        let kept = kept.map_err(|_| unavailable("it is slow"))??;
        let in_hand = self.engine().accounts().credit(&payer);
        Ok(kept.checked_add(in_hand).unwrap_or(Msat::MAX))
    }

    /// Books what was earned, gives back what lies idle, and forgets what has expired, each when it is due.
    ///
    /// A running mesh does this by itself; it is here for those who drive a mesh without its clock.
    pub async fn maintain(&self) {
        self.shared.book().await;
        self.shared.return_idle(false).await;
        self.shared.sweep().await;
    }

    /// Waits for payments under way, books everything and gives all credit back: to be called last, when no packet comes
    /// any more. It waits for the store as long as that takes.
    pub async fn close(&self) {
        if timeout(LAST_PAYMENTS, self.shared.paying.write())
            .await
            .is_err()
        {
            tracing::error!("a payment is still under way: look for its preimage in the wallet");
        }
        self.shared.book().await;
        self.shared.return_idle(true).await;
    }
}

impl Shared {
    /// Whose turn it is to draw credit of `payer`.
    fn turn(&self, payer: &NodeId) -> &Mutex<()> {
        let [.., last] = payer.as_bytes();
        let [first, rest @ ..] = &self.turns;
        rest.get(usize::from(*last) % TURNS).unwrap_or(first)
    }

    /// Asks the store for credit of `payer`, unless there is enough in hand meanwhile or it has been asked too often.
    async fn look_up(&self, payer: &NodeId, wanted: Msat) -> Result<Drawn, StoreError> {
        if !self.store.is_answering() {
            return Err(StoreError::Unavailable("it is away".to_owned()));
        }
        let missing = || wanted.saturating_sub(self.engine.accounts().credit(payer));
        // Whoever has asked in vain too often does not take up a place to wait in, either.
        let is_short = missing() > Msat::ZERO;
        if is_short && self.lookups.take(payer, 1, self.node_api.now()).is_err() {
            return Ok(Drawn::default());
        }
        timeout(PATIENCE, self.come_to_rest())
            .await
            .map_err(|_| StoreError::Unavailable("older debits are not booked yet".to_owned()))?;
        let missing = missing();
        if missing == Msat::ZERO {
            return Ok(Drawn::default());
        }
        let drawn = self.store.draw(*payer, missing).await?;
        if drawn.amount > Msat::ZERO {
            self.lookups.give_back(payer, 1);
        }
        Ok(drawn)
    }

    /// Waits until no debit is older than it may be, and no idle credit is on its way back, where it would be missed.
    async fn come_to_rest(&self) {
        loop {
            let booked = self.booked.notified();
            if !self.engine.debts.are_late(self.node_api.now()) {
                break;
            }
            booked.await;
        }
        drop(self.returning.lock().await);
    }

    async fn book(&self) {
        let _booking = self.booking.lock().await;
        self.engine.booking();
        let earned = self.engine.accounts().take_earned();
        if !earned.is_empty() {
            self.settle(earned).await;
        }
        self.engine.booked();
        self.booked.notify_waiters();
    }

    async fn return_idle(&self, everything: bool) {
        let _returning = self.returning.lock().await;
        let idle = self.engine.accounts().take_idle(everything);
        if !idle.is_empty() {
            self.settle(idle).await;
        }
    }

    /// Books what was earned and gives back the credit of `payer` that is in hand and not set aside.
    pub(crate) async fn gather(&self, payer: &NodeId) {
        self.book().await;
        self.take_back(payer).await;
    }

    /// Gives back the credit of `payer` that is in hand and not set aside; none is on its way into this hand meanwhile.
    pub(crate) async fn take_back(&self, payer: &NodeId) {
        let _turn = self.turn(payer).lock().await;
        let _returning = self.returning.lock().await;
        if let Some(back) = self.engine.accounts().take_back(payer) {
            self.settle(vec![back]).await;
        }
    }

    async fn give_back(&self, payer: NodeId, back: Msat) {
        let settlement = Settlement {
            payer,
            spent: Msat::ZERO,
            packets: 0,
            back,
        };
        self.settle(vec![settlement]).await;
    }

    async fn settle(&self, settlements: Vec<Settlement>) {
        let now = self.node_api.now();
        match self.store.settle(settlements, now).await {
            Ok(Settled::Booked) => {}
            Ok(Settled::Revoked) => {
                tracing::warn!(
                    "the store had taken this process for dead: its credit in hand is void"
                );
                self.engine.accounts().revoke();
            }
            Err(error) => {
                tracing::error!(%error, "debits are lost: nothing more is debited until the node is started again");
                self.engine.debts.lost();
            }
        }
    }

    /// Forgets expired claims, when that was last done long enough ago.
    async fn sweep(&self) {
        let now = self.node_api.now();
        let last = self.swept_at_millis.load(Ordering::Relaxed);
        if now < UnixTime::from_millis(last).plus(SWEEP_INTERVAL) {
            return;
        }
        self.swept_at_millis
            .store(now.to_millis(), Ordering::Relaxed);
        self.recent.remove_expired(now);
        let forgettable = self.wallet.forgettable(now);
        if let Err(error) = self.store.remove_expired(forgettable).await {
            tracing::warn!(%error, "expired claims stay for now");
        }
    }
}

/// Keeps the books until the mesh is gone.
pub(crate) async fn keep_books(mesh: Weak<Shared>, interval: Duration) {
    let pause = interval / BOOKINGS_PER_INTERVAL;
    let (mut since_return, mut since_refresh) = (Duration::ZERO, Duration::ZERO);
    loop {
        sleep(pause).await;
        let Some(shared) = mesh.upgrade() else {
            return;
        };
        shared.book().await;
        since_refresh += pause;
        if since_refresh >= REFRESH {
            since_refresh = Duration::ZERO;
            shared.engine.routes.refresh(shared.node_api.now());
        }
        since_return += pause;
        if since_return >= IDLE {
            since_return = Duration::ZERO;
            shared.return_idle(false).await;
            let sweeper = Arc::clone(&shared);
            // Beside the bookings, which must not wait for it.
            tokio::spawn(async move {
                sweeper.look_up_payments().await;
                sweeper.look_up_refunds().await;
                sweeper.sweep().await;
            });
        }
    }
}
