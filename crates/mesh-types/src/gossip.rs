use crate::{NodeId, SignedAnnouncement};
use std::sync::Arc;

/// How many announcements one message names at most, as held or as wanted.
///
/// 512, because they take 20 KiB, and because a node that comes back rarely lacks more.
pub const MAX_NAMED: usize = 512;

/// How many announcements one message carries at most.
///
/// 64, because of the usual size, some 500 bytes, they take 32 KiB; the longest are sent five at a time.
pub const MAX_ITEMS: usize = 64;

/// How many ranges one message compares at most.
///
/// 64, because with a full list each they take 45 KiB, which one packet still carries.
pub const MAX_RANGES: usize = 64;

/// How many announcements a range lists at most.
///
/// 16, because a list of them is about as long as the 16 fingerprints that would narrow the difference down.
pub const MAX_LISTED: usize = 16;

/// How often a request for a node is handed on at most.
///
/// Four, because with three peers asked at each step that reaches about a hundred nodes, of which a stranger to all is
/// out of every table.
pub const MAX_FIND_HOPS: u8 = 4;

/// What two linked nodes say to each other about announcements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GossipMessage {
    /// I hold these; at most [`MAX_NAMED`].
    Have(Vec<Held>),
    /// Send me these, as new as you hold them; at most [`MAX_NAMED`].
    Want(Vec<NodeId>),
    /// Here they are; at most [`MAX_ITEMS`]. Shared, because one announcement goes to many peers.
    Items(Vec<Arc<SignedAnnouncement>>),
    /// This is what I hold in some ranges of ids: tell me where we differ.
    Compare(Comparison),
    /// Who knows this node? The answer is a [`GossipMessage::Have`].
    Find {
        /// The node.
        target: NodeId,
        /// How often the request may still be handed on; at most [`MAX_FIND_HOPS`].
        hops: u8,
    },
}

/// That somebody holds an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Held {
    /// Whose it is.
    pub node_id: NodeId,
    /// Its sequence number.
    pub sequence: u64,
}

/// Ranges of node ids, and what one side holds in each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The key of the fingerprints, drawn by whoever began: what nobody else knows before, nobody can collide with.
    pub key: [u8; 16],
    /// One to [`MAX_RANGES`], in ascending order, without overlap.
    pub ranges: Vec<HeldRange>,
}

/// What one side holds in a range of node ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRange {
    /// The first id of the range.
    pub first: NodeId,
    /// The last id of the range, which belongs to it.
    pub last: NodeId,
    /// What is held.
    pub content: RangeContent,
}

/// What is held in a range, in short or in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeContent {
    /// So many, and the sum of their hashes.
    Fingerprint(Fingerprint),
    /// Exactly these, in ascending order; at most [`MAX_LISTED`].
    List(Vec<Held>),
}

/// A set of announcements in short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// How many there are.
    pub count: u32,
    /// The sum of their SipHash-2-4 values, modulo 2^64.
    pub sum: u64,
}

impl HeldRange {
    /// Says whether `node_id` lies in the range.
    pub fn contains(&self, node_id: &NodeId) -> bool {
        (self.first..=self.last).contains(node_id)
    }
}

impl Comparison {
    /// Says whether there are as many ranges as may be, in order, and each list in order and within its range.
    pub fn is_well_formed(&self) -> bool {
        let well_formed = |range: &HeldRange| match &range.content {
            RangeContent::Fingerprint(_) => true,
            RangeContent::List(list) => {
                list.len() <= MAX_LISTED
                    && list.is_sorted_by(|a, b| a.node_id < b.node_id)
                    && list.iter().all(|held| range.contains(&held.node_id))
            }
        };
        (1..=MAX_RANGES).contains(&self.ranges.len())
            && self.ranges.is_sorted_by(|a, b| a.last < b.first)
            && self.ranges.iter().all(|range| range.first <= range.last)
            && self.ranges.iter().all(well_formed)
    }
}
