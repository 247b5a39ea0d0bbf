use std::ops::RangeInclusive;
use thiserror::Error;

/// Bytes of the AEAD tag that ends every ciphertext.
pub const TAG_LEN: usize = 16;

/// The greatest packet: a Noise message (65,535 bytes, "The Noise Protocol Framework", section 3) less its tag.
pub const MAX_FRAME_LEN: usize = 65_535 - TAG_LEN;

/// Bytes of the length before a ciphertext, big-endian.
pub const LENGTH_LEN: usize = 2;

/// What a decoder at work holds: two of the greatest frames, so that one read fetches many small ones.
///
/// 128 KiB, because beyond it a read of loopback TCP does not get cheaper per byte.
const READ_BUFFER: usize = 2 * (LENGTH_LEN + MAX_FRAME_LEN + TAG_LEN);

/// A frame has a length that it cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a frame of {found} bytes where {least} to {most} are possible")]
pub struct FrameError {
    /// The length found.
    pub found: usize,
    /// The least possible.
    pub least: usize,
    /// The most possible.
    pub most: usize,
}

/// Cuts a stream of bytes into frames: length (u16, big-endian), then as many bytes of ciphertext.
///
/// It holds no socket: read into [`Self::space`], tell [`Self::advance`], then take frames while there are some.
/// A length that is not possible is an error as soon as its two bytes are there.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    possible: RangeInclusive<usize>,
}

impl FrameDecoder {
    /// Starts with frames of exactly `len` bytes, and a buffer for two of them.
    pub fn exactly(len: usize) -> Self {
        Self {
            buffer: vec![0; 2 * (LENGTH_LEN + len)],
            start: 0,
            end: 0,
            possible: len..=len,
        }
    }

    /// Starts with frames of any possible length.
    pub fn any() -> Self {
        let mut decoder = Self::exactly(0);
        decoder.expect_any();
        decoder
    }

    /// Expects frames of exactly `len` bytes from here on.
    pub fn expect_exactly(&mut self, len: usize) {
        self.possible = len..=len;
        self.grow(2 * (LENGTH_LEN + len));
    }

    /// Expects frames of any possible length from here on, empty ones (a tag alone) included.
    pub fn expect_any(&mut self) {
        self.possible = TAG_LEN..=MAX_FRAME_LEN + TAG_LEN;
        self.grow(READ_BUFFER);
    }

    /// Gives room to read into; never empty after [`Self::next_frame`] answered `None`.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Counts `read` bytes of the space as filled.
    pub fn advance(&mut self, read: usize) {
        self.end = self.end.saturating_add(read).min(self.buffer.len());
    }

    /// Takes the next whole frame: its ciphertext.
    ///
    /// # Errors
    /// [`FrameError`] when its length is not possible; the stream cannot be read any further then.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let waiting = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some((length, rest)) = waiting.split_first_chunk() else {
            return Ok(None);
        };
        let found = usize::from(u16::from_be_bytes(*length));
        if !self.possible.contains(&found) {
            return Err(FrameError {
                found,
                least: *self.possible.start(),
                most: *self.possible.end(),
            });
        }
        let Some(frame) = rest.get(..found) else {
            return Ok(None);
        };
        self.start += LENGTH_LEN + found;
        Ok(Some(frame))
    }

    /// Whether every byte that came belonged to a frame that was taken.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Gives the buffer at least `capacity` bytes. Fresh ones instead of more of the old: the system hands them out
    /// untouched, so a quiet link does not fill its buffer with memory that it never uses.
    fn grow(&mut self, capacity: usize) {
        if self.buffer.len() >= capacity {
            return;
        }
        let mut buffer = vec![0; capacity];
        let held = self.buffer.get(self.start..self.end).unwrap_or_default();
        if let Some(room) = buffer.get_mut(..held.len()) {
            room.copy_from_slice(held);
        }
        self.end = held.len();
        self.start = 0;
        self.buffer = buffer;
    }
}
