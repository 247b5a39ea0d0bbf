use crate::{FrameError, HandshakeError, MAX_DIALLED, MAX_FRAME_LEN, Refusal};
use std::{io, net::SocketAddr};
use thiserror::Error;

/// Why links could not be started.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LinkError {
    /// The 32 bytes are zero or beyond the order of the curve.
    #[error("the identity key is not a secp256k1 secret key")]
    SecretKey,
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {kind}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// A bound of the configuration leaves no room to work.
    #[error("{field}: expected {expected}")]
    Config {
        /// The field of [`crate::LinkConfig`].
        field: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
}

/// Why a packet was not taken; nothing of it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SendError {
    /// There is no link with the node.
    #[error("no link with that node")]
    NotConnected,
    /// The link's queue is full; later may do.
    #[error("the link's queue is full")]
    QueueFull,
    /// The packet does not fit in a frame.
    #[error("a packet has at most {MAX_FRAME_LEN} bytes, not {len}")]
    TooLong {
        /// Bytes of the packet.
        len: usize,
    },
    /// The packet has no bytes; an empty frame is a keepalive.
    #[error("an empty packet cannot be sent")]
    Empty,
    /// The links have been shut down.
    #[error("the links are shut down")]
    Closed,
}

/// Why a node will not be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DialError {
    /// The node is this one.
    #[error("that node id is our own")]
    OwnId,
    /// The list is full.
    #[error("{MAX_DIALLED} nodes are dialled already")]
    TooMany,
    /// The links have been shut down.
    #[error("the links are shut down")]
    Closed,
}

/// Why one attempt to link with a node failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AttemptError {
    /// The address does not resolve, or nobody answers there.
    #[error("cannot connect: {0}")]
    Connect(io::ErrorKind),
    /// Connecting, or the handshake after it, took too long.
    #[error("timed out")]
    TimedOut,
    /// The connection broke during the handshake.
    #[error("the connection broke: {0}")]
    Io(io::ErrorKind),
    /// What came was not a good handshake, or not from the node that was dialled.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// One of the two sides knows both ids and does not want this link.
    #[error("refused: {0}")]
    Refused(Refusal),
}

/// What a peer did that a peer does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// A frame has an impossible length.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame was changed, repeated, left out or made by somebody else.
    #[error("a frame is not authentic")]
    NotAuthentic,
    /// The connection ended inside a frame.
    #[error("the connection ended inside a frame")]
    Truncated,
}
