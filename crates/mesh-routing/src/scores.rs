use crate::doubt::Doubt;
use crate::effect::Place;
use crate::outcome::{Fault, Outcome};
use crate::record::Record;
use mesh_types::{NodeId, UnixTime};
use std::collections::HashMap;
use std::time::Duration;

/// How many nodes are remembered.
///
/// 2,048, because routes lead over the nodes that this one chose, which are few; with all that is remembered of each they
/// take less than 4 MB.
pub const MAX_SCORED_NODES: usize = 2_048;

/// How many links are in doubt at one time.
///
/// 1,024, because each costs packets that were paid for and not answered.
pub const MAX_DOUBTED_LINKS: usize = 1_024;

/// How many times as long as expected an answer may take before it is late, and what it may take in any case.
const LATE_FACTOR: u32 = 4;
const LATE_GRACE: Duration = Duration::from_secs(1);

/// How long an answer may take that is expected after `expected`.
pub(crate) fn late_after(expected: Duration) -> Duration {
    expected
        .saturating_mul(LATE_FACTOR)
        .saturating_add(LATE_GRACE)
}

/// What a source has learned about those who carry for it; nobody else hears of it.
///
/// A packet that is not answered could have been dropped by any node of its route, the destination among them, or its answer
/// could. So the blame for it is shared: more for those of whom less good is known. An answer proves that all of them
/// carried. A refusal proves that it came to the node that refuses, so nobody before is blamed for it.
///
/// Of the blame that a node shares with one other node, the same each time, at most [`MAX_SHARED_BLAME`] counts: who of the
/// two it was cannot be told, and neither shall make the other fall. What such packets have in common is put aside as a
/// link instead, so that the next ones tell more.
///
/// [`MAX_SHARED_BLAME`]: crate::MAX_SHARED_BLAME
#[derive(Debug, Default)]
pub struct Scores {
    records: HashMap<NodeId, Record>,
    doubts: HashMap<Place, Doubt>,
}

/// A place that routes shall leave out from now on, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// A relay or a link.
    pub place: Place,
    /// Whether it shall be left out.
    pub is_out: bool,
}

/// What is known of a node, for display.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The node.
    pub node: NodeId,
    /// From 0 to 1: how likely it carries the next packet, as far as is proved; 1 for one of which nothing is known.
    pub score: f64,
    /// Whether routes leave it out.
    pub is_fallen: bool,
    /// What spoke against it, and when: the latest four, the newest last.
    pub reasons: Vec<(Fault, UnixTime)>,
}

impl Scores {
    /// Learns what became of a packet, and says which places are left out of routes from now on, or no longer.
    ///
    /// - `route`: the whole route that it took, this node first. - `expected`: how long an answer takes over it.
    ///
    /// # Security
    /// What others say enters only where they prove it. One liar, whatever it drops, refuses or answers, makes nobody's
    /// score but its own fall below two thirds, which no relay is left out for.
    pub fn learn(
        &mut self,
        route: &[NodeId],
        outcome: Outcome,
        expected: Duration,
        now: UnixTime,
    ) -> Vec<Verdict> {
        let Some((_, suspects)) = route.split_first() else {
            return Vec::new();
        };
        let mut verdicts = Vec::new();
        match outcome {
            Outcome::Delivered { took } => {
                self.trust_links(suspects, &mut verdicts);
                if took > late_after(expected) {
                    self.blame_all(suspects, Fault::Late, now, &mut verdicts);
                } else {
                    for node in suspects {
                        self.record(*node, now, &mut verdicts, |record| record.praise(now));
                    }
                }
            }
            Outcome::Refused { by, fault } => {
                let Some(at) = suspects.iter().position(|node| *node == by) else {
                    return verdicts;
                };
                let (passed, beyond) = suspects.split_at(at.saturating_add(1));
                self.trust_links(passed, &mut verdicts);
                self.blame_one(by, fault, beyond.first(), now, &mut verdicts);
            }
            Outcome::Silence => {
                self.blame_all(suspects, Fault::Silence, now, &mut verdicts);
                self.doubt_links(suspects, now, &mut verdicts);
            }
        }
        verdicts
    }

