//! What bytes are and how packets are written: protocol detection, policy and the wire format.
//!
//! A packet is read in place ([`PacketView`]), judged, and forwarded as it came; only its two ends turn it into a
//! `MeshPacket` and back ([`emit`]). The source proves to each hop who it is with one MAC for each ([`MacKey`]), under
//! keys that follow from the node ids alone ([`IdentityKey::pair_with`]), and hides the payload from all but the
//! destination ([`SealKey`]). What meshes say to each other travels as [`ControlMessage`]s; what a node says of itself is
//! signed ([`IdentityKey::sign_announcement`]), so that anybody may hand it on.
//!
//! What a packet carries in clear is judged by all of its bytes ([`detect`]); the [`RoutingPolicyEngine`] says what
//! passes free because of it.
//!
//! ```
//! use mesh_protocol::{IdentityKey, PacketView, emit_authenticated};
//! use mesh_types::{MeshPacket, PacketKind, Route};
//!
//! let source = IdentityKey::from_secret_bytes([1; 32])?;
//! let destination = IdentityKey::from_secret_bytes([2; 32])?;
//! let packet = MeshPacket {
//!     kind: PacketKind::Data,
//!     sealed: false,
//!     receipt: false,
//!     route: Route::new(vec![source.node_id(), destination.node_id()])?,
//!     sequence: 1,
//!     copy_of: None,
//!     timestamp: 1_790_000_000,
//!     fee_msat: 0,
//!     proof: None,
//!     payload: b"hello".to_vec(),
//!     macs: Vec::new(),
//! };
//! let keys = source.pair_with(&destination.node_id())?;
//! let bytes = emit_authenticated(&packet, &[keys.outgoing_mac])?;
//!
//! let arrived = PacketView::parse(&bytes)?;
//! destination.pair_with(&arrived.source())?.incoming_mac.verify(&arrived, 1)?;
//! assert_eq!(arrived.payload(), b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod announcement;
mod control;
mod detect;
mod gossip;
mod keys;
mod mac;
mod policy;
mod refusal_code;
mod seal;
mod wire;

pub use announcement::{
    AnnouncementDecodeError, MAX_ANNOUNCEMENT_LEN, NotSigned, decode_announcement,
    encode_announcement, verify_announcement,
};
pub use control::{ControlError, ControlMessage, MAX_CONTROL_LEN, MAX_SCRIPT_LEN};
pub use detect::{
    BITCOIN_HEADER_LEN, BitcoinFrame, BitcoinHeader, Detection, NotBitcoin, detect, detect_prefix,
    limits,
};
pub use gossip::GossipError;
pub use keys::{IdentityKey, KeyError, PairKeys};
pub use mac::{MacKey, NotAuthentic};
pub use policy::RoutingPolicyEngine;
pub use refusal_code::RefusalCode;
pub use seal::{OpenError, SEAL_NONCE_LEN, SEAL_OVERHEAD, SealContext, SealError, SealKey};
pub use wire::{
    EmitError, HEADER_LEN, MAX_COVENANT_PROOF_LEN, MAX_INVOICE_LEN, MAX_MERKLE_NODES,
    MAX_PACKET_LEN, MAX_PAYLOAD_LEN, MAX_PROOF_LEN, MAX_REQUEST_ID_LEN, MAX_SEQUENCE, PACKET_MAGIC,
    PacketError, PacketView, ProofError, WIRE_VERSION, decode_proof, emit, emit_authenticated,
    encode_proof,
};
