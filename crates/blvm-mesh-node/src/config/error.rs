use super::{MAX_CONFIG_BYTES, MAX_SOCKET_PATH};
use blvm_mesh::{Network, NodeId};
use mesh_link::MAX_DIALLED;
use mesh_store::LocationError;
use std::{io, path::PathBuf};
use thiserror::Error;

/// Why a configuration file is of no use.
#[derive(Debug, Error)]
pub enum ConfigFileError {
    /// The file cannot be read, or is not UTF-8.
    #[error("cannot read the configuration {path}: {source}; name another with --config PATH")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has more than [`MAX_CONFIG_BYTES`] bytes.
    #[error("{path} has more than {MAX_CONFIG_BYTES} bytes, which no configuration needs")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// A setting is wrong or missing.
    #[error("{path}: {source}")]
    Setting {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: SettingError,
    },
}

/// What is wrong with the text of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingError {
    /// The text is not TOML, has an unknown key, or a value that does not fit its key.
    #[error(transparent)]
    Syntax(#[from] toml::de::Error),
    /// There is no `[mesh]` table.
    #[error(
        "there is no [mesh] table; write at least the line [mesh], every setting has a default"
    )]
    NoMeshTable,
    /// A setting of the Lightning back end is wrong or missing.
    #[error("[lightning] {0}; docs/lightning.md has a set-up for each back end")]
    Lightning(String),
    /// A setting of the Bitcoin node is wrong or missing.
    #[error("[chain] {0}; docs/chain.md has a set-up")]
    Chain(String),
    /// The password of the Bitcoin node stands in the configuration.
    #[error(
        "[chain] password belongs into a file or a variable: write password = {{ file = \"...\" }} or {{ env = \"...\" }}"
    )]
    PasswordInTheOpen,
    /// The sandbox has no folder.
    #[error(
        "[lightning] backend = \"sandbox\" needs path = \"...\", a folder that all sandbox wallets share"
    )]
    SandboxWithoutPath,
    /// A folder is named, and nothing uses it.
    #[error("[lightning] path is for backend = \"sandbox\" alone; leave it out")]
    PathWithoutSandbox,
    /// The sandbox must not look like real money.
    #[error(
        "[lightning] backend = \"sandbox\" proves no money and works on regtest alone: \
         set [mesh] network = \"regtest\", not \"{network}\""
    )]
    SandboxNetwork {
        /// The network that is set.
        network: Network,
    },
    /// One node stands twice in the list of peers.
    #[error("[mesh] peers: {node_id} stands twice; keep one address")]
    RepeatedPeer {
        /// The node.
        node_id: NodeId,
    },
    /// The list of peers is too long.
    #[error("[mesh] peers: {found} nodes, and at most {MAX_DIALLED} can be dialled")]
    TooManyPeers {
        /// How many.
        found: usize,
    },
    /// The path of the control socket does not fit in a socket address.
    #[error(
        "the path of the control socket, {path}, has {bytes} bytes, and at most {MAX_SOCKET_PATH} fit: \
         set [node] control_socket to a shorter one"
    )]
    SocketPath {
        /// The path.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// The store is none that there is. What was written stays unsaid: it may hold a password.
    #[error("[node] store: {0}")]
    Store(#[from] LocationError),
    /// The store is one that this program was built without.
    #[error(
        "[node] store: this program was built without PostgreSQL; build it with --features postgres, \
         or set store = \"redb:PATH\""
    )]
    NoPostgres,
    /// The settings cannot be written as text.
    #[error("the settings cannot be printed: {0}")]
    NotText(String),
}
