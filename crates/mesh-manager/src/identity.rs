use mesh_protocol::{IdentityKey, KeyError};
use mesh_types::{HexError, NodeId, Store, StoreError, from_hex, to_hex};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why there is no identity.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The file can be neither read nor created.
    #[error("identity key {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else than 64 characters of hex and a newline.
    #[error(
        "identity key {path} is not a key: {source}; restore it from a backup, or move it away to start anew"
    )]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: HexError,
    },
    /// The bytes are not a secret key of the curve.
    #[error("identity key {path}: {source}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// Others than the owner can read the file.
    #[error("identity key {path} can be read by others (mode {mode:o}): run chmod 600 on it")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The store holds bytes that are not a secret key of the curve.
    #[error("the identity key in the store: {0}")]
    Kept(KeyError),
    /// The file and the store disagree about who this node is.
    #[error(
        "{path} is the key of {}, and the store belongs to {}: move the file away, or choose another store",
        .ids.0, .ids.1
    )]
    Two {
        /// The file.
        path: PathBuf,
        /// Whose key it holds, and whose store it is.
        ids: Box<(NodeId, NodeId)>,
    },
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no random bytes.
    #[error("no randomness for a new identity key: {0}")]
    Randomness(String),
}

/// Reads the identity key at `path`, or makes one there that only its owner can read.
///
/// The file is 64 characters of hex and a newline. It is the node's id and its money's address: back it up.
///
/// # Errors
/// [`IdentityError`]; an existing file is never replaced.
pub fn load_or_create_identity(path: &Path) -> Result<IdentityKey, IdentityError> {
    match read(path) {
        Err(IdentityError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            create(path)
        }
        other => other,
    }
}

/// The identity key that `store` keeps; or the one at `path`, or a new one, which the store keeps from then on.
///
/// # Errors
/// [`IdentityError`]; when the file at `path` holds another key than the store, neither is replaced.
pub async fn identity_in(store: &dyn Store, path: &Path) -> Result<IdentityKey, IdentityError> {
    let written = match read(path) {
        Err(IdentityError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        other => Some(other?),
    };
    let kept = match store.identity().await? {
        Some(kept) => kept,
        None => {
            let secret = match &written {
                Some(key) => key.secret_bytes(),
                None => new_key()?.secret_bytes(),
            };
            store.keep_identity(*secret).await?
        }
    };
    let kept = IdentityKey::from_secret_bytes(kept).map_err(IdentityError::Kept)?;
    match written {
        Some(written) if written.node_id() != kept.node_id() => Err(IdentityError::Two {
            path: path.to_owned(),
            ids: Box::new((written.node_id(), kept.node_id())),
        }),
        _ => Ok(kept),
    }
}

fn read(path: &Path) -> Result<IdentityKey, IdentityError> {
    let at = || path.to_owned();
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|source| IdentityError::Io { path: at(), source })?;
    check_permissions(path)?;
    let hex = text.strip_suffix('\n').unwrap_or(&text);
    let secret = from_hex(hex).map_err(|source| IdentityError::Text { path: at(), source })?;
    IdentityKey::from_secret_bytes(secret)
        .map_err(|source| IdentityError::Key { path: at(), source })
}

fn create(path: &Path) -> Result<IdentityKey, IdentityError> {
    let failed = |source| IdentityError::Io {
        path: path.to_owned(),
        source,
    };
    let key = new_key()?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let text = Zeroizing::new(format!("{}\n", to_hex(key.secret_bytes().as_slice())));
    // Written whole under a name of its own first: a crash leaves either no key or a whole one.
    let mut name = [0; 8];
    getrandom::fill(&mut name).map_err(|error| IdentityError::Randomness(error.to_string()))?;
    let draft = path.with_extension(format!("new-{}", to_hex(&name)));
    let mut file = private_file().open(&draft).map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    // A link, not a rename: it fails where another process has made a key meanwhile, and that one counts.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft).map_err(failed)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => read(path),
    }
}

fn new_key() -> Result<IdentityKey, IdentityError> {
    loop {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice())
            .map_err(|error| IdentityError::Randomness(error.to_string()))?;
        // One in 2^128 draws is no key.
        if let Ok(key) = IdentityKey::from_secret_bytes(*secret) {
            return Ok(key);
        }
    }
}

#[cfg(unix)]
fn private_file() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
}

#[cfg(not(unix))]
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    options
}

#[cfg(unix)]
fn check_permissions(path: &Path) -> Result<(), IdentityError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::metadata(path).map_err(|source| IdentityError::Io {
        path: path.to_owned(),
        source,
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(IdentityError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_permissions(_path: &Path) -> Result<(), IdentityError> {
    Ok(())
}
