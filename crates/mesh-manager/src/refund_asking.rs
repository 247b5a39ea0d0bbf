use crate::{
    MeshManager,
    manager::random,
    questions::{Terms, unexpected},
};
use mesh_protocol::ControlMessage;
use mesh_types::{
    Incoming, InvoiceRequest, LightningNode, MeshError, Msat, NodeId, Route, most_refundable,
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the other node may take to pay: less than it takes invoices for.
const LIFETIME: Duration = Duration::from_secs(600);

/// How long one answer is waited for; then the same is asked again, which is never paid twice.
const ONE_ANSWER: Duration = Duration::from_secs(5);

/// How soon a node that is busy with it is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Credit that has come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundReceived {
    /// The node that had it.
    pub by: NodeId,
    /// What was paid, routing fees excepted.
    pub amount: Msat,
    /// What routing cost, which was taken from the credit, too.
    pub fee: Msat,
    /// What is left there.
    pub credit: Msat,
    /// Whether this node's own wallet says, too, that it has arrived; `false` also where it does not answer.
    pub has_arrived: bool,
}

impl MeshManager {
    /// Asks the node at `position` of the route for credit back, over Lightning: `amount`, or all that there is less the most
    /// that routing may cost, in whole satoshi.
    ///
    /// The request is repeated until it is answered or `timeout` is over; the other node pays it once at most. What is paid
    /// after that arrives in this node's wallet all the same.
    ///
    /// # Errors
    /// [`MeshError::PaymentVerificationFailed`] when there is too little credit, or the node offers no refunds or could not pay;
    /// [`MeshError::Busy`] when it is not known in time what became of it; when there is no Lightning back end.
    pub async fn refund(
        &self,
        route: &Route,
        position: usize,
        amount: Option<Msat>,
        timeout: Duration,
    ) -> Result<RefundReceived, MeshError> {
        let until = Instant::now() + timeout;
        let lightning = self.lightning()?;
        self.shared.is_payable()?;
        let terms = self.ask_node(route, position, timeout).await?;
        let amount = amount.unwrap_or_else(|| most_refundable(terms.credit));
        if amount == Msat::ZERO {
            return Err(MeshError::PaymentVerificationFailed(format!(
                "the credit there, {}, does not cover a refund and its fee",
                terms.credit
            )));
        }
        let request = InvoiceRequest {
            amount,
            preimage: random::<32>()?,
            description: "blvm-mesh refund".to_owned(),
            expiry: LIFETIME,
        };
        let invoice = lightning.create_invoice(request).await;
        let invoice = invoice.map_err(|error| self.shared.failed(&error))?;
        let received = self.ask_until(route, position, &invoice, until).await?;
        if received.amount != amount {
            return Err(MeshError::PaymentVerificationFailed(format!(
                "{} says that it has refunded {}, and {amount} was asked for",
                received.by, received.amount
            )));
        }
        let credit = received.credit;
        self.note_terms(received.by, &Terms { credit, ..terms });
        let has_arrived = has_arrived(lightning.as_ref(), &invoice).await;
        Ok(RefundReceived {
            has_arrived,
            ..received
        })
    }

    async fn ask_until(
        &self,
        route: &Route,
        position: usize,
        invoice: &str,
        until: Instant,
    ) -> Result<RefundReceived, MeshError> {
        let request = ControlMessage::RefundRequest {
            invoice: invoice.to_owned(),
        };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let asked = self.ask(route, position, &request, None, left.min(ONE_ANSWER));
            let why = match asked.await.map_err(MeshError::from) {
                Ok((
                    by,
                    ControlMessage::Refunded {
                        amount,
                        fee,
                        credit,
                        ..
                    },
                )) => {
                    return Ok(RefundReceived {
                        by,
                        amount,
                        fee,
                        credit,
                        has_arrived: false,
                    });
                }
                Ok((by, other)) => return Err(unexpected(by, &other)),
                Err(error @ (MeshError::Busy(_) | MeshError::NetworkError(_))) => error,
                Err(error) => return Err(error),
            };
            if Instant::now() + PAUSE >= until {
                return Err(MeshError::Busy(format!(
                    "the refund may still arrive in this node's wallet: {why}"
                )));
            }
            sleep(PAUSE).await;
        }
    }
}

/// Whether the wallet has received what its invoice asks for.
async fn has_arrived(lightning: &dyn LightningNode, invoice: &str) -> bool {
    let Ok(invoice) = mesh_payment::Invoice::parse(invoice) else {
        return false;
    };
    let incoming = lightning.incoming(*invoice.payment_hash()).await;
    matches!(incoming, Ok(Incoming::Settled { .. }))
}
