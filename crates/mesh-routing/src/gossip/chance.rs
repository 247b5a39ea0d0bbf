use super::sip::SipHasher24;
use mesh_types::NodeId;

/// Numbers that nobody foresees who does not know the seed, and that are the same for the same seed.
#[derive(Debug)]
pub(crate) struct Chance {
    hasher: SipHasher24,
    drawn: u64,
}

impl Chance {
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        Self {
            hasher: SipHasher24::new(seed),
            drawn: 0,
        }
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        self.hasher.hash(&[self.drawn.to_le_bytes()])
    }

    /// A number below `end`; 0 when that is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.number().checked_rem(end).unwrap_or(0)
    }

    pub(crate) fn id(&mut self) -> NodeId {
        let numbers: [u64; 4] = std::array::from_fn(|_| self.number());
        let bytes = numbers.map(u64::to_be_bytes);
        NodeId::from_bytes(*bytes.as_flattened().first_chunk().unwrap_or(&[0; 32]))
    }

    /// The key of a table that is hashed: none of the numbers that are drawn, and always the same.
    pub(crate) fn table_key(&self) -> u64 {
        self.hasher.hash(&[])
    }

    pub(crate) fn key(&mut self) -> [u8; 16] {
        let (high, low) = (self.number(), self.number());
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_tables_follow_from_the_seed_and_draw_nothing() {
        let [mut chance, same, other] = [1, 1, 2].map(|seed| Chance::new([seed; 16]));
        assert_eq!(chance.table_key(), same.table_key());
        assert_ne!(chance.table_key(), other.table_key());
        assert_eq!(chance.number(), Chance::new([1; 16]).number());
        assert_eq!(chance.table_key(), same.table_key());
    }
}
