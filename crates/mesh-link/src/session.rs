use crate::frame::{LENGTH_LEN, MAX_FRAME_LEN, TAG_LEN};
use snow::StatelessTransportState;
use std::{fmt, sync::Arc};

/// Messages that one key protects in one direction; after them the link ends and is made anew.
///
/// 2^32, because no counter is then ever near its end, and because at 10 Gbit/s of small packets it is an hour.
pub(crate) const MAX_MESSAGES: u64 = 1 << 32;

/// Seals what goes out, each message under its own nonce.
pub(crate) struct Sealer {
    noise: Arc<StatelessTransportState>,
    nonce: u64,
}

/// Opens what comes in, in the order in which it was sealed.
pub(crate) struct Opener {
    noise: Arc<StatelessTransportState>,
    nonce: u64,
}

/// The plaintext is too long, or the key has protected all the messages it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SealError;

/// Why a message was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// It is not the next message that the peer sealed.
    NotAuthentic,
    /// The key has protected all the messages it may.
    Exhausted,
}

/// Makes the two directions of a channel.
pub(crate) fn channel(noise: StatelessTransportState) -> (Sealer, Opener) {
    let noise = Arc::new(noise);
    let sealer = Sealer {
        noise: Arc::clone(&noise),
        nonce: 0,
    };
    (sealer, Opener { noise, nonce: 0 })
}

impl Sealer {
    /// Appends one whole frame to `out`: length and ciphertext.
    pub(crate) fn seal(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        if self.nonce >= MAX_MESSAGES || plaintext.len() > MAX_FRAME_LEN {
            return Err(SealError);
        }
        let sealed_len = plaintext.len() + TAG_LEN;
        let length = u16::try_from(sealed_len).map_err(|_| SealError)?;
        let start = out.len();
        out.extend_from_slice(&length.to_be_bytes());
        out.resize(start + LENGTH_LEN + sealed_len, 0);
        let room = out.get_mut(start + LENGTH_LEN..).unwrap_or_default();
        if self.noise.write_message(self.nonce, plaintext, room) != Ok(sealed_len) {
            out.truncate(start);
            return Err(SealError);
        }
        self.nonce += 1;
        Ok(())
    }
}

impl Opener {
    /// Opens the ciphertext of one frame.
    pub(crate) fn open(&mut self, ciphertext: &[u8]) -> Result<Vec<u8>, OpenError> {
        if self.nonce >= MAX_MESSAGES {
            return Err(OpenError::Exhausted);
        }
        // As long as the ciphertext, so that the cipher works in place instead of on a copy of its own.
        let mut plaintext = vec![0; ciphertext.len()];
        let len = self
            .noise
            .read_message(self.nonce, ciphertext, &mut plaintext)
            .map_err(|_| OpenError::NotAuthentic)?;
        plaintext.truncate(len);
        self.nonce += 1;
        Ok(plaintext)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({} messages)", self.nonce)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({} messages)", self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> [(Sealer, Opener); 2] {
        let builder = || snow::Builder::new(crate::NOISE_PATTERN.parse().unwrap());
        let mut one = builder().build_initiator().unwrap();
        let mut other = builder().build_responder().unwrap();
        let mut message = [0; 64];
        let len = one.write_message(&[], &mut message).unwrap();
        other.read_message(&message[..len], &mut [0; 64]).unwrap();
        let len = other.write_message(&[], &mut message).unwrap();
        one.read_message(&message[..len], &mut [0; 64]).unwrap();
        [one, other].map(|noise| channel(noise.into_stateless_transport_mode().unwrap()))
    }

    #[test]
    fn a_key_protects_no_more_messages_than_it_may() {
        let [(mut sealer, _), (_, mut opener)] = ends();
        sealer.nonce = MAX_MESSAGES - 1;
        opener.nonce = MAX_MESSAGES - 1;
        let mut out = Vec::new();
        sealer.seal(b"the last", &mut out).unwrap();
        let last = out.split_off(LENGTH_LEN);
        assert_eq!(opener.open(&last), Ok(b"the last".to_vec()));
        out.clear();
        assert_eq!(sealer.seal(b"one more", &mut out), Err(SealError));
        assert!(out.is_empty(), "half a frame was written");
        assert_eq!(opener.open(&last), Err(OpenError::Exhausted));
    }

    #[test]
    fn the_two_directions_have_keys_of_their_own() {
        let [(mut sealer, mut opener), _] = ends();
        let mut out = Vec::new();
        sealer.seal(b"to the other side", &mut out).unwrap();
        assert_eq!(
            opener.open(&out[LENGTH_LEN..]),
            Err(OpenError::NotAuthentic)
        );
    }

    #[test]
    fn a_plaintext_longer_than_a_frame_is_not_sealed() {
        let [(mut sealer, _), _] = ends();
        let mut out = Vec::new();
        assert_eq!(
            sealer.seal(&[0; MAX_FRAME_LEN + 1], &mut out),
            Err(SealError)
        );
        sealer.seal(&[0; MAX_FRAME_LEN], &mut out).unwrap();
        assert_eq!(out.len(), 2 + 65_535);
    }
}