    /// Lets time pass: says which places are no longer left out, and forgets what says nothing any more.
    pub fn refresh(&mut self, now: UnixTime) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        self.records.retain(|node, record| {
            if record.judge(now) {
                verdicts.push(Verdict {
                    place: Place::Node(*node),
                    is_out: record.is_fallen,
                });
            }
            record.is_fallen || record.weight() > 0.01
        });
        self.doubts.retain(|place, doubt| {
            if doubt.judge(now) {
                verdicts.push(Verdict {
                    place: *place,
                    is_out: false,
                });
            }
            doubt.is_aside || doubt.weight() > 0.01
        });
        verdicts
    }

    /// What is known of a node.
    pub fn standing(&self, node: &NodeId, now: UnixTime) -> Standing {
        let mut record = self.records.get(node).cloned().unwrap_or(Record::new(now));
        record.fade(now);
        Standing {
            node: *node,
            score: record.score(),
            is_fallen: record.is_fallen,
            reasons: record.reasons,
        }
    }

    /// All nodes of which something is known, the worst first.
    pub fn standings(&self, now: UnixTime) -> Vec<Standing> {
        let nodes = self.records.keys();
        let mut standings: Vec<_> = nodes.map(|node| self.standing(node, now)).collect();
        standings.sort_by(|a, b| a.score.total_cmp(&b.score).then(a.node.cmp(&b.node)));
        standings
    }

    /// Says whether routes leave a place out, as of the last time that it was heard of or all were refreshed.
    pub fn is_out(&self, place: Place) -> bool {
        match place {
            Place::Node(node) => self.records.get(&node).is_some_and(|it| it.is_fallen),
            Place::Link(..) => {
                let doubt = self.doubts.get(&place.in_order());
                doubt.is_some_and(|doubt| doubt.is_aside)
            }
        }
    }

    /// Shares the blame among all who could be at fault.
    fn blame_all(
        &mut self,
        suspects: &[NodeId],
        fault: Fault,
        now: UnixTime,
        verdicts: &mut Vec<Verdict>,
    ) {
        let suspicion = |node| self.records.get(node).map_or(1.0, Record::suspicion);
        let suspicions: Vec<f64> = suspects.iter().map(suspicion).collect();
        let all: f64 = suspicions.iter().sum();
        for (node, suspicion) in suspects.iter().zip(suspicions) {
            let weight = fault.weight() * suspicion / all;
            let company = suspects.iter().filter(|other| *other != node);
            self.record(*node, now, verdicts, |record| {
                record.blame(fault, weight, company, now);
            });
        }
    }

    /// Blames the node that refused; that its link is gone could be the doing of the node at its other end as well.
    fn blame_one(
        &mut self,
        by: NodeId,
        fault: Fault,
        next: Option<&NodeId>,
        now: UnixTime,
        verdicts: &mut Vec<Verdict>,
    ) {
        let next = next.filter(|_| fault == Fault::NoLink);
        let weight = match fault {
            // What is said of silence in a refusal proves nothing, and a destination refuses for no link.
            Fault::Silence | Fault::Late => return,
            Fault::NoLink if next.is_none() => return,
            fault => fault.weight(),
        };
        if weight > 0.0 {
            self.record(by, now, verdicts, |record| {
                record.blame(fault, weight, next.into_iter(), now);
            });
        }
        if let Some(doubt) = next.and_then(|next| self.doubt(by, *next, now)) {
            let was_aside = doubt.is_aside;
            doubt.rise_at_once(now);
            if !was_aside {
                let place = Place::Link(by, *next.unwrap_or(&by)).in_order();
                let is_out = true;
                verdicts.push(Verdict { place, is_out });
            }
        }
    }

    /// Changes what is remembered of a node, and notes whether that makes it fall or rise.
    fn record(
        &mut self,
        node: NodeId,
        now: UnixTime,
        verdicts: &mut Vec<Verdict>,
        change: impl FnOnce(&mut Record),
    ) {
        if self.records.len() >= MAX_SCORED_NODES && !self.records.contains_key(&node) {
            let standing = self.records.iter().filter(|(_, record)| !record.is_fallen);
            let least = standing.min_by(|a, b| a.1.weight().total_cmp(&b.1.weight()));
            let Some(least) = least.map(|(node, _)| *node) else {
                return;
            };
            self.records.remove(&least);
        }
        let record = self.records.entry(node).or_insert(Record::new(now));
        change(record);
        if record.judge(now) {
            verdicts.push(Verdict {
                place: Place::Node(node),
                is_out: record.is_fallen,
            });
        }
    }

    /// Doubts each link that the packet was to take, and puts at most one aside: the one in most doubt, and of those the
    /// nearest. If it was another, the next packets will tell.
    fn doubt_links(&mut self, suspects: &[NodeId], now: UnixTime, verdicts: &mut Vec<Verdict>) {
        let mut most: Option<(Place, f64)> = None;
        for (a, b) in suspects.iter().zip(suspects.iter().skip(1)) {
            if let Some(doubt) = self.doubt(*a, *b, now) {
                doubt.rise(now);
                if most.is_none_or(|(_, weight)| doubt.weight() > weight) {
                    most = Some((Place::Link(*a, *b).in_order(), doubt.weight()));
                }
            }
        }
        if let Some((place, _)) = most
            && self.doubts.get_mut(&place).is_some_and(Doubt::put_aside)
        {
            let is_out = true;
            verdicts.push(Verdict { place, is_out });
        }
    }

    /// Drops the doubts of links that the packet took.
    fn trust_links(&mut self, passed: &[NodeId], verdicts: &mut Vec<Verdict>) {
        for (a, b) in passed.iter().zip(passed.iter().skip(1)) {
            let place = Place::Link(*a, *b).in_order();
            let is_out = false;
            if self
                .doubts
                .remove(&place)
                .is_some_and(|doubt| doubt.is_aside)
            {
                verdicts.push(Verdict { place, is_out });
            }
        }
    }

    fn doubt(&mut self, a: NodeId, b: NodeId, now: UnixTime) -> Option<&mut Doubt> {
        let place = Place::Link(a, b).in_order();
        if self.doubts.len() >= MAX_DOUBTED_LINKS && !self.doubts.contains_key(&place) {
            let used = self.doubts.iter().filter(|(_, doubt)| !doubt.is_aside);
            let least = used.min_by(|a, b| a.1.weight().total_cmp(&b.1.weight()));
            let least = least.map(|(place, _)| *place)?;
            self.doubts.remove(&least);
        }
        Some(self.doubts.entry(place).or_insert(Doubt::new(now)))
    }
}
