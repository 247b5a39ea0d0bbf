use blvm_mesh::{OutPoint, TxHash, UnixTime};
use std::{
    collections::VecDeque,
    hash::{BuildHasher, Hash, RandomState},
    sync::Arc,
    time::Duration,
};

/// How many of the newest blocks are known.
///
/// 288, because what is paid on the chain is paid for a quote that lives a day, as a rule, and two days of blocks leave room
/// for its depth. On the main network they take some 20 MB.
pub(crate) const RECENT_BLOCKS: usize = 288;

/// A block's hash, in internal byte order.
pub(crate) type BlockHash = [u8; 32];

/// Which of the newest blocks may hold a transaction, and which may spend an output.
///
/// It answers with candidates, so that eight bytes an entry are enough: whoever asks reads the block that is named. A clone
/// shares the blocks.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecentBlocks {
    /// The height of the first block.
    first: u64,
    blocks: VecDeque<Arc<Known>>,
    keys: RandomState,
}

#[derive(Debug, Clone)]
struct Known {
    hash: BlockHash,
    /// When it was mined, as it says itself.
    time: UnixTime,
    /// Sorted.
    transactions: Vec<u64>,
    /// Sorted.
    spent: Vec<u64>,
}

impl RecentBlocks {
    /// The newest block, with its height.
    pub(crate) fn tip(&self) -> Option<(u64, BlockHash)> {
        let (height, known) = self.newest_first().next()?;
        Some((height, known.hash))
    }

    /// Whether the newest block is older than `age`, as it says itself.
    pub(crate) fn tip_is_older_than(&self, age: Duration, now: UnixTime) -> bool {
        let newest = self.blocks.back();
        newest.is_some_and(|known| now.since(known.time) > age)
    }

    /// The height of the oldest block.
    pub(crate) fn first(&self) -> Option<u64> {
        (!self.blocks.is_empty()).then_some(self.first)
    }

    /// The block at `height`.
    pub(crate) fn hash_at(&self, height: u64) -> Option<BlockHash> {
        let index = usize::try_from(height.checked_sub(self.first)?).ok()?;
        self.blocks.get(index).map(|known| known.hash)
    }

    /// Forgets the newest block: the chain has left it.
    pub(crate) fn undo(&mut self) {
        self.blocks.pop_back();
    }

    /// Forgets everything; the next block may be of any height.
    pub(crate) fn clear(&mut self) {
        self.blocks.clear();
    }

    /// Adds the block behind the newest, and forgets the oldest when there are too many.
    ///
    /// - `mined`: its height, its hash, and when it was mined.
    pub(crate) fn push(
        &mut self,
        (height, hash, time): (u64, BlockHash, UnixTime),
        transactions: impl Iterator<Item = TxHash>,
        spent: impl Iterator<Item = OutPoint>,
    ) {
        if self.blocks.is_empty() {
            self.first = height;
        }
        let known = Known {
            hash,
            time,
            transactions: self.sorted(transactions),
            spent: self.sorted(spent),
        };
        self.blocks.push_back(Arc::new(known));
        if self.blocks.len() > RECENT_BLOCKS {
            self.blocks.pop_front();
            self.first += 1;
        }
    }

    /// The heights of the blocks that may hold a transaction, the newest first.
    pub(crate) fn holding(&self, tx_hash: TxHash) -> Vec<u64> {
        self.having(&tx_hash, |known| &known.transactions)
    }

    /// The heights of the blocks that may spend an output, the newest first.
    pub(crate) fn spending(&self, outpoint: OutPoint) -> Vec<u64> {
        self.having(&outpoint, |known| &known.spent)
    }

    fn having(&self, what: &impl Hash, part: impl Fn(&Known) -> &[u64]) -> Vec<u64> {
        let key = self.keys.hash_one(what);
        let blocks = self.newest_first();
        blocks
            .filter(|(_, known)| part(known).binary_search(&key).is_ok())
            .map(|(height, _)| height)
            .collect()
    }

    fn newest_first(&self) -> impl Iterator<Item = (u64, &Arc<Known>)> {
        let ages = self.blocks.iter().rev().zip(0..);
        let count = u64::try_from(self.blocks.len()).unwrap_or(u64::MAX);
        let end = self.first.saturating_add(count);
        ages.map(move |(known, age): (_, u64)| (end.saturating_sub(age + 1), known))
    }

