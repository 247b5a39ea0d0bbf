//! Bitcoin's v1 framing, which Commons governance shares.

use super::{
    Detection,
    commands::{Body, Command},
    cursor::Cursor,
    layout, need,
};
use mesh_types::{DetectedProtocol, Network};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Bytes in front of a payload: magic, command, length, checksum.
pub const BITCOIN_HEADER_LEN: usize = 24;

/// A header of a known network and command, with a length that the command can have.
#[derive(Debug, Clone, Copy)]
pub struct BitcoinHeader {
    network: Network,
    command: &'static Command,
    payload_len: u32,
    checksum: [u8; 4],
}

/// A whole message whose length and checksum are right: evidence of framing, not of content.
#[derive(Debug, Clone, Copy)]
pub struct BitcoinFrame<'a> {
    header: BitcoinHeader,
    payload: &'a [u8],
}

/// Why bytes are not a Bitcoin or governance message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotBitcoin {
    /// The first four bytes are of no network we know.
    #[error("no network has the magic {0:02x?}")]
    Magic([u8; 4]),
    /// Bytes 4..16 spell no command we know, or not in its one way.
    #[error("no command is spelled {0:02x?}")]
    Command([u8; 12]),
    /// The header announces a length that its command never has.
    #[error("{command} never has {announced} bytes")]
    ImplausibleLength {
        /// The command.
        command: &'static str,
        /// Bytes announced.
        announced: u32,
    },
    /// There are fewer or more bytes than header and announced payload.
    #[error("{present} bytes where {expected} belong")]
    Extent {
        /// Bytes there.
        present: usize,
        /// Bytes that header and payload take.
        expected: usize,
    },
    /// The checksum is of another payload.
    #[error("the checksum is of another payload")]
    Checksum,
    /// The payload does not have the command's layout, counts or limits.
    #[error("the payload has not the layout of {command}")]
    Layout {
        /// The command.
        command: &'static str,
    },
    /// The payload has the layout but does not decode.
    #[error("the payload does not decode as {command}")]
    Undecodable {
        /// The command.
        command: &'static str,
    },
}

impl BitcoinHeader {
    /// Judges 24 bytes alone, without allocation.
    ///
    /// # Errors
    /// [`NotBitcoin::Magic`], [`NotBitcoin::Command`] or [`NotBitcoin::ImplausibleLength`].
    ///
    /// # Security
    /// A header is 24 bytes that anybody can write in front of anything: it never buys a free ride.
    #[inline]
    pub fn parse(bytes: &[u8; BITCOIN_HEADER_LEN]) -> Result<Self, NotBitcoin> {
        let mut cursor = Cursor::new(bytes);
        let (Some(magic), Some(field), Some(payload_len), Some(checksum)) =
            (cursor.array(), cursor.array(), cursor.u32(), cursor.array())
        else {
            return Err(NotBitcoin::Extent {
                present: bytes.len(),
                expected: BITCOIN_HEADER_LEN,
            });
        };
        let network = network(magic).ok_or(NotBitcoin::Magic(magic))?;
        let command = Command::find(&field).ok_or(NotBitcoin::Command(field))?;
        if !command.lengths.contains(&payload_len) {
            return Err(NotBitcoin::ImplausibleLength {
                command: command.name,
                announced: payload_len,
            });
        }
        Ok(Self {
            network,
            command,
            payload_len,
            checksum,
        })
    }

    /// The network that the message is for.
    pub const fn network(&self) -> Network {
        self.network
    }

    /// The command, without padding.
    pub const fn command(&self) -> &'static str {
        self.command.name
    }

    /// Bytes of payload that follow the header.
    pub const fn payload_len(&self) -> u32 {
        self.payload_len
    }

    fn message_len(&self) -> usize {
        usize::try_from(self.payload_len)
            .unwrap_or(usize::MAX)
            .saturating_add(BITCOIN_HEADER_LEN)
    }
}

