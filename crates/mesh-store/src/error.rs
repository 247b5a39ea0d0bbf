use std::{io, path::PathBuf};
use thiserror::Error;

/// Why a store is not opened. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the file open.
    #[error("another process{} has {} open; stop it first", pid_in_words(*.pid), .path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// Which process, where it says so.
        pid: Option<u32>,
    },
    /// A newer version of this program wrote it.
    #[error(
        "{store} is of schema version {found}, and this program knows up to version {known}; use a newer program"
    )]
    Newer {
        /// The store, without a password.
        store: String,
        /// The version that it says it is of.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// What is there is no store, or a broken one. It is left as it is: a repair might forget claims.
    #[error("{store} is not a sound store, and is left as it is: {reason}")]
    Corrupt {
        /// The store, without a password.
        store: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Others than its owner can read or write the file, which holds the node's key.
    #[error("{} can be read by others (mode {mode:o}): run chmod 600 on it", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The system does not let the file be read, written or locked.
    #[error("cannot open {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It does not answer.
    #[error("{store} does not answer: {reason}")]
    Unavailable {
        /// The store, without a password.
        store: String,
        /// What is known about why.
        reason: String,
    },
    /// The URL of a database says something that is not understood.
    #[error("the URL of the store is not understood: {reason}")]
    Url {
        /// What is wrong with it, without a password.
        reason: String,
    },
    /// It is a database, which looks after its space itself.
    #[error(
        "{store} is no file: PostgreSQL uses free space again by itself, and VACUUM FULL gives it back"
    )]
    NoFile {
        /// The store, without a password.
        store: String,
    },
    /// This program was built without this kind of store.
    #[error("this program was built without the kind of store that {store} is")]
    NotBuilt {
        /// The store, without a password.
        store: String,
    },
}

fn pid_in_words(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}
