use crate::{IdentityKey, wire::Reader};
use bitcoin::hashes::{Hash, HashEngine, sha256};
use mesh_types::{
    AnnouncedLink, Announcement, AnnouncementError, CarryLimits, MAX_ANNOUNCED_ADDRESS_BYTES,
    MAX_ANNOUNCED_ADDRESSES, MAX_ANNOUNCED_LINKS, Msat, NodeId, Price, SignedAnnouncement,
};
use secp256k1::{Message, Secp256k1, VerifyOnly, XOnlyPublicKey, schnorr};
use std::sync::LazyLock;
use thiserror::Error;

/// The most bytes of a signed announcement: four addresses and 256 links of the longest.
pub const MAX_ANNOUNCEMENT_LEN: usize =
    139 + MAX_ANNOUNCED_ADDRESSES * (2 + MAX_ANNOUNCED_ADDRESS_BYTES) + MAX_ANNOUNCED_LINKS * 36;

/// What is hashed before an announcement, twice, as BIP-340 tags its hashes: a signature for anything else that this
/// key may sign never holds for an announcement.
const TAG: &[u8] = b"blvm-mesh/1/announcement";

/// Made once, because making one costs about as much as a signature.
static VERIFY: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// Why bytes are not an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AnnouncementDecodeError {
    /// The bytes end before the last field does.
    #[error("the announcement ends early")]
    Truncated,
    /// Bytes stand behind the last field.
    #[error("{extra} bytes stand behind the announcement")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// A field is out of its bounds.
    #[error(transparent)]
    Content(#[from] AnnouncementError),
}

/// The signature is not that of the node which the announcement names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the announcement was not signed by the node that it names")]
pub struct NotSigned;

impl IdentityKey {
    /// Signs what this node says of itself. The same announcement always gets the same signature.
    ///
    /// # Errors
    /// [`AnnouncementError`] when a field is out of its bounds.
    ///
    /// # Source
    /// BIP-340 with 32 zero bytes of auxiliary data; docs/wire-format.md, "Announcements".
    pub fn sign_announcement(
        &self,
        announcement: Announcement,
    ) -> Result<SignedAnnouncement, AnnouncementError> {
        announcement.check()?;
        let signature = self.sign_digest(digest(&announcement));
        Ok(SignedAnnouncement {
            announcement,
            signature,
        })
    }
}

/// Verifies that the node which an announcement names has signed it.
///
/// # Errors
/// [`NotSigned`], also when the node's id is no key.
///
/// # Security
/// A false accept lets anybody speak for a node: close its links, set its price, send its callers elsewhere.
pub fn verify_announcement(signed: &SignedAnnouncement) -> Result<(), NotSigned> {
    let node_id = signed.announcement.node_id;
    let key = XOnlyPublicKey::from_slice(node_id.as_bytes()).map_err(|_| NotSigned)?;
    let signature = schnorr::Signature::from_slice(&signed.signature).map_err(|_| NotSigned)?;
    let message = Message::from_digest(digest(&signed.announcement));
    VERIFY
        .verify_schnorr(&signature, &message, &key)
        .map_err(|_| NotSigned)
}

/// Encodes a signed announcement, in at most [`MAX_ANNOUNCEMENT_LEN`] bytes.
///
/// # Errors
/// [`AnnouncementError`] when a field is out of its bounds.
pub fn encode_announcement(signed: &SignedAnnouncement) -> Result<Vec<u8>, AnnouncementError> {
    let mut out = Vec::with_capacity(signed.encoded_len());
    write_announcement(signed, &mut out)?;
    Ok(out)
}

/// Decodes a signed announcement from its one encoding. To decode is not to verify.
///
/// # Errors
/// [`AnnouncementDecodeError`] names what is wrong.
pub fn decode_announcement(bytes: &[u8]) -> Result<SignedAnnouncement, AnnouncementDecodeError> {
    let mut reader = Reader::new(bytes);
    let signed = read_announcement(&mut reader)?;
    match reader.take_rest().len() {
        0 => Ok(signed),
        extra => Err(AnnouncementDecodeError::Trailing { extra }),
    }
}

pub(crate) fn write_announcement(
    signed: &SignedAnnouncement,
    out: &mut Vec<u8>,
) -> Result<(), AnnouncementError> {
    signed.announcement.check()?;
    write_body(&signed.announcement, out);
    out.extend_from_slice(&signed.signature);
    Ok(())
}

pub(crate) fn read_announcement(
    reader: &mut Reader<'_>,
) -> Result<SignedAnnouncement, AnnouncementDecodeError> {
    let announcement = read_body(reader)?;
    let signature = reader.array();
    Ok(SignedAnnouncement {
        announcement,
        signature: signature.ok_or(AnnouncementDecodeError::Truncated)?,
    })
}

