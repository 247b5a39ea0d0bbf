use crate::PacketView;
use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use mesh_types::{MAC_LEN, Mac};
use std::fmt;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

const BLOCK_LEN: usize = 64;
const INNER_PAD: u8 = 0x36;
const OUTER_PAD: u8 = 0x5c;

/// The key with which one node authenticates packets to one other node.
///
/// It holds the two states of HMAC-SHA256 after the padded key, so that a MAC costs no key set-up. The states are
/// wiped on drop.
#[derive(Clone)]
pub struct MacKey {
    inner: Zeroizing<[u8; 32]>,
    outer: Zeroizing<[u8; 32]>,
}

/// The packet was not made by its source for this node, or was changed on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the packet's mac for this node does not hold")]
pub struct NotAuthentic;

impl MacKey {
    /// Takes the 32 bytes of a key.
    pub fn from_bytes(key: &[u8; 32]) -> Self {
        Self {
            inner: state_after(key, INNER_PAD),
            outer: state_after(key, OUTER_PAD),
        }
    }

    /// Computes the MAC over a packet's fixed header and route, and the digest of its body.
    ///
    /// # Source
    /// docs/wire-format.md, "MACs".
    pub fn mac(&self, authenticated: &[u8], body_digest: &[u8; 32]) -> Mac {
        let tag = self.hmac_sha256(&[authenticated, body_digest]);
        let mut mac = [0; MAC_LEN];
        for (to, from) in mac.iter_mut().zip(tag) {
            *to = from;
        }
        mac
    }

    /// Verifies that the source made the packet for the node at `position` of its route, in constant time.
    ///
    /// # Errors
    /// [`NotAuthentic`], also when no MAC stands at that position.
    ///
    /// # Security
    /// A false accept charges the wrong node; nothing of a packet that fails here may be answered or remembered.
    pub fn verify(&self, packet: &PacketView<'_>, position: usize) -> Result<(), NotAuthentic> {
        let mac = packet.mac(position).ok_or(NotAuthentic)?;
        let expected = self.mac(packet.authenticated(), &packet.body_digest());
        if bool::from(expected.ct_eq(mac)) {
            Ok(())
        } else {
            Err(NotAuthentic)
        }
    }

    /// HMAC-SHA256 (RFC 2104) of the parts, one behind the other.
    pub(crate) fn hmac_sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut engine = HmacEngine::from_inner_engines(resume(&self.inner), resume(&self.outer));
        for part in parts {
            engine.input(part);
        }
        Hmac::<sha256::Hash>::from_engine(engine).to_byte_array()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(redacted)")
    }
}

fn state_after(key: &[u8; 32], pad: u8) -> Zeroizing<[u8; 32]> {
    let mut block = [pad; BLOCK_LEN];
    for (byte, key_byte) in block.iter_mut().zip(key) {
        *byte ^= key_byte;
    }
    let mut engine = sha256::HashEngine::default();
    engine.input(&block);
    block.zeroize();
    Zeroizing::new(engine.midstate().to_byte_array())
}

fn resume(state: &[u8; 32]) -> sha256::HashEngine {
    sha256::HashEngine::from_midstate(sha256::Midstate::from_byte_array(*state), BLOCK_LEN)
}
