use mesh_types::{SequenceBlock, UnixTime};
use parking_lot::Mutex;

/// The numbers of this node's own packets: taken from a reserved block, none twice, not after any crash.
#[derive(Debug)]
pub(crate) struct Numbering(Mutex<Open>);

#[derive(Debug)]
struct Open {
    block: SequenceBlock,
    /// Until when the block may be used; `None` for as long as it lasts.
    until: Option<UnixTime>,
}

impl Numbering {
    pub(crate) fn new(block: SequenceBlock, now: UnixTime) -> Self {
        Self(Mutex::new(Open::new(block, now)))
    }

    /// The next number; `None` when the block is used up or its time is over.
    pub(crate) fn take(&self, now: UnixTime) -> Option<u64> {
        let mut open = self.0.lock();
        let is_over = open.until.is_some_and(|until| !until.is_alive_at(now));
        let block = &mut open.block;
        if is_over || block.next >= block.end {
            return None;
        }
        let number = block.next;
        block.next = block.next.saturating_add(1);
        Some(number)
    }

    /// Goes on with what is left of the block although its time is over: the numbers are still nobody else's.
    ///
    /// `false` when nothing is left.
    pub(crate) fn outlive(&self, now: UnixTime) -> bool {
        let mut open = self.0.lock();
        open.until = open.block.good_for.map(|span| now.plus(span));
        open.block.next < open.block.end
    }

    /// Goes on with another block.
    pub(crate) fn go_on(&self, block: SequenceBlock, now: UnixTime) {
        *self.0.lock() = Open::new(block, now);
    }
}

impl Open {
    fn new(block: SequenceBlock, now: UnixTime) -> Self {
        let until = block.good_for.map(|span| now.plus(span));
        Self { block, until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn numbers_end_with_their_block_or_with_its_time() {
        let now = UnixTime::from_secs(1_000);
        let block = |next, end, good_for| SequenceBlock {
            next,
            end,
            good_for,
        };
        let numbers = Numbering::new(block(7, 9, None), now);
        assert_eq!([0; 3].map(|_| numbers.take(now)), [Some(7), Some(8), None]);
        numbers.go_on(block(20, 30, Some(Duration::from_secs(1))), now);
        assert_eq!(numbers.take(UnixTime::from_millis(1_000_999)), Some(20));
        assert_eq!(numbers.take(UnixTime::from_secs(1_001)), None);
        assert!(numbers.outlive(UnixTime::from_secs(1_001)));
        assert_eq!(numbers.take(UnixTime::from_secs(1_001)), Some(21));
    }
}
