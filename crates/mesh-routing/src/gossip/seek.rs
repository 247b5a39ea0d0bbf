use super::{
    Gossip, Signatures,
    limits::{
        ASK_AGAIN_AFTER, FIND_FANOUT, FOUND_WITH, MAX_SOUGHT, SOUGHT_FOR_OTHERS, SOUGHT_FOR_US,
    },
};
use mesh_types::{GossipMessage, Held, MAX_FIND_HOPS, NodeId, UnixTime};
use std::collections::BTreeMap;

/// The nodes that are looked for. What is found of them does not have to go for others.
#[derive(Debug, Default)]
pub(crate) struct Sought {
    nodes: BTreeMap<NodeId, Search>,
}

#[derive(Debug, Clone, Copy)]
struct Search {
    asked_at: UnixTime,
    until: UnixTime,
}

impl Sought {
    pub(crate) fn has(&self, id: &NodeId, now: UnixTime) -> bool {
        let search = self.nodes.get(id);
        search.is_some_and(|search| search.until.is_alive_at(now))
    }

    /// Notes that a node is looked for; `false` when it was asked for lately, or too many are looked for.
    fn begin(&mut self, id: NodeId, until: UnixTime, most: usize, now: UnixTime) -> bool {
        if let Some(search) = self.nodes.get_mut(&id) {
            if search.asked_at.plus(ASK_AGAIN_AFTER).is_alive_at(now) {
                return false;
            }
            search.asked_at = now;
            search.until = search.until.max(until);
            return true;
        }
        if self.nodes.len() >= most {
            self.sweep(now);
        }
        if self.nodes.len() >= most {
            return false;
        }
        let asked_at = now;
        self.nodes.insert(id, Search { asked_at, until });
        true
    }

    pub(crate) fn sweep(&mut self, now: UnixTime) {
        self.nodes.retain(|_, search| search.until.is_alive_at(now));
    }
}

impl<S: Signatures> Gossip<S> {
    /// Asks peers for a node that is not known here, or not with any link; says whether they were asked.
    ///
    /// What is found comes like all news: as a change of the graph. Not asked is for what has links, for what was asked
    /// for in the last [`ASK_AGAIN_AFTER`](crate::ASK_AGAIN_AFTER), and for more than
    /// [`MAX_SOUGHT`](crate::MAX_SOUGHT) at a time.
    pub fn find(&mut self, target: NodeId, now: UnixTime) -> bool {
        let is_linked = self.shelf.neighbours(&target).next().is_some();
        if target == self.local || is_linked {
            return false;
        }
        let is_asked = self
            .sought
            .begin(target, now.plus(SOUGHT_FOR_US), MAX_SOUGHT, now);
        if is_asked {
            // What there was no place for is welcome now.
            self.refused.remove(&target);
            self.hand_on(None, target, MAX_FIND_HOPS);
        }
        is_asked
    }

    /// Answers a request for a node, or hands it on. Whoever it is handed on for hears the answer as news.
    pub(super) fn asked_to_find(&mut self, from: NodeId, target: NodeId, hops: u8, now: UnixTime) {
        let found = self.shelf.get(&target);
        if found.is_some_and(|kept| kept.is_alive_at(now)) {
            let with = self.shelf.neighbours(&target).take(FOUND_WITH);
            let named = std::iter::once(&target).chain(with);
            let held = named.filter_map(|id| {
                Some(Held {
                    node_id: *id,
                    sequence: self.shelf.sequence_of(id)?,
                })
            });
            let held = held.collect();
            self.messages.push((from, GossipMessage::Have(held)));
            return;
        }
        let Some(hops) = hops.min(MAX_FIND_HOPS).checked_sub(1) else {
            return;
        };
        let until = now.plus(SOUGHT_FOR_OTHERS);
        if target != self.local && self.sought.begin(target, until, MAX_SOUGHT / 2, now) {
            self.refused.remove(&target);
            self.hand_on(Some(from), target, hops);
        }
    }

    fn hand_on(&mut self, from: Option<NodeId>, target: NodeId, hops: u8) {
        let peers = self.neighbours.keys().copied();
        let mut peers: Vec<NodeId> = peers.filter(|peer| Some(*peer) != from).collect();
        for _ in 0..FIND_FANOUT {
            let count = u64::try_from(peers.len()).unwrap_or(u64::MAX);
            if count == 0 {
                return;
            }
            let chosen = usize::try_from(self.chance.below(count)).unwrap_or(0);
            let peer = peers.swap_remove(chosen.min(peers.len() - 1));
            let find = GossipMessage::Find { target, hops };
            self.messages.push((peer, find));
        }
    }
}
