use crate::{
    Draft, MeshManager, QuoteToPay, exchange::NoAnswer, funding::whole_sats,
    funding_error::FundingError, payer::Payable,
};
use mesh_payment::Invoice;
use mesh_protocol::ControlMessage;
use mesh_types::{MeshError, Msat, NodeId, Price, ProofForHop, Route, UnixTime};
use std::time::Duration;
use tokio::task::JoinSet;

/// What a node of a route answers to a request for a quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted {
    /// The node.
    pub by: NodeId,
    /// What it asks for carrying packets.
    pub price: Price,
    /// What this node can already spend there.
    pub credit: Msat,
    /// What buys the amount that was asked for; `None` when nothing was, or the node can issue no invoice now.
    pub invoice: Option<String>,
}

/// An invoice of another node that buys credit for this one there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotedInvoice {
    /// BOLT11.
    pub invoice: String,
    /// What it asks for, and buys.
    pub amount: Msat,
    /// Until when it can be paid and shown.
    pub ends_at: UnixTime,
}

/// What a node of the route asks, and what this node can already spend there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) position: usize,
    pub(crate) price: Price,
    pub(crate) credit: Msat,
}

impl MeshManager {
    /// Asks the node at `position` of the route for its price, and for an invoice over `amount` unless that is nothing.
    ///
    /// The request travels as a control packet, free of charge.
    ///
    /// # Errors
    /// When the node refuses it or does not answer.
    pub async fn request_quote(
        &self,
        route: &Route,
        position: usize,
        amount: Msat,
        timeout: Duration,
    ) -> Result<Quoted, MeshError> {
        Ok(self.quote_at(route, position, amount, timeout).await?)
    }

    /// Asks `payee` for an invoice over `amount`, which it rounds up to whole satoshi, to be paid by anybody; answers with one
    /// that buys this node credit there and nothing else.
    ///
    /// # Errors
    /// [`MeshError::LightningError`] when the node can issue none now, [`MeshError::PaymentVerificationFailed`] when what it
    /// answers is not what was asked for, and as [`MeshManager::request_quote`].
    pub async fn request_invoice(
        &self,
        payee: NodeId,
        amount: Msat,
        timeout: Duration,
    ) -> Result<QuotedInvoice, MeshError> {
        let route = self.route_within(&payee, 0, timeout).await?;
        let position = route.len().saturating_sub(1);
        let quoted = self.request_quote(&route, position, amount, timeout);
        let invoice = quoted.await?.invoice.ok_or_else(|| {
            MeshError::LightningError(format!("{payee} can issue no invoice now"))
        })?;
        let to_pay = QuoteToPay {
            invoice: &invoice,
            payer: self.node_id(),
            payee,
            limit: whole_sats(amount),
        };
        let payable = Payable::read(&to_pay, self.shared.node_api.now())?;
        let network = self.engine().verifier().network;
        let is_on_it = Invoice::parse(&invoice).is_ok_and(|invoice| invoice.is_on(network));
        if payable.amount < amount || !is_on_it {
            return Err(MeshError::PaymentVerificationFailed(format!(
                "{payee} was asked for an invoice over {amount} on {network}, and answered with another"
            )));
        }
        Ok(QuotedInvoice {
            amount: payable.amount,
            ends_at: payable.ends_at,
            invoice,
        })
    }

    /// Shows a proof to the node that it pays, and answers with the credit there.
    ///
    /// # Errors
    /// When the node refuses it or does not answer.
    pub async fn deposit(
        &self,
        route: &Route,
        proof: ProofForHop,
        timeout: Duration,
    ) -> Result<Msat, MeshError> {
        Ok(self.deposit_at(route, proof, timeout).await?)
    }

    /// Asks all nodes of the route at once what they ask, and answers in the order of the route.
    ///
    /// Where several do not answer, the nearest is told of: it may be why those behind it do not.
    pub(crate) async fn ask_terms(
        &self,
        route: &Route,
        timeout: Duration,
    ) -> Result<Vec<Terms>, FundingError> {
        let mut asked = JoinSet::new();
        for position in 1..route.len() {
            let (mesh, route) = (self.clone(), route.clone());
            asked.spawn(async move {
                let terms = mesh.ask_node(&route, position, timeout).await;
                (
                    position,
                    terms.map_err(|why| FundingError::question(&route, position, why)),
                )
            });
        }
        all_of(asked).await
    }

