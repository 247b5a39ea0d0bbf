use super::layout::{Shape, field, flag, kind_byte};
use super::proof::{encoded_len, write_proof};
use super::{HEADER_LEN, MAX_PAYLOAD_LEN, MAX_SEQUENCE, PACKET_MAGIC, ProofError, WIRE_VERSION};
use crate::MacKey;
use mesh_types::{MAC_LEN, Mac, MeshPacket, PacketKind, RouteError};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Why a packet has no encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EmitError {
    /// The sequence number is above [`MAX_SEQUENCE`].
    #[error("sequence number {found} is above the highest, {MAX_SEQUENCE}")]
    Sequence {
        /// The number.
        found: u64,
    },
    /// The payload is longer than [`MAX_PAYLOAD_LEN`].
    #[error("a payload of {found} bytes is longer than {MAX_PAYLOAD_LEN}")]
    PayloadLength {
        /// Its length.
        found: usize,
    },
    /// A control packet is marked as sealed or as wanting a receipt.
    #[error("a control packet is never sealed and never wants a receipt")]
    ControlFlags,
    /// The hop that the proof pays is not a hop after the source.
    #[error("the proof pays hop {found}, which is not a hop of this packet")]
    ProofHop {
        /// The hop.
        found: u8,
    },
    /// The packet that it is a copy of is none before it, or it is a control packet, which has no copies.
    #[error("{found} is not the number of a packet that this can be a copy of")]
    CopyOf {
        /// The number.
        found: u64,
    },
    /// There is not one MAC, or one MAC key, for each node after the source.
    #[error("{expected} nodes stand after the source, but there are {found} macs or keys")]
    MacCount {
        /// Nodes after the source.
        expected: usize,
        /// MACs or keys given.
        found: usize,
    },
    /// The route has too many nodes.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The proof has no encoding.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// Encodes a packet with the MACs that it has.
///
/// # Errors
/// [`EmitError`] names what cannot be encoded; what is emitted always parses.
pub fn emit(packet: &MeshPacket) -> Result<Vec<u8>, EmitError> {
    let shape = check(packet, packet.macs.len())?;
    write(packet, shape, packet.macs.iter().copied())
}

/// Encodes a packet, computing a MAC with each of `mac_keys` and ignoring those that the packet has.
///
/// - `mac_keys`: the source's [`crate::PairKeys::outgoing_mac`] for each node after it, in route order.
///
/// # Errors
/// As [`emit`].
pub fn emit_authenticated(packet: &MeshPacket, mac_keys: &[MacKey]) -> Result<Vec<u8>, EmitError> {
    let shape = check(packet, mac_keys.len())?;
    let mut bytes = write(packet, shape, mac_keys.iter().map(|_| [0; MAC_LEN]))?;
    let (authenticated, rest) = bytes.split_at_mut(shape.authenticated_len());
    let (macs, body) = rest.split_at_mut(shape.macs_len());
    let body_digest = Sha256::digest(&*body).into();
    for (mac, key) in macs.as_chunks_mut().0.iter_mut().zip(mac_keys) {
        *mac = key.mac(authenticated, &body_digest);
    }
    Ok(bytes)
}

fn check(packet: &MeshPacket, mac_count: usize) -> Result<Shape, EmitError> {
    let found = packet.sequence;
    if found > MAX_SEQUENCE {
        return Err(EmitError::Sequence { found });
    }
    let found = packet.payload.len();
    let payload_len = u16::try_from(found)
        .ok()
        .filter(|_| found <= MAX_PAYLOAD_LEN)
        .ok_or(EmitError::PayloadLength { found })?;
    if packet.kind == PacketKind::Control && (packet.sealed || packet.receipt) {
        return Err(EmitError::ControlFlags);
    }
    if let Some(found) = packet.copy_of
        && (packet.kind == PacketKind::Control || found >= packet.sequence)
    {
        return Err(EmitError::CopyOf { found });
    }
    let found = packet.route.len();
    let nodes = u8::try_from(found).map_err(|_| RouteError::Length { found })?;
    let hops = 1..nodes;
    if mac_count != hops.len() {
        return Err(EmitError::MacCount {
            expected: hops.len(),
            found: mac_count,
        });
    }
    let proof_len = match &packet.proof {
        Some(paid) if !hops.contains(&paid.hop) => {
            return Err(EmitError::ProofHop { found: paid.hop });
        }
        Some(paid) => encoded_len(&paid.proof)?,
        None => 0,
    };
    Ok(Shape {
        nodes,
        is_copy: packet.copy_of.is_some(),
        proof_len,
        payload_len,
    })
}

fn write(
    packet: &MeshPacket,
    shape: Shape,
    macs: impl Iterator<Item = Mac>,
) -> Result<Vec<u8>, EmitError> {
    let mut bytes = Vec::with_capacity(shape.packet_len());
    bytes.extend_from_slice(&header(packet, shape));
    for node in packet.route.iter() {
        bytes.extend_from_slice(node.as_bytes());
    }
    for mac in macs {
        bytes.extend_from_slice(&mac);
    }
    if let Some(original) = packet.copy_of {
        bytes.extend_from_slice(&original.to_be_bytes());
    }
    if let Some(paid) = &packet.proof {
        write_proof(&paid.proof, &mut bytes)?;
    }
    bytes.extend_from_slice(&packet.payload);
    Ok(bytes)
}

fn header(packet: &MeshPacket, shape: Shape) -> [u8; HEADER_LEN] {
    let set = |condition: bool, flag: u8| if condition { flag } else { 0 };
    let flags = set(packet.proof.is_some(), flag::PROOF)
        | set(packet.sealed, flag::SEALED)
        | set(packet.receipt, flag::RECEIPT)
        | set(packet.copy_of.is_some(), flag::COPY);
    let proof_hop = packet.proof.as_ref().map_or(0, |paid| paid.hop);
    let payload_len = u32::from(shape.payload_len);
    let mut header = [0; HEADER_LEN];
    field::MAGIC.write(PACKET_MAGIC, &mut header);
    field::VERSION.write([WIRE_VERSION], &mut header);
    field::FLAGS.write([flags], &mut header);
    field::KIND.write([kind_byte(packet.kind)], &mut header);
    field::NODE_COUNT.write([shape.nodes], &mut header);
    field::SEQUENCE.write(packet.sequence.to_be_bytes(), &mut header);
    field::TIMESTAMP.write(packet.timestamp.to_be_bytes(), &mut header);
    field::FEE_MSAT.write(packet.fee_msat.to_be_bytes(), &mut header);
    field::PAYLOAD_LEN.write(payload_len.to_be_bytes(), &mut header);
    field::PROOF_LEN.write(shape.proof_len.to_be_bytes(), &mut header);
    field::PROOF_HOP.write([proof_hop], &mut header);
    header
}
