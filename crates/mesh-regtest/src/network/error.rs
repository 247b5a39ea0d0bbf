use crate::RegtestError;
use ldk_node::{BuildError, NodeError};
use std::io;
use thiserror::Error;

/// Why a network did not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A file, a thread or a socket.
    #[error("the machine refused: {0}")]
    Io(#[from] io::Error),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] RegtestError),
    /// A node cannot be made.
    #[error("a node cannot be made: {0}")]
    Build(#[from] BuildError),
    /// A node refused.
    #[error("a node refused: {0}")]
    Node(#[from] NodeError),
    /// A node was stopped.
    #[error("the node {0} does not run")]
    NotRunning(String),
    /// There is no node of that name.
    #[error("there is no node {0}")]
    NoPeer(String),
    /// It did not happen in time.
    #[error("waited in vain for {0}")]
    TimedOut(String),
    /// No payment of that hash is held.
    #[error("no such payment is held")]
    NotHeld,
}