fn read_body(reader: &mut Reader<'_>) -> Result<Announcement, AnnouncementDecodeError> {
    let fixed = read_fixed(reader).ok_or(AnnouncementDecodeError::Truncated)?;
    let mut announcement = fixed;
    let found = usize::from(reader.u8().ok_or(AnnouncementDecodeError::Truncated)?);
    // Counts are checked before anything is made room for.
    if found > MAX_ANNOUNCED_ADDRESSES {
        return Err(AnnouncementError::AddressCount { found }.into());
    }
    announcement.addresses.reserve_exact(found);
    for _ in 0..found {
        announcement.addresses.push(read_address(reader)?);
    }
    let found = reader.u16().ok_or(AnnouncementDecodeError::Truncated)?;
    let found = usize::from(found);
    if found > MAX_ANNOUNCED_LINKS {
        return Err(AnnouncementError::LinkCount { found }.into());
    }
    let links = reader.arrays::<36>(found);
    let links = links.ok_or(AnnouncementDecodeError::Truncated)?;
    announcement.links.reserve_exact(found);
    announcement
        .links
        .extend(links.iter().filter_map(read_link));
    announcement.check()?;
    Ok(announcement)
}

fn read_fixed(reader: &mut Reader<'_>) -> Option<Announcement> {
    Some(Announcement {
        node_id: NodeId::from_bytes(reader.array()?),
        sequence: reader.u64()?,
        made_at: reader.u64()?,
        price: Price {
            per_packet: Msat::from_msat(reader.u64()?),
            per_kib: Msat::from_msat(reader.u64()?),
        },
        limits: CarryLimits {
            max_payload_bytes: reader.u32()?,
            free_bytes_per_second: reader.u32()?,
        },
        addresses: Vec::new(),
        links: Vec::new(),
    })
}

fn read_address(reader: &mut Reader<'_>) -> Result<String, AnnouncementDecodeError> {
    let found = reader.u16().ok_or(AnnouncementDecodeError::Truncated)?;
    let found = usize::from(found);
    if !(1..=MAX_ANNOUNCED_ADDRESS_BYTES).contains(&found) {
        return Err(AnnouncementError::AddressLength { found }.into());
    }
    let bytes = reader.arrays::<1>(found);
    let bytes = bytes.ok_or(AnnouncementDecodeError::Truncated)?;
    let text = String::from_utf8(bytes.as_flattened().to_vec());
    text.map_err(|_| AnnouncementError::AddressText.into())
}

fn read_link(bytes: &[u8; 36]) -> Option<AnnouncedLink> {
    let mut reader = Reader::new(bytes);
    Some(AnnouncedLink {
        node_id: NodeId::from_bytes(reader.array()?),
        latency_ms: reader.u32()?,
    })
}

/// Writes what is signed. The counts fit, because whoever calls has checked them.
fn write_body(announcement: &Announcement, out: &mut Vec<u8>) {
    let Announcement {
        node_id,
        sequence,
        made_at,
        price,
        limits,
        addresses,
        links,
    } = announcement;
    out.extend_from_slice(node_id.as_bytes());
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(&made_at.to_be_bytes());
    out.extend_from_slice(&price.per_packet.to_msat().to_be_bytes());
    out.extend_from_slice(&price.per_kib.to_msat().to_be_bytes());
    out.extend_from_slice(&limits.max_payload_bytes.to_be_bytes());
    out.extend_from_slice(&limits.free_bytes_per_second.to_be_bytes());
    out.push(addresses.len() as u8);
    for address in addresses {
        out.extend_from_slice(&(address.len() as u16).to_be_bytes());
        out.extend_from_slice(address.as_bytes());
    }
    out.extend_from_slice(&(links.len() as u16).to_be_bytes());
    for AnnouncedLink {
        node_id,
        latency_ms,
    } in links
    {
        out.extend_from_slice(node_id.as_bytes());
        out.extend_from_slice(&latency_ms.to_be_bytes());
    }
}

/// What is signed: the tagged hash of BIP-340 over the encoding without the signature.
fn digest(announcement: &Announcement) -> [u8; 32] {
    let mut body = Vec::with_capacity(MAX_ANNOUNCEMENT_LEN / 8);
    write_body(announcement, &mut body);
    let tag = sha256::Hash::hash(TAG);
    let mut engine = sha256::HashEngine::default();
    engine.input(tag.as_byte_array());
    engine.input(tag.as_byte_array());
    engine.input(&body);
    sha256::Hash::from_engine(engine).to_byte_array()
}
