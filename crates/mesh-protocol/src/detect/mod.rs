//! Says what bytes are, by all of them.
//!
//! # What a verdict is worth
//! Free carriage is bought with a verdict, so a verdict takes the whole buffer: the header, the announced length
//! against the bytes that are there, the checksum, and a payload that decodes as what the header says, with nothing
//! behind it. The front of a message never suffices.
//!
//! A verdict speaks of shape, not of truth. It cannot know
//! - whether a block, header, transaction, filter or share is real: hashes can be made up, scripts, witnesses, block
//!   filters and extranonces can hold anything, proof of work and signatures are not checked;
//! - whether anybody asked for the message, or follows the protocol's order;
//! - what a governance message says: only its frame is judged;
//! - what ciphertext carries: BIP 324 and the Noise handshake of Stratum V2 open with 64 bytes that look random, so
//!   they are [`DetectedProtocol::Unknown`], and nothing tells them apart from any other random bytes.
//!
//! So whoever insists can dress bytes as, say, the outputs of a transaction, at a cost in bytes and effort. What
//! bounds that is the free-lane budget of each source, not this module; [`limits`] keeps each dress small.
//!
//! # Source
//! Bitcoin: the developer reference and BIPs 14, 31, 35, 37, 61, 130, 133, 144, 152, 155, 157, 330, 339.
//! Stratum V2: the specification's chapters on data types, framing and each protocol's messages.

mod bitcoin;
mod commands;
mod cursor;
mod layout;
pub mod limits;
mod stratum_v2;

pub use self::bitcoin::{BITCOIN_HEADER_LEN, BitcoinFrame, BitcoinHeader, NotBitcoin};
use crate::wire::{PACKET_MAGIC, WIRE_VERSION};
use mesh_types::DetectedProtocol;

/// What the front of a buffer says about the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detection {
    /// It cannot be told yet: at least so many more bytes are needed, never zero.
    NeedMore(usize),
    /// It is told, and no further byte changes it.
    Decided(DetectedProtocol),
}

/// Says what `data` is, from its first byte to its last.
///
/// # Security
/// A false name is free carriage; a false [`DetectedProtocol::Unknown`] makes the sender pay.
pub fn detect(data: &[u8]) -> DetectedProtocol {
    match detect_prefix(data.len(), data) {
        Detection::Decided(protocol) => protocol,
        Detection::NeedMore(_) => DetectedProtocol::Unknown,
    }
}

/// Says what a buffer of `total_len` bytes is, as soon as the bytes that have arrived can tell.
///
/// The verdict on a buffer is the same however it is split, and is [`detect`]'s; bytes beyond `total_len` are not
/// looked at. It keeps no state: asking again when as many bytes as needed have come hashes nothing twice.
pub fn detect_prefix(total_len: usize, prefix: &[u8]) -> Detection {
    let seen = prefix.get(..total_len).unwrap_or(prefix);
    let Some(opening) = seen.first_chunk() else {
        return need(4, total_len, seen);
    };
    if bitcoin::network(*opening).is_some() {
        bitcoin::judge(total_len, seen)
    } else if *opening == PACKET_MAGIC {
        mesh_packet(total_len, seen)
    } else {
        stratum_v2::judge(total_len, seen)
    }
}

fn mesh_packet(total_len: usize, seen: &[u8]) -> Detection {
    match seen.get(PACKET_MAGIC.len()) {
        None => need(PACKET_MAGIC.len() + 1, total_len, seen),
        Some(&WIRE_VERSION) => Detection::Decided(DetectedProtocol::MeshPacket),
        Some(_) => Detection::Decided(DetectedProtocol::Unknown),
    }
}

/// Asks for the first `wanted` bytes, which `seen` does not have, or gives up where the buffer never will.
fn need(wanted: usize, total_len: usize, seen: &[u8]) -> Detection {
    if total_len < wanted {
        return Detection::Decided(DetectedProtocol::Unknown);
    }
    Detection::NeedMore(wanted.saturating_sub(seen.len()).max(1))
}
