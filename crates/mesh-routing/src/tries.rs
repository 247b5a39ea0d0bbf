#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

use crate::learning::BUSY_FOR;
use crate::{Fault, MAX_ALTERNATIVES, Outcome, Place, RoutingTable, split};
use mesh_types::{Msat, NodeId, Route, UnixTime};
use std::time::Duration;
use thiserror::Error;

/// How many ways are tried for one message.
///
/// As many as can be asked for at once, because each costs what was carried on it.
pub const MAX_TRIES: usize = MAX_ALTERNATIVES;

/// What a caller allows for sending one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryLimits {
    /// Where it goes.
    pub destination: NodeId,
    /// Bytes of it, as they are charged for.
    pub payload_bytes: usize,
    /// Whether it rides free whatever nodes ask. Where they ask, nothing is learned from it then: else a relay that carries what
    /// is free and drops what is paid for would look good.
    pub is_free: bool,
    /// The most that all tries together may cost.
    pub budget: Msat,
    /// When it is over, whatever was tried.
    pub deadline: UnixTime,
    /// How long an answer is waited for, at most.
    pub patience: Duration,
}

/// The ways to try for one message, one after the other, and what became of them.
///
/// The decision of a source, without doing anything: [`Tries::next`] says which way to go, the caller goes, and says with
/// [`Tries::ended`] what became of it, which the table learns. Time is an argument.
#[derive(Debug, Clone)]
pub struct Tries {
    limits: TryLimits,
    tried: Vec<Vec<NodeId>>,
    /// Relays that may be to blame for what failed.
    suspects: Vec<NodeId>,
    /// Nodes that cannot be paid now.
    unpayable: Vec<NodeId>,
    begun: usize,
    spent: Msat,
    is_refused: bool,
}

/// A way to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextTry {
    /// The way.
    pub route: Route,
    /// What it costs by the prices that are known here; nothing where no amount is enough.
    pub price: Option<Msat>,
    /// How long to wait for an answer.
    pub patience: Duration,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryEnd {
    /// The destination has acknowledged it.
    Delivered {
        /// From sending to hearing of it.
        took: Duration,
    },
    /// A node of the way has refused it.
    Refused {
        /// The node.
        by: NodeId,
        /// Why.
        fault: Fault,
    },
    /// Nothing was heard of the packet.
    Silence {
        /// For how long.
        waited: Duration,
    },
    /// A question to a node of the way was not answered: it or whoever is before it may be to blame.
    Unanswered {
        /// The node that was asked.
        node: NodeId,
        /// For how long.
        waited: Duration,
    },
    /// A node asks for more than it has announced. The way may do at its new price.
    Dearer {
        /// The node.
        by: NodeId,
    },
    /// A node could not be paid, which is not its fault as far as is known.
    Unpaid {
        /// The node.
        node: NodeId,
    },
    /// It was given up for a reason that says nothing about anybody on the way: the price, the time, or the source itself.
    GivenUp,
    /// The link to the first node did not take the packet.
    Unsent,
}

/// Why nothing more is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoMoreTries {
    /// No route is known.
    #[error("no route is known")]
    NoRoute,
    /// Every route that is known was tried, or leads over a node that cannot be paid.
    #[error("no other route is known")]
    NoOther,
    /// The destination has refused, and would over any route.
    #[error("the destination has refused it")]
    Refused,
    /// What is left of the budget is less than the cheapest way costs.
    #[error("the cheapest way costs {least}, and {left} may be spent")]
    TooDear {
        /// What the cheapest way costs.
        least: Msat,
        /// What is left of the budget.
        left: Msat,
    },
    /// The deadline is reached.
    #[error("the time is over")]
    OutOfTime,
    /// [`MAX_TRIES`] ways have failed.
    #[error("{MAX_TRIES} ways have failed")]
    TooMany,
}

impl Tries {
    /// Nothing has been tried yet.
    pub const fn new(limits: TryLimits) -> Self {
        Self {
            limits,
            tried: Vec::new(),
            suspects: Vec::new(),
            unpayable: Vec::new(),
            begun: 0,
            spent: Msat::ZERO,
            is_refused: false,
        }
    }

    /// Says which way to go next.
    ///
    /// Of the ways that fit into what is left of the budget: those with the fewest relays that may be to blame for what
    /// failed before, and of those the cheapest. None is tried twice, unless it only turned out dearer. Where there is none,
    /// [`RoutingTable::find_last_resort`] may know one.
    ///
    /// While another way is left, a try waits for no more than half of the time that is left.
    ///
    /// # Errors
    /// [`NoMoreTries`] says why there is none.
    pub fn next(&mut self, table: &RoutingTable, now: UnixTime) -> Result<NextTry, NoMoreTries> {
        if self.is_refused {
            return Err(NoMoreTries::Refused);
        }
        if !self.limits.deadline.is_alive_at(now) {
            return Err(NoMoreTries::OutOfTime);
        }
        if self.begun >= MAX_TRIES {
            return Err(NoMoreTries::TooMany);
        }
        let left = self.limits.deadline.since(now);
        let half = left.checked_div(2).unwrap_or(left);
        // One way is all that most messages need; more of them take longer to find.
        let is_one_enough = self.begun == 0 && half >= self.limits.patience;
        let (route, price, has_other) = self.choose(table, is_one_enough)?;
        let time = if has_other { half } else { left };
        self.begun = self.begun.saturating_add(1);
        self.tried.push(route.to_vec());
        Ok(NextTry {
            route,
            price,
            patience: self.limits.patience.min(time),
        })
    }

