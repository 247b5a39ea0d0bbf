use crate::{
    Budgets, MeshManager,
    manager::Shared,
    payer::{PATIENCE, PAYMENT_MARGIN},
};
use mesh_payment::Invoice;
use mesh_protocol::{ControlMessage, RefusalCode};
use mesh_types::{
    Incoming, LightningError, LightningNode, Msat, NodeId, Outgoing, PayLimits, PaymentOutcome,
    Refund, RefundBegun, RefundEnd, Route, UnixTime, most_refund_fee,
};
use parking_lot::Mutex;
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;

/// What a payer may ask about refunds: so much at once, and so much a second. An answer to a request that was made before
/// costs one of it.
const BUDGET: u64 = 480;
const BUDGET_PER_SECOND: u64 = 1;

/// What a new refund costs of that budget: eight at once, and one a minute.
///
/// Each costs the wallet a search for a way, and the store a row for ever, also where it fails and the credit comes back.
const COST: u64 = 60;

/// The most requests that are worked on at one time; each may wait for a payment.
const MAX_REQUESTS: usize = 64;

/// The longest that an invoice may be good for.
///
/// An hour, because a refund of which nobody knows what became of it holds its credit for as long.
const MAX_LIFETIME: Duration = Duration::from_secs(3_600);

/// How often credit is gathered for one request: a packet may have drawn it again meanwhile.
const GATHERINGS: usize = 3;

/// What the mesh remembers of refunds while it runs.
#[derive(Debug)]
pub(crate) struct Refunding {
    budgets: Budgets,
    requests: Arc<Semaphore>,
    /// Those that the wallet is being asked to pay by this process.
    asking: Mutex<HashSet<[u8; 32]>>,
    /// Whether there may be some in the store whose outcome is not known.
    may_be_open: AtomicBool,
}

impl Default for Refunding {
    fn default() -> Self {
        Self {
            budgets: Budgets::new(BUDGET_PER_SECOND, BUDGET),
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            asking: Mutex::default(),
            may_be_open: AtomicBool::new(true),
        }
    }
}

impl Refunding {
    /// Says that the wallet is asked from now on; `None` when it is being asked already.
    fn ask(&self, payment_hash: [u8; 32]) -> Option<Asking<'_>> {
        let is_first = self.asking.lock().insert(payment_hash);
        is_first.then_some(Asking {
            refunding: self,
            payment_hash,
        })
    }

    fn is_asking(&self, payment_hash: &[u8; 32]) -> bool {
        self.asking.lock().contains(payment_hash)
    }
}

/// The wallet is being asked while this lives.
struct Asking<'r> {
    refunding: &'r Refunding,
    payment_hash: [u8; 32],
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.refunding.asking.lock().remove(&self.payment_hash);
    }
}

impl MeshManager {
    /// Answers a payer who wants credit back, in a task of its own: a payment takes its time.
    pub(crate) async fn hear_refund_request(
        &self,
        payer: NodeId,
        sequence: u64,
        invoice: String,
        back: Route,
    ) {
        let requests = Arc::clone(&self.shared.refunding.requests);
        let Ok(place) = requests.try_acquire_owned() else {
            let code = RefusalCode::Busy;
            return self
                .reply(back, ControlMessage::Refused { sequence, code })
                .await;
        };
        let mesh = self.clone();
        tokio::spawn(async move {
            let message = match mesh.refund_to(payer, &invoice).await {
                Ok((amount, fee, credit)) => ControlMessage::Refunded {
                    sequence,
                    amount,
                    fee,
                    credit,
                },
                Err(code) => ControlMessage::Refused { sequence, code },
            };
            mesh.reply(back, message).await;
            drop(place);
        });
    }

    /// Sees to it that `payer` has what its invoice asks for, once, and answers with amount, fee, and what credit is left.
    async fn refund_to(
        &self,
        payer: NodeId,
        text: &str,
    ) -> Result<(Msat, Msat, Msat), RefusalCode> {
        let shared = &self.shared;
        if !self.engine().conditions().refunds {
            return Err(RefusalCode::NotEnabled);
        }
        let lightning = self.lightning().map_err(|_| RefusalCode::NotEnabled)?;
        let lightning = lightning.as_ref();
        shared.is_payable().map_err(|_| RefusalCode::Busy)?;
        let now = shared.node_api.now();
        let budgets = &shared.refunding.budgets;
        budgets
            .take(&payer, 1, now)
            .map_err(|_| RefusalCode::Busy)?;
        let invoice = Invoice::parse(text).map_err(|error| {
            tracing::info!(%payer, %error, "a refund is asked for with what is no invoice");
            RefusalCode::InvoiceRefused
        })?;
        let payment_hash = *invoice.payment_hash();
        let known = shared.store.refund(payment_hash).await;
        let paid = match known.map_err(busy)? {
            Some(known) => self.refunded_before(payer, known, lightning).await?,
            None => {
                let refund = self.to_refund(payer, text, &invoice, now)?;
                is_of_another(lightning, payment_hash).await?;
                budgets
                    .take(&payer, COST.saturating_sub(1), now)
                    .map_err(|_| RefusalCode::Busy)?;
                self.refund_first(refund, lightning).await?
            }
        };
        let credit = self.credit_of(payer).await.map_err(busy)?;
        Ok((paid.0, paid.1, credit))
    }

