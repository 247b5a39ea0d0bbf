use crate::{NodeId, Price};
use thiserror::Error;

/// How many links an announcement has at most.
///
/// 256, because nobody keeps more connections than that with nodes it knows; they take 9 KiB.
pub const MAX_ANNOUNCED_LINKS: usize = 256;

/// How many addresses an announcement has at most.
///
/// Four, because that is one each of IPv4, IPv6, an onion service and a name.
pub const MAX_ANNOUNCED_ADDRESSES: usize = 4;

/// How many bytes an announced address has at most.
///
/// 259, because a DNS name has at most 253, and a colon and a port at most six.
pub const MAX_ANNOUNCED_ADDRESS_BYTES: usize = 253 + 6;

/// The highest sequence number of an announcement.
///
/// 2^63 − 1, because whoever has to go beyond what was heard never overflows.
pub const MAX_ANNOUNCEMENT_SEQUENCE: u64 = u64::MAX >> 1;

/// What one node says of itself to all of the mesh.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Announcement {
    /// Who says it.
    pub node_id: NodeId,
    /// Higher than that of everything the node said before; at most [`MAX_ANNOUNCEMENT_SEQUENCE`].
    pub sequence: u64,
    /// When it was made, Unix seconds.
    pub made_at: u64,
    /// What the node asks for carrying a packet.
    pub price: Price,
    /// What the node carries at most.
    pub limits: CarryLimits,
    /// Where it accepts links, best first; visible ASCII, 1 to [`MAX_ANNOUNCED_ADDRESS_BYTES`] bytes each.
    pub addresses: Vec<String>,
    /// The nodes it has links with, in ascending order of their ids.
    pub links: Vec<AnnouncedLink>,
}

/// What a node carries at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CarryLimits {
    /// The largest payload, bytes; 0 when it does not say.
    pub max_payload_bytes: u32,
    /// What each source may send without paying, bytes a second.
    pub free_bytes_per_second: u32,
}

/// One end's word for a link; it counts when the other end gives its word too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AnnouncedLink {
    /// The node at the other end.
    pub node_id: NodeId,
    /// How long a packet takes there and back, milliseconds.
    pub latency_ms: u32,
}

/// An announcement with its BIP-340 signature, which may or may not hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SignedAnnouncement {
    /// What is said.
    pub announcement: Announcement,
    /// By the key that is the node's id.
    pub signature: [u8; 64],
}

/// What is wrong with an announcement, whoever signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AnnouncementError {
    /// The sequence number is above [`MAX_ANNOUNCEMENT_SEQUENCE`].
    #[error("sequence number {found} is above the highest, {MAX_ANNOUNCEMENT_SEQUENCE}")]
    Sequence {
        /// The number.
        found: u64,
    },
    /// There are more than [`MAX_ANNOUNCED_ADDRESSES`].
    #[error("an announcement has at most {MAX_ANNOUNCED_ADDRESSES} addresses, not {found}")]
    AddressCount {
        /// How many.
        found: usize,
    },
    /// An address is empty, or longer than [`MAX_ANNOUNCED_ADDRESS_BYTES`].
    #[error("an address has 1 to {MAX_ANNOUNCED_ADDRESS_BYTES} bytes, not {found}")]
    AddressLength {
        /// Its length.
        found: usize,
    },
    /// An address has other characters than visible ASCII.
    #[error("an address is not visible ASCII")]
    AddressText,
    /// There are more than [`MAX_ANNOUNCED_LINKS`].
    #[error("an announcement has at most {MAX_ANNOUNCED_LINKS} links, not {found}")]
    LinkCount {
        /// How many.
        found: usize,
    },
    /// The links are not in strictly ascending order.
    #[error("the links are not in ascending order, or one stands there twice")]
    LinkOrder,
    /// The node says that it is linked with itself.
    #[error("a node announces a link with itself")]
    SelfLink,
}

impl Announcement {
    /// Checks every bound that an announcement has.
    ///
    /// # Errors
    /// [`AnnouncementError`] names the first that does not hold.
    pub fn check(&self) -> Result<(), AnnouncementError> {
        let found = self.sequence;
        if found > MAX_ANNOUNCEMENT_SEQUENCE {
            return Err(AnnouncementError::Sequence { found });
        }
        let found = self.addresses.len();
        if found > MAX_ANNOUNCED_ADDRESSES {
            return Err(AnnouncementError::AddressCount { found });
        }
        for address in &self.addresses {
            let found = address.len();
            if !(1..=MAX_ANNOUNCED_ADDRESS_BYTES).contains(&found) {
                return Err(AnnouncementError::AddressLength { found });
            }
            if !address.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(AnnouncementError::AddressText);
            }
        }
        let found = self.links.len();
        if found > MAX_ANNOUNCED_LINKS {
            return Err(AnnouncementError::LinkCount { found });
        }
        if !self.links.is_sorted_by(|a, b| a.node_id < b.node_id) {
            return Err(AnnouncementError::LinkOrder);
        }
        if self.link_with(&self.node_id).is_some() {
            return Err(AnnouncementError::SelfLink);
        }
        Ok(())
    }

    /// What the node says of its link with `other`.
    pub fn link_with(&self, other: &NodeId) -> Option<AnnouncedLink> {
        let at = self.links.binary_search_by_key(other, |link| link.node_id);
        self.links.get(at.ok()?).copied()
    }
}

impl SignedAnnouncement {
    /// How many bytes it has on the wire, so that whoever sends several can tell what fits in a packet.
    ///
    /// # Source
    /// docs/wire-format.md, "Announcements".
    pub fn encoded_len(&self) -> usize {
        let addresses = self.announcement.addresses.iter();
        let addresses: usize = addresses.map(|address| 2 + address.len()).sum();
        FIXED_LEN + addresses + self.announcement.links.len() * LINK_LEN
    }
}

/// Id, sequence, time, two prices, two limits, two counts and the signature.
const FIXED_LEN: usize = 32 + 8 + 8 + 16 + 8 + 1 + 2 + 64;

const LINK_LEN: usize = 32 + 4;
