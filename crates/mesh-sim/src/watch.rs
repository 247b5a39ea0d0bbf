use crate::{
    bank::Bank,
    node::{Node, at_once},
};
use mesh_types::{ClaimKey, CreditStore as _, Msat, NodeId, UnixTime};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// Something that is not as it has to be. The simulation ends with the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which property.
    pub property: Property,
    /// The plan's seed.
    pub seed: u64,
    /// When, in virtual milliseconds since the first node started.
    pub at_ms: u64,
    /// The nodes that it is about: number and id.
    pub nodes: Vec<String>,
    /// What it should have been.
    pub expected: String,
    /// What it was.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "violated: {}", self.property)?;
        writeln!(f, "  seed      {}", self.seed)?;
        writeln!(f, "  at        {} ms after the first start", self.at_ms)?;
        writeln!(f, "  nodes     {}", self.nodes.join(", "))?;
        writeln!(f, "  expected  {}", self.expected)?;
        write!(f, "  found     {}", self.found)
    }
}

/// What has to hold, at every step or in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// No packet is carried twice by one node.
    NoNodeTwice,
    /// No payment is claimed twice.
    NoProofTwice,
    /// What a node holds for its payers, and what it has earned, is what was paid to it and shown.
    EverySatAccountedFor,
    /// A payer is debited its share of a packet when that was handed on, and nothing else.
    DebitedForWhatWasHandedOn,
    /// After the quiet, who can be reached has a route.
    ReachableHasRoute,
    /// That route exists, and is the cheapest there is.
    CheapestIsFound,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoNodeTwice => "no packet visits a node twice",
            Self::NoProofTwice => "no proof is claimed twice",
            Self::EverySatAccountedFor => "every sat is accounted for",
            Self::DebitedForWhatWasHandedOn => "nobody is debited for what was not handed on",
            Self::ReachableHasRoute => "every reachable pair has a route",
            Self::CheapestIsFound => "the cheapest route is found",
        })
    }
}

/// Books of our own beside those of the nodes: made of nothing but what was seen to happen.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) violation: Option<Violation>,
    seed: u64,
    began_at: UnixTime,
    /// Who has carried each packet, its source first.
    visits: BTreeMap<(NodeId, u64), Vec<u32>>,
    claimed: BTreeMap<ClaimKey, u32>,
    books: Vec<Books>,
}

/// What a node has to have in its books, in millisatoshi.
#[derive(Debug, Default, Clone)]
struct Books {
    deposited: u64,
    earned: u64,
    credit: BTreeMap<NodeId, u64>,
}

/// A share of a packet's fee: six tenths for its end, three for the relays in equal parts, one for its source; what does not
/// divide is the end's.
fn share_msat(fee_msat: u64, relays: u64, is_end: bool) -> u64 {
    let each = (fee_msat * 3 / 10).checked_div(relays).unwrap_or(0);
    if is_end {
        fee_msat - fee_msat / 10 - each * relays
    } else {
        each
    }
}

/// A packet on its way, as far as money is concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fare {
    pub(crate) source: NodeId,
    pub(crate) sequence: u64,
    pub(crate) fee_msat: u64,
    pub(crate) relays: usize,
    pub(crate) is_end: bool,
    /// Whether it is one of those that pay.
    pub(crate) is_paid: bool,
}

impl Watch {
    pub(crate) fn new(nodes: usize, seed: u64, began_at: UnixTime) -> Self {
        Self {
            violation: None,
            seed,
            began_at,
            visits: BTreeMap::new(),
            claimed: BTreeMap::new(),
            books: vec![Books::default(); nodes],
        }
    }

    pub(crate) fn violate(
        &mut self,
        property: Property,
        nodes: Vec<String>,
        (expected, found): (String, String),
        now: UnixTime,
    ) {
        self.violation.get_or_insert(Violation {
            property,
            seed: self.seed,
            at_ms: now.to_millis() - self.began_at.to_millis(),
            nodes,
            expected,
            found,
        });
    }

    pub(crate) fn sent(&mut self, number: u32, source: NodeId, sequence: u64) {
        self.visits.insert((source, sequence), vec![number]);
    }