    /// What is to be refunded for an invoice that nobody has shown before.
    fn to_refund(
        &self,
        payer: NodeId,
        text: &str,
        invoice: &Invoice,
        now: UnixTime,
    ) -> Result<Refund, RefusalCode> {
        let amount = invoice.amount().filter(|amount| *amount > Msat::ZERO);
        let ends_at = invoice.expires_at();
        let is_in_time =
            ends_at.is_alive_at(now.plus(PAYMENT_MARGIN)) && ends_at <= now.plus(MAX_LIFETIME);
        let network = self.engine().verifier().network;
        match amount {
            Some(amount) if is_in_time && invoice.is_on(network) => Ok(Refund {
                payment_hash: *invoice.payment_hash(),
                payer,
                at: now,
                amount,
                fee: most_refund_fee(amount),
                invoice: text.to_owned(),
                outcome: PaymentOutcome::Unknown,
            }),
            _ => Err(RefusalCode::InvoiceRefused),
        }
    }

    /// Takes the credit, then pays: the one place where a refund is paid.
    async fn refund_first(
        &self,
        refund: Refund,
        lightning: &dyn LightningNode,
    ) -> Result<(Msat, Msat), RefusalCode> {
        let shared = &self.shared;
        let under_way = Arc::clone(&shared.paying).read_owned().await;
        let asking = shared.refunding.ask(refund.payment_hash);
        let asking = asking.ok_or(RefusalCode::Busy)?;
        // Before it is in the store: whatever becomes of the answer, it is looked for.
        shared.refunding.may_be_open.store(true, Ordering::SeqCst);
        match self.begin_refund(&refund).await? {
            RefundBegun::Noted => {}
            RefundBegun::Known(known) => {
                drop(asking);
                return self.refunded_before(refund.payer, known, lightning).await;
            }
            RefundBegun::Anothers => return Err(RefusalCode::InvoiceRefused),
            RefundBegun::TooLittle { free, drawn } => {
                let could = free.checked_add(drawn);
                return Err(match refund.taken() {
                    // What is set aside for packets, or in the hands of another gateway, may come back.
                    Some(taken) if drawn > Msat::ZERO && could >= Some(taken) => RefusalCode::Busy,
                    _ => RefusalCode::CreditTooLow,
                });
            }
        }
        let limits = PayLimits {
            max_fee: refund.fee,
            patience: PATIENCE,
        };
        let paid = lightning.pay_invoice(&refund.invoice, limits).await;
        let at = shared.node_api.now();
        let answer = match paid {
            Ok(paid) => {
                let outcome = PaymentOutcome::Paid { at };
                // Where this is not written down, the wallet is asked again and says the same.
                let _ = shared.end_refund(&refund, outcome, paid.fee).await;
                Ok((refund.amount, paid.fee))
            }
            Err(error @ LightningError::Unknown(_)) => {
                let payer = refund.payer;
                tracing::warn!(%payer, %error, "what became of a refund is looked up");
                Err(RefusalCode::Busy)
            }
            Err(error) => {
                let _ = shared.failed(&error);
                let (payer, outcome) = (refund.payer, PaymentOutcome::Failed { at });
                tracing::info!(%payer, %error, "a refund could not be paid");
                let ended = shared.end_refund(&refund, outcome, Msat::ZERO).await;
                Err(if ended {
                    RefusalCode::RefundFailed
                } else {
                    RefusalCode::Busy
                })
            }
        };
        drop((asking, under_way));
        answer
    }

    /// Gathers what this process has in hand, and takes what the refund may cost.
    async fn begin_refund(&self, refund: &Refund) -> Result<RefundBegun, RefusalCode> {
        let shared = &self.shared;
        let mut begun = RefundBegun::Anothers;
        for _ in 0..GATHERINGS {
            shared.gather(&refund.payer).await;
            begun = shared
                .store
                .begin_refund(refund.clone())
                .await
                .map_err(busy)?;
            match begun {
                RefundBegun::TooLittle { drawn, .. } if drawn > Msat::ZERO => {}
                _ => break,
            }
        }
        Ok(begun)
    }