impl<'a> BitcoinFrame<'a> {
    /// Judges the framing of a whole message: header, extent and checksum, with one double SHA-256 and no allocation.
    ///
    /// # Errors
    /// What [`BitcoinHeader::parse`] says, [`NotBitcoin::Extent`] or [`NotBitcoin::Checksum`].
    pub fn parse(message: &'a [u8]) -> Result<Self, NotBitcoin> {
        let (head, payload) = message.split_first_chunk().ok_or(NotBitcoin::Extent {
            present: message.len(),
            expected: BITCOIN_HEADER_LEN,
        })?;
        let header = BitcoinHeader::parse(head)?;
        let expected = header.message_len();
        if message.len() != expected {
            return Err(NotBitcoin::Extent {
                present: message.len(),
                expected,
            });
        }
        if checksum(payload) != header.checksum {
            return Err(NotBitcoin::Checksum);
        }
        Ok(Self { header, payload })
    }

    /// The message's header.
    pub const fn header(&self) -> BitcoinHeader {
        self.header
    }

    /// The bytes behind the header.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Judges the payload, and so says what the message is: Bitcoin when it decodes as its command, or governance,
    /// whose payloads are not judged.
    ///
    /// # Errors
    /// [`NotBitcoin::Layout`] before anything was allocated, or [`NotBitcoin::Undecodable`].
    pub fn protocol(&self) -> Result<DetectedProtocol, NotBitcoin> {
        let Command { name, body, .. } = self.header.command;
        let (walk, decode) = match body {
            Body::Governance => return Ok(DetectedProtocol::CommonsGovernance),
            // Only a length of zero passes the header.
            Body::Empty => return Ok(DetectedProtocol::BitcoinP2P),
            Body::Layout(walk) => (walk, None),
            Body::Decoded(walk, decode) => (walk, Some(decode)),
        };
        if !layout::fits(*walk, self.payload) {
            return Err(NotBitcoin::Layout { command: name });
        }
        if decode.is_some_and(|decode| !decode(self.payload)) {
            return Err(NotBitcoin::Undecodable { command: name });
        }
        Ok(DetectedProtocol::BitcoinP2P)
    }
}

/// Judges the seen front of a buffer of `total_len` bytes that opens with a known magic.
pub(super) fn judge(total_len: usize, seen: &[u8]) -> Detection {
    let Some(head) = seen.first_chunk() else {
        return need(BITCOIN_HEADER_LEN, total_len, seen);
    };
    let announced = BitcoinHeader::parse(head).map(|header| header.message_len());
    if announced != Ok(total_len) {
        return Detection::Decided(DetectedProtocol::Unknown);
    }
    if seen.len() < total_len {
        return need(total_len, total_len, seen);
    }
    let protocol = BitcoinFrame::parse(seen).and_then(|frame| frame.protocol());
    Detection::Decided(protocol.unwrap_or(DetectedProtocol::Unknown))
}

/// Says which network's messages open with `magic`.
#[inline]
pub(super) fn network(magic: [u8; 4]) -> Option<Network> {
    // One comparison for each, where a match on the bytes would look at one after the other.
    const BITCOIN: u32 = u32::from_be_bytes([0xf9, 0xbe, 0xb4, 0xd9]);
    const TESTNET3: u32 = u32::from_be_bytes([0x0b, 0x11, 0x09, 0x07]);
    const TESTNET4: u32 = u32::from_be_bytes([0x1c, 0x16, 0x3f, 0x28]);
    const SIGNET: u32 = u32::from_be_bytes([0x0a, 0x03, 0xcf, 0x40]);
    const REGTEST: u32 = u32::from_be_bytes([0xfa, 0xbf, 0xb5, 0xda]);
    match u32::from_be_bytes(magic) {
        BITCOIN => Some(Network::Bitcoin),
        TESTNET3 => Some(Network::Testnet),
        TESTNET4 => Some(Network::Testnet4),
        SIGNET => Some(Network::Signet),
        REGTEST => Some(Network::Regtest),
        _ => None,
    }
}

/// The first bytes of the double SHA-256.
///
/// It takes sha2 rather than bitcoin_hashes, which is slower at any length, and one hasher in place rather than two
/// that are moved, which costs more than the header: benches/detect.rs. It is never inlined, because the hasher's
/// place on a caller's stack would make the same code faster here and slower there.
#[inline(never)]
fn checksum(payload: &[u8]) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(payload);
    let inner = hasher.finalize_reset();
    hasher.update(inner);
    let outer: [u8; 32] = hasher.finalize_reset().into();
    let [a, b, c, d, ..] = outer;
    [a, b, c, d]
}
