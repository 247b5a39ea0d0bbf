use crate::hex::{HexError, from_hex, to_hex};
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, fmt, str::FromStr};
use thiserror::Error;

/// A node of the mesh: the x-only secp256k1 public key (BIP-340) of its identity key.
///
/// Any 32 bytes make a `NodeId`; whether they are a point of the curve is checked where they are used as a key.
/// In text it is 64 characters of lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

    /// The first eight bytes as a number: it orders ids but for those that begin alike.
    pub const fn start(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// As the bytes are ordered, but eight of them at a time: maps are searched by ids, and two of them rarely begin alike.
impl Ord for NodeId {
    fn cmp(&self, other: &Self) -> Ordering {
        let (ours, theirs) = (self.start(), other.start());
        ours.cmp(&theirs).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for NodeId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_are_ordered_as_their_bytes_are(one: [u8; 32], mut other: [u8; 32], alike in 0_usize..=32) {
            other[..alike].copy_from_slice(&one[..alike]);
            let ids = [one, other].map(NodeId::from_bytes);
            prop_assert_eq!(ids[0].cmp(&ids[1]), one.cmp(&other));
            prop_assert_eq!(ids[0] == ids[1], one == other);
        }
    }
}
