use crate::Fault;
use mesh_types::{NodeId, UnixTime};
use std::time::Duration;

/// The time in which what is remembered of a node comes to count half.
///
/// Ten minutes, because that is how long it takes a node that broke down to be noticed and started again, and because a
/// black hole then costs a packet every quarter of an hour.
pub const SCORE_HALF_LIFE: Duration = Duration::from_secs(600);

/// A relay whose score is below this is left out of routes.
///
/// 0.6: four or five packets lost by a node of which nothing good is known, six by one that has always delivered.
pub const FALLEN_BELOW: f64 = 0.6;

/// A relay that was left out comes back when its score is above this.
///
/// 0.8, more than [`FALLEN_BELOW`], so that a relay does not come back for the first moment of each fading.
pub const RISEN_ABOVE: f64 = 0.8;

/// The most that a node is blamed for, of what another one, the same each time, could be to blame for as well.
///
/// 1, in packets dropped: with that and nothing else the score of a node of which nothing is known is two thirds. So nobody
/// falls by the doing of one other node, whatever that does.
pub const MAX_SHARED_BLAME: f64 = 1.0;

/// The packets for which a node of which nothing is known is trusted.
const TRUST: f64 = 2.0;

/// What is left of the past with each outcome: it forgets over about eight packets, so that a relay that always delivered
/// does not live on that for long.
const KEPT: f64 = 0.875;

/// How many others are remembered that a node shares blame with.
///
/// 32, because a route has at most 15 suspects. When there are more, the one that shares the least makes room, and the new one
/// takes over its share: nobody is counted for less than it could be to blame for.
const MAX_COMPANY: usize = 32;

/// How many reasons are kept for display.
const MAX_REASONS: usize = 4;

/// What a source remembers of a node.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    good: f64,
    bad: f64,
    /// Who else could be to blame for how much of `bad`.
    company: Vec<(NodeId, f64)>,
    at: UnixTime,
    pub(crate) is_fallen: bool,
    /// The latest reasons, the newest last.
    pub(crate) reasons: Vec<(Fault, UnixTime)>,
}

impl Record {
    pub(crate) const fn new(now: UnixTime) -> Self {
        Self {
            good: 0.0,
            bad: 0.0,
            company: Vec::new(),
            at: now,
            is_fallen: false,
            reasons: Vec::new(),
        }
    }

    /// From 0 to 1: how likely the next packet is carried, as far as is proved.
    pub(crate) fn score(&self) -> f64 {
        let shared = self.company.iter().map(|(_, shared)| *shared);
        let explained = shared.fold(0.0, f64::max);
        let bad = self.bad - (explained - MAX_SHARED_BLAME).max(0.0);
        (TRUST + self.good) / (TRUST + self.good + bad.max(0.0))
    }

    /// How much of a common fault is likely this node's; more than 0.
    pub(crate) fn suspicion(&self) -> f64 {
        (1.0 + self.bad) / (1.0 + self.bad + self.good)
    }

    /// How much is known of it.
    pub(crate) fn weight(&self) -> f64 {
        self.good + self.bad
    }

    pub(crate) fn praise(&mut self, now: UnixTime) {
        self.fade(now);
        self.keep(KEPT);
        self.good += 1.0;
    }

    /// Blames the node by `weight` for a fault that any of `company` could be to blame for as well.
    pub(crate) fn blame<'a>(
        &mut self,
        fault: Fault,
        weight: f64,
        company: impl Iterator<Item = &'a NodeId>,
        now: UnixTime,
    ) {
        self.fade(now);
        self.keep(KEPT);
        self.bad += weight;
        for node in company {
            self.share(*node, weight);
        }
        if self.reasons.len() >= MAX_REASONS {
            self.reasons.remove(0);
        }
        self.reasons.push((fault, now));
    }

    /// Lets time pass, and says whether the record fell or rose.
    pub(crate) fn judge(&mut self, now: UnixTime) -> bool {
        self.fade(now);
        let score = self.score();
        let is_fallen = if self.is_fallen {
            score <= RISEN_ABOVE
        } else {
            score < FALLEN_BELOW
        };
        std::mem::replace(&mut self.is_fallen, is_fallen) != is_fallen
    }

    fn share(&mut self, node: NodeId, weight: f64) {
        if let Some((_, shared)) = self.company.iter_mut().find(|(known, _)| *known == node) {
            *shared += weight;
        } else if self.company.len() < MAX_COMPANY {
            self.company.push((node, weight));
        } else {
            let least = self.company.iter_mut().min_by(|a, b| a.1.total_cmp(&b.1));
            least
                .into_iter()
                .for_each(|least| *least = (node, least.1 + weight));
        }
    }

    pub(crate) fn fade(&mut self, now: UnixTime) {
        let half_lives = now.since(self.at).as_secs_f64() / SCORE_HALF_LIFE.as_secs_f64();
        // A clock that was set back makes nobody remember more.
        self.at = self.at.max(now);
        self.keep(0.5_f64.powf(half_lives));
    }

    fn keep(&mut self, part: f64) {
        self.good *= part;
        self.bad *= part;
        for (_, shared) in &mut self.company {
            *shared *= part;
        }
        self.company.retain(|(_, shared)| *shared > 0.01);
    }
}
