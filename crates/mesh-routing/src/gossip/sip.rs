/// A keyed hash whose results nobody can foresee without the key.
///
/// Written out here, because std's own SipHash is deprecated and names no rounds, and both ends of a link have to get
/// the same.
///
/// # Source
/// Aumasson, Bernstein: "SipHash: a fast short-input PRF", SipHash-2-4.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SipHasher24 {
    state: [u64; 4],
    len: usize,
}

impl SipHasher24 {
    pub(crate) fn new(key: [u8; 16]) -> Self {
        let key = u128::from_le_bytes(key);
        let (low, high) = (key as u64, (key >> 64) as u64);
        Self {
            state: [
                low ^ 0x736f_6d65_7073_6575,
                high ^ 0x646f_7261_6e64_6f6d,
                low ^ 0x6c79_6765_6e65_7261,
                high ^ 0x7465_6462_7974_6573,
            ],
            len: 0,
        }
    }

    /// The hash of whole words of eight bytes.
    pub(crate) fn hash(mut self, words: &[[u8; 8]]) -> u64 {
        for word in words {
            self.absorb(u64::from_le_bytes(*word));
        }
        self.len = words.len() * 8;
        self.absorb((self.len as u64) << 56);
        self.state[2] ^= 0xff;
        for _ in 0..4 {
            self.round();
        }
        let [a, b, c, d] = self.state;
        a ^ b ^ c ^ d
    }

    fn absorb(&mut self, word: u64) {
        self.state[3] ^= word;
        self.round();
        self.round();
        self.state[0] ^= word;
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.state;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.state = [a, b, c, d];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_answers_of_its_authors_come_out() {
        let key = std::array::from_fn(|at| at as u8);
        let words = [[0, 1, 2, 3, 4, 5, 6, 7], [8, 9, 10, 11, 12, 13, 14, 15]];
        let known = [
            0x726f_db47_dd0e_0e31,
            0x93f5_f579_9a93_2462,
            0x3f2a_cc7f_57c2_9bdb,
        ];
        for (count, known) in known.into_iter().enumerate() {
            let hash = SipHasher24::new(key).hash(words.get(..count).unwrap_or_default());
            assert_eq!(hash, known);
        }
    }
}
