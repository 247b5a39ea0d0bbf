use crate::LinkError;
use mesh_types::NodeId;
use secp256k1::{All, Keypair, Message, Secp256k1, XOnlyPublicKey, schnorr::Signature};
use sha2::{Digest, Sha256};
use std::fmt;

/// A node's identity key, ready to sign.
pub struct Identity {
    curve: Secp256k1<All>,
    keypair: Keypair,
    node_id: NodeId,
}

impl Identity {
    /// Takes the 32 bytes of a secp256k1 secret key.
    ///
    /// # Errors
    /// [`LinkError::SecretKey`] when they are zero or beyond the order of the curve.
    pub fn from_secret_key(secret_key: [u8; 32]) -> Result<Self, LinkError> {
        let mut curve = Secp256k1::new();
        let keypair =
            Keypair::from_seckey_slice(&curve, &secret_key).map_err(|_| LinkError::SecretKey)?;
        // Blinds the multiplications that follow; a hash of the key is as unknown to others as fresh randomness.
        curve.seeded_randomize(&Sha256::digest(secret_key).into());
        let (key, _) = keypair.x_only_public_key();
        Ok(Self {
            curve,
            keypair,
            node_id: NodeId::from_bytes(key.serialize()),
        })
    }

    /// The node that this key belongs to.
    pub const fn node_id(&self) -> NodeId {
        self.node_id
    }

    /// Signs 32 bytes by BIP-340.
    pub(crate) fn sign(&self, digest: [u8; 32]) -> [u8; 64] {
        let message = Message::from_digest(digest);
        self.curve
            .sign_schnorr_no_aux_rand(&message, &self.keypair)
            .serialize()
    }

    /// Verifies a BIP-340 signature; an id that is no point of the curve has none.
    pub(crate) fn verify(&self, signer: &NodeId, digest: [u8; 32], signature: &[u8; 64]) -> bool {
        let Ok(key) = XOnlyPublicKey::from_slice(signer.as_bytes()) else {
            return false;
        };
        let Ok(signature) = Signature::from_slice(signature) else {
            return false;
        };
        let message = Message::from_digest(digest);
        self.curve
            .verify_schnorr(&signature, &message, &key)
            .is_ok()
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        self.keypair.non_secure_erase();
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.node_id)
    }
}