    fn sorted(&self, what: impl Iterator<Item = impl Hash>) -> Vec<u64> {
        let mut keys: Vec<_> = what.map(|it| self.keys.hash_one(it)).collect();
        keys.sort_unstable();
        keys.shrink_to_fit();
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter;

    fn tx(seed: u64) -> TxHash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        TxHash::from_bytes(bytes)
    }

    fn coin(seed: u64) -> OutPoint {
        OutPoint {
            tx_hash: tx(seed),
            index: 1,
        }
    }

    fn time(seed: u64) -> UnixTime {
        UnixTime::from_secs(1_790_000_000 + seed)
    }

    /// Each block holds the transaction of its height, which spends that of the height before.
    fn blocks(heights: impl Iterator<Item = u64>) -> RecentBlocks {
        let mut recent = RecentBlocks::default();
        for height in heights {
            push(&mut recent, height);
        }
        recent
    }

    fn push(recent: &mut RecentBlocks, height: u64) {
        let hash = *tx(height).as_bytes();
        let spent = iter::once(coin(height - 1));
        recent.push((height, hash, time(height)), iter::once(tx(height)), spent);
    }

    #[test]
    fn a_transaction_and_who_spends_it_are_found_in_their_blocks() {
        let recent = blocks(10..20);
        assert_eq!(recent.first(), Some(10));
        assert_eq!(recent.tip(), Some((19, *tx(19).as_bytes())));
        assert_eq!(recent.hash_at(12), Some(*tx(12).as_bytes()));
        assert_eq!(
            (recent.hash_at(9), recent.hash_at(20)),
            (None, None),
            "neither is known"
        );
        assert_eq!(recent.holding(tx(12)), [12]);
        assert_eq!(recent.spending(coin(12)), [13]);
        assert_eq!(recent.spending(coin(19)), [0; 0]);
        let other_output = OutPoint {
            index: 0,
            ..coin(12)
        };
        assert_eq!(recent.spending(other_output), [0; 0]);
    }

    #[test]
    fn what_is_undone_is_not_there_and_may_come_back_elsewhere() {
        let mut recent = blocks(10..20);
        recent.undo();
        recent.undo();
        assert_eq!(recent.holding(tx(19)), [0; 0]);
        assert_eq!(recent.spending(coin(17)), [0; 0]);
        push(&mut recent, 18);
        let hash = *tx(99).as_bytes();
        recent.push((19, hash, time(99)), iter::once(tx(18)), iter::empty());

        assert_eq!(recent.holding(tx(18)), [19, 18], "the newest first");
    }

    #[test]
    fn the_oldest_block_is_forgotten_when_there_are_too_many() {
        let most = u64::try_from(RECENT_BLOCKS).unwrap();
        let recent = blocks(1..most + 3);
        assert_eq!(recent.first(), Some(3));
        assert_eq!(recent.holding(tx(2)), [0; 0]);
        assert_eq!(recent.holding(tx(3)), [3]);
        assert_eq!(recent.blocks.len(), RECENT_BLOCKS);
    }

    #[test]
    fn the_newest_block_tells_how_old_the_chain_is() {
        let (age, at) = (Duration::from_secs(10), |second: u64| time(19 + second));
        let mut recent = blocks(10..20);
        assert!(!recent.tip_is_older_than(age, at(10)));
        assert!(recent.tip_is_older_than(age, at(11)));
        assert!(!recent.tip_is_older_than(age, time(0)), "it is of tomorrow");
        push(&mut recent, 20);
        assert!(!recent.tip_is_older_than(age, at(11)));
        recent.clear();
        assert!(!recent.tip_is_older_than(age, at(11)), "there is none");
    }

    #[test]
    fn after_everything_is_forgotten_another_height_may_follow() {
        let mut recent = blocks(10..20);
        recent.clear();
        assert_eq!((recent.tip(), recent.first()), (None, None));
        push(&mut recent, 500);
        assert_eq!(recent.holding(tx(500)), [500]);
    }
}
