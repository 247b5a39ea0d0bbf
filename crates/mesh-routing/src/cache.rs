use mesh_types::NodeId;
use std::collections::HashMap;
use std::sync::Arc;

/// How many routes are remembered until the graph changes.
///
/// 4,096, because a node rarely talks with more destinations and sizes at one time, and because they take less than
/// 3 MB.
pub const MAX_CACHED_ROUTES: usize = 4_096;

/// The step in which payloads are told apart when a route is chosen, in bytes.
///
/// 256, because packets of about the same size then share one search, and because that is a quarter of the KiB that
/// prices count in.
pub const PAYLOAD_STEP: usize = 256;

/// The answers of one generation of the graph.
#[derive(Debug, Default)]
pub(crate) struct RouteCache {
    generation: u64,
    routes: HashMap<Question, Answer>,
}

/// `None` when there is no route.
pub(crate) type Answer = Option<Arc<[NodeId]>>;

/// What a route is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) destination: NodeId,
    pub(crate) payload_steps: usize,
}

impl Question {
    pub(crate) const fn new(destination: NodeId, payload_bytes: usize) -> Self {
        Self {
            destination,
            payload_steps: payload_bytes.div_ceil(PAYLOAD_STEP),
        }
    }

    /// The payload that the route is chosen for: the asker's, rounded up to a step.
    pub(crate) const fn payload_bytes(&self) -> usize {
        self.payload_steps.saturating_mul(PAYLOAD_STEP)
    }
}

impl RouteCache {
    pub(crate) fn answer(&self, question: &Question, generation: u64) -> Option<&Answer> {
        self.routes
            .get(question)
            .filter(|_| self.generation == generation)
    }

    /// Remembers an answer; one of an older graph than the newest seen is dropped.
    pub(crate) fn remember(&mut self, question: Question, answer: Answer, generation: u64) {
        if generation < self.generation {
            return;
        }
        if generation > self.generation || self.routes.len() >= MAX_CACHED_ROUTES {
            self.routes.clear();
            self.generation = generation;
        }
        self.routes.insert(question, answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(number: usize) -> Question {
        Question::new(NodeId::from_bytes([1; 32]), number * PAYLOAD_STEP)
    }

    #[test]
    fn an_answer_counts_for_its_generation_only() {
        let mut cache = RouteCache::default();
        cache.remember(question(1), None, 5);
        assert!(cache.answer(&question(1), 5).is_some());
        assert!(cache.answer(&question(1), 4).is_none());
        assert!(cache.answer(&question(1), 6).is_none());
        cache.remember(question(2), None, 4);
        assert!(cache.answer(&question(2), 5).is_none());
        cache.remember(question(2), None, 6);
        assert!(cache.answer(&question(1), 6).is_none());
        assert!(cache.answer(&question(2), 6).is_some());
    }

    #[test]
    fn a_cache_never_holds_more_than_its_bound() {
        let mut cache = RouteCache::default();
        for number in 0..3 * MAX_CACHED_ROUTES {
            cache.remember(question(number), None, 1);
            assert!(cache.routes.len() <= MAX_CACHED_ROUTES);
            assert!(cache.answer(&question(number), 1).is_some());
        }
    }

    #[test]
    fn sizes_round_up_to_their_step() {
        for (bytes, rounded) in [(0, 0), (1, 256), (256, 256), (257, 512), (1_200, 1_280)] {
            let question = Question::new(NodeId::from_bytes([1; 32]), bytes);
            assert_eq!(question.payload_bytes(), rounded);
        }
        let question = Question::new(NodeId::from_bytes([1; 32]), usize::MAX);
        assert_eq!(question.payload_bytes(), usize::MAX);
    }
}