    /// A node has handed a packet on, or delivered it.
    pub(crate) fn carried(&mut self, number: u32, node: &Node, fare: Fare, now: UnixTime) {
        let visits = self.visits.entry((fare.source, fare.sequence)).or_default();
        if visits.contains(&number) {
            let expected = format!(
                "packet {} of {} is carried once here",
                fare.sequence, fare.source
            );
            let found = format!("it came past {visits:?} before");
            self.violate(
                Property::NoNodeTwice,
                vec![name(number, node)],
                (expected, found),
                now,
            );
            return;
        }
        visits.push(number);
        if fare.is_paid {
            let share = share_msat(fare.fee_msat, fare.relays as u64, fare.is_end);
            let books = &mut self.books[number as usize];
            let credit = books.credit.entry(fare.source).or_default();
            let Some(rest) = credit.checked_sub(share) else {
                let pair = (
                    format!("at most {credit} msat are debited"),
                    format!("{share} msat"),
                );
                let property = Property::DebitedForWhatWasHandedOn;
                self.violate(property, vec![name(number, node)], pair, now);
                return;
            };
            *credit = rest;
            books.earned += share;
        }
    }

    /// A node has claimed a payment, and says whose credit it is now.
    pub(crate) fn claimed(
        &mut self,
        number: u32,
        node: &Node,
        claim: mesh_types::Claim,
        bank: &Bank,
        now: UnixTime,
    ) {
        let nodes = vec![name(number, node)];
        if self.claimed.insert(claim.key, number).is_some() {
            let pair = (
                "each payment is claimed once".to_owned(),
                format!("{:?} again", claim.key),
            );
            self.violate(Property::NoProofTwice, nodes, pair, now);
            return;
        }
        let said = Some((claim.payer, claim.amount));
        let paid = bank.paid(&claim.key, number);
        if paid != said {
            let pair = (format!("a credit of {paid:?}"), format!("{said:?}"));
            self.violate(Property::EverySatAccountedFor, nodes, pair, now);
            return;
        }
        let books = &mut self.books[number as usize];
        books.deposited += claim.amount.to_msat();
        *books.credit.entry(claim.payer).or_default() += claim.amount.to_msat();
    }

    /// Holds a node's books against ours, after everything that may have changed them; `payer` in detail.
    pub(crate) fn audit(
        &mut self,
        number: u32,
        node: &Node,
        bank: &Bank,
        payer: &NodeId,
        now: UnixTime,
    ) {
        let books = &self.books[number as usize];
        let Ok(theirs) = at_once(node.store.books(0)) else {
            return;
        };
        let mine = [
            books.deposited,
            books.deposited - books.earned,
            books.earned,
        ];
        let said = [theirs.deposited, theirs.credit, theirs.earned].map(Msat::to_msat);
        let labels = |sums: [u64; 3]| {
            format!(
                "{} msat deposited, {} credit, {} earned",
                sums[0], sums[1], sums[2]
            )
        };
        let property = match mine[0] == said[0] {
            true => Property::DebitedForWhatWasHandedOn,
            false => Property::EverySatAccountedFor,
        };
        if mine != said {
            let pair = (labels(mine), labels(said));
            return self.violate(property, vec![name(number, node)], pair, now);
        }
        let received = bank.received_msat(number);
        if books.deposited > received {
            let pair = (
                format!("at most {received} msat deposited, as was paid"),
                labels(said),
            );
            let property = Property::EverySatAccountedFor;
            return self.violate(property, vec![name(number, node)], pair, now);
        }
        let kept = at_once(node.store.credit(*payer)).map_or(0, Msat::to_msat);
        let engine = node.made_engine();
        let in_hand = engine.map_or(0, |engine| engine.accounts().credit(payer).to_msat());
        let reserved = engine.map_or(0, |engine| engine.accounts().totals().reserved);
        let credit = books.credit.get(payer).copied().unwrap_or(0);
        if kept + in_hand != credit || reserved != 0 {
            let found = format!("{kept} msat kept, {in_hand} in hand, {reserved} set aside");
            let pair = (
                format!("{credit} msat of credit for {payer}, none set aside"),
                found,
            );
            let property = Property::DebitedForWhatWasHandedOn;
            self.violate(property, vec![name(number, node)], pair, now);
        }
    }

    pub(crate) fn is_claimed(&self, key: &ClaimKey) -> bool {
        self.claimed.contains_key(key)
    }

    /// What all nodes hold and have earned, in millisatoshi.
    pub(crate) fn sums_msat(&self) -> (u64, u64) {
        let credit = self
            .books
            .iter()
            .map(|books| books.deposited - books.earned);
        (
            credit.sum(),
            self.books.iter().map(|books| books.earned).sum(),
        )
    }
}

/// A node as a reader finds it again.
pub(crate) fn name(number: u32, node: &Node) -> String {
    let trade = node.trade.as_ref().map_or("", |trade| trade.name());
    let space = if trade.is_empty() { "" } else { " " };
    format!("#{number}{space}{trade} {}", node.id)
}
