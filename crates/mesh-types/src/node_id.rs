use crate::hex::{HexError, from_hex, to_hex};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// A node of the mesh: the x-only secp256k1 public key (BIP-340) of its identity key.
///
/// Any 32 bytes make a `NodeId`; whether they are a point of the curve is checked where they are used as a key.
/// In text it is 64 characters of lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId([u8; 32]);

/// Why a text is not a [`NodeId`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a node id, which is 64 characters of lower-case hex: {0}")]
pub struct NodeIdError(#[from] HexError);

impl NodeId {
    /// Takes the 32 bytes of an x-only public key.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Gives the 32 bytes back.
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Borrows the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&to_hex(&self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(from_hex(text)?))
    }
}

impl TryFrom<String> for NodeId {
    type Error = NodeIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> Self {
        id.to_string()
    }
}
