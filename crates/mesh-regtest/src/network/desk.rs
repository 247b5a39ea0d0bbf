use super::{
    NetworkError,
    book::{Book, Bytes, Invoice, MAX_INVOICES, State},
};
use crate::clock;
use bitcoin::hashes::{Hash as _, sha256};
use ldk_node::{
    Event, Node, NodeError,
    lightning::{
        events::PaymentFailureReason, ln::channelmanager::PaymentId,
        routing::router::RouteParametersConfig,
    },
    lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescription, Description},
    lightning_types::payment::{PaymentHash, PaymentPreimage},
    payment::{PaymentDetails, PaymentDirection, PaymentKind, PaymentStatus},
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use thiserror::Error;
use tokio::sync::watch;

/// Reasons of failed payments that are remembered: no test fails more.
const MAX_FAILURES: usize = 10_000;

/// What the fronts of a node do with it: issue, claim, pay, look up.
#[derive(Debug)]
pub(crate) struct Desk {
    path: PathBuf,
    book: Mutex<Book>,
    holds: Arc<AtomicBool>,
    failures: Mutex<HashMap<[u8; 32], PaymentFailureReason>>,
    /// Counts the events of the node, and the invoices that are issued.
    events: watch::Sender<u64>,
}

/// An invoice to be issued.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) amount_msat: u64,
    pub(crate) preimage: [u8; 32],
    pub(crate) label: String,
    pub(crate) description: String,
    pub(crate) expiry: u32,
}

/// Why an invoice was not issued, or a payment not begun.
#[derive(Debug, Error)]
pub(crate) enum DeskError {
    #[error("an invoice of this label exists")]
    LabelUsed,
    #[error("an invoice of this preimage exists")]
    PreimageUsed,
    #[error("there are too many invoices")]
    Full,
    #[error("the description is too long")]
    BadDescription,
    #[error("the invoice has expired")]
    Expired,
    #[error("the invoice is paid already")]
    Paid,
    #[error("a payment of the invoice is under way")]
    Pending,
    #[error("there is no way to the payee, or none that is cheap enough")]
    NoRoute,
    #[error("the node refused: {0}")]
    Node(NodeError),
    #[error("the book cannot be written: {0}")]
    File(io::Error),
}

/// What became of a payment.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) status: PaymentStatus,
    pub(crate) amount_msat: u64,
    pub(crate) fee_msat: u64,
    pub(crate) preimage: Option<[u8; 32]>,
    pub(crate) reason: Option<PaymentFailureReason>,
    pub(crate) at: u64,
}

impl Desk {
    pub(super) fn open(path: PathBuf, holds: Arc<AtomicBool>) -> io::Result<Self> {
        Ok(Self {
            book: Mutex::new(Book::open(&path)?),
            path,
            holds,
            failures: Mutex::default(),
            events: watch::Sender::new(0),
        })
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock()
    }

    /// Tells of each event of the node, and of each invoice that is issued.
    pub(crate) fn events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    pub(crate) fn issue(&self, node: &Node, wanted: Wanted) -> Result<Invoice, DeskError> {
        let hash = sha256::Hash::hash(&wanted.preimage).to_byte_array();
        let mut book = self.book();
        if book
            .invoices
            .iter()
            .any(|invoice| invoice.label == wanted.label)
        {
            return Err(DeskError::LabelUsed);
        }
        if book.get(&hash).is_some() {
            return Err(DeskError::PreimageUsed);
        }
        if book.invoices.len() >= MAX_INVOICES {
            return Err(DeskError::Full);
        }
        let description = Description::new(wanted.description.clone());
        let description = description.map_err(|_| DeskError::BadDescription)?;
        let description = Bolt11InvoiceDescription::Direct(description);
        let bolt11 = node
            .bolt11_payment()
            .receive_for_hash(
                wanted.amount_msat,
                &description,
                wanted.expiry,
                PaymentHash(hash),
            )
            .map_err(DeskError::Node)?;
        let now = clock::now();
        let invoice = Invoice {
            hash: Bytes(hash),
            preimage: Bytes(wanted.preimage),
            label: wanted.label,
            description: wanted.description,
            bolt11: bolt11.to_string(),
            amount_msat: wanted.amount_msat,
            created_at: now,
            expires_at: now.saturating_add(u64::from(wanted.expiry)),
            state: State::Open,
        };
        book.invoices.push(invoice.clone());
        book.write(&self.path).map_err(DeskError::File)?;
        self.happened();
        Ok(invoice)
    }

    /// Begins a payment.
    pub(crate) fn send(
        &self,
        node: &Node,
        invoice: &Bolt11Invoice,
        max_fee_msat: u64,
    ) -> Result<(), DeskError> {
        let hash = invoice.payment_hash().to_byte_array();
        if invoice.is_expired() {
            return Err(DeskError::Expired);
        }
        let limits = RouteParametersConfig {
            max_total_routing_fee_msat: Some(max_fee_msat),
            ..RouteParametersConfig::default()
        };
        self.failures.lock().remove(&hash);
        match node.bolt11_payment().send(invoice, Some(limits)) {
            Ok(_) => Ok(()),
            Err(NodeError::PaymentSendingFailed) => Err(DeskError::NoRoute),
            Err(NodeError::DuplicatePayment) => {
                let found = self.outgoing(node, &hash);
                let is_paid = found.is_some_and(|it| it.status == PaymentStatus::Succeeded);
                Err(if is_paid {
                    DeskError::Paid
                } else {
                    DeskError::Pending
                })
            }
            Err(error) => Err(DeskError::Node(error)),
        }
    }

