use super::layout::{Shape, field, flag, kind_of};
use super::{
    HEADER_LEN, MAX_PAYLOAD_LEN, MAX_PROOF_LEN, MAX_SEQUENCE, PACKET_MAGIC, ProofError,
    WIRE_VERSION, decode_proof,
};
use mesh_types::{
    MAX_ROUTE_NODES, Mac, MeshPacket, Msat, NodeId, PacketKind, ProofForHop, Route, RouteError,
};
use sha2::{Digest, Sha256};
use std::fmt;
use thiserror::Error;

/// A packet over the bytes it came in, checked whole except for the inside of its proof and payload.
///
/// It copies nothing and allocates nothing. What it says about source and route is only a claim until the reader's
/// own MAC has been verified ([`crate::MacKey::verify`]).
#[derive(Clone, Copy)]
pub struct PacketView<'a> {
    bytes: &'a [u8],
    header: &'a [u8; HEADER_LEN],
    authenticated: &'a [u8],
    route: &'a [[u8; 32]],
    source: &'a [u8; 32],
    destination: &'a [u8; 32],
    macs: &'a [Mac],
    body: &'a [u8],
    original: &'a [u8],
    proof: &'a [u8],
    payload: &'a [u8],
    kind: PacketKind,
}

/// Why bytes are not a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PacketError {
    /// The bytes end within the fixed header.
    #[error("a packet has at least {HEADER_LEN} bytes, not {found}")]
    Truncated {
        /// Bytes found.
        found: usize,
    },
    /// The first four bytes are not `MESH`.
    #[error("not a mesh packet: it starts with {found:02x?}")]
    Magic {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// The version is not one that we speak.
    #[error("version {found} of the wire format, expected {WIRE_VERSION}")]
    Version {
        /// The version.
        found: u8,
    },
    /// A flag is set that means nothing, or that the packet's kind does not allow.
    #[error("flags {found:#04x} are not valid here")]
    Flags {
        /// All flags of the packet.
        found: u8,
    },
    /// The kind is not one that we know.
    #[error("unknown kind of packet {found}")]
    Kind {
        /// The kind.
        found: u8,
    },
    /// The reserved byte is not zero.
    #[error("the reserved byte is {found}, not 0")]
    Reserved {
        /// The byte.
        found: u8,
    },
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
        found: u32,
    },
    /// The proof is longer than [`MAX_PROOF_LEN`], or its length and the proof flag disagree.
    #[error(
        "a proof of {found} bytes does not fit the proof flag or is longer than {MAX_PROOF_LEN}"
    )]
    ProofLength {
        /// Its length.
        found: u16,
    },
    /// The hop that the proof pays is not a hop after the source, or there is no proof.
    #[error("the proof pays hop {found}, which is not a hop of this packet")]
    ProofHop {
        /// The hop.
        found: u8,
    },
    /// The packet that it is a copy of is not one before it.
    #[error("a copy of packet {found}, which is none before it")]
    CopyOf {
        /// The number.
        found: u64,
    },
    /// The packet is shorter or longer than its header says.
    #[error("a packet of {expected} bytes by its header has {found}")]
    Length {
        /// Bytes by the header.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// The route has too few or too many nodes, or one of them twice.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The proof cannot be decoded; only [`PacketView::to_packet`] looks.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl<'a> PacketView<'a> {
    /// Checks that `bytes` are exactly one packet in its one encoding.
    ///
    /// # Errors
    /// [`PacketError`] names the first field that is wrong, in the order of the layout, then the length, then a
    /// node that repeats, then the original of a copy.
    ///
    /// # Source
    /// docs/wire-format.md, "Packet".
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let found = bytes.len();
        let header = bytes
            .first_chunk()
            .ok_or(PacketError::Truncated { found })?;
        let (kind, shape) = check_header(header)?;
        let expected = shape.packet_len();
        let wrong_length = PacketError::Length { expected, found };
        if found != expected {
            return Err(wrong_length);
        }
        let (authenticated, rest) = bytes
            .split_at_checked(shape.authenticated_len())
            .ok_or(wrong_length)?;
        let (macs, body) = rest
            .split_at_checked(shape.macs_len())
            .ok_or(wrong_length)?;
        let (original, rest) = body
            .split_at_checked(shape.original_len())
            .ok_or(wrong_length)?;
        let (proof, payload) = rest
            .split_at_checked(usize::from(shape.proof_len))
            .ok_or(wrong_length)?;
        let (_, route) = authenticated
            .split_at_checked(HEADER_LEN)
            .ok_or(wrong_length)?;
        let (route, _) = route.as_chunks();
        let (macs, _) = macs.as_chunks();
        check_no_repeat(route)?;
        check_original(original, header)?;
        let [source, .., destination] = route else {
            return Err(wrong_length);
        };
        Ok(Self {
            bytes,
            header,
            authenticated,
            route,
            source,
            destination,
            macs,
            body,
            original,
            proof,
            payload,
            kind,
        })
    }

    /// The bytes of the whole packet, as a relay forwards them.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What the packet is for.
    pub fn kind(&self) -> PacketKind {
        self.kind
    }

    /// Whether the payload is sealed between source and destination.
    pub fn is_sealed(&self) -> bool {
        self.has_flag(flag::SEALED)
    }

    /// Whether the source wants a receipt from the destination.
    pub fn wants_receipt(&self) -> bool {
        self.has_flag(flag::RECEIPT)
    }

    /// The source's own number for this packet, at most [`MAX_SEQUENCE`].
    pub fn sequence(&self) -> u64 {
        u64::from_be_bytes(field::SEQUENCE.read(self.header))
    }

    /// The number of the packet of which this is a copy; it lies below its own.
    pub fn copy_of(&self) -> Option<u64> {
        let original = self.original.first_chunk();
        original.copied().map(u64::from_be_bytes)
    }

    /// When the source made the packet, or the first of its copies, Unix seconds.
    pub fn timestamp(&self) -> u64 {
        u64::from_be_bytes(field::TIMESTAMP.read(self.header))
    }

    /// What the source offers in total for the packet.
    pub fn fee_msat(&self) -> Msat {
        Msat::from_msat(u64::from_be_bytes(field::FEE_MSAT.read(self.header)))
    }

    /// The nodes of the route, source first, as bytes.
    pub fn route(&self) -> &'a [[u8; 32]] {
        self.route
    }

    /// The node that says it sent the packet.
    pub fn source(&self) -> NodeId {
        NodeId::from_bytes(*self.source)
    }

    /// The node that the packet is for.
    pub fn destination(&self) -> NodeId {
        NodeId::from_bytes(*self.destination)
    }

    /// Where `node` stands in the route, source being 0; `None` when the route skips it.
    pub fn position(&self, node: &NodeId) -> Option<usize> {
        self.route.iter().position(|hop| hop == node.as_bytes())
    }

    /// The node at a position of the route, source being 0.
    pub fn node(&self, position: usize) -> Option<NodeId> {
        self.route.get(position).copied().map(NodeId::from_bytes)
    }

    /// The MAC for the node at a position of the route; the source, at 0, has none.
    pub fn mac(&self, position: usize) -> Option<&'a Mac> {
        self.macs.get(position.checked_sub(1)?)
    }

    /// The position of the hop that the proof pays, and the proof as bytes, for [`decode_proof`].
    pub fn proof(&self) -> Option<(u8, &'a [u8])> {
        (!self.proof.is_empty()).then_some((field::PROOF_HOP.byte(self.header), self.proof))
    }

    /// What the packet carries: sealed bytes when [`PacketView::is_sealed`].
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The fixed header and the route: what each MAC covers directly.
    pub fn authenticated(&self) -> &'a [u8] {
        self.authenticated
    }

    /// The original's number, the proof and the payload: what each MAC covers through [`PacketView::body_digest`].
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// SHA-256 of the body.
    pub fn body_digest(&self) -> [u8; 32] {
        Sha256::digest(self.body).into()
    }

    /// Copies everything into a packet of its own, the proof decoded.
    ///
    /// # Errors
    /// [`PacketError::Proof`] when the proof cannot be decoded.
    pub fn to_packet(&self) -> Result<MeshPacket, PacketError> {
        let nodes = self.route.iter().copied().map(NodeId::from_bytes);
        let proof = match self.proof() {
            Some((hop, bytes)) => Some(ProofForHop {
                hop,
                proof: decode_proof(bytes)?,
            }),
            None => None,
        };
        Ok(MeshPacket {
            kind: self.kind,
            sealed: self.is_sealed(),
            receipt: self.wants_receipt(),
            route: Route::new(nodes.collect())?,
            sequence: self.sequence(),
            copy_of: self.copy_of(),
            timestamp: self.timestamp(),
            fee_msat: self.fee_msat().to_msat(),
            proof,
            payload: self.payload.to_vec(),
            macs: self.macs.to_vec(),
        })
    }

    fn has_flag(&self, flag: u8) -> bool {
        field::FLAGS.byte(self.header) & flag != 0
    }
}

