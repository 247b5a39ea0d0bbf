use crate::{MacKey, SealKey};
use mesh_types::NodeId;
use secp256k1::{Keypair, Message, Parity, Secp256k1, SecretKey, XOnlyPublicKey, ecdh};
use std::fmt;
use thiserror::Error;
use zeroize::Zeroizing;

const MAC_LABEL: &[u8] = b"blvm-mesh/1/mac";
const SEAL_LABEL: &[u8] = b"blvm-mesh/1/seal";

/// A node's own secret key, and the id that follows from it; the secret is wiped on drop.
pub struct IdentityKey {
    secret: SecretKey,
    node_id: NodeId,
}

/// What one node shares with one other: a key for each use and each direction.
#[derive(Debug, Clone)]
pub struct PairKeys {
    /// Authenticates what we send to the other node.
    pub outgoing_mac: MacKey,
    /// Verifies what the other node sends.
    pub incoming_mac: MacKey,
    /// Seals what we send to the other node.
    pub outgoing_seal: SealKey,
    /// Opens what the other node sends.
    pub incoming_seal: SealKey,
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The 32 bytes are zero, or not below the order of the curve.
    #[error("the secret is not a secp256k1 secret key")]
    Secret,
    /// The node id is not the x coordinate of a point of the curve.
    #[error("node id {node} is not a point of the curve")]
    NotAPoint {
        /// The id.
        node: NodeId,
    },
    /// The node id is our own; nobody shares keys with himself.
    #[error("node id {node} is this node's own")]
    OwnId {
        /// The id.
        node: NodeId,
    },
}

impl IdentityKey {
    /// Takes the 32 bytes of a secret key.
    ///
    /// # Errors
    /// [`KeyError::Secret`] when they are zero or not below the order of the curve.
    pub fn from_secret_bytes(secret: [u8; 32]) -> Result<Self, KeyError> {
        let secret = Zeroizing::new(secret);
        let secret = SecretKey::from_slice(secret.as_slice()).map_err(|_| KeyError::Secret)?;
        let (public, _) = secret.x_only_public_key(&Secp256k1::signing_only());
        Ok(Self {
            secret,
            node_id: NodeId::from_bytes(public.serialize()),
        })
    }

    /// Gives the 32 bytes of the secret key, for the file that keeps it.
    pub fn secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.secret_bytes())
    }

    /// The id that everybody knows this node by.
    pub fn node_id(&self) -> NodeId {
        self.node_id
    }

    /// Signs a tagged hash as BIP-340 does, with 32 zero bytes of auxiliary data.
    pub(crate) fn sign_digest(&self, digest: [u8; 32]) -> [u8; 64] {
        let context = Secp256k1::signing_only();
        let mut pair = Keypair::from_secret_key(&context, &self.secret);
        let signature = context.sign_schnorr_no_aux_rand(&Message::from_digest(digest), &pair);
        pair.non_secure_erase();
        signature.serialize()
    }

    /// Derives what this node shares with `peer`; the peer derives the same with the directions swapped.
    ///
    /// It costs an elliptic-curve multiplication, so callers keep the result.
    ///
    /// # Errors
    /// [`KeyError::NotAPoint`] or [`KeyError::OwnId`].
    ///
    /// # Source
    /// docs/wire-format.md, "Keys".
    pub fn pair_with(&self, peer: &NodeId) -> Result<PairKeys, KeyError> {
        let node = *peer;
        if node == self.node_id {
            return Err(KeyError::OwnId { node });
        }
        let public = XOnlyPublicKey::from_slice(peer.as_bytes())
            .map_err(|_| KeyError::NotAPoint { node })?
            .public_key(Parity::Even);
        // Both sides may have lifted to the other sign: only x is the same for both, so only x is used.
        let point = Zeroizing::new(ecdh::shared_secret_point(&public, &self.secret));
        let [x, _y] = point.as_chunks().0 else {
            return Err(KeyError::NotAPoint { node });
        };
        let shared = MacKey::from_bytes(x);
        let derive = |label: &[u8], from: &NodeId, to: &NodeId| {
            Zeroizing::new(shared.hmac_sha256(&[label, from.as_bytes(), to.as_bytes()]))
        };
        let ours = &self.node_id;
        Ok(PairKeys {
            outgoing_mac: MacKey::from_bytes(&derive(MAC_LABEL, ours, peer)),
            incoming_mac: MacKey::from_bytes(&derive(MAC_LABEL, peer, ours)),
            outgoing_seal: SealKey::from_bytes(&derive(SEAL_LABEL, ours, peer)),
            incoming_seal: SealKey::from_bytes(&derive(SEAL_LABEL, peer, ours)),
        })
    }
}

impl Drop for IdentityKey {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKey({}, secret redacted)", self.node_id)
    }
}
