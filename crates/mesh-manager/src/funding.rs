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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Funding {
    /// What to offer for the packet.
    pub(crate) fee: Msat,
    /// What was deposited with nodes of the route so far.
    pub(crate) deposited: Msat,
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
        if fee > options.limit {
            return Err(MeshError::PaymentVerificationFailed(format!(
                "the route asks for a fee of {fee}, and at most {} may be paid",
                options.limit
            )));
        }
        let shares = split(fee, route.relay_count());
        for node in terms.iter().filter(|node| node.price != Price::FREE) {
            let share = shares.share_at(node.position);
            let mut credit = node.credit;
            if credit < share {
                credit = self.show_kept(route, node, options.timeout).await?;
            }
            if credit < share {
                let ahead = share
                    .checked_mul(options.packets_ahead.max(1))
                    .ok_or_else(too_dear)?;
                let missing = ahead.saturating_sub(credit);
                let limit = options.limit.saturating_sub(deposited);
                let paid = self
                    .buy_credit(route, node.position, missing, limit, options.timeout)
                    .await?;
                deposited = deposited.checked_add(paid).ok_or_else(too_dear)?;
                self.show_kept(route, node, options.timeout).await?;
            }
        }
        Ok(Funding { fee, deposited })
    }

    /// Shows a node whatever it has been paid and not yet said to have, and answers with the credit there.
    async fn show_kept(
        &self,
        route: &Route,
        node: &Terms,
        timeout: Duration,
    ) -> Result<Msat, MeshError> {
        let payee = *route
            .get(node.position)
            .ok_or_else(|| no_such_node(node.position))?;
        let hop = u8::try_from(node.position).map_err(|_| no_such_node(node.position))?;
        let mut credit = node.credit;
        for proof in self.shared.unshown.of(&payee) {
            let shown = self
                .deposit(
                    route,
                    ProofForHop {
                        hop,
                        proof: proof.clone(),
                    },
                    timeout,
                )
                .await;
            match shown {
                Ok(now) => credit = now,
                // It has been shown already: by a packet that carried it, or by an answer that was lost.
                Err(MeshError::ReplayDetected(_)) => {}
                Err(MeshError::PaymentVerificationFailed(reason)) => {
                    tracing::warn!(%payee, %reason, "a proof of what was paid is not taken");
                }
                Err(other) => return Err(other),
            }
            self.shared.unshown.forget(&payee, &proof).await;
        }
        Ok(credit)
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

    /// Buys credit with the node at `position`, and answers with what was paid; the proof is kept to be shown.
    async fn buy_credit(
        &self,
        route: &Route,
        position: usize,
        amount: Msat,
        limit: Msat,
        timeout: Duration,
    ) -> Result<Msat, MeshError> {
        let quoted = self.request_quote(route, position, amount, timeout).await?;
        let node = quoted.by;
        let invoice = quoted.invoice.ok_or_else(|| {
            MeshError::PaymentVerificationFailed(format!("{node} quotes no invoice now"))
        })?;
        // What was asked for, in whole satoshi, and no more: the node chooses what it quotes.
        let asked = Msat::from_sats(amount.to_msat().div_ceil(1_000)).unwrap_or(Msat::MAX);
        Ok(self.pay(node, &invoice, limit.min(asked)).await?.amount)
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
            .ok_or_else(|| no_such_node(position))?;
        let node = way.destination();
        let draft = control_draft(way, request, proof)?;
        let (_, heard) = self.exchange(draft, timeout).await?;
        match heard.message {
            ControlMessage::Refused { code, .. } if heard.from == node => Err(refused(node, code)),
            // What a node on the way says is about the way, never about what the node at its end has.
            ControlMessage::Refused { code, .. } => Err(MeshError::NetworkError(format!(
                "{} does not let it pass: {code}",
                heard.from
            ))),
            message => Ok((node, message)),
        }
    }
}

fn unexpected(node: NodeId, answer: &ControlMessage) -> MeshError {
    MeshError::NetworkError(format!(
        "{node} answered something else than was asked: {answer:?}"
    ))
}

fn no_such_node(position: usize) -> MeshError {
    MeshError::RoutingError(format!("the route has no node {position}"))
}
