use crate::effect::Place;
use crate::link::Closed;
use crate::{RoutingTable, graph::Graph};
use mesh_types::UnixTime;
use std::collections::HashMap;

/// How many places can be without room at one time.
///
/// 4,096, because whoever says so is asked by this node, and more than that it cannot ask before the first marks end.
pub const MAX_FULL_PLACES: usize = 4_096;

/// What the table has learned from its own packets, which holds for a while only.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    /// Until when each place is without room.
    full: HashMap<Place, UnixTime>,
}

impl RoutingTable {
    /// Leaves a node or a link out of routes until `until`, because it has no room; says whether it is known.
    ///
    /// It ends with the first [`RoutingTable::refresh`] at or after `until`. Beyond [`MAX_FULL_PLACES`] it is not taken.
    pub fn mark_full(&self, place: Place, until: UnixTime) -> bool {
        let place = place.in_order();
        let mut learned = self.learned.lock();
        let has_room = learned.full.len() < MAX_FULL_PLACES || learned.full.contains_key(&place);
        let is_taken = has_room && self.close(place, Closed::FULL, true);
        if is_taken {
            learned.full.insert(place, until);
        }
        is_taken
    }

    /// Lets what has passed be over: places have room again. To be called about once a second.
    pub fn refresh(&self, now: UnixTime) {
        let mut learned = self.learned.lock();
        learned.full.retain(|place, until| {
            let is_alive = until.is_alive_at(now);
            if !is_alive {
                self.close(*place, Closed::FULL, false);
            }
            is_alive
        });
    }

    fn close(&self, place: Place, reason: Closed, is_on: bool) -> bool {
        self.change_known(|graph: &mut Graph| {
            let is_known = graph.knows(place);
            is_known.then(|| graph.close(place, reason, is_on))
        })
    }
}
