//! How a node learns of the mesh: signed announcements that go from neighbour to neighbour.
//!
//! [`Gossip`] decides all of it and does nothing itself. It is told what happens — a link is up or down, a message came,
//! time has passed — and answers with messages to send and changes of the graph that routes are searched in. It reads no
//! clock, draws no randomness beyond its seed and checks signatures with what it is given, so a simulation runs the same
//! decisions as a node. docs/routing.md has the rules.

mod allowance;
mod asked;
mod chance;
mod change;
mod compare;
mod conduct;
mod counts;
mod engine;
mod kept;
pub(crate) mod limits;
mod neighbour;
mod news;
mod own;
mod receive;
mod seek;
mod shelf;
mod sip;
mod standing;
mod start_hash;
mod turn;

pub use change::GraphChange;
pub use counts::GossipCounts;
pub use engine::{Gossip, GossipSetup, Signatures};
pub use own::OwnWords;
