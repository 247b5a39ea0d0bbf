use crate::{AttemptError, ProtocolError};
use mesh_types::NodeId;
use std::{io, net::SocketAddr};
use thiserror::Error;

/// What happens on the links.
///
/// For one node the order is always `Up`, its packets, `Down`, and then perhaps `Up` again. `Up` and `Down` are never
/// lost, except that nothing is told after [`crate::Links::shutdown`] has run out of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// A link is there: both sides have proved who they are.
    Up {
        /// The peer.
        node_id: NodeId,
        /// The other end of the connection.
        address: SocketAddr,
        /// Whether we dialled.
        outbound: bool,
    },
    /// A link is gone.
    Down {
        /// The peer.
        node_id: NodeId,
        /// Why.
        reason: DownReason,
    },
    /// A packet came.
    Packet {
        /// The peer that handed it to us; not necessarily who made it.
        from: NodeId,
        /// The packet, 1 to [`crate::MAX_FRAME_LEN`] bytes.
        bytes: Vec<u8>,
    },
    /// A dialled node could not be reached; it is tried again after a pause.
    DialFailed {
        /// The node.
        node_id: NodeId,
        /// Why.
        error: AttemptError,
    },
}

/// Why a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DownReason {
    /// The peer closed the connection.
    #[error("the peer closed the link")]
    PeerClosed,
    /// Nothing came for too long, not even a keepalive.
    #[error("the peer was silent for too long")]
    Idle,
    /// The peer took nothing of what we send for too long.
    #[error("the peer took no bytes for too long")]
    Stalled,
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Protocol(ProtocolError),
    /// A newer connection with the same node took its place.
    #[error("a newer connection took its place")]
    Replaced,
    /// We closed it.
    #[error("closed by this node")]
    Local,
    /// The link has carried as many messages as one key may protect.
    #[error("the link's keys are used up")]
    Exhausted,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(io::ErrorKind),
}

/// One link, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkInfo {
    /// The peer.
    pub node_id: NodeId,
    /// The other end of the connection.
    pub address: SocketAddr,
    /// Whether we dialled.
    pub outbound: bool,
    /// Packets that came.
    pub packets_in: u64,
    /// Bytes of those packets.
    pub bytes_in: u64,
    /// Packets handed to the connection.
    pub packets_out: u64,
    /// Bytes of those packets.
    pub bytes_out: u64,
    /// Packets not taken because the queue was full.
    pub dropped: u64,
}

/// A node that is dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialInfo {
    /// The node.
    pub node_id: NodeId,
    /// Where.
    pub address: String,
    /// Attempts that failed since the last link.
    pub failures: u32,
    /// Why the last of them failed.
    pub last_error: Option<AttemptError>,
}

/// Counts over the whole life of a [`crate::Links`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkTotals {
    /// Inbound connections closed at once because too many were half open.
    pub half_open_refused: u64,
    /// Inbound handshakes that were bad, broke off, or came from ourselves.
    pub handshakes_failed: u64,
    /// Inbound handshakes that took too long.
    pub handshakes_timed_out: u64,
    /// Proven nodes, inbound, that got no link.
    pub links_refused: u64,
    /// Packets taken by [`crate::Links::try_send`] and then lost with their link.
    pub packets_lost: u64,
}