    /// What became of a refund that was begun before.
    async fn refunded_before(
        &self,
        payer: NodeId,
        known: Refund,
        lightning: &dyn LightningNode,
    ) -> Result<(Msat, Msat), RefusalCode> {
        let shared = &self.shared;
        if known.payer != payer {
            return Err(RefusalCode::InvoiceRefused);
        }
        let now = if known.outcome == PaymentOutcome::Unknown {
            let looked_up = shared.look_up_refund(&known, lightning).await;
            looked_up.map_err(|_| RefusalCode::Busy)?;
            let now = shared.store.refund(known.payment_hash).await;
            now.map_err(busy)?.unwrap_or(known)
        } else {
            known
        };
        match now.outcome {
            PaymentOutcome::Paid { .. } => Ok((now.amount, now.fee)),
            PaymentOutcome::Failed { .. } => Err(RefusalCode::RefundFailed),
            PaymentOutcome::Unknown => Err(RefusalCode::Busy),
        }
    }
}

impl Shared {
    /// Asks the wallet what became of refunds whose outcome is not known.
    pub(crate) async fn look_up_refunds(&self) {
        let Some(lightning) = self.node_api.lightning() else {
            return;
        };
        let may_be_open = &self.refunding.may_be_open;
        if !may_be_open.swap(false, Ordering::SeqCst) {
            return;
        }
        let open = self.store.open_refunds().await.unwrap_or_else(|error| {
            tracing::debug!(%error, "refunds are looked up later");
            may_be_open.store(true, Ordering::SeqCst);
            Vec::new()
        });
        for refund in open {
            let looked_up = self.look_up_refund(&refund, lightning.as_ref()).await;
            if !looked_up.unwrap_or(false) {
                may_be_open.store(true, Ordering::SeqCst);
            }
        }
    }

    /// Says whether it is known now, and written down, what became of a refund.
    async fn look_up_refund(
        &self,
        refund: &Refund,
        lightning: &dyn LightningNode,
    ) -> Result<bool, LightningError> {
        if self.refunding.is_asking(&refund.payment_hash) {
            return Ok(false);
        }
        let now = self.node_api.now();
        let (outcome, fee) = match lightning.outgoing(refund.payment_hash).await? {
            Outgoing::Pending => return Ok(false),
            Outgoing::Paid(paid) => {
                let payer = refund.payer;
                tracing::info!(%payer, "a refund whose outcome was not known has been paid");
                (PaymentOutcome::Paid { at: now }, paid.fee)
            }
            // The request may still be on its way to the wallet, as long as the invoice can be paid.
            Outgoing::NotPaid if !has_ended(refund, now) => return Ok(false),
            Outgoing::NotPaid => (PaymentOutcome::Failed { at: now }, Msat::ZERO),
        };
        Ok(self.end_refund(refund, outcome, fee).await)
    }

    /// Writes down what became of a refund; says whether that was done.
    async fn end_refund(&self, refund: &Refund, outcome: PaymentOutcome, fee: Msat) -> bool {
        let payer = refund.payer;
        if fee > refund.fee {
            tracing::warn!(%payer, %fee, "routing a refund cost more than it may; this node bears it");
        }
        let end = RefundEnd {
            payment_hash: refund.payment_hash,
            payer,
            outcome,
            fee,
        };
        let ended = self.store.end_refund(end).await;
        if let Err(error) = &ended {
            tracing::error!(%payer, %error, "what became of a refund is written down later");
        }
        ended.is_ok()
    }
}

/// Whether nobody can pay the invoice any more, with some time for clocks that differ.
fn has_ended(refund: &Refund, now: UnixTime) -> bool {
    let invoice = Invoice::parse(&refund.invoice);
    invoice.is_ok_and(|it| !it.expires_at().plus(PAYMENT_MARGIN).is_alive_at(now))
}

/// Refuses an invoice of this node's own wallet: paying it would move nothing.
async fn is_of_another(
    lightning: &dyn LightningNode,
    payment_hash: [u8; 32],
) -> Result<(), RefusalCode> {
    match lightning.incoming(payment_hash).await {
        Ok(Incoming::NotOurs) => Ok(()),
        Ok(_) => Err(RefusalCode::InvoiceRefused),
        Err(_) => Err(RefusalCode::Busy),
    }
}

fn busy(error: mesh_types::StoreError) -> RefusalCode {
    tracing::info!(%error, "a refund has to wait");
    RefusalCode::Busy
}
