use crate::StartError;
use blvm_mesh::MeshError;
use std::{fmt, io, time::Duration};
use thiserror::Error;

/// The demo did not go as it is told.
#[derive(Debug)]
pub(crate) struct DemoError {
    /// The number and the title of the step that was being told; `None` before the first.
    pub(super) step: Option<(usize, &'static str)>,
    /// What went wrong.
    pub(super) cause: Cause,
}

/// What went wrong in a step.
#[derive(Debug, Error)]
pub(super) enum Cause {
    /// There is no folder for the nodes.
    #[error("cannot make a folder for the three nodes: {0}; set TMPDIR to one that can be written")]
    Folder(#[from] io::Error),
    /// A node did not start.
    #[error("{who} did not start: {source}")]
    Start {
        who: &'static str,
        source: StartError,
    },
    /// Something that a node was asked to do failed.
    #[error("{doing}: {source}")]
    Mesh {
        doing: &'static str,
        source: MeshError,
    },
    /// Something is not as it is told.
    #[error("{what}: expected {expected}, found {found}")]
    Differs {
        what: &'static str,
        expected: String,
        found: String,
    },
    /// Something did not happen.
    #[error("{who} did not see it within {} seconds: {what}", within.as_secs())]
    Unseen {
        who: &'static str,
        what: &'static str,
        within: Duration,
    },
    /// The whole took too long.
    #[error("it was not over within {} seconds", limit.as_secs())]
    TooLong { limit: Duration },
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some((number, title)) => write!(f, "the demo failed at step {number} ({title}): ")?,
            None => write!(f, "the demo failed before it began: ")?,
        }
        write!(f, "{}", self.cause)
    }
}

impl std::error::Error for DemoError {}