    pub(crate) fn outgoing(&self, node: &Node, hash: &[u8; 32]) -> Option<Outgoing> {
        let payment = node.payment(&PaymentId(*hash))?;
        if payment.direction != PaymentDirection::Outbound {
            return None;
        }
        let reason = self.failures.lock().get(hash).copied();
        Some(Outgoing::of(&payment, reason))
    }

    pub(super) fn held(&self) -> Vec<[u8; 32]> {
        let book = self.book();
        let invoices = book.invoices.iter();
        let held = invoices.filter(|invoice| matches!(invoice.state, State::Held { .. }));
        held.map(|invoice| invoice.hash.0).collect()
    }

    pub(super) fn claim(&self, node: &Node, hash: [u8; 32]) -> Result<(), NetworkError> {
        let held = match self.book().get(&hash).map(|invoice| invoice.state) {
            Some(State::Held { amount_msat }) => amount_msat,
            _ => return Err(NetworkError::NotHeld),
        };
        self.settle(node, hash, held)
    }

    pub(super) fn cancel(&self, node: &Node, hash: [u8; 32]) -> Result<(), NetworkError> {
        let mut book = self.book();
        let invoice = book.get_mut(&hash).ok_or(NetworkError::NotHeld)?;
        if !matches!(invoice.state, State::Held { .. }) {
            return Err(NetworkError::NotHeld);
        }
        invoice.state = State::Canceled;
        book.write(&self.path)?;
        node.bolt11_payment().fail_for_hash(PaymentHash(hash))?;
        Ok(())
    }

    /// Does what an event of the node asks for.
    pub(super) fn take(&self, node: &Node, event: &Event) -> Result<(), NetworkError> {
        match event {
            Event::PaymentClaimable {
                payment_hash,
                claimable_amount_msat,
                ..
            } => self.arrived(node, payment_hash.0, *claimable_amount_msat)?,
            Event::PaymentReceived {
                payment_hash,
                amount_msat,
                ..
            } => {
                let mut book = self.book();
                book.settle(&payment_hash.0, *amount_msat, clock::now());
                book.write(&self.path)?;
            }
            Event::PaymentFailed {
                payment_hash: Some(payment_hash),
                reason,
                ..
            } => {
                let mut failures = self.failures.lock();
                if failures.len() < MAX_FAILURES {
                    let reason = reason.unwrap_or(PaymentFailureReason::UnexpectedError);
                    failures.insert(payment_hash.0, reason);
                }
            }
            _ => {}
        }
        self.happened();
        Ok(())
    }

    fn happened(&self) {
        self.events
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Claims a payment that arrived, holds it, or gives it back when its invoice is not to be paid any more.
    fn arrived(&self, node: &Node, hash: [u8; 32], amount_msat: u64) -> Result<(), NetworkError> {
        {
            let mut book = self.book();
            let Some(invoice) = book.get_mut(&hash) else {
                return Ok(());
            };
            if invoice.state == State::Canceled || invoice.has_expired(clock::now()) {
                node.bolt11_payment().fail_for_hash(PaymentHash(hash))?;
                return Ok(());
            }
            let is_settled = matches!(invoice.state, State::Settled { .. });
            if self.holds.load(Ordering::SeqCst) && !is_settled {
                invoice.state = State::Held { amount_msat };
                book.write(&self.path)?;
                return Ok(());
            }
        }
        self.settle(node, hash, amount_msat)
    }

    /// Notes that an invoice is paid, and then claims the payment, in the order that Core Lightning and LND have too:
    /// whoever has the preimage finds the invoice settled.
    fn settle(&self, node: &Node, hash: [u8; 32], amount_msat: u64) -> Result<(), NetworkError> {
        let preimage = {
            let mut book = self.book();
            book.settle(&hash, amount_msat, clock::now());
            book.write(&self.path)?;
            book.get(&hash).map(|invoice| invoice.preimage.0)
        };
        let preimage = PaymentPreimage(preimage.ok_or(NetworkError::NotHeld)?);
        let payments = node.bolt11_payment();
        payments.claim_for_hash(PaymentHash(hash), amount_msat, preimage)?;
        self.happened();
        Ok(())
    }

    /// Claims what was noted as paid when the node stopped, and was not claimed.
    pub(super) fn resume(&self, node: &Node) -> Result<(), NetworkError> {
        let invoices = self.book().invoices.clone();
        for invoice in invoices {
            let State::Settled { amount_msat, .. } = invoice.state else {
                continue;
            };
            let payment = node.payment(&PaymentId(invoice.hash.0));
            if payment.is_some_and(|payment| payment.status == PaymentStatus::Pending) {
                self.settle(node, invoice.hash.0, amount_msat)?;
            }
        }
        Ok(())
    }
}

impl Outgoing {
    fn of(payment: &PaymentDetails, reason: Option<PaymentFailureReason>) -> Self {
        let preimage = match &payment.kind {
            PaymentKind::Bolt11 { preimage, .. } => preimage.map(|preimage| preimage.0),
            _ => None,
        };
        Self {
            status: payment.status,
            amount_msat: payment.amount_msat.unwrap_or(0),
            fee_msat: payment.fee_paid_msat.unwrap_or(0),
            preimage,
            reason,
            at: payment.latest_update_timestamp,
        }
    }
}
