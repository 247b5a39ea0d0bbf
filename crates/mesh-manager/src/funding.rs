use crate::{
    MeshManager,
    funding_error::FundingError,
    order::Order,
    questions::{Terms, all_of, no_such_node, node_at},
    spending::{RouteTab, Size},
};
use mesh_routing::{Split, least_total, split};
use mesh_types::{MeshError, Msat, PaymentReason, Price, ProofForHop, Route};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// What a packet needs on its way.
#[derive(Debug, Clone)]
pub(crate) struct ToFund {
    pub(crate) route: Route,
    pub(crate) payload_len: usize,
    /// The packet that was refused for want of payment.
    pub(crate) sequence: u64,
    /// The most that it may offer.
    pub(crate) most_fee: Msat,
    pub(crate) packets_ahead: u64,
    /// How long each answer is waited for.
    pub(crate) timeout: Duration,
    pub(crate) tab: Arc<RouteTab>,
}

/// Credit to be bought with a node of a route.
pub(crate) struct Purchase<'a> {
    pub(crate) route: &'a Route,
    pub(crate) position: usize,
    pub(crate) size: Size,
    /// What is set aside for it.
    pub(crate) part: Part,
    pub(crate) reason: PaymentReason,
    pub(crate) tab: &'a Arc<RouteTab>,
    pub(crate) timeout: Duration,
}

/// The part of the limits that one of several purchases may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// Of what may be spent, the most that routing may cost included.
    pub(crate) room: Msat,
    /// Of what may be deposited.
    pub(crate) limit: Msat,
}

impl Part {
    pub(crate) const WHOLE: Self = Self {
        room: Msat::MAX,
        limit: Msat::MAX,
    };
}

impl MeshManager {
    /// Asks every node of the route for its price, works out the fee, and pays those with whom credit is missing, all at once:
    /// on the tab of the packet. Answers with the fee to offer.
    ///
    /// Nothing is paid before all have answered.
    pub(crate) async fn fund(&self, packet: ToFund) -> Result<Msat, FundingError> {
        let ToFund {
            route,
            payload_len,
            most_fee,
            timeout,
            ..
        } = &packet;
        let announced = self.announced(route, *payload_len);
        let terms = self.ask_terms(route, *timeout).await?;
        let fee = fee_of(&terms, *payload_len).ok_or_else(no_amount)?;
        self.check_announced(&announced, route, &terms, *payload_len, fee)?;
        if fee > *most_fee {
            let reason =
                format!("the route asks for a fee of {fee}, and at most {most_fee} may be paid");
            return Err(FundingError::GivenUp(MeshError::PaymentVerificationFailed(
                reason,
            )));
        }
        let is_allowed = self.shared.spending.check_packet(fee);
        is_allowed.map_err(|reached| FundingError::GivenUp(reached.into()))?;
        let shares = split(fee, route.relay_count());
        let packet = Arc::new(packet);
        let lacking = self.show_all(&packet, terms, shares).await?;
        self.buy_all(&packet, &lacking, shares).await?;
        Ok(fee)
    }

    /// What the nodes behind the source ask for `payload_len` bytes, as far as is known.
    ///
    /// In the table a node of which nobody has said anything asks nothing, as one that has said so itself. Only that one has
    /// given its word.
    fn announced(&self, route: &Route, payload_len: usize) -> Announced {
        let routes = self.engine().routes();
        let learning = self.shared.learning();
        let price = |node| {
            let known = routes.price(node).filter(|price| *price != Price::FREE);
            known.or_else(|| learning?.announced_price(node))
        };
        Announced {
            prices: route.iter().skip(1).map(price).collect(),
            total: routes.quote_route(route, payload_len).map(|it| it.total),
        }
    }

    /// Says whether the route costs no more than was announced; what nobody has announced is not.
    fn check_announced(
        &self,
        announced: &Announced,
        route: &Route,
        terms: &[Terms],
        payload_len: usize,
        fee: Msat,
    ) -> Result<(), FundingError> {
        if announced.total.is_none_or(|total| fee <= total) {
            return Ok(());
        }
        for (price, node) in announced.prices.iter().zip(terms) {
            let (Some(announced), Some(asked)) = (
                price.and_then(|price| price.of(payload_len)),
                node.price.of(payload_len),
            ) else {
                continue;
            };
            if asked > announced {
                let by = node_at(route, node.position).map_err(FundingError::GivenUp)?;
                return Err(FundingError::Dearer {
                    by,
                    announced,
                    asked,
                });
            }
        }
        Ok(())
    }

