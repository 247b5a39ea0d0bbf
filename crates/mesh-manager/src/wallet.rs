use crate::{
    MeshManager,
    manager::{Shared, no_store},
    setup::Wallet,
};
use mesh_types::{
    ClaimOutcome, LightningError, LightningInfo, LightningNode, MeshError, PacketTag,
    SettledInvoice, StoreError, UnixTime,
};
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

/// How long the wallet may wait for the next payment before it is asked again.
///
/// Ten seconds, because a connection that has died without a word is then noticed before payers have given up.
const LISTENING: Duration = Duration::from_secs(10);

/// How long a wallet that has just told of payments may wait for the next one, before all are taken as told.
///
/// Two seconds, because a wallet that has more to tell does so sooner.
const QUIET: Duration = Duration::from_secs(2);

/// How long any other answer is waited for, and what a wallet may take beyond the time that it may wait.
const PATIENCE: Duration = Duration::from_secs(15);

/// How soon a wallet that is away is asked again: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(15);

/// Up to when all is credited where the wallet does not tell.
const FOR_EVER: UnixTime = UnixTime::from_millis(u64::MAX);

/// What the mesh remembers of its wallet while it runs.
#[derive(Debug)]
pub(crate) struct WalletWatch {
    /// Whether it has to say that an invoice is settled before its proof counts.
    pub(crate) check_settlement: AtomicBool,
    /// Up to when all that it has received is credited, in milliseconds.
    credited_until: AtomicU64,
}

impl WalletWatch {
    /// - `may_tell`: whether there is a wallet, which may tell what it has received.
    pub(crate) fn new(check_settlement: bool, may_tell: bool) -> Self {
        Self {
            check_settlement: AtomicBool::new(check_settlement),
            credited_until: AtomicU64::new(if may_tell { 0 } else { FOR_EVER.to_millis() }),
        }
    }

    /// Up to when claims may be forgotten: of times that are forgotten nothing more is credited, so what the wallet has
    /// received and not told yet has to come first.
    pub(crate) fn forgettable(&self, now: UnixTime) -> UnixTime {
        let until = self.credited_until.load(Ordering::Relaxed);
        now.min(UnixTime::from_millis(until))
    }

    fn is_credited_until(&self, until: UnixTime) {
        self.credited_until
            .store(until.to_millis(), Ordering::Relaxed);
    }
}

/// Keeps in touch with the wallet until the mesh is gone: finds out when it is away and who it is when it comes back, and
/// credits what it has received.
pub(crate) async fn keep_wallet(mesh: Weak<Shared>) {
    let (mut listening, mut pause) = (LISTENING, FIRST_PAUSE);
    loop {
        let Some(lightning) = mesh.upgrade().and_then(|it| it.node_api.lightning()) else {
            return;
        };
        let asked_at = Instant::now();
        let heard = listen(&mesh, lightning.as_ref(), listening).await;
        drop(lightning);
        let waited = asked_at.elapsed();
        let Some(shared) = mesh.upgrade() else { return };
        let rest = match heard {
            Ok(Heard::Payments) => {
                (listening, pause) = (QUIET, FIRST_PAUSE);
                Duration::ZERO
            }
            Ok(Heard::Nothing) => {
                // A wallet that did not wait is not asked without end.
                let rest = listening.saturating_sub(waited);
                (listening, pause) = (LISTENING, FIRST_PAUSE);
                rest
            }
            Ok(Heard::OnlyThatItIsThere) => LISTENING,
            Err(Trouble::Wallet(error)) => {
                shared.miss(&error);
                backed_off(&mut pause)
            }
            Err(Trouble::Store(error)) => {
                tracing::warn!(%error, "what the wallet has received is credited later");
                backed_off(&mut pause)
            }
        };
        drop(shared);
        sleep(rest).await;
    }
}

impl MeshManager {
    /// Credits what the wallet has received, unless it is credited already: whoever pays a quote need not show a proof.
    ///
    /// A running mesh does this by itself; it is here for those who drive a mesh without its clock.
    ///
    /// # Errors
    /// [`MeshError::Busy`] when the wallet or the store does not answer.
    pub async fn credit_settled(&self) -> Result<(), MeshError> {
        let lightning = self.lightning()?;
        let mesh = Arc::downgrade(&self.shared);
        loop {
            match listen(&mesh, lightning.as_ref(), Duration::ZERO).await {
                Ok(Heard::Payments) => {}
                Ok(Heard::Nothing | Heard::OnlyThatItIsThere) => return Ok(()),
                Err(Trouble::Wallet(error)) => return Err(self.shared.failed(&error)),
                Err(Trouble::Store(error)) => return Err(no_store(error)),
            }
        }
    }
}

fn backed_off(pause: &mut Duration) -> Duration {
    let rest = *pause;
    *pause = pause.saturating_mul(2).min(LAST_PAUSE);
    rest
}

/// What a wallet had to say.
enum Heard {
    /// Payments, and they are credited.
    Payments,
    /// That there is none that it has not told of.
    Nothing,
    /// It does not tell of payments: proofs alone are credited.
    OnlyThatItIsThere,
}

