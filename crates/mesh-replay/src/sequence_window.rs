use mesh_types::MeshError;
use thiserror::Error;

/// How many numbers a window covers, the highest seen included.
///
/// 1,024, because a link that reorders further than that has lost more than it delivers, and because it costs a source
/// 128 bytes.
pub const WINDOW_WIDTH: u64 = 1_024;

/// How far a number may lie above the highest seen.
///
/// 2^48, because sequences start at the wall clock in microseconds and 2^48 of them are 8.9 years: no honest source
/// jumps that far.
pub const MAX_SEQUENCE_JUMP: u64 = 1 << 48;

/// The greatest number that counts.
///
/// 2^63 - 1, because as microseconds since 1970 that is the year 294,000, and because a window can then always tell
/// what comes next.
pub const MAX_SEQUENCE: u64 = (1 << 63) - 1;

const WORD_BITS: u64 = u64::BITS as u64;
const WORDS: usize = (WINDOW_WIDTH / WORD_BITS) as usize;

/// Which packets of one source came through, among the last [`WINDOW_WIDTH`] numbers.
///
/// Only packets that are authentic may move it: whoever can mark a number for a source can make it lose numbers below.
///
/// # Source
/// RFC 6479, with exact clearing instead of a spare block, so that the window is as wide as its bits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SequenceWindow {
    /// One bit for each number of the window, at the number modulo the width.
    words: [u64; WORDS],
    /// One above the highest number seen; 0 when none was.
    next: u64,
}

/// Why a sequence number was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SequenceError {
    /// The number came before.
    #[error("sequence {sequence} came before")]
    Duplicate {
        /// The number.
        sequence: u64,
    },
    /// The number lies below the window, so nobody knows whether it came before.
    #[error("sequence {sequence} is too old: the window starts at {lowest}")]
    TooOld {
        /// The number.
        sequence: u64,
        /// The lowest number that could still come.
        lowest: u64,
    },
    /// The number lies more than [`MAX_SEQUENCE_JUMP`] above the highest seen.
    #[error("sequence {sequence} jumps too far from {highest}")]
    JumpTooFar {
        /// The number.
        sequence: u64,
        /// The highest number seen.
        highest: u64,
    },
    /// The number is above [`MAX_SEQUENCE`].
    #[error("sequence {sequence} is above {MAX_SEQUENCE}")]
    OutOfRange {
        /// The number.
        sequence: u64,
    },
}

impl From<SequenceError> for MeshError {
    fn from(error: SequenceError) -> Self {
        match error {
            SequenceError::Duplicate { .. } | SequenceError::TooOld { .. } => {
                Self::ReplayDetected(error.to_string())
            }
            SequenceError::JumpTooFar { .. } | SequenceError::OutOfRange { .. } => {
                Self::InvalidPacket(error.to_string())
            }
        }
    }
}

impl SequenceWindow {
    /// Makes a window that has seen nothing: its first number may be any.
    pub const fn new() -> Self {
        Self {
            words: [0; WORDS],
            next: 0,
        }
    }

    /// Says whether the number may come, and changes nothing.
    ///
    /// # Errors
    /// [`SequenceError`] says why not.
    pub fn check(&self, sequence: u64) -> Result<(), SequenceError> {
        if sequence > MAX_SEQUENCE {
            return Err(SequenceError::OutOfRange { sequence });
        }
        let Some(highest) = self.next.checked_sub(1) else {
            return Ok(());
        };
        if sequence > highest {
            return if sequence - highest > MAX_SEQUENCE_JUMP {
                Err(SequenceError::JumpTooFar { sequence, highest })
            } else {
                Ok(())
            };
        }
        if highest - sequence >= WINDOW_WIDTH {
            let lowest = self.next - WINDOW_WIDTH;
            return Err(SequenceError::TooOld { sequence, lowest });
        }
        if self.word(sequence) & bit(sequence) != 0 {
            return Err(SequenceError::Duplicate { sequence });
        }
        Ok(())
    }

    /// Checks the number and remembers it.
    ///
    /// # Errors
    /// As [`SequenceWindow::check`]; the window is then as it was.
    pub fn mark(&mut self, sequence: u64) -> Result<(), SequenceError> {
        self.check(sequence)?;
        if sequence >= self.next {
            self.move_up_to(sequence);
        }
        if let Some(word) = self.word_mut(sequence) {
            *word |= bit(sequence);
        }
        Ok(())
    }

    /// Takes a mark back, because the packet was not carried: the number may come again while it is inside the window.
    ///
    /// The window itself does not move back. Only the call that marked the number may take it back.
    pub fn unmark(&mut self, sequence: u64) {
        let inside = sequence < self.next && self.next - sequence <= WINDOW_WIDTH;
        if inside && let Some(word) = self.word_mut(sequence) {
            *word &= !bit(sequence);
        }
    }