    /// Shows all nodes at once what they were paid before, and answers with the terms of those where credit still lacks.
    async fn show_all(
        &self,
        packet: &Arc<ToFund>,
        terms: Vec<Terms>,
        shares: Split,
    ) -> Result<Vec<Terms>, FundingError> {
        let is_short = |node: &Terms| {
            node.price != Price::FREE && node.credit < shares.share_at(node.position)
        };
        let mut tasks = JoinSet::new();
        for node in terms.into_iter().filter(is_short) {
            let (mesh, packet) = (self.clone(), Arc::clone(packet));
            tasks.spawn(async move {
                let share = shares.share_at(node.position);
                (node.position, mesh.show_before(&packet, node, share).await)
            });
        }
        let mut terms = all_of(tasks).await?;
        terms.retain(is_short);
        Ok(terms)
    }

    /// Sees what credit there is with a node before any is bought: of payments that were made and not shown, or whose outcome
    /// was not known, and of a top-up that is under way.
    async fn show_before(
        &self,
        packet: &ToFund,
        mut node: Terms,
        share: Msat,
    ) -> Result<Terms, FundingError> {
        let ToFund { route, timeout, .. } = packet;
        let payee = node_at(route, node.position).map_err(FundingError::GivenUp)?;
        let unanswered = |why| FundingError::Question { node: payee, why };
        // Before what is kept is shown: once the outcome is known its proof is among it, so that nothing is bought again.
        if self.shared.unshown.nothing_is_under_way(&payee).is_err() {
            self.look_up_payee(&payee, *timeout).await;
            let known = self.shared.unshown.nothing_is_under_way(&payee);
            known.map_err(|error| FundingError::Unpaid { node: payee, error })?;
        }
        node.credit = self.show_kept(route, &node, *timeout).await?;
        let top_ups = &self.shared.spending.top_ups;
        if node.credit < share && top_ups.wait(&payee, *timeout).await {
            top_ups.outrun(&payee);
            let asked = self.ask_node(route, node.position, *timeout).await;
            node = asked.map_err(unanswered)?;
            node.credit = self.show_kept(route, &node, *timeout).await?;
        }
        if node.credit < share && self.shared.sends.are_several() {
            // Another message may have shown meanwhile what was kept when this one heard that there is no credit.
            let asked = self.ask_node(route, node.position, *timeout).await;
            node = asked.map_err(unanswered)?;
        }
        Ok(node)
    }

    /// Buys all nodes the credit that lacks, at once, each within a part of the limits of its own.
    async fn buy_all(
        &self,
        packet: &Arc<ToFund>,
        lacking: &[Terms],
        shares: Split,
    ) -> Result<(), FundingError> {
        let size = |node: &Terms| {
            let share = shares.share_at(node.position);
            let ahead = share.checked_mul(packet.packets_ahead.max(1));
            Size {
                needed: share.saturating_sub(node.credit),
                wanted: ahead.unwrap_or(Msat::MAX).saturating_sub(node.credit),
            }
        };
        let sizes: Vec<_> = lacking.iter().map(size).collect();
        let parts = self.parts(packet, lacking, &sizes).await?;
        let mut tasks = JoinSet::new();
        for ((node, size), part) in lacking.iter().zip(sizes).zip(parts) {
            let (mesh, packet, node) = (self.clone(), Arc::clone(packet), *node);
            tasks.spawn(
                async move { (node.position, mesh.buy_one(&packet, node, size, part).await) },
            );
        }
        all_of(tasks).await.map(drop)
    }

    async fn buy_one(
        &self,
        packet: &ToFund,
        node: Terms,
        size: Size,
        part: Part,
    ) -> Result<(), FundingError> {
        let ToFund { route, timeout, .. } = packet;
        let purchase = Purchase {
            route,
            position: node.position,
            size,
            part,
            reason: PaymentReason::Packet {
                route: route.clone(),
                sequence: packet.sequence,
            },
            tab: &packet.tab,
            timeout: *timeout,
        };
        self.buy_credit(purchase).await?;
        self.show_kept(route, &node, *timeout).await.map(drop)
    }

    /// Divides what the limits have room for: each purchase gets what it needs, and an equal part of the rest.
    ///
    /// So none takes what another one needs, whichever is first. Where there is no room for what all need, none is made.
    async fn parts(
        &self,
        packet: &ToFund,
        lacking: &[Terms],
        sizes: &[Size],
    ) -> Result<Vec<Part>, FundingError> {
        let [first, _, ..] = lacking else {
            // Whatever there is is for the one.
            return Ok(vec![Part::WHOLE; lacking.len()]);
        };
        let spending = &self.shared.spending;
        let with_fee = |amount: Msat| {
            let fee = spending.config().most_fee(amount);
            amount.checked_add(fee).unwrap_or(Msat::MAX)
        };
        let needs: Vec<Msat> = sizes.iter().map(|size| whole_sats(size.needed)).collect();
        let sum = |amounts: &mut dyn Iterator<Item = Msat>| {
            amounts.fold(Msat::ZERO, |sum, next| {
                sum.checked_add(next).unwrap_or(Msat::MAX)
            })
        };
        let needed = sum(&mut needs.iter().copied());
        let with_fees = sum(&mut needs.iter().copied().map(with_fee));
        let tab = &packet.tab;
        let fees = with_fees.saturating_sub(needed);
        tab.check(needed, fees).map_err(FundingError::GivenUp)?;
        let payee = node_at(&packet.route, first.position).map_err(FundingError::GivenUp)?;
        let today = self.left_today(&payee).await;
        let today = today.map_err(FundingError::GivenUp)?.of_all;
        let room = tab.room().min(today).saturating_sub(with_fees);
        let limit = tab.limit_left().saturating_sub(needed);
        let count = u64::try_from(needs.len()).unwrap_or(u64::MAX);
        let share =
            |rest: Msat| Msat::from_msat(rest.to_msat().checked_div(count).unwrap_or_default());
        let part = |need: &Msat| Part {
            room: with_fee(*need)
                .checked_add(share(room))
                .unwrap_or(Msat::MAX),
            limit: need.checked_add(share(limit)).unwrap_or(Msat::MAX),
        };
        Ok(needs.iter().map(part).collect())
    }

