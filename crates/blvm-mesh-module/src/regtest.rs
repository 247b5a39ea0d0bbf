//! Real nodes on regtest, in processes of their own: for the demo and the tests.

mod guest;
mod home;
mod line;
mod p2p;
mod process;
mod rpc;

pub use guest::linked_with;
pub use home::{RealHome, Settings};
pub use line::Line;
pub use p2p::BitcoinPeer;
pub use process::RealNode;
pub use rpc::{PASSWORD as RPC_PASSWORD, Rpc, USER as RPC_USER};

use blvm_mesh_node::control::ClientError;
use std::{io, time::Duration};
use thiserror::Error;

/// How long anything may take that is waited for; nothing here waits for it to pass.
///
/// Five minutes, because the released node takes up to two to catch up with a hundred blocks.
pub const DEADLINE: Duration = Duration::from_secs(300);

/// How long a node has to greet; the released one now and then forgets to (docs/blvm-node.md), and is then dialled again.
const GREETING: Duration = Duration::from_secs(2);

/// Where the coins of blocks go that nobody is to have: there is no key.
pub(crate) const NOBODY: &str = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202";

/// Why something did not go as it should.
#[derive(Debug, Error)]
pub enum RegtestError {
    /// A file or a process.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A node has no key.
    #[error(transparent)]
    Identity(#[from] blvm_mesh::IdentityError),
    /// A node said no, or something that was not asked.
    #[error("{method}: {answer}")]
    Rpc {
        /// What was asked.
        method: String,
        /// What it said.
        answer: String,
    },
    /// A mesh did not answer.
    #[error(transparent)]
    Control(#[from] ClientError),
    /// A mesh answered something else.
    #[error("the mesh answered: {0}")]
    Answer(String),
    /// It took too long.
    #[error("{what} did not happen in time; the node says at last:\n{log_end}")]
    Late {
        /// What was waited for.
        what: String,
        /// The last lines of the node's log, whose folder may be gone.
        log_end: String,
    },
    /// A node ended by itself.
    #[error("the node ended, and said at last:\n{log_end}")]
    Ended {
        /// The last lines of its log, whose folder may be gone.
        log_end: String,
    },
}

impl RegtestError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