    pub(crate) async fn ask_node(
        &self,
        route: &Route,
        position: usize,
        timeout: Duration,
    ) -> Result<Terms, NoAnswer> {
        let Quoted {
            by, price, credit, ..
        } = self.quote_at(route, position, Msat::ZERO, timeout).await?;
        // A table that is full keeps the price it has; the fee is worked out from what was answered.
        let _ = self.engine().routes().set_price(by, price);
        let terms = Terms {
            position,
            price,
            credit,
        };
        self.note_terms(by, &terms);
        Ok(terms)
    }

    pub(crate) async fn quote_at(
        &self,
        route: &Route,
        position: usize,
        amount: Msat,
        timeout: Duration,
    ) -> Result<Quoted, NoAnswer> {
        let request = ControlMessage::QuoteRequest { amount };
        let (by, answer) = self.ask(route, position, &request, None, timeout).await?;
        match answer {
            ControlMessage::Quote {
                price,
                credit,
                invoice,
                ..
            } => Ok(Quoted {
                by,
                price,
                credit,
                invoice,
            }),
            other => Err(NoAnswer::Odd(unexpected(by, &other))),
        }
    }

    pub(crate) async fn deposit_at(
        &self,
        route: &Route,
        proof: ProofForHop,
        timeout: Duration,
    ) -> Result<Msat, NoAnswer> {
        let position = usize::from(proof.hop);
        let request = ControlMessage::Deposit;
        let asked = self.ask(route, position, &request, Some(proof), timeout);
        match asked.await? {
            (_, ControlMessage::Credited { credit, .. }) => Ok(credit),
            (node, other) => Err(NoAnswer::Odd(unexpected(node, &other))),
        }
    }

    /// Asks the node at `position` of the route, and waits for its answer.
    pub(crate) async fn ask(
        &self,
        route: &Route,
        position: usize,
        request: &ControlMessage,
        proof: Option<ProofForHop>,
        timeout: Duration,
    ) -> Result<(NodeId, ControlMessage), NoAnswer> {
        let way = route.prefix(position.saturating_add(1));
        let way = way.ok_or_else(|| NoAnswer::Own(no_such_node(position)))?;
        let node = way.destination();
        let draft = Draft::control(way, request, proof).map_err(NoAnswer::Own)?;
        let (_, heard) = self.exchange(draft, timeout).await?;
        let by = heard.from;
        match heard.message {
            ControlMessage::Refused { code, .. } if by == node => {
                Err(NoAnswer::Refused { by, code })
            }
            ControlMessage::Refused { code, .. } => Err(NoAnswer::Stopped { by, code }),
            message => Ok((node, message)),
        }
    }
}

/// Waits for all, and answers in the order of the route; with the error of the nearest node where there are some.
pub(crate) async fn all_of<T: 'static>(
    mut tasks: JoinSet<(usize, Result<T, FundingError>)>,
) -> Result<Vec<T>, FundingError> {
    let mut ended = Vec::with_capacity(tasks.len());
    while let Some(task) = tasks.join_next().await {
        ended
            .push(task.map_err(|error| FundingError::GivenUp(MeshError::Busy(error.to_string())))?);
    }
    ended.sort_by_key(|(position, _)| *position);
    ended.into_iter().map(|(_, result)| result).collect()
}

pub(crate) fn unexpected(node: NodeId, answer: &ControlMessage) -> MeshError {
    MeshError::NetworkError(format!(
        "{node} answered something else than was asked: {answer:?}"
    ))
}

pub(crate) fn node_at(route: &Route, position: usize) -> Result<NodeId, MeshError> {
    let node = route.get(position).copied();
    node.ok_or_else(|| no_such_node(position))
}

pub(crate) fn no_such_node(position: usize) -> MeshError {
    MeshError::RoutingError(format!("the route has no node {position}"))
}
