use crate::{MeshManager, SendOptions, control::control_draft, send::refused};
use mesh_protocol::ControlMessage;
use mesh_routing::{least_total, split};
use mesh_types::{MeshError, Msat, NodeId, Price, ProofForHop, Route};
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

/// What it took to make a route carry a packet.
#[derive(Debug)]
pub(crate) struct Funding {
    /// What to offer for the packet.
    pub(crate) fee: Msat,
    /// What was deposited with nodes of the route so far.
    pub(crate) deposited: Msat,
    /// The last payment's proof, to travel in the packet itself, which saves a round trip.
    pub(crate) proof: Option<ProofForHop>,
}

/// What a node of the route asks, and what this node can already spend there.
#[derive(Debug, Clone, Copy)]
struct Terms {
    position: usize,
    price: Price,
    credit: Msat,
}

impl MeshManager {
    /// Asks every node of the route for its price, works out the fee, and pays those with whom credit is missing.
    ///
    /// - `deposited`: what this send has deposited so far; with what follows it stays within `options.limit`.
    pub(crate) async fn fund(
        &self,
        route: &Route,
        payload_len: usize,
        mut deposited: Msat,
        options: &SendOptions,
    ) -> Result<Funding, MeshError> {
        let terms = self.ask_terms(route, options.timeout).await?;
        let too_dear =
            || MeshError::RoutingError("no amount covers the prices of the route".to_owned());
        let mut prices = Vec::with_capacity(terms.len());
        for node in &terms {
            prices.push(node.price.of(payload_len).ok_or_else(too_dear)?);
        }
        let (destination_price, relay_prices) = prices.split_last().ok_or_else(too_dear)?;
        let fee = least_total(*destination_price, relay_prices).ok_or_else(too_dear)?;
        let shares = split(fee, route.relay_count());
        let mut unpaid = Vec::new();
        for node in terms.iter().filter(|node| node.price != Price::FREE) {
            let share = shares.share_at(node.position);
            if node.credit < share {
                let ahead = share
                    .checked_mul(options.packets_ahead.max(1))
                    .ok_or_else(too_dear)?;
                unpaid.push((node.position, ahead.saturating_sub(node.credit)));
            }
        }
        let mut proof = None;
        for (position, amount) in unpaid {
            if let Some(proof) = proof.take() {
                self.deposit(route, proof, options.timeout).await?;
            }
            let limit = options.limit.saturating_sub(deposited);
            let (paid, shown) = self
                .buy_credit(route, position, amount, limit, options.timeout)
                .await?;
            deposited = deposited.checked_add(paid).ok_or_else(too_dear)?;
            proof = Some(shown);
        }
        Ok(Funding {
            fee,
            deposited,
            proof,
        })
    }

    /// Asks all nodes of the route at once what they ask.
    async fn ask_terms(&self, route: &Route, timeout: Duration) -> Result<Vec<Terms>, MeshError> {
        let mut asked = JoinSet::new();
        for position in 1..route.len() {
            let (mesh, route) = (self.clone(), route.clone());
            asked.spawn(async move { mesh.ask_node(&route, position, timeout).await });
        }
        let mut terms = Vec::with_capacity(route.len());
        while let Some(answer) = asked.join_next().await {
            terms.push(answer.map_err(|error| MeshError::NetworkError(error.to_string()))??);
        }
        terms.sort_by_key(|node| node.position);
        Ok(terms)
    }

    async fn ask_node(
        &self,
        route: &Route,
        position: usize,
        timeout: Duration,
    ) -> Result<Terms, MeshError> {
        let Quoted {
            by, price, credit, ..
        } = self
            .request_quote(route, position, Msat::ZERO, timeout)
            .await?;
        // A table that is full keeps the price it has; the fee is worked out from what was answered.
        let _ = self.engine().routes().set_price(by, price);
        Ok(Terms {
            position,
            price,
            credit,
        })
    }

    /// Buys credit with the node at `position`, and answers with what was paid and the proof of it.
    async fn buy_credit(
        &self,
        route: &Route,
        position: usize,
        amount: Msat,
        limit: Msat,
        timeout: Duration,
    ) -> Result<(Msat, ProofForHop), MeshError> {
        let quoted = self.request_quote(route, position, amount, timeout).await?;
        let node = quoted.by;
        let invoice = quoted.invoice.ok_or_else(|| {
            MeshError::PaymentVerificationFailed(format!("{node} quotes no invoice now"))
        })?;
        let paid = self.pay(node, &invoice, limit).await?;
        let hop =
            u8::try_from(position).map_err(|error| MeshError::RoutingError(error.to_string()))?;
        Ok((
            paid.amount,
            ProofForHop {
                hop,
                proof: paid.proof,
            },
        ))
    }

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
            other => Err(unexpected(by, &other)),
        }
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
        let position = usize::from(proof.hop);
        let (node, answer) = self
            .ask(
                route,
                position,
                &ControlMessage::Deposit,
                Some(proof),
                timeout,
            )
            .await?;
        match answer {
            ControlMessage::Credited { credit, .. } => Ok(credit),
            other => Err(unexpected(node, &other)),
        }
    }

    /// Asks the node at `position` of the route, and waits for its answer.
    async fn ask(
        &self,
        route: &Route,
        position: usize,
        request: &ControlMessage,
        proof: Option<ProofForHop>,
        timeout: Duration,
    ) -> Result<(NodeId, ControlMessage), MeshError> {
        let way = route
            .prefix(position.saturating_add(1))
            .ok_or_else(|| MeshError::RoutingError(format!("the route has no node {position}")))?;
        let node = way.destination();
        let draft = control_draft(way, request, proof)?;
        let (_, heard) = self.exchange(draft, timeout).await?;
        match heard.message {
            ControlMessage::Refused { code, .. } => Err(refused(heard.from, code)),
            message => Ok((node, message)),
        }
    }
}

fn unexpected(node: NodeId, answer: &ControlMessage) -> MeshError {
    MeshError::NetworkError(format!(
        "{node} answered something else than was asked: {answer:?}"
    ))
}
