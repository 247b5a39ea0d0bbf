//! The packet as bytes: the layout, a checked view over received bytes, and the way back to bytes.

mod emit;
mod layout;
mod proof;
mod reader;
mod view;

pub use emit::{EmitError, emit, emit_authenticated};
pub(crate) use layout::kind_byte;
pub use layout::{
    HEADER_LEN, MAX_PACKET_LEN, MAX_PAYLOAD_LEN, MAX_SEQUENCE, PACKET_MAGIC, WIRE_VERSION,
};
pub use proof::{
    MAX_COVENANT_PROOF_LEN, MAX_INVOICE_LEN, MAX_MERKLE_NODES, MAX_PROOF_LEN, MAX_REQUEST_ID_LEN,
    ProofError, decode_proof, encode_proof,
};
pub(crate) use reader::Reader;
pub use view::{PacketError, PacketView};
