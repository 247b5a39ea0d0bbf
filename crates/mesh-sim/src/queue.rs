use mesh_types::UnixTime;
use std::{cmp::Reverse, collections::BinaryHeap};

/// What will happen, in the order of time; of two things at one time, what was noted first comes first.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    noted: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: UnixTime,
    number: u64,
    event: E,
}

impl<E> Queue<E> {
    pub(crate) const fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            noted: 0,
        }
    }

    pub(crate) fn note(&mut self, at: UnixTime, event: E) {
        self.noted += 1;
        let number = self.noted;
        self.heap.push(Reverse(Entry { at, number, event }));
    }

    /// The next thing, unless it happens after `end`.
    pub(crate) fn next_until(&mut self, end: UnixTime) -> Option<(UnixTime, E)> {
        let Reverse(first) = self.heap.peek()?;
        if first.at > end {
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        Some((entry.at, entry.event))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
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
