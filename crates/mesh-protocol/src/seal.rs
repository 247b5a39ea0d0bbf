use crate::wire::{PacketView, WIRE_VERSION, kind_byte};
use chacha20poly1305::{AeadInPlace, KeyInit, XChaCha20Poly1305};
use mesh_types::{MeshPacket, NodeId, PacketKind};
use std::fmt;
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of the nonce at the front of a sealed payload.
///
/// 24, because sequence numbers may repeat after a clock was set back, and a nonce never may: this many random bytes
/// do not repeat.
pub const SEAL_NONCE_LEN: usize = 24;

/// How much longer a payload gets by sealing: the nonce before it and the 16-byte tag after it.
pub const SEAL_OVERHEAD: usize = SEAL_NONCE_LEN + TAG_LEN;

const TAG_LEN: usize = 16;
const ASSOCIATED_LEN: usize = 2 + 32 + 32 + 8 + 8;

/// The key with which one node seals payloads to one other node; wiped on drop.
#[derive(Clone)]
pub struct SealKey(Zeroizing<[u8; 32]>);

/// What a seal is bound to: a sealed payload opens in no other packet than its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealContext {
    /// The kind of the packet.
    pub kind: PacketKind,
    /// Who sealed.
    pub source: NodeId,
    /// Who can open.
    pub destination: NodeId,
    /// The packet's sequence number.
    pub sequence: u64,
    /// The packet's timestamp, Unix seconds.
    pub timestamp: u64,
}

/// The payload is longer than the cipher allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a payload of {len} bytes cannot be sealed")]
pub struct SealError {
    /// Bytes of the payload.
    pub len: usize,
}

/// Why a sealed payload does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenError {
    /// It is shorter than a nonce and a tag.
    #[error("a sealed payload has at least {SEAL_OVERHEAD} bytes, not {found}")]
    TooShort {
        /// Bytes found.
        found: usize,
    },
    /// It was sealed with another key or for another packet, or was changed.
    #[error("the sealed payload does not open")]
    NotAuthentic,
}

impl SealKey {
    /// Takes the 32 bytes of a key.
    pub fn from_bytes(key: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*key))
    }

    /// Seals a payload: nonce, ciphertext, tag.
    ///
    /// - `nonce`: random, never used twice with one key.
    ///
    /// # Errors
    /// [`SealError`] when the payload is longer than the cipher allows, which no payload of a packet is.
    ///
    /// # Source
    /// draft-irtf-cfrg-xchacha; docs/wire-format.md, "Sealed payloads".
    pub fn seal(
        &self,
        plain: &[u8],
        context: &SealContext,
        nonce: [u8; SEAL_NONCE_LEN],
    ) -> Result<Vec<u8>, SealError> {
        let mut sealed = Vec::with_capacity(plain.len().saturating_add(SEAL_OVERHEAD));
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let (_, text) = sealed.split_at_mut(SEAL_NONCE_LEN);
        let tag = self
            .cipher()
            .encrypt_in_place_detached(&nonce.into(), &context.associated_data(), text)
            .map_err(|_| SealError { len: plain.len() })?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens a sealed payload.
    ///
    /// # Errors
    /// [`OpenError`] when it is too short, or not sealed with this key for this packet.
    pub fn open(&self, sealed: &[u8], context: &SealContext) -> Result<Vec<u8>, OpenError> {
        let found = sealed.len();
        let too_short = OpenError::TooShort { found };
        let (nonce, rest) = sealed
            .split_first_chunk::<SEAL_NONCE_LEN>()
            .ok_or(too_short)?;
        let (text, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(too_short)?;
        let mut plain = text.to_vec();
        self.cipher()
            .decrypt_in_place_detached(
                nonce.into(),
                &context.associated_data(),
                &mut plain,
                tag.into(),
            )
            .map_err(|_| OpenError::NotAuthentic)?;
        Ok(plain)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(redacted)")
    }
}

impl SealContext {
    fn associated_data(&self) -> [u8; ASSOCIATED_LEN] {
        let head = [WIRE_VERSION, kind_byte(self.kind)];
        let parts = [
            head.as_slice(),
            self.source.as_bytes(),
            self.destination.as_bytes(),
            &self.sequence.to_be_bytes(),
            &self.timestamp.to_be_bytes(),
        ];
        let mut data = [0; ASSOCIATED_LEN];
        for (to, from) in data.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        data
    }
}

impl From<&MeshPacket> for SealContext {
    fn from(packet: &MeshPacket) -> Self {
        Self {
            kind: packet.kind,
            source: packet.route.source(),
            destination: packet.route.destination(),
            sequence: packet.sequence,
            timestamp: packet.timestamp,
        }
    }
}

impl From<&PacketView<'_>> for SealContext {
    fn from(packet: &PacketView<'_>) -> Self {
        Self {
            kind: packet.kind(),
            source: packet.source(),
            destination: packet.destination(),
            sequence: packet.sequence(),
            timestamp: packet.timestamp(),
        }
    }
}