impl fmt::Debug for PacketView<'_> {
    /// Leaves out the bytes of MACs, proof and payload, which are long and may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketView")
            .field("kind", &self.kind)
            .field("source", &self.source())
            .field("destination", &self.destination())
            .field("nodes", &self.route.len())
            .field("sequence", &self.sequence())
            .field("copy_of", &self.copy_of())
            .field("timestamp", &self.timestamp())
            .field("fee_msat", &self.fee_msat().to_msat())
            .field("sealed", &self.is_sealed())
            .field("receipt", &self.wants_receipt())
            .field("proof_len", &self.proof.len())
            .field("payload_len", &self.payload.len())
            .finish_non_exhaustive()
    }
}

fn check_header(header: &[u8; HEADER_LEN]) -> Result<(PacketKind, Shape), PacketError> {
    let found = field::MAGIC.read(header);
    if found != PACKET_MAGIC {
        return Err(PacketError::Magic { found });
    }
    let found = field::VERSION.byte(header);
    if found != WIRE_VERSION {
        return Err(PacketError::Version { found });
    }
    let flags = field::FLAGS.byte(header);
    let kind = kind_of(field::KIND.byte(header))?;
    let allowed = match kind {
        PacketKind::Data => flag::KNOWN,
        PacketKind::Control => flag::PROOF,
    };
    if flags & !allowed != 0 {
        return Err(PacketError::Flags { found: flags });
    }
    let nodes = field::NODE_COUNT.byte(header);
    let found = usize::from(nodes);
    if !(2..=MAX_ROUTE_NODES).contains(&found) {
        return Err(RouteError::Length { found }.into());
    }
    let found = u64::from_be_bytes(field::SEQUENCE.read(header));
    if found > MAX_SEQUENCE {
        return Err(PacketError::Sequence { found });
    }
    let found = u32::from_be_bytes(field::PAYLOAD_LEN.read(header));
    let payload_len = u16::try_from(found)
        .ok()
        .filter(|len| usize::from(*len) <= MAX_PAYLOAD_LEN)
        .ok_or(PacketError::PayloadLength { found })?;
    let proof_len = u16::from_be_bytes(field::PROOF_LEN.read(header));
    let has_proof = flags & flag::PROOF != 0;
    if usize::from(proof_len) > MAX_PROOF_LEN || (proof_len > 0) != has_proof {
        return Err(PacketError::ProofLength { found: proof_len });
    }
    let found = field::PROOF_HOP.byte(header);
    let hops = if has_proof { 1..nodes } else { 0..1 };
    if !hops.contains(&found) {
        return Err(PacketError::ProofHop { found });
    }
    let found = field::RESERVED.byte(header);
    if found != 0 {
        return Err(PacketError::Reserved { found });
    }
    let shape = Shape {
        nodes,
        is_copy: flags & flag::COPY != 0,
        proof_len,
        payload_len,
    };
    Ok((kind, shape))
}

fn check_original(original: &[u8], header: &[u8; HEADER_LEN]) -> Result<(), PacketError> {
    let sequence = u64::from_be_bytes(field::SEQUENCE.read(header));
    match original.first_chunk().copied().map(u64::from_be_bytes) {
        Some(found) if found >= sequence => Err(PacketError::CopyOf { found }),
        _ => Ok(()),
    }
}

fn check_no_repeat(route: &[[u8; 32]]) -> Result<(), PacketError> {
    let mut rest = route;
    while let Some((node, after)) = rest.split_first() {
        if after.contains(node) {
            let node = NodeId::from_bytes(*node);
            return Err(RouteError::Repeated { node }.into());
        }
        rest = after;
    }
    Ok(())
}
