use crate::alternatives::Alternatives;
use crate::effect::{Effect, Gain, Place};
use crate::even_total::even_total;
use crate::link::Room;
use crate::search::Found;
use mesh_types::NodeId;
use std::collections::HashMap;
use std::sync::Arc;

/// How many answers are remembered.
///
/// 4,096, because a node rarely talks with more destinations and sizes at one time, and because they take less than
/// 4 MB where one route is asked for.
pub const MAX_CACHED_ROUTES: usize = 4_096;

/// The step in which payloads are told apart when a route is chosen, in bytes.
///
/// 256, because packets of about the same size then share one search, and because that is a quarter of the KiB that
/// prices count in.
pub const PAYLOAD_STEP: usize = 256;

/// The answers that the graph as it is would give again.
#[derive(Debug, Default)]
pub(crate) struct RouteCache {
    answers: HashMap<Question, Answer>,
}

/// What a route is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) destination: NodeId,
    payload_steps: usize,
    /// How many routes are wanted.
    pub(crate) count: usize,
}

/// The routes that were found, best first; none when there is none.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) routes: Arc<[Found]>,
    /// See [`Alternatives::are_apart`].
    are_apart: bool,
    /// What the destination asks for this payload; `None` when that is no amount.
    asked: Option<u64>,
    /// A bit for each last byte that an id of the routes has, in 64 classes: most changes are of nodes that no bit is for.
    marks: u64,
}

impl Question {
    pub(crate) const fn new(destination: NodeId, payload_bytes: usize, count: usize) -> Self {
        Self {
            destination,
            payload_steps: payload_bytes.div_ceil(PAYLOAD_STEP),
            count,
        }
    }

    /// The payload that the route is chosen for: the asker's, rounded up to a step.
    pub(crate) const fn payload_bytes(&self) -> usize {
        self.payload_steps.saturating_mul(PAYLOAD_STEP)
    }

    pub(crate) fn payload(&self) -> Room {
        Room::steps(self.payload_steps)
    }
}

impl RouteCache {
    pub(crate) fn answer(&self, question: &Question) -> Option<&Answer> {
        self.answers.get(question)
    }

    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }

    pub(crate) fn remember(&mut self, question: Question, answer: Answer) {
        if self.answers.len() >= MAX_CACHED_ROUTES && !self.answers.contains_key(&question) {
            self.answers.clear();
        }
        self.answers.insert(question, answer);
    }

    /// Forgets the answers that would be others after a change.
    pub(crate) fn forget(&mut self, effect: &Effect) {
        self.answers.retain(|question, answer| {
            let is_of = effect.terms_of == Some(question.destination);
            let is_lost = effect.lost.is_some_and(|place| answer.uses(place));
            let gained = effect.gained.as_ref();
            !is_of && !is_lost && !gained.is_some_and(|gain| answer.may_gain(question, gain))
        });
    }
}

impl Answer {
    pub(crate) fn new(found: Alternatives, asked: Option<u64>) -> Self {
        let Alternatives { routes, are_apart } = found;
        let nodes = routes.iter().flat_map(|route| route.nodes.iter());
        let marks = nodes.fold(0, |marks, node| marks | mark(node));
        Self {
            routes: routes.into(),
            are_apart,
            asked,
            marks,
        }
    }

    fn uses(&self, place: Place) -> bool {
        let ends = match place {
            Place::Node(node) => mark(&node),
            Place::Link(a, b) => mark(&a) | mark(&b),
        };
        self.marks & ends == ends
            && self.routes.iter().any(|route| match place {
                Place::Node(node) => route.nodes.contains(&node),
                Place::Link(a, b) => route
                    .nodes
                    .windows(2)
                    .any(|link| *link == [a, b] || *link == [b, a]),
            })
    }

    /// Says whether a route over what was gained could be better than the last of these; when in doubt, yes.
    fn may_gain(&self, question: &Question, gain: &Gain) -> bool {
        let Some(asked) = self.asked else {
            return false;
        };
        let destination = &question.destination;
        let payload_bytes = question.payload_bytes();
        let for_relays = gain.least_for_relays(destination, question.payload(), payload_bytes);
        let Some(for_relays) = for_relays else {
            return false;
        };
        let Some(last) = self.routes.last().filter(|_| self.are_apart) else {
            return true;
        };
        if gain.nodes.iter().all(|node| node.id == *destination) {
            // The way without relays, which can be cheaper than any that `even_total` tells the price of.
            return true;
        }
        even_total(asked, for_relays).is_some_and(|price| {
            price < last.price || price == last.price && gain.at_least_ms <= last.latency_ms
        })
    }
}

const fn mark(node: &NodeId) -> u64 {
    let [.., last] = node.to_bytes();
    1 << (last % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(number: usize) -> Question {
        Question::new(NodeId::from_bytes([1; 32]), number * PAYLOAD_STEP, 1)
    }

    #[test]
    fn a_cache_never_holds_more_than_its_bound() {
        let mut cache = RouteCache::default();
        for number in 0..3 * MAX_CACHED_ROUTES {
            cache.remember(question(number), Answer::new(Alternatives::default(), None));
            assert!(cache.answers.len() <= MAX_CACHED_ROUTES);
            assert!(cache.answer(&question(number)).is_some());
        }
    }

    #[test]
    fn sizes_round_up_to_their_step() {
        for (bytes, rounded) in [(0, 0), (1, 256), (256, 256), (257, 512), (1_200, 1_280)] {
            let question = Question::new(NodeId::from_bytes([1; 32]), bytes, 1);
            assert_eq!(question.payload_bytes(), rounded);
        }
        let question = Question::new(NodeId::from_bytes([1; 32]), usize::MAX, 1);
        assert_eq!(question.payload_bytes(), usize::MAX);
    }
}
