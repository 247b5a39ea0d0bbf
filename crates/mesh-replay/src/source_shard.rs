use crate::slab::{Linked, NONE, Slab};
use crate::{SequenceError, SequenceWindow, SourceError};
use hashbrown::HashTable;
use mesh_types::{MAX_PACKET_AGE, NodeId, UnixTime};
use std::time::Duration;

/// How long a source is silent before its window may go.
///
/// Twice [`MAX_PACKET_AGE`], because a packet's timestamp may lie that much ahead when it is marked and that much back
/// when it is tried again: after this every packet that the window remembers is refused by its timestamp.
pub const MAX_IDLE: Duration = Duration::from_secs(2 * MAX_PACKET_AGE.as_secs());

/// One part of the windows, behind one lock; its sources stand in the order of their last packet.
#[derive(Debug)]
pub(crate) struct SourceShard {
    table: HashTable<u32>,
    entries: Slab<Entry>,
    newest: u32,
    oldest: u32,
    max_sources: usize,
    /// Until when a packet of a dropped window could still be fresh.
    forgotten_until: UnixTime,
}

#[derive(Debug)]
struct Entry {
    source: NodeId,
    window: SequenceWindow,
    used_at: UnixTime,
    newer: u32,
    older: u32,
}

impl Linked for Entry {
    fn next(&self) -> u32 {
        self.older
    }

    fn set_next(&mut self, next: u32) {
        self.older = next;
    }
}

