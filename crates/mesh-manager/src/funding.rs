use crate::{
    MeshManager, SendOptions,
    control::control_draft,
    order::Order,
    send::refused,
    spending::{RouteTab, Size},
};
use mesh_protocol::ControlMessage;
use mesh_routing::{least_total, split};
use mesh_types::{MeshError, Msat, NodeId, PaymentReason, Price, ProofForHop, Route};
use std::{sync::Arc, time::Duration};
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

/// What a packet needs on its way.
pub(crate) struct ToFund<'a> {
    pub(crate) route: &'a Route,
    pub(crate) payload_len: usize,
    /// The packet that was refused for want of payment.
    pub(crate) sequence: u64,
    pub(crate) options: &'a SendOptions,
    pub(crate) tab: &'a Arc<RouteTab>,
}

/// What a node of the route asks, and what this node can already spend there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) position: usize,
    pub(crate) price: Price,
    pub(crate) credit: Msat,
}

/// Credit to be bought with a node of a route.
pub(crate) struct Purchase<'a> {
    pub(crate) route: &'a Route,
    pub(crate) position: usize,
    pub(crate) size: Size,
    pub(crate) reason: PaymentReason,
    pub(crate) tab: &'a Arc<RouteTab>,
    pub(crate) timeout: Duration,
}

impl MeshManager {
    /// Asks every node of the route for its price, works out the fee, and pays those with whom credit is missing: on the tab
    /// of the packet. Answers with the fee to offer.
    pub(crate) async fn fund(&self, packet: &ToFund<'_>) -> Result<Msat, MeshError> {
        let ToFund { route, options, .. } = packet;
        let terms = self.ask_terms(route, options.timeout).await?;
        let too_dear =
            || MeshError::RoutingError("no amount covers the prices of the route".to_owned());
        let mut prices = Vec::with_capacity(terms.len());
        for node in &terms {
            prices.push(node.price.of(packet.payload_len).ok_or_else(too_dear)?);
        }
        let (destination_price, relay_prices) = prices.split_last().ok_or_else(too_dear)?;
        let fee = least_total(*destination_price, relay_prices).ok_or_else(too_dear)?;
        if fee > options.limit {
            return Err(MeshError::PaymentVerificationFailed(format!(
                "the route asks for a fee of {fee}, and at most {} may be paid",
                options.limit
            )));
        }
        self.shared.spending.check_packet(fee)?;
        let shares = split(fee, route.relay_count());
        for node in terms.iter().filter(|node| node.price != Price::FREE) {
            let share = shares.share_at(node.position);
            self.fund_one(packet, *node, share).await?;
        }
        Ok(fee)
    }

    /// Sees to it that there is credit for a packet at one node of its route.
    async fn fund_one(
        &self,
        packet: &ToFund<'_>,
        mut node: Terms,
        share: Msat,
    ) -> Result<(), MeshError> {
        let ToFund { route, options, .. } = packet;
        let timeout = options.timeout;
        let payee = node_at(route, node.position)?;
        if node.credit < share {
            // Before what is kept is shown: once the outcome is known its proof is among it, so that nothing is bought again.
            self.shared.unshown.nothing_is_under_way(&payee)?;
            node.credit = self.show_kept(route, &node, timeout).await?;
        }
        let top_ups = &self.shared.spending.top_ups;
        if node.credit < share && top_ups.wait(&payee, timeout).await {
            top_ups.outrun(&payee);
            node = self.ask_node(route, node.position, timeout).await?;
            node.credit = self.show_kept(route, &node, timeout).await?;
        }
        if node.credit < share {
            let ahead = share.checked_mul(options.packets_ahead.max(1));
            let ahead = ahead.unwrap_or(Msat::MAX);
            let purchase = Purchase {
                route,
                position: node.position,
                size: Size {
                    needed: share.saturating_sub(node.credit),
                    wanted: ahead.saturating_sub(node.credit),
                },
                reason: PaymentReason::Packet {
                    route: (*route).clone(),
                    sequence: packet.sequence,
                },
                tab: packet.tab,
                timeout,
            };
            self.buy_credit(purchase).await?;
            self.show_kept(route, &node, timeout).await?;
        }
        Ok(())
    }

    /// Shows a node whatever it has been paid and not yet said to have, and answers with the credit there.
    pub(crate) async fn show_kept(
        &self,
        route: &Route,
        node: &Terms,
        timeout: Duration,
    ) -> Result<Msat, MeshError> {
        let payee = node_at(route, node.position)?;
        let hop = u8::try_from(node.position).map_err(|_| no_such_node(node.position))?;
        let mut credit = Some(node.credit);
        for proof in self.shared.unshown.of(&payee) {
            let for_hop = ProofForHop {
                hop,
                proof: proof.clone(),
            };
            match self.deposit(route, for_hop, timeout).await {
                Ok(now) => credit = Some(now),
                // It is credited already: by a packet that carried it, an answer that was lost, or by the node itself when it
                // was paid. What that has brought is asked for.
                Err(MeshError::ReplayDetected(_)) => credit = None,
                Err(MeshError::PaymentVerificationFailed(reason)) => {
                    tracing::warn!(%payee, %reason, "a proof of what was paid is not taken");
                }
                Err(other) => return Err(other),
            }
            self.shared.unshown.forget(&payee, &proof).await;
        }
        let terms = match credit {
            Some(credit) => Terms { credit, ..*node },
            None => self.ask_node(route, node.position, timeout).await?,
        };
        self.note_terms(payee, &terms);
        Ok(terms.credit)
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

    pub(crate) async fn ask_node(
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
        let terms = Terms {
            position,
            price,
            credit,
        };
        self.note_terms(by, &terms);
        Ok(terms)
    }

    /// Buys credit with a node of a route, within all limits, and says how much; the proof is kept to be shown.
    pub(crate) async fn buy_credit(&self, purchase: Purchase<'_>) -> Result<Msat, MeshError> {
        let Purchase {
            route,
            position,
            size,
            reason,
            tab,
            timeout,
        } = purchase;
        let payee = node_at(route, position)?;
        let room = tab.room().min(self.room_today(&payee).await?);
        let spending = &self.shared.spending;
        let amount = spending.deposit(&payee, size, room, tab.limit_left());
        let quoted = self.request_quote(route, position, amount, timeout).await?;
        let invoice = quoted.invoice.ok_or_else(|| {
            MeshError::PaymentVerificationFailed(format!("{payee} quotes no invoice now"))
        })?;
        // What was asked for, in whole satoshi, and no more: the node chooses what it quotes.
        let asked = Msat::from_sats(amount.to_msat().div_ceil(1_000)).unwrap_or(Msat::MAX);
        let order = Order {
            payee,
            invoice: &invoice,
            limit: tab.limit_left().min(asked),
            reason,
            tab: Arc::clone(tab),
        };
        Ok(self.pay_order(order).await?.amount)
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
    pub(crate) async fn ask(
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

pub(crate) fn unexpected(node: NodeId, answer: &ControlMessage) -> MeshError {
    MeshError::NetworkError(format!(
        "{node} answered something else than was asked: {answer:?}"
    ))
}

fn node_at(route: &Route, position: usize) -> Result<NodeId, MeshError> {
    let node = route.get(position).copied();
    node.ok_or_else(|| no_such_node(position))
}

fn no_such_node(position: usize) -> MeshError {
    MeshError::RoutingError(format!("the route has no node {position}"))
}