    /// Shows a node whatever it has been paid and not yet said to have, and answers with the credit there.
    pub(crate) async fn show_kept(
        &self,
        route: &Route,
        node: &Terms,
        timeout: Duration,
    ) -> Result<Msat, FundingError> {
        let payee = node_at(route, node.position).map_err(FundingError::GivenUp)?;
        let hop = u8::try_from(node.position);
        let hop = hop.map_err(|_| FundingError::GivenUp(no_such_node(node.position)))?;
        let mut credit = Some(node.credit);
        for proof in self.shared.unshown.of(&payee) {
            let for_hop = ProofForHop {
                hop,
                proof: proof.clone(),
            };
            match self.deposit_at(route, for_hop, timeout).await {
                Ok(now) => credit = Some(now),
                Err(why) => match MeshError::from(why.clone()) {
                    // It is credited already: by a packet that carried it, an answer that was lost, or by the node itself
                    // when it was paid. What that has brought is asked for.
                    MeshError::ReplayDetected(_) => credit = None,
                    MeshError::PaymentVerificationFailed(reason) => {
                        tracing::warn!(%payee, %reason, "a proof of what was paid is not taken");
                    }
                    _ => return Err(FundingError::not_taken(payee, why)),
                },
            }
            self.shared.unshown.forget(&payee, &proof).await;
        }
        let terms = match credit {
            Some(credit) => Terms { credit, ..*node },
            None => {
                let asked = self.ask_node(route, node.position, timeout).await;
                asked.map_err(|why| FundingError::Question { node: payee, why })?
            }
        };
        self.note_terms(payee, &terms);
        Ok(terms.credit)
    }

    /// Buys credit with a node of a route, within all limits, and says how much; the proof is kept to be shown.
    pub(crate) async fn buy_credit(&self, purchase: Purchase<'_>) -> Result<Msat, FundingError> {
        let Purchase {
            route,
            position,
            size,
            part,
            reason,
            tab,
            timeout,
        } = purchase;
        let payee = node_at(route, position).map_err(FundingError::GivenUp)?;
        let unpaid = |error| FundingError::Unpaid { node: payee, error };
        let today = self.left_today(&payee).await.map_err(unpaid)?;
        let room = tab.room().min(today.of_all).min(today.of_payee);
        let spending = &self.shared.spending;
        let limit = tab.limit_left();
        let amount = spending.deposit(&payee, size, room.min(part.room), limit.min(part.limit));
        let quoted = self.quote_at(route, position, amount, timeout).await;
        let quoted = quoted.map_err(|why| FundingError::Question { node: payee, why })?;
        let invoice = quoted
            .invoice
            .ok_or(FundingError::NoInvoice { node: payee })?;
        let order = Order {
            payee,
            invoice: &invoice,
            // What was asked for, in whole satoshi, and no more: the node chooses what it quotes.
            limit: limit.min(whole_sats(amount)),
            reason,
            tab: Arc::clone(tab),
        };
        let paid = self.pay_order(order).await;
        Ok(paid.map_err(unpaid)?.amount)
    }
}

/// What nodes are known to ask before they are asked.
struct Announced {
    prices: Vec<Option<Price>>,
    total: Option<Msat>,
}

/// The least fee that gives every node its price; nothing where no amount does.
pub(crate) fn fee_of(terms: &[Terms], payload_len: usize) -> Option<Msat> {
    let prices = terms.iter().map(|node| node.price.of(payload_len));
    let prices = prices.collect::<Option<Vec<_>>>()?;
    let (destination, relays) = prices.split_last()?;
    least_total(*destination, relays)
}

pub(crate) fn no_amount() -> FundingError {
    let reason = "no amount covers the prices of the route".to_owned();
    FundingError::GivenUp(MeshError::RoutingError(reason))
}

/// Rounded up, as nodes quote.
pub(crate) fn whole_sats(amount: Msat) -> Msat {
    Msat::from_sats_saturating(amount.to_msat().div_ceil(1_000))
}
