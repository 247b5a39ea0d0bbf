use super::{MAX_PROOF_LEN, PacketError};
use mesh_types::{MAC_LEN, MAX_ROUTE_NODES, PacketKind};

/// The first bytes of every packet; blvm-node tells mesh packets by them.
pub const PACKET_MAGIC: [u8; 4] = *b"MESH";

/// The one version of the wire format that this crate speaks.
pub const WIRE_VERSION: u8 = 1;

/// Bytes of the fixed header, before the route.
pub const HEADER_LEN: usize = 40;

/// The most bytes that a link has to carry for one packet.
///
/// 65,519, because a Noise message has at most 65,535 bytes, 16 of them its tag.
pub const MAX_PACKET_LEN: usize = 65_519;

/// The most bytes of payload in one packet.
///
/// 55 KiB, because the longest route and the longest proof then still fit beside it in [`MAX_PACKET_LEN`].
pub const MAX_PAYLOAD_LEN: usize = 56_320;

/// The highest sequence number.
///
/// 2^63 − 1, because a reader that adds a window's width to a sequence number then never overflows.
pub const MAX_SEQUENCE: u64 = u64::MAX >> 1;

const NODE_LEN: usize = 32;
const ORIGINAL_LEN: usize = 8;

/// Flag bits of the header; a bit that is not here is an error.
pub(super) mod flag {
    pub(in crate::wire) const PROOF: u8 = 1;
    pub(in crate::wire) const SEALED: u8 = 1 << 1;
    pub(in crate::wire) const RECEIPT: u8 = 1 << 2;
    pub(in crate::wire) const COPY: u8 = 1 << 3;
    pub(in crate::wire) const KNOWN: u8 = PROOF | SEALED | RECEIPT | COPY;
}

/// Where the fields of the fixed header stand; numbers are in network byte order.
pub(super) mod field {
    use super::Field;

    pub(in crate::wire) const MAGIC: Field<0, 4> = Field;
    pub(in crate::wire) const VERSION: Field<4, 1> = Field;
    pub(in crate::wire) const FLAGS: Field<5, 1> = Field;
    pub(in crate::wire) const KIND: Field<6, 1> = Field;
    pub(in crate::wire) const NODE_COUNT: Field<7, 1> = Field;
    pub(in crate::wire) const SEQUENCE: Field<8, 8> = Field;
    pub(in crate::wire) const TIMESTAMP: Field<16, 8> = Field;
    pub(in crate::wire) const FEE_MSAT: Field<24, 8> = Field;
    pub(in crate::wire) const PAYLOAD_LEN: Field<32, 4> = Field;
    pub(in crate::wire) const PROOF_LEN: Field<36, 2> = Field;
    pub(in crate::wire) const PROOF_HOP: Field<38, 1> = Field;
    pub(in crate::wire) const RESERVED: Field<39, 1> = Field;
}

/// `LEN` bytes of the fixed header, `AT` bytes from its start.
#[derive(Clone, Copy)]
pub(super) struct Field<const AT: usize, const LEN: usize>;

impl<const AT: usize, const LEN: usize> Field<AT, LEN> {
    pub(super) fn read(self, header: &[u8; HEADER_LEN]) -> [u8; LEN] {
        const { assert!(AT + LEN <= HEADER_LEN) };
        let mut value = [0; LEN];
        for (to, from) in value.iter_mut().zip(header.iter().skip(AT)) {
            *to = *from;
        }
        value
    }

    pub(super) fn write(self, value: [u8; LEN], header: &mut [u8; HEADER_LEN]) {
        const { assert!(AT + LEN <= HEADER_LEN) };
        for (to, from) in header.iter_mut().skip(AT).zip(value) {
            *to = from;
        }
    }
}

impl<const AT: usize> Field<AT, 1> {
    pub(super) fn byte(self, header: &[u8; HEADER_LEN]) -> u8 {
        u8::from_be_bytes(self.read(header))
    }
}

/// How long each part of a packet is; what the parser and the emitter agree on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) nodes: u8,
    pub(super) is_copy: bool,
    pub(super) proof_len: u16,
    pub(super) payload_len: u16,
}

impl Shape {
    /// The fixed header and the route.
    pub(super) const fn authenticated_len(self) -> usize {
        HEADER_LEN + self.nodes as usize * NODE_LEN
    }

    /// The MACs, one for each node after the source.
    pub(super) const fn macs_len(self) -> usize {
        (self.nodes as usize).saturating_sub(1) * MAC_LEN
    }

    /// The number of the packet that it is a copy of.
    pub(super) const fn original_len(self) -> usize {
        if self.is_copy { ORIGINAL_LEN } else { 0 }
    }

    pub(super) const fn packet_len(self) -> usize {
        let body_len = self.proof_len as usize + self.payload_len as usize;
        self.authenticated_len() + self.macs_len() + self.original_len() + body_len
    }
}

const _: () = {
    let longest = Shape {
        nodes: MAX_ROUTE_NODES as u8,
        is_copy: true,
        proof_len: MAX_PROOF_LEN as u16,
        payload_len: MAX_PAYLOAD_LEN as u16,
    };
    assert!(longest.nodes as usize == MAX_ROUTE_NODES);
    assert!(longest.proof_len as usize == MAX_PROOF_LEN);
    assert!(longest.payload_len as usize == MAX_PAYLOAD_LEN);
    assert!(longest.packet_len() <= MAX_PACKET_LEN);
};

/// The byte that stands for a kind of packet.
pub(crate) const fn kind_byte(kind: PacketKind) -> u8 {
    match kind {
        PacketKind::Data => 0,
        PacketKind::Control => 1,
    }
}

pub(super) fn kind_of(byte: u8) -> Result<PacketKind, PacketError> {
    match byte {
        0 => Ok(PacketKind::Data),
        1 => Ok(PacketKind::Control),
        found => Err(PacketError::Kind { found }),
    }
}
