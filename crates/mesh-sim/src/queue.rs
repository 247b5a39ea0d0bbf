use mesh_types::UnixTime;
use std::collections::{BTreeMap, VecDeque};

/// What will happen, in the order of time; of two things at one time, what was noted first comes first.
///
/// Of each millisecond there is a row: in a large mesh it has thousands of things in it, and a heap would compare each with
/// many others.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    rows: BTreeMap<UnixTime, VecDeque<E>>,
}

impl<E> Queue<E> {
    pub(crate) const fn new() -> Self {
        Self {
            rows: BTreeMap::new(),
        }
    }

    pub(crate) fn note(&mut self, at: UnixTime, event: E) {
        self.rows.entry(at).or_default().push_back(event);
    }

    /// The next thing, unless it happens after `end`.
    pub(crate) fn next_until(&mut self, end: UnixTime) -> Option<(UnixTime, E)> {
        loop {
            let mut first = self.rows.first_entry()?;
            let at = *first.key();
            if at > end {
                return None;
            }
            match first.get_mut().pop_front() {
                Some(event) => return Some((at, event)),
                None => first.remove(),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_happen_in_the_order_of_time_and_then_in_that_in_which_they_were_noted() {
        let at = UnixTime::from_secs;
        let mut queue = Queue::new();
        for (when, event) in [(2, "c"), (1, "a"), (2, "d"), (1, "b"), (9, "later")] {
            queue.note(at(when), event);
        }
        let seen = std::iter::from_fn(|| queue.next_until(at(5)));
        assert_eq!(seen.map(|(_, event)| event).collect::<String>(), "abcd");
    }
}
