/// Walks over bytes from front to back without copying any.
///
/// `None` always means that the bytes do not hold what was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    /// Steps over what a length in front announces, as long as it is not above `max`.
    pub(super) fn skip_announced(&mut self, length: u32, max: u32) -> Option<()> {
        if length > max {
            return None;
        }
        self.skip(usize::try_from(length).ok()?)
    }

    /// Steps over `items` items of `item_len` bytes each.
    pub(super) fn skip_items(&mut self, items: u32, item_len: usize) -> Option<()> {
        self.skip(usize::try_from(items).ok()?.checked_mul(item_len)?)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*array)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u24(&mut self) -> Option<u32> {
        let [low, middle, high] = self.array()?;
        Some(u32::from_le_bytes([low, middle, high, 0]))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads Bitcoin's variable-length integer in its one shortest form.
    ///
    /// Nothing that fits into a message is counted with more than 32 bits, so the longest form is none here.
    pub(super) fn compact(&mut self) -> Option<u32> {
        match self.u8()? {
            0xff => None,
            0xfe => self.u32().filter(|&value| value > 0xffff),
            0xfd => self.u16().filter(|&value| value > 0xfc).map(u32::from),
            value => Some(u32::from(value)),
        }
    }

    /// Reads how many items follow, at most `max`.
    pub(super) fn count(&mut self, max: u32) -> Option<u32> {
        self.compact().filter(|&count| count <= max)
    }

    /// Steps over bytes behind a variable-length integer that says how many they are.
    pub(super) fn skip_bytes(&mut self, max: u32) -> Option<()> {
        let length = self.compact()?;
        self.skip_announced(length, max)
    }
}
