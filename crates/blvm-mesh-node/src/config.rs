//! What a node is told: its configuration file, from `[mesh]` to `[chain]`.
//!
//! A key that is not known is an error that names the known ones, and a missing `[mesh]` table is one too.

mod error;
mod sections;

pub use error::{ConfigFileError, SettingError};
pub use sections::{Backend, LightningSection, NodeSection};

use blvm_mesh::{MeshConfig, Network, NodeId};
use mesh_chain::ChainConfig;
use mesh_link::MAX_DIALLED;
use mesh_store::StoreLocation;
use sections::File;
use serde::Serialize;
use std::{
    collections::HashSet,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// The most bytes of a configuration file.
///
/// 4 MiB, because the longest lists that a node takes (1,024 peers, 16,384 known nodes with a few links each) fit, and
/// a wrong path to something large is told at once.
pub const MAX_CONFIG_BYTES: u64 = 4 * 1024 * 1024;

/// The most bytes of the path of a Unix socket: what a socket address holds on every Unix, less the closing NUL.
pub const MAX_SOCKET_PATH: usize = 103;

/// All that one node is told in its configuration file, with every path from the root on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeConfig {
    /// The mesh: `[mesh]`.
    pub mesh: MeshConfig,
    /// The program: `[node]`.
    pub node: NodeSection,
    /// The wallet: `[lightning]`.
    pub lightning: LightningSection,
    /// The Bitcoin node that is asked about payments on the chain: `[chain]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainConfig>,
}

impl NodeConfig {
    /// Reads a configuration file. Paths in it begin at its own folder.
    ///
    /// # Errors
    /// [`ConfigFileError`] names the file and what to do about it.
    pub fn load(path: &Path) -> Result<Self, ConfigFileError> {
        let unreadable = |source| ConfigFileError::Read {
            path: path.to_owned(),
            source,
        };
        let full = std::path::absolute(path).map_err(unreadable)?;
        let mut text = String::new();
        fs::File::open(&full)
            .and_then(|file| file.take(MAX_CONFIG_BYTES + 1).read_to_string(&mut text))
            .map_err(unreadable)?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_CONFIG_BYTES {
            return Err(ConfigFileError::TooLong {
                path: path.to_owned(),
            });
        }
        let folder = full.parent().unwrap_or(Path::new("/"));
        Self::parse(&text, folder).map_err(|source| ConfigFileError::Setting {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads the text of a configuration file that lies in `folder`.
    ///
    /// # Errors
    /// [`SettingError`]; a key that is not known is one.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, SettingError> {
        let file: File = toml::from_str(text)?;
        let config = file.rooted(folder)?;
        config.check()?;
        Ok(config)
    }

    /// Writes the configuration as it is in force, defaults included: what [`NodeConfig::parse`] reads.
    ///
    /// Only the password of a store is left out.
    ///
    /// # Errors
    /// [`SettingError::NotText`] when a path is not UTF-8.
    pub fn to_toml(&self) -> Result<String, SettingError> {
        toml::to_string(self).map_err(|error| SettingError::NotText(error.to_string()))
    }

    /// The file of the node's identity key.
    pub fn identity_path(&self) -> PathBuf {
        self.node.data_dir.join(&self.mesh.identity_path)
    }

    pub(crate) fn check(&self) -> Result<(), SettingError> {
        self.check_lightning()?;
        self.check_peers()?;
        if matches!(self.node.store, StoreLocation::Postgres(_)) && !cfg!(feature = "postgres") {
            return Err(SettingError::NoPostgres);
        }
        let socket = &self.node.control_socket;
        let bytes = socket.as_os_str().len();
        if bytes > MAX_SOCKET_PATH {
            return Err(SettingError::SocketPath {
                path: socket.clone(),
                bytes,
            });
        }
        Ok(())
    }

    fn check_lightning(&self) -> Result<(), SettingError> {
        match &self.lightning {
            LightningSection::Sandbox { .. } if self.mesh.network != Network::Regtest => {
                Err(SettingError::SandboxNetwork {
                    network: self.mesh.network,
                })
            }
            _ => Ok(()),
        }
    }

    fn check_peers(&self) -> Result<(), SettingError> {
        let peers = &self.mesh.peers;
        if peers.len() > MAX_DIALLED {
            return Err(SettingError::TooManyPeers { found: peers.len() });
        }
        let mut seen = HashSet::<NodeId>::new();
        match peers.iter().find(|peer| !seen.insert(peer.node_id)) {
            Some(twice) => Err(SettingError::RepeatedPeer {
                node_id: twice.node_id,
            }),
            None => Ok(()),
        }
    }
}
