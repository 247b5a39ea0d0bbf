use crate::expiry_bucket::ExpiryBucket;
use crate::slab::{Linked, NONE, Slab};
use hashbrown::HashTable;
use mesh_types::{ClaimKey, UnixTime};
use std::collections::BTreeMap;

/// The bytes that one bucket may take: a tree's leaf has 144, and at least five buckets; a fifth of that above.
const BUCKET_BYTES: usize = 36;

/// One part of a claim set, behind one lock.
///
/// A claim takes 36 bytes in `entries` and, between two growths, 5.7 to 11.4 bytes in `table`, which holds indices.
#[derive(Debug)]
pub(crate) struct ClaimShard {
    table: HashTable<u32>,
    entries: Slab<Entry>,
    buckets: BTreeMap<ExpiryBucket, Bucket>,
    swept_at: UnixTime,
}

#[derive(Debug)]
struct Entry {
    key: ClaimKey,
    /// The next claim of the same bucket, or the next free place.
    next: u32,
}

impl Linked for Entry {
    fn next(&self) -> u32 {
        self.next
    }

    fn set_next(&mut self, next: u32) {
        self.next = next;
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    head: u32,
    len: u32,
}

/// What a clean-up did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Claims forgotten.
    pub(crate) removed: usize,
    /// Claims looked at, which is what the clean-up cost.
    pub(crate) visited: usize,
}

impl ClaimShard {
    pub(crate) const fn new() -> Self {
        Self {
            table: HashTable::new(),
            entries: Slab::new(),
            buckets: BTreeMap::new(),
            swept_at: UnixTime::from_millis(0),
        }
    }

    /// The latest time at which claims were forgotten: no claim of a bucket that was over then may be taken any more,
    /// even where the clock has gone back since.
    pub(crate) const fn swept_at(&self) -> UnixTime {
        self.swept_at
    }

    pub(crate) fn contains(&self, hash: u64, key: &ClaimKey) -> bool {
        self.table
            .find(hash, |index| has_key(&self.entries, *index, key))
            .is_some()
    }

    /// Takes a claim that is not here yet; `false`, and no change, when no index is left for it.
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        key: ClaimKey,
        bucket: ExpiryBucket,
        hash_of: impl Fn(&ClaimKey) -> u64,
    ) -> bool {
        let next = self.buckets.get(&bucket).map_or(NONE, |bucket| bucket.head);
        let Some(index) = self.entries.insert(Entry { key, next }) else {
            return false;
        };
        let bucket = self
            .buckets
            .entry(bucket)
            .or_insert(Bucket { head: NONE, len: 0 });
        bucket.head = index;
        bucket.len += 1;
        let entries = &self.entries;
        self.table.insert_unique(hash, index, |index| {
            entries.get(*index).map_or(0, |entry| hash_of(&entry.key))
        });
        true
    }

    /// Forgets the buckets that are over.
    ///
    /// Where at most half of the places would stay taken, the claims that stay move to a new, fitting shard instead,
    /// and the old memory is given back. As each free place was a claim removed before, either way costs at most two
    /// visits for each claim ever removed.
    pub(crate) fn remove_expired(
        &mut self,
        now: UnixTime,
        hash_of: impl Fn(&ClaimKey) -> u64,
    ) -> Swept {
        self.swept_at = self.swept_at.max(now);
        let mut heads = Vec::new();
        let mut removed = 0;
        while let Some(first) = self
            .buckets
            .first_entry()
            .filter(|first| first.key().is_over_at(now))
        {
            let bucket = first.remove();
            heads.push(bucket.head);
            removed += bucket.len as usize;
        }
        if removed == 0 {
            return Swept::default();
        }
        let staying = self.table.len() - removed;
        if staying <= self.entries.places() / 2 {
            self.move_to_fitting(staying, hash_of);
            return Swept {
                removed,
                visited: staying,
            };
        }
        for head in heads {
            self.release_list(head, &hash_of);
        }
        Swept {
            removed,
            visited: removed,
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.table.allocation_size()
            + self.entries.memory_bytes()
            + self.buckets.len() * BUCKET_BYTES
    }

    fn release_list(&mut self, head: u32, hash_of: impl Fn(&ClaimKey) -> u64) {
        let mut index = head;
        while let Some(entry) = self.entries.get(index) {
            let next = entry.next;
            let hash = hash_of(&entry.key);
            if let Ok(place) = self.table.find_entry(hash, |other| *other == index) {
                place.remove();
            }
            self.entries.release(index);
            index = next;
        }
    }

    fn move_to_fitting(&mut self, staying: usize, hash_of: impl Fn(&ClaimKey) -> u64) {
        let mut fitting = Self::new();
        fitting.swept_at = self.swept_at;
        fitting.table.reserve(staying, |_| 0);
        for (bucket, list) in &self.buckets {
            let mut index = list.head;
            while let Some(entry) = self.entries.get(index) {
                fitting.insert(hash_of(&entry.key), entry.key, *bucket, &hash_of);
                index = entry.next;
            }
        }
        *self = fitting;
    }
}

