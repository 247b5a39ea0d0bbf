/// The index of nothing: where a list ends.
pub(crate) const NONE: u32 = u32::MAX;

/// How many items a chunk holds.
///
/// 256, because then the slack is one chunk, where a vector that doubles has as much slack as content.
const CHUNK_LEN: usize = 256;

/// An item that can stand in one singly linked list.
pub(crate) trait Linked {
    /// The index of the item behind it, or [`NONE`].
    fn next(&self) -> u32;
    /// Puts the item with index `next` behind it.
    fn set_next(&mut self, next: u32);
}

/// Items that keep their index while they live, in chunks that never move; free places are used again first.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<T>>,
    free: u32,
}

impl<T: Linked> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            free: NONE,
        }
    }

    /// Puts an item in and gives its index; `None` when no index is left.
    pub(crate) fn insert(&mut self, item: T) -> Option<u32> {
        let index = self.free;
        if let Some(place) = self.get_mut(index) {
            let next_free = place.next();
            *place = item;
            self.free = next_free;
            return Some(index);
        }
        let index = u32::try_from(self.places())
            .ok()
            .filter(|index| *index != NONE)?;
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK_LEN => chunk.push(item),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK_LEN);
                chunk.push(item);
                self.chunks.push(chunk);
            }
        }
        Some(index)
    }

    /// Gives the place of an item back. It must not be reachable from any list any more.
    pub(crate) fn release(&mut self, index: u32) {
        let next_free = self.free;
        if let Some(place) = self.get_mut(index) {
            place.set_next(next_free);
            self.free = index;
        }
    }

    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let index = index as usize;
        self.chunks.get(index / CHUNK_LEN)?.get(index % CHUNK_LEN)
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        let index = index as usize;
        self.chunks
            .get_mut(index / CHUNK_LEN)?
            .get_mut(index % CHUNK_LEN)
    }

    /// How many places there are, taken and free.
    pub(crate) fn places(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * CHUNK_LEN + last
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.chunks.len() * CHUNK_LEN * size_of::<T>()
            + self.chunks.capacity() * size_of::<Vec<T>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Item(u32, u32);

    impl Linked for Item {
        fn next(&self) -> u32 {
            self.1
        }

        fn set_next(&mut self, next: u32) {
            self.1 = next;
        }
    }

    #[test]
    fn free_places_are_taken_before_new_ones() {
        let mut slab = Slab::new();
        let indices: Vec<u32> = (0..1_000)
            .map(|n| slab.insert(Item(n, NONE)).unwrap())
            .collect();
        assert_eq!(indices, (0..1_000).collect::<Vec<_>>());
        for index in [3, 999, 500] {
            slab.release(index);
        }
        assert_eq!(slab.insert(Item(1, NONE)), Some(500));
        assert_eq!(slab.insert(Item(2, NONE)), Some(999));
        assert_eq!(slab.insert(Item(3, NONE)), Some(3));
        assert_eq!(slab.insert(Item(4, NONE)), Some(1_000));
        assert_eq!(slab.get(3), Some(&Item(3, NONE)));
        assert_eq!(slab.get(1_001), None);
        assert_eq!(slab.get(NONE), None);
        assert_eq!(slab.places(), 1_001);
    }

    #[test]
    fn the_bytes_told_are_those_taken() {
        let mut slab = Slab::new();
        assert_eq!(slab.memory_bytes(), 0);
        let info = allocation_counter::measure(|| {
            for number in 0..10_000 {
                slab.insert(Item(number, NONE)).unwrap();
            }
        });
        let told = i64::try_from(slab.memory_bytes()).unwrap();
        assert_eq!(told, info.bytes_current);
    }
}
