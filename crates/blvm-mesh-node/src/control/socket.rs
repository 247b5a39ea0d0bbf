use crate::file_lock::{FileLock, LockError};
use std::{
    fs::{self, DirBuilder, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};
use thiserror::Error;
use tokio::net::UnixListener;

/// A control socket that listens; its file is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    /// The user who may talk to the node.
    pub(super) owner: u32,
    path: PathBuf,
    _lock: FileLock,
}

/// Why there is no control socket.
#[derive(Debug, Error)]
pub enum SocketError {
    /// Another node listens on it.
    #[error("the control socket is not free: {0}")]
    Locked(#[from] LockError),
    /// Its folder can be entered by others.
    #[error(
        "the folder of the control socket, {path}, is open to others (mode {mode:o}): run chmod 700 on it, \
         or set [node] control_socket to a path in a folder of its own"
    )]
    Exposed {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Something else is at its path.
    #[error("{path} is not a socket, and is left alone: set [node] control_socket to another path")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// It cannot be made.
    #[error("the control socket {path}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Socket {
    /// Listens at `path`, in a folder that only its owner can enter; a socket that a dead process has left is replaced.
    pub(super) fn bind(path: &Path) -> Result<Self, SocketError> {
        let failed = |source| SocketError::Io {
            path: path.to_owned(),
            source,
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        make_private(folder, failed)?;
        // Who holds the lock is the only one who may remove the socket: nobody takes away what another listens on.
        let lock = FileLock::take(&path.with_extension("lock"))?;
        remove_stale(path, failed)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        let owner = fs::metadata(path).map_err(failed)?.uid();
        Ok(Self {
            listener,
            owner,
            path: path.to_owned(),
            _lock: lock,
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket was gone already");
        }
    }
}

fn make_private(
    folder: &Path,
    failed: impl Fn(io::Error) -> SocketError,
) -> Result<(), SocketError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).map_err(&failed)?;
    let mode = fs::metadata(folder).map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SocketError::Exposed {
            path: folder.to_owned(),
            mode,
        });
    }
    Ok(())
}

fn remove_stale(path: &Path, failed: impl Fn(io::Error) -> SocketError) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => Err(SocketError::NotASocket {
            path: path.to_owned(),
        }),
        Ok(_) => fs::remove_file(path).map_err(failed),
    }
}
