use std::hash::{BuildHasher, Hasher};

/// Hashes ids by their first eight bytes, under a key that nobody else knows.
///
/// For ids that somebody has signed for: to make many that begin alike takes more keys than anybody can try, and without the
/// key nobody can tell which of them meet. To hash whole ids was a fifth of all work, for nothing is done more often.
#[derive(Debug, Clone)]
pub(crate) struct StartHash {
    key: u64,
}

#[derive(Debug)]
pub(crate) struct StartHasher {
    state: u64,
}

/// The digits of the golden ratio: odd, and without a pattern.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

impl StartHash {
    pub(crate) const fn new(key: u64) -> Self {
        Self { key }
    }
}

impl BuildHasher for StartHash {
    type Hasher = StartHasher;

    fn build_hasher(&self) -> StartHasher {
        StartHasher { state: self.key }
    }
}

impl Hasher for StartHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(start) = bytes.first_chunk() {
            self.write_u64(u64::from_le_bytes(*start));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(MULTIPLIER);
        self.state = (product >> 64) as u64 ^ product as u64;
    }

    /// The length of an id, which is that of any other.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_types::NodeId;
    use std::collections::BTreeSet;

    /// Ids as an attacker would choose them: one after the other.
    fn ids() -> impl Iterator<Item = NodeId> {
        (0..10_000_u64).map(|number| {
            let mut bytes = [7; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            NodeId::from_bytes(bytes)
        })
    }

    #[test]
    fn ids_one_after_the_other_are_spread_and_under_another_key_otherwise() {
        let [one, other] = [1, !0 / 3].map(StartHash::new);
        let hashes: BTreeSet<u64> = ids().map(|id| one.hash_one(id)).collect();
        assert_eq!(hashes.len(), 10_000);
        for at in 0..4 {
            // Tables look at the lowest bits, and at the highest.
            let bits = |hash: &u64| [hash >> (3 * at) & 0xf, hash >> 60];
            let mut counts = [[0; 16]; 2];
            for hash in &hashes {
                for (counts, bits) in counts.iter_mut().zip(bits(hash)) {
                    counts[bits as usize] += 1;
                }
            }
            let most = counts.iter().flatten().max();
            assert!(most < Some(&1_250), "{counts:?}");
        }
        assert!(ids().all(|id| one.hash_one(id) != other.hash_one(id)));
    }
}