    /// Learns how the last try ended, and has the table learn what it tells of others.
    pub fn ended(&mut self, table: &RoutingTable, end: TryEnd, now: UnixTime) {
        let Some(route) = self.tried.last().cloned() else {
            return;
        };
        match end {
            TryEnd::Delivered { took } => {
                self.learn(table, &route, Outcome::Delivered { took }, now);
            }
            TryEnd::Refused { by, fault } => {
                self.learn(table, &route, Outcome::Refused { by, fault }, now);
                if by == self.limits.destination {
                    self.is_refused = true;
                } else {
                    self.suspects.push(by);
                }
            }
            TryEnd::Silence { waited } => self.unheard(table, &route, waited, now),
            TryEnd::Unanswered { node, waited } => {
                let end = route.iter().position(|it| *it == node);
                let end = end.map_or(route.len(), |end| end.saturating_add(1));
                self.unheard(table, route.get(..end).unwrap_or(&route), waited, now);
                self.suspects.push(node);
            }
            TryEnd::Dearer { by } => {
                let fault = Fault::Dearer;
                self.learn(table, &route, Outcome::Refused { by, fault }, now);
                self.tried.pop();
            }
            TryEnd::Unpaid { node } => self.unpayable.push(node),
            TryEnd::GivenUp => {}
            TryEnd::Unsent => {
                if let [source, first, ..] = route.as_slice() {
                    table.mark_full(Place::Link(*source, *first), now.plus(BUSY_FOR));
                    self.suspects.push(*first);
                }
            }
        }
    }

    /// Takes down what a try has cost, or may have.
    pub fn spend(&mut self, amount: Msat) {
        self.spent = self.spent.checked_add(amount).unwrap_or(Msat::MAX);
    }

    /// When it is over.
    pub const fn deadline(&self) -> UnixTime {
        self.limits.deadline
    }

    /// What is left of the budget.
    pub fn budget_left(&self) -> Msat {
        self.limits.budget.saturating_sub(self.spent)
    }

    /// What all tries have cost, or may have.
    pub const fn spent(&self) -> Msat {
        self.spent
    }

    /// Nothing was heard from the end of `route`. An answer that was not waited for may be on its way, and proves nothing.
    fn unheard(&mut self, table: &RoutingTable, route: &[NodeId], waited: Duration, now: UnixTime) {
        if waited >= table.late_after(route) {
            self.learn(table, route, Outcome::Silence, now);
        }
        self.suspects.extend(relays(route));
    }

    fn learn(&self, table: &RoutingTable, route: &[NodeId], outcome: Outcome, now: UnixTime) {
        let quote = table.quote_route(route, self.limits.payload_bytes);
        let is_asked = quote.is_none_or(|quote| quote.total > Msat::ZERO);
        if !(self.limits.is_free && is_asked) {
            table.learn(route, outcome, now);
        }
    }

    /// The best way, what it costs, and whether there is another.
    fn choose(
        &self,
        table: &RoutingTable,
        is_one_enough: bool,
    ) -> Result<(Route, Option<Msat>, bool), NoMoreTries> {
        let TryLimits {
            destination,
            payload_bytes,
            ..
        } = self.limits;
        let count = if is_one_enough { 1 } else { MAX_ALTERNATIVES };
        let mut found = table.find_routes(&destination, payload_bytes, count);
        if found.is_empty() {
            found.extend(table.find_last_resort(&destination, payload_bytes));
        }
        if found.is_empty() && self.begun == 0 {
            return Err(NoMoreTries::NoRoute);
        }
        let price = |route: &Route| {
            if self.limits.is_free {
                return Some(Msat::ZERO);
            }
            Some(table.quote_route(route, payload_bytes)?.total)
        };
        let left = self.budget_left();
        let is_open = |route: &Route| {
            let is_tried = self.tried.iter().any(|tried| *tried == **route);
            !is_tried && !route.iter().any(|node| self.unpayable.contains(node))
        };
        let mut fitting = Vec::with_capacity(found.len());
        let mut least: Option<Msat> = None;
        let routes = found.into_iter().map(|found| Route::new(found.nodes));
        for route in routes.filter_map(Result::ok).filter(is_open) {
            let price = price(&route);
            let cost = price.unwrap_or(Msat::MAX);
            least = Some(least.map_or(cost, |least| least.min(cost)));
            if cost <= left {
                let suspects = relays(&route).filter(|it| self.suspects.contains(it));
                fitting.push((suspects.count(), route, price));
            }
        }
        let has_other = fitting.len() > 1;
        // The first of the least: they come the cheapest first.
        match fitting.into_iter().min_by_key(|(suspects, ..)| *suspects) {
            Some((_, route, price)) => Ok((route, price, has_other)),
            None => Err(match least {
                Some(least) => NoMoreTries::TooDear { least, left },
                None => NoMoreTries::NoOther,
            }),
        }
    }
}

/// The most that a packet which offered `fee` has cost its source, by what became of it: the shares of those who have
/// carried it.
///
/// Of a packet without an answer nobody knows who has; so it counts whole.
pub fn cost_of(route: &[NodeId], fee: Msat, outcome: Outcome) -> Msat {
    let relays = route.len().saturating_sub(2);
    let shares = split(fee, relays);
    let carried_by = match outcome {
        Outcome::Delivered { .. } | Outcome::Silence => return fee.saturating_sub(shares.source),
        Outcome::Refused { by, .. } => route.iter().skip(1).position(|node| *node == by),
    };
    let carried_by = carried_by.and_then(|count| u64::try_from(count).ok());
    let cost = carried_by.and_then(|count| shares.per_relay.checked_mul(count));
    cost.unwrap_or(fee)
}

fn relays(route: &[NodeId]) -> impl Iterator<Item = NodeId> {
    let end = route.len().saturating_sub(1);
    route.iter().take(end).skip(1).copied()
}
