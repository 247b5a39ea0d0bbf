//! Authenticated links between nodes: TCP, Noise, frames, back-pressure.
//!
//! [`Links`] is all that a program needs: it listens, dials and redials, and gives one stream of [`LinkEvent`]s. A packet
//! goes out with [`Links::try_send`], which never waits, and comes in as [`LinkEvent::Packet`]. What a packet says is
//! none of this crate's business: it never looks inside.
//!
//! Each connection opens with a [`Handshake`], in which both nodes prove their ids, and then carries frames
//! ([`FrameDecoder`]): a length (u16, big-endian), and a Noise ciphertext of one packet, or of nothing, which keeps the
//! link alive. Between two nodes there is one link at most.

mod backoff;
mod config;
mod connection;
mod dial;
mod dial_list;
mod error;
mod event;
mod frame;
mod half_open;
mod handshake;
mod hello;
mod hub;
mod identity;
mod link;
mod links;
mod listen;
mod queue;
mod reader;
mod registry;
mod session;
mod tasks;
mod writer;

pub use config::{
    DEFAULT_EVENT_QUEUE, DEFAULT_HANDSHAKE_TIMEOUT, DEFAULT_IDLE_TIMEOUT, DEFAULT_MAX_HALF_OPEN,
    DEFAULT_MAX_HALF_OPEN_PER_IP, DEFAULT_MAX_LINKS, DEFAULT_RECONNECT_MAX, DEFAULT_RECONNECT_MIN,
    DEFAULT_SEND_QUEUE_BYTES, DEFAULT_SEND_QUEUE_PACKETS, DEFAULT_SHUTDOWN_TIMEOUT, LinkConfig,
    MAX_DIALLED,
};
pub use error::{AttemptError, DialError, LinkError, ProtocolError, SendError};
pub use event::{DialInfo, DownReason, LinkEvent, LinkInfo, LinkTotals};
pub use frame::{FrameDecoder, FrameError, LENGTH_LEN, MAX_FRAME_LEN, TAG_LEN};
pub use handshake::{Handshake, HandshakeError, NOISE_PATTERN, Refusal, Session, Step};
pub use hello::{HELLO_LEN, HELLO_VERSION, Hello, HelloError, Role};
pub use identity::Identity;
pub use links::Links;