fn has_key(entries: &Slab<Entry>, index: u32, key: &ClaimKey) -> bool {
    entries.get(index).is_some_and(|entry| entry.key == *key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{BuildHasher, RandomState};

    struct Oracle {
        shard: ClaimShard,
        keys: RandomState,
    }

    impl Oracle {
        fn claim(&mut self, number: u64, expires_at: u64) {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            let key = ClaimKey::from_payment_hash(bytes);
            let bucket = ExpiryBucket::of(UnixTime::from_secs(expires_at)).unwrap();
            let keys = self.keys.clone();
            assert!(
                self.shard
                    .insert(keys.hash_one(key), key, bucket, |key| keys.hash_one(key))
            );
        }

        fn sweep(&mut self, now: u64) -> Swept {
            let keys = self.keys.clone();
            self.shard
                .remove_expired(UnixTime::from_secs(now), |key| keys.hash_one(key))
        }
    }

    fn empty() -> Oracle {
        Oracle {
            shard: ClaimShard::new(),
            keys: RandomState::new(),
        }
    }

    #[test]
    fn an_entry_takes_36_bytes() {
        assert_eq!(size_of::<Entry>(), 36);
    }

    #[test]
    fn cleaning_up_visits_what_expired_and_not_what_lives() {
        let mut oracle = empty();
        (0..10_000).for_each(|n| oracle.claim(n, 100_000));
        (10_000..10_100).for_each(|n| oracle.claim(n, 640));
        assert_eq!(oracle.sweep(639), Swept::default());
        let swept = oracle.sweep(640);
        assert_eq!((swept.removed, swept.visited), (100, 100));
        assert_eq!(oracle.sweep(640), Swept::default());
        assert_eq!(oracle.shard.table.len(), 10_000);
    }

    #[test]
    fn cleaning_up_visits_at_most_two_claims_for_each_that_it_ever_removed() {
        let mut oracle = empty();
        // Claims live from one to a hundred buckets; waves of them rise and fall.
        let (mut removed, mut visited, mut number) = (0, 0, 0);
        for step in 0..2_000_u64 {
            let wave = if step % 500 < 250 { 40 } else { 1 };
            for _ in 0..wave {
                oracle.claim(number, (step + 1 + number * 7 % 100) * 64);
                number += 1;
            }
            let swept = oracle.sweep(step * 64);
            removed += swept.removed;
            visited += swept.visited;
            assert!(
                visited <= 2 * removed,
                "step {step}: {visited} for {removed}"
            );
        }
        let left = usize::try_from(number).unwrap() - removed;
        assert_eq!(oracle.shard.table.len(), left);
        let taken: u32 = oracle.shard.buckets.values().map(|bucket| bucket.len).sum();
        assert_eq!(usize::try_from(taken).unwrap(), left);
    }

    #[test]
    fn places_of_expired_claims_are_used_again() {
        let mut oracle = empty();
        (0..6_000).for_each(|n| oracle.claim(n, 64_000));
        (6_000..10_000).for_each(|n| oracle.claim(n, 640));
        let full = oracle.shard.memory_bytes();
        assert_eq!(oracle.sweep(640).removed, 4_000);
        (10_000..14_000).for_each(|n| oracle.claim(n, 64_000));
        assert_eq!(oracle.shard.entries.places(), 10_000);
        assert!(oracle.shard.memory_bytes() <= full);
    }

    #[test]
    fn memory_goes_back_when_most_claims_have_expired() {
        let mut oracle = empty();
        (0..100).for_each(|n| oracle.claim(n, 64_000));
        let few = oracle.shard.memory_bytes();
        (100..100_000).for_each(|n| oracle.claim(n, 640));
        assert!(oracle.shard.memory_bytes() > 100 * few);
        let swept = oracle.sweep(640);
        assert_eq!((swept.removed, swept.visited), (99_900, 100));
        assert!(oracle.shard.memory_bytes() <= few);
    }
}