    /// Clears the bits of the numbers from `next` to `sequence`, which stood for numbers that now leave the window.
    fn move_up_to(&mut self, sequence: u64) {
        let from = self.next;
        self.next = sequence + 1;
        if sequence - from >= WINDOW_WIDTH {
            self.words = [0; WORDS];
            return;
        }
        let mut at = from;
        while at <= sequence {
            let last = sequence.min(at | (WORD_BITS - 1));
            let mask = (u64::MAX << (at % WORD_BITS)) & (u64::MAX >> (63 - last % WORD_BITS));
            if let Some(word) = self.word_mut(at) {
                *word &= !mask;
            }
            at = last + 1;
        }
    }

    fn word(&self, sequence: u64) -> u64 {
        // There is always such a word; were there none, refusing everything would be the safe answer.
        self.words
            .get(word_index(sequence))
            .copied()
            .unwrap_or(u64::MAX)
    }

    fn word_mut(&mut self, sequence: u64) -> Option<&mut u64> {
        self.words.get_mut(word_index(sequence))
    }
}

const fn word_index(sequence: u64) -> usize {
    (sequence / WORD_BITS) as usize % WORDS
}

const fn bit(sequence: u64) -> u64 {
    1 << (sequence % WORD_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// What a window is, said naively: all numbers ever marked, and the highest of them.
    #[derive(Default)]
    struct Oracle {
        marked: BTreeSet<u64>,
        highest: Option<u64>,
    }

    impl Oracle {
        fn check(&self, sequence: u64) -> Result<(), SequenceError> {
            let highest = self.highest;
            let lowest = highest.map_or(0, |highest| (highest + 1).saturating_sub(WINDOW_WIDTH));
            if sequence >= 1 << 63 {
                Err(SequenceError::OutOfRange { sequence })
            } else if self.marked.contains(&sequence) && sequence >= lowest {
                Err(SequenceError::Duplicate { sequence })
            } else if sequence < lowest {
                Err(SequenceError::TooOld { sequence, lowest })
            } else if let Some(highest) = highest
                && sequence > highest.saturating_add(1 << 48)
            {
                Err(SequenceError::JumpTooFar { sequence, highest })
            } else {
                Ok(())
            }
        }

        fn mark(&mut self, sequence: u64) -> Result<(), SequenceError> {
            self.check(sequence)?;
            self.marked.insert(sequence);
            self.highest = self.highest.max(Some(sequence));
            Ok(())
        }

        fn unmark(&mut self, sequence: u64) {
            let lowest = self
                .highest
                .map_or(0, |highest| (highest + 1).saturating_sub(WINDOW_WIDTH));
            if sequence >= lowest {
                self.marked.remove(&sequence);
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Mark(i64),
        MarkAt(u64),
        Unmark(i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let offset = prop_oneof![
            4 => -70..70_i64,
            4 => -1_100..1_100_i64,
            1 => -5_000..5_000_i64,
            1 => (1_i64 << 48) - 3..(1 << 48) + 3,
        ];
        let edge = prop_oneof![
            0..3_u64,
            (1_u64 << 63) - 3..(1 << 63) + 3,
            u64::MAX - 2..=u64::MAX,
            any::<u64>(),
        ];
        prop_oneof![
            12 => offset.clone().prop_map(Step::Mark),
            1 => edge.prop_map(Step::MarkAt),
            4 => offset.prop_map(Step::Unmark),
        ]
    }

    proptest! {
        #[test]
        fn a_window_answers_as_a_set_of_all_numbers_would(
            start in prop_oneof![0..2_000_u64, any::<u64>()],
            steps in prop::collection::vec(step(), 1..200),
        ) {
            let (mut window, mut oracle) = (SequenceWindow::new(), Oracle::default());
            prop_assert_eq!(window.mark(start), oracle.mark(start));
            for step in steps {
                let at = |offset| oracle.highest.unwrap_or(start).saturating_add_signed(offset);
                match step {
                    Step::Unmark(offset) => {
                        let sequence = at(offset);
                        window.unmark(sequence);
                        oracle.unmark(sequence);
                    }
                    Step::Mark(offset) => {
                        let (sequence, before) = (at(offset), window.clone());
                        prop_assert_eq!(window.check(sequence), oracle.check(sequence));
                        let marked = window.mark(sequence);
                        prop_assert_eq!(marked, oracle.mark(sequence));
                        prop_assert!(marked.is_ok() || window == before);
                    }
                    Step::MarkAt(sequence) => {
                        let before = window.clone();
                        let marked = window.mark(sequence);
                        prop_assert_eq!(marked, oracle.mark(sequence));
                        prop_assert!(marked.is_ok() || window == before);
                    }
                }
            }
        }
    }

    #[test]
    fn a_window_takes_at_most_140_bytes() {
        assert!(size_of::<SequenceWindow>() <= 140);
    }
}
