use crate::effect::Place;
use crate::link::Closed;
use crate::outcome::{Fault, Outcome};
use crate::scores::{Scores, Standing, Verdict, late_after};
use crate::{RoutingTable, graph::Graph};
use mesh_types::{NodeId, UnixTime};
use std::collections::HashMap;
use std::time::Duration;

/// How many places can be without room at one time.
///
/// 4,096, because whoever says so is asked by this node, and more than that it cannot ask before the first marks end.
pub const MAX_FULL_PLACES: usize = 4_096;

/// How long a relay is left out that refused because it is busy.
///
/// Five seconds: a free lane or a queue has room again after that, and other ways carry meanwhile.
pub const BUSY_FOR: Duration = Duration::from_secs(5);

/// What the table has learned from its own packets, which holds for a while only.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    scores: Scores,
    /// Until when each place is without room.
    full: HashMap<Place, UnixTime>,
}

/// What becomes of packets, and what routes make of it.
impl RoutingTable {
    /// Learns what became of a packet that took `route`: [`Scores`] says what that proves. Relays whose score has fallen and
    /// links that are in doubt are left out of routes until time has passed.
    pub fn learn(&self, route: &[NodeId], outcome: Outcome, now: UnixTime) {
        let expected = self.round_trip(route);
        let mut learned = self.learned.lock();
        let verdicts = learned.scores.learn(route, outcome, expected, now);
        self.apply(&verdicts);
        if let Outcome::Refused { by, fault } = outcome
            && fault == Fault::Busy
            && route.iter().skip(1).rev().skip(1).any(|relay| *relay == by)
        {
            self.fill(&mut learned, Place::Node(by), now.plus(BUSY_FOR));
        }
    }

    /// How long an answer over a route may take before that speaks against those on it. Whoever waits less learns nothing from
    /// silence.
    pub fn late_after(&self, route: &[NodeId]) -> Duration {
        late_after(self.round_trip(route))
    }

    /// Leaves a node or a link out of routes until `until`, because it has no room; says whether it is known.
    ///
    /// It ends with the first [`RoutingTable::refresh`] at or after `until`. Beyond [`MAX_FULL_PLACES`] it is not taken.
    pub fn mark_full(&self, place: Place, until: UnixTime) -> bool {
        self.fill(&mut self.learned.lock(), place.in_order(), until)
    }

    /// Lets what has passed be over: places have room again, scores recover. To be called about once a second.
    pub fn refresh(&self, now: UnixTime) {
        let mut learned = self.learned.lock();
        let verdicts = learned.scores.refresh(now);
        self.apply(&verdicts);
        learned.full.retain(|place, until| {
            let is_alive = until.is_alive_at(now);
            if !is_alive {
                self.close(*place, Closed::FULL, false);
            }
            is_alive
        });
    }

    /// What is known of a node from packets that it was to carry.
    pub fn standing(&self, node: &NodeId, now: UnixTime) -> Standing {
        self.learned.lock().scores.standing(node, now)
    }

    /// The standings of all nodes that packets told something of, the worst first.
    pub fn standings(&self, now: UnixTime) -> Vec<Standing> {
        self.learned.lock().scores.standings(now)
    }

    /// Says whether routes leave a place out for what became of packets over it.
    pub fn is_distrusted(&self, place: Place) -> bool {
        self.learned.lock().scores.is_out(place)
    }

    /// Closes places that became known and were left out before: coming and going makes nobody trusted.
    pub(crate) fn distrust_again(
        &self,
        learned: &Learned,
        places: impl IntoIterator<Item = Place>,
    ) {
        for place in places {
            if learned.scores.is_out(place) {
                self.close(place, Closed::FALLEN, true);
            }
        }
    }

    fn fill(&self, learned: &mut Learned, place: Place, until: UnixTime) -> bool {
        let has_room = learned.full.len() < MAX_FULL_PLACES || learned.full.contains_key(&place);
        let is_taken = has_room && self.close(place, Closed::FULL, true);
        if is_taken {
            learned.full.insert(place, until);
        }
        is_taken
    }

    fn apply(&self, verdicts: &[Verdict]) {
        for verdict in verdicts {
            self.close(verdict.place, Closed::FALLEN, verdict.is_out);
        }
    }

    fn close(&self, place: Place, reason: Closed, is_on: bool) -> bool {
        self.change_known(|graph: &mut Graph| {
            let is_known = graph.knows(place);
            is_known.then(|| graph.close(place, reason, is_on))
        })
    }
}
