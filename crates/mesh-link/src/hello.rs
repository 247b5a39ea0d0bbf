use mesh_types::NodeId;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The version of the links that this crate speaks.
pub const HELLO_VERSION: u8 = 1;

/// Bytes of a [`Hello`]: version, node id, signature.
pub const HELLO_LEN: usize = 1 + 32 + 64;

/// The tag of the signed hash, and the Noise prologue.
pub(crate) const CONTEXT: &str = "blvm-mesh/link/1";

/// What a node says of itself inside the encrypted channel.
///
/// Parsing checks the shape only: whose signature it is, [`crate::Handshake`] checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// Who it claims to be.
    pub node_id: NodeId,
    /// Its BIP-340 signature over [`Hello::digest`].
    pub signature: [u8; 64],
}

/// Why bytes are not a [`Hello`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HelloError {
    /// Too short or too long.
    #[error("a hello has {HELLO_LEN} bytes, not {found}")]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// Another version.
    #[error("version {found} of links is not spoken here, only {HELLO_VERSION}")]
    Version {
        /// The version found.
        found: u8,
    },
}

/// Which end of the connection signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The end that opened it.
    Initiator,
    /// The end that accepted it.
    Responder,
}

impl Hello {
    /// Reads a hello: version, node id, signature, and nothing behind it.
    ///
    /// # Errors
    /// [`HelloError`] names the length or the version.
    pub fn parse(bytes: &[u8]) -> Result<Self, HelloError> {
        let wrong = HelloError::Length { found: bytes.len() };
        let bytes: &[u8; HELLO_LEN] = bytes.try_into().map_err(|_| wrong)?;
        let ([version], rest) = bytes.split_first_chunk().ok_or(wrong)?;
        if *version != HELLO_VERSION {
            return Err(HelloError::Version { found: *version });
        }
        let (node_id, signature) = rest.split_first_chunk().ok_or(wrong)?;
        Ok(Self {
            node_id: NodeId::from_bytes(*node_id),
            signature: signature.try_into().map_err(|_| wrong)?,
        })
    }

    /// Writes the hello.
    pub fn emit(&self) -> [u8; HELLO_LEN] {
        let mut bytes = [HELLO_VERSION; HELLO_LEN];
        let fields = self.node_id.as_bytes().iter().chain(&self.signature);
        for (byte, field) in bytes.iter_mut().skip(1).zip(fields) {
            *byte = *field;
        }
        bytes
    }

    /// Gives the 32 bytes that are signed: the BIP-340 tagged hash of role, channel and both ids.
    ///
    /// - `channel`: the Noise handshake hash. - `peer`: the node that the signer speaks to; `None` (32 zero bytes)
    ///   from a responder, which does not know it yet.
    ///
    /// # Source
    /// BIP-340, "Design", tagged hashes.
    pub fn digest(role: Role, channel: &[u8; 32], own: &NodeId, peer: Option<&NodeId>) -> [u8; 32] {
        let tag = Sha256::digest(CONTEXT);
        let role = match role {
            Role::Initiator => 0,
            Role::Responder => 1,
        };
        Sha256::new()
            .chain_update(tag)
            .chain_update(tag)
            .chain_update([role])
            .chain_update(channel)
            .chain_update(own.as_bytes())
            .chain_update(peer.map_or(&[0; 32], NodeId::as_bytes))
            .finalize()
            .into()
    }
}
