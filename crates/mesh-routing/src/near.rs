use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Stands for a node that no links lead to.
pub(crate) const FAR: u32 = u32::MAX;

/// How many changes for the worse pass before the bounds are worked out anew.
///
/// 512, because that takes about as long as a search, so that it costs each change a few microseconds.
const MAX_STALE: u32 = 512;

/// For each node a latency, or a number of hops, that no way from the local node is below, whatever nodes ask and whatever
/// has room.
///
/// It leads searches towards the local node, and says which answers a new link cannot improve. What becomes faster is
/// followed at once; what becomes slower or goes only leaves the bounds lower than they could be, until they are worked
/// out anew. They are consistent: over one link they differ by no more than what it takes.
#[derive(Debug, Default)]
pub(crate) struct Near {
    bounds: Vec<u32>,
    stale: u32,
}

impl Near {
    pub(crate) fn of(&self, index: u32) -> u32 {
        self.bounds.get(index as usize).copied().unwrap_or(FAR)
    }

    /// Makes an index mean a node that has no links yet.
    pub(crate) fn start(&mut self, index: u32, bound: u32) {
        let index = index as usize;
        if index >= self.bounds.len() {
            self.bounds.resize(index + 1, FAR);
        }
        if let Some(known) = self.bounds.get_mut(index) {
            *known = bound;
        }
    }

    /// Follows what the ends of new or faster links bring nearer; `links` gives where links lead and
    /// what they take.
    pub(crate) fn improve<L: Iterator<Item = (u32, u32)>>(
        &mut self,
        from: impl IntoIterator<Item = (u32, u32)>,
        links: impl Fn(u32) -> L,
    ) {
        let mut open = BinaryHeap::new();
        for (index, bound) in from {
            self.lower(index, bound, &mut open);
        }
        while let Some(Reverse((bound, index))) = open.pop() {
            if bound > self.of(index) {
                continue;
            }
            for (to, takes) in links(index) {
                self.lower(to, bound.saturating_add(takes), &mut open);
            }
        }
    }

    /// Counts changes for the worse; says whether it is time to work the bounds out anew.
    pub(crate) const fn worsen(&mut self, by: u32) -> bool {
        self.stale = self.stale.saturating_add(by);
        self.stale >= MAX_STALE
    }

    pub(crate) fn restart(&mut self) {
        self.stale = 0;
        self.bounds.fill(FAR);
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.bounds.capacity() * size_of::<u32>()
    }

    fn lower(&mut self, index: u32, bound: u32, open: &mut BinaryHeap<Reverse<(u32, u32)>>) {
        if let Some(known) = self.bounds.get_mut(index as usize)
            && bound < *known
        {
            *known = bound;
            open.push(Reverse((bound, index)));
        }
    }
}