impl SourceShard {
    pub(crate) const fn new(max_sources: usize) -> Self {
        Self {
            table: HashTable::new(),
            entries: Slab::new(),
            newest: NONE,
            oldest: NONE,
            max_sources,
            forgotten_until: UnixTime::from_millis(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.table.allocation_size() + self.entries.memory_bytes()
    }

    pub(crate) fn check(
        &self,
        hash: u64,
        source: &NodeId,
        sequence: u64,
        now: UnixTime,
    ) -> Result<(), SourceError> {
        match self.find(hash, source).and_then(|at| self.entries.get(at)) {
            Some(entry) => entry.window.check(sequence)?,
            None => {
                SequenceWindow::new().check(sequence)?;
                if now <= self.forgotten_until {
                    return Err(SourceError::ClockWentBack);
                }
                if self.len() >= self.max_sources && !self.oldest_is_idle(now) {
                    return Err(SourceError::SourcesFull);
                }
            }
        }
        Ok(())
    }

    /// Marks a number that [`SourceShard::check`] has let pass under the same lock.
    pub(crate) fn mark(
        &mut self,
        hash: u64,
        source: &NodeId,
        sequence: u64,
        now: UnixTime,
        hash_of: impl Fn(&NodeId) -> u64,
    ) -> Result<(), SourceError> {
        if let Some(at) = self.find(hash, source) {
            self.mark_known(at, sequence, now)?;
            return Ok(());
        }
        let mut window = SequenceWindow::new();
        window.mark(sequence)?;
        if self.len() >= self.max_sources {
            self.drop_oldest(&hash_of);
        }
        let entry = Entry {
            source: *source,
            window,
            used_at: now,
            newer: NONE,
            older: NONE,
        };
        let at = self.entries.insert(entry).ok_or(SourceError::SourcesFull)?;
        self.link_newest(at);
        let entries = &self.entries;
        self.table.insert_unique(hash, at, |at| {
            entries.get(*at).map_or(0, |entry| hash_of(&entry.source))
        });
        Ok(())
    }

    pub(crate) fn unmark(&mut self, hash: u64, source: &NodeId, sequence: u64) {
        if let Some(at) = self.find(hash, source)
            && let Some(entry) = self.entries.get_mut(at)
        {
            entry.window.unmark(sequence);
        }
    }

    /// Drops the windows of idle sources, looking at one more than it drops.
    pub(crate) fn remove_idle(&mut self, now: UnixTime, hash_of: impl Fn(&NodeId) -> u64) -> usize {
        let before = self.len();
        while self.oldest_is_idle(now) {
            self.drop_oldest(&hash_of);
        }
        let removed = before - self.len();
        if self.table.is_empty() {
            let forgotten_until = self.forgotten_until;
            *self = Self {
                forgotten_until,
                ..Self::new(self.max_sources)
            };
        }
        removed
    }

    fn find(&self, hash: u64, source: &NodeId) -> Option<u32> {
        let is_it = |at: &u32| {
            self.entries
                .get(*at)
                .is_some_and(|entry| entry.source == *source)
        };
        self.table.find(hash, is_it).copied()
    }

    fn mark_known(&mut self, at: u32, sequence: u64, now: UnixTime) -> Result<(), SequenceError> {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.window.mark(sequence)?;
            // Never back, even where the clock goes back: what the window remembers may be as new as the latest.
            entry.used_at = entry.used_at.max(now);
            if at != self.newest {
                self.unlink(at);
                self.link_newest(at);
            }
        }
        Ok(())
    }

    fn oldest_is_idle(&self, now: UnixTime) -> bool {
        let oldest = self.entries.get(self.oldest);
        oldest.is_some_and(|entry| now.since(entry.used_at) > MAX_IDLE)
    }

    fn drop_oldest(&mut self, hash_of: impl Fn(&NodeId) -> u64) {
        let at = self.oldest;
        let Some(entry) = self.entries.get(at) else {
            return;
        };
        let hash = hash_of(&entry.source);
        self.forgotten_until = self.forgotten_until.max(entry.used_at.plus(MAX_IDLE));
        if let Ok(place) = self.table.find_entry(hash, |other| *other == at) {
            place.remove();
        }
        self.unlink(at);
        self.entries.release(at);
    }

    fn unlink(&mut self, at: u32) {
        let Some((newer, older)) = self.entries.get(at).map(|entry| (entry.newer, entry.older))
        else {
            return;
        };
        match self.entries.get_mut(newer) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
        match self.entries.get_mut(older) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_newest(&mut self, at: u32) {
        let second = self.newest;
        if let Some(entry) = self.entries.get_mut(at) {
            entry.newer = NONE;
            entry.older = second;
        }
        match self.entries.get_mut(second) {
            Some(entry) => entry.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::hash::{BuildHasher, RandomState};

    const MAX: usize = 5;

    fn id(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    /// The order that the shard keeps, oldest first, read once along each direction of its list.
    fn order(shard: &SourceShard) -> Vec<NodeId> {
        let walk = |mut at: u32, step: fn(&Entry) -> u32| {
            let mut ids = Vec::new();
            while let Some(entry) = shard.entries.get(at) {
                ids.push(entry.source);
                at = step(entry);
            }
            ids
        };
        let from_oldest = walk(shard.oldest, |entry| entry.newer);
        let mut from_newest = walk(shard.newest, |entry| entry.older);
        from_newest.reverse();
        assert_eq!(from_oldest, from_newest);
        from_oldest
    }

    proptest! {
        #[test]
        fn a_shard_keeps_the_sources_that_a_naive_list_would(
            steps in prop::collection::vec((0..12_u8, 0..200_u64, any::<bool>()), 1..200),
        ) {
            let keys = RandomState::new();
            let hash_of = |source: &NodeId| keys.hash_one(source);
            let mut shard = SourceShard::new(MAX);
            // Oldest first: a source, and when it was last marked.
            let mut naive: Vec<(NodeId, u64)> = Vec::new();
            let mut now = 1_000;
            for (sequence, (number, later, sweep)) in steps.into_iter().enumerate() {
                now += later;
                let at = UnixTime::from_secs(now);
                let idle = |used_at: u64| now - used_at > MAX_IDLE.as_secs();
                if sweep && number < 3 {
                    let before = naive.len();
                    naive.retain(|(_, used_at)| !idle(*used_at));
                    prop_assert_eq!(shard.remove_idle(at, hash_of), before - naive.len());
                }
                let (source, sequence) = (id(number), sequence as u64);
                let known = naive.iter().position(|(other, _)| *other == source);
                let fits = known.is_some() || naive.len() < MAX || idle(naive[0].1);
                let checked = shard.check(hash_of(&source), &source, sequence, at);
                prop_assert_eq!(checked.is_ok(), fits);
                if fits {
                    match known {
                        Some(known) => drop(naive.remove(known)),
                        None if naive.len() == MAX => drop(naive.remove(0)),
                        None => {}
                    }
                    naive.push((source, now));
                    prop_assert!(shard.mark(hash_of(&source), &source, sequence, at, hash_of).is_ok());
                }
                prop_assert_eq!(order(&shard), naive.iter().map(|(id, _)| *id).collect::<Vec<_>>());
                prop_assert_eq!(shard.len(), naive.len());
            }
        }
    }
}
