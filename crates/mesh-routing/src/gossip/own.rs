use super::limits::{LEAST_GAP, MOST_GAP, REPEAT_EVERY, SETTLE};
use mesh_types::{CarryLimits, MAX_ANNOUNCEMENT_SEQUENCE, Price, UnixTime};
use std::time::Duration;

/// What a node says of itself besides its links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnWords {
    /// What it asks for carrying a packet.
    pub price: Price,
    /// What it carries at most.
    pub limits: CarryLimits,
    /// Where it accepts links, best first.
    pub addresses: Vec<String>,
}

/// When the node says something of itself, and under which number.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) words: OwnWords,
    sequence: u64,
    due_at: UnixTime,
    is_changed: bool,
    /// How long it is from one announced change to the next.
    gap: Duration,
    changed_at: UnixTime,
}

impl Own {
    pub(crate) fn new(words: OwnWords, now: UnixTime) -> Self {
        Self {
            words,
            sequence: 0,
            due_at: now.plus(SETTLE),
            is_changed: false,
            gap: LEAST_GAP,
            changed_at: UnixTime::default(),
        }
    }

    pub(crate) fn due_at(&self) -> UnixTime {
        self.due_at
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Says that something is to be announced soon.
    pub(crate) fn change(&mut self, now: UnixTime) {
        self.is_changed = true;
        let soonest = now.plus(SETTLE).max(self.changed_at.plus(self.gap));
        self.due_at = self.due_at.min(soonest);
    }

    /// Goes beyond a number that an earlier life of this node has used.
    pub(crate) fn heard(&mut self, sequence: u64, now: UnixTime) {
        if sequence > self.sequence {
            self.sequence = sequence;
            self.due_at = now;
        }
    }

    /// The number of the announcement that is made now.
    ///
    /// Milliseconds since the epoch, so that a restart supersedes what was said before without anything being kept.
    pub(crate) fn number(&mut self, chance: u64, now: UnixTime) -> u64 {
        let next = self.sequence.saturating_add(1).max(now.to_millis());
        self.sequence = next.min(MAX_ANNOUNCEMENT_SEQUENCE);
        if self.is_changed {
            let was_quiet = now.since(self.changed_at) > (self.gap * 8).min(MOST_GAP * 8);
            self.gap = match was_quiet {
                true => LEAST_GAP,
                false => (self.gap * 2).min(MOST_GAP),
            };
            self.changed_at = now;
            self.is_changed = false;
        }
        // Give or take a tenth.
        let tenth = u64::try_from(REPEAT_EVERY.as_millis() / 10).unwrap_or(1);
        let jitter = Duration::from_millis(chance % (2 * tenth + 1));
        let earliest = REPEAT_EVERY.saturating_sub(Duration::from_millis(tenth));
        self.due_at = now.plus(earliest).plus(jitter);
        self.sequence
    }
}