/// Who did not answer.
#[derive(Debug, Error)]
enum Trouble {
    #[error(transparent)]
    Wallet(#[from] LightningError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Asks the wallet who it is and what it has received, once. The mesh is not held while the wallet waits, so that it can end.
async fn listen(
    mesh: &Weak<Shared>,
    lightning: &dyn LightningNode,
    listening: Duration,
) -> Result<Heard, Trouble> {
    let gone = || LightningError::Unreachable("the mesh is gone".to_owned());
    let info = in_time(PATIENCE, lightning.info()).await?;
    let shared = mesh.upgrade().ok_or_else(gone)?;
    shared.meet(&info)?;
    let place = shared.place_of(info.payee_key).await?;
    let asked_at = shared.node_api.now();
    drop(shared);
    let asked = lightning.settled_behind(place, listening);
    let settled = in_time(listening.saturating_add(PATIENCE), asked).await;
    let shared = mesh.upgrade().ok_or_else(gone)?;
    let settled = match settled {
        Err(LightningError::Refused(_)) => {
            shared.wallet.is_credited_until(FOR_EVER);
            return Ok(Heard::OnlyThatItIsThere);
        }
        settled => settled?,
    };
    for invoice in &settled {
        shared.credit_settled(invoice).await?;
    }
    let Some(last) = settled.iter().map(|invoice| invoice.place).max() else {
        shared.wallet.is_credited_until(asked_at);
        return Ok(Heard::Nothing);
    };
    let kept = shared.store.keep_settled_place(info.payee_key, last).await;
    kept?;
    Ok(Heard::Payments)
}

impl Shared {
    /// Learns who the wallet is.
    fn meet(&self, info: &LightningInfo) -> Result<(), LightningError> {
        let network = self.engine.verifier().network;
        let wallet = Wallet::read(info, network).map_err(LightningError::Refused)?;
        if wallet.is_shared {
            self.wallet.check_settlement.store(true, Ordering::Relaxed);
        }
        if let Some(key) = wallet.payee_key {
            self.engine.expect_payee(key);
        }
        if self.engine.is_wallet_away() {
            tracing::info!("the Lightning back end is back");
        }
        self.engine.wallet_is(true);
        Ok(())
    }

    /// Says no while the wallet is away.
    pub(crate) fn is_payable(&self) -> Result<(), MeshError> {
        if self.engine.is_wallet_away() {
            return Err(MeshError::Busy("the Lightning back end is away".to_owned()));
        }
        Ok(())
    }

    /// What it means to whoever called that the wallet did not do something.
    pub(crate) fn failed(&self, error: &LightningError) -> MeshError {
        if let LightningError::Unreachable(_) = error {
            self.miss(error);
            return MeshError::Busy(error.to_string());
        }
        MeshError::LightningError(error.to_string())
    }

    /// Notes that the wallet is away.
    fn miss(&self, error: &LightningError) {
        if !self.engine.is_wallet_away() {
            tracing::warn!(%error, "the Lightning back end is away: nothing is quoted or paid until it is back");
        }
        self.engine.wallet_is(false);
    }

    /// Up to where the wallet's list is credited.
    ///
    /// Where nothing was ever kept, what was paid for quotes whose time is over is not credited: another store, which is lost,
    /// may have credited it.
    async fn place_of(&self, payee_key: [u8; 33]) -> Result<u64, StoreError> {
        if let Some(place) = self.store.settled_place(payee_key).await? {
            return Ok(place);
        }
        self.store.remove_expired(self.node_api.now()).await?;
        self.store.keep_settled_place(payee_key, 0).await?;
        Ok(0)
    }

    /// Credits what the wallet has received, unless it is credited or no quote of ours.
    async fn credit_settled(&self, invoice: &SettledInvoice) -> Result<(), StoreError> {
        let payment = match self.engine.verifier().settled(invoice) {
            None => return Ok(()),
            Some(Ok(payment)) => payment,
            Some(Err(error)) => {
                tracing::warn!(%error, "the wallet has received a payment that is not of a quote of ours");
                return Ok(());
            }
        };
        let claim = payment.claim();
        let (payer, amount) = (claim.payer, claim.amount);
        let now = self.node_api.now();
        match self.store.claim(claim, PacketTag::NONE, now).await {
            Ok(ClaimOutcome::New) => {
                tracing::info!(%payer, %amount, "the wallet has received a payment: credited");
                self.announce(claim).await;
            }
            Ok(ClaimOutcome::Again | ClaimOutcome::AlreadyClaimed) => {}
            Err(error @ (StoreError::Expired(_) | StoreError::TooMuch(_))) => {
                tracing::error!(%payer, %amount, %error, "the wallet has received a payment that cannot be credited: give it back by hand");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

async fn in_time<T>(
    patience: Duration,
    asked: impl Future<Output = Result<T, LightningError>>,
) -> Result<T, LightningError> {
    match timeout(patience, asked).await {
        Ok(answer) => answer,
        Err(_) => {
            let reason = "it is slow to answer".to_owned();
            Err(LightningError::Unreachable(reason))
        }
    }
}
