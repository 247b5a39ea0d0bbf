use std::{io, path::PathBuf, process::ExitStatus};

/// Why a tool stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("could not start `{command}`: {source}")]
    Start { command: String, source: io::Error },

    #[error("`{command}` ended with {status}")]
    Command { command: String, status: ExitStatus },

    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },

    #[error("{what} is not what it should be: {reason}")]
    Malformed { what: String, reason: String },

    #[error("there is no {kind} named {name:?}; there are: {known}")]
    Unknown {
        kind: &'static str,
        name: String,
        known: String,
    },

    #[error("{tool}: {count} problem(s), listed above")]
    Problems { tool: &'static str, count: usize },

    #[error("{tool}: failed: {}", names.join(", "))]
    Parts {
        tool: &'static str,
        names: Vec<String>,
    },

    #[error("{what} is missing; install it with: {install}")]
    Missing {
        what: &'static str,
        install: &'static str,
    },
}
