use crate::{
    api::CallerLimits,
    callers::Callers,
    settings_file::{self, SettingsFileError},
};
use blvm_mesh::Network;
use blvm_mesh_node::config::SettingError;
use blvm_node::{ProtocolVersion, config::NodeConfig};
use std::path::{Path, PathBuf};
use thiserror::Error;
use toml::{Table, Value};

/// The folder, inside the node's data folder, where the mesh keeps its key, its money and its control socket.
pub const MESH_DIR: &str = "blvm-mesh";

/// A blvm-node's configuration file with a `[mesh]` table, and a `[lightning]` table where the mesh has a wallet.
#[derive(Debug, Clone)]
pub struct FullNodeConfig {
    /// What the node reads.
    pub node: NodeConfig,
    /// What the mesh reads.
    pub mesh: blvm_mesh_node::NodeConfig,
    /// What other modules and RPC callers may do: `[mesh.module_api]`.
    pub callers: CallerLimits,
    /// The network of both.
    pub protocol: ProtocolVersion,
    /// The node's data folder.
    pub data_dir: PathBuf,
}

/// Why a configuration file cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It cannot be read, or is no TOML.
    #[error(transparent)]
    File(#[from] SettingsFileError),
    /// The node does not take its part.
    #[error("{path}: {reason}")]
    Node {
        /// The file.
        path: PathBuf,
        /// What the node said.
        reason: String,
    },
    /// The mesh does not take its part.
    #[error("{path}: {source}")]
    Mesh {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SettingError,
    },
    /// The part about other modules is not understood.
    #[error("{path}: [mesh.module_api]: {reason}")]
    ModuleApi {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The node's network is none that is known.
    #[error(
        "{path}: protocol_version = {found:?}: expected \"BitcoinV1\", \"Testnet3\", \"Testnet4\", \"Signet\" or \"Regtest\""
    )]
    Protocol {
        /// The file.
        path: PathBuf,
        /// The word.
        found: String,
    },
    /// The two parts disagree.
    #[error("{path}: [mesh] network = \"{mesh}\", and the node is on {node}: leave the former out")]
    Networks {
        /// The file.
        path: PathBuf,
        /// What the mesh was told.
        mesh: String,
        /// Where the node is.
        node: Network,
    },
    /// It is not said where the node keeps its data.
    #[error("{path}: [storage] data_dir is missing: set it to the folder of the node's data")]
    NoDataDir {
        /// The file.
        path: PathBuf,
    },
}

impl FullNodeConfig {
    /// Reads a configuration file. Relative paths begin where the program runs, as the node has it.
    ///
    /// # Errors
    /// [`ConfigError`] names the file and what to do about it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = settings_file::read(path)?;
        let folder = std::path::absolute(".").map_err(SettingsFileError::read(path))?;
        Self::parse(&text, path, &folder)
    }

    /// - `path`: what the file is called, for errors.
    /// - `folder`: where relative paths begin.
    fn parse(text: &str, path: &Path, folder: &Path) -> Result<Self, ConfigError> {
        let mut table = settings_file::table(text, path)?;
        let path = || path.to_owned();
        let mut ours = Table::new();
        for name in ["mesh", "lightning"] {
            if let Some(part) = table.remove(name) {
                ours.insert(name.to_owned(), part);
            }
        }
        let has_storage = table.contains_key("storage");
        let mut node: NodeConfig = table.try_into().map_err(|error: toml::de::Error| {
            let reason = error.message().to_owned();
            ConfigError::Node {
                path: path(),
                reason,
            }
        })?;
        node.expand_paths();
        node.validate().map_err(|error| ConfigError::Node {
            path: path(),
            reason: error.to_string(),
        })?;
        let (protocol, network) = protocol(&node).map_err(|found| ConfigError::Protocol {
            path: path(),
            found,
        })?;
        let storage = node.storage.as_ref().filter(|_| has_storage);
        let data_dir = storage.map(|storage| folder.join(&storage.data_dir));
        let data_dir = data_dir.ok_or_else(|| ConfigError::NoDataDir { path: path() })?;
        on_network(&mut ours, network).map_err(|mesh| ConfigError::Networks {
            path: path(),
            mesh,
            node: network,
        })?;
        let callers = match ours.get_mut("mesh") {
            Some(Value::Table(mesh)) => Callers::taken_from(mesh),
            _ => Ok(Callers::MayNot),
        };
        let callers = callers.map_err(|reason| ConfigError::ModuleApi {
            path: path(),
            reason,
        })?;
        let mut home = Table::new();
        let mesh_dir = data_dir.join(MESH_DIR).to_string_lossy().into_owned();
        home.insert("data_dir".to_owned(), Value::String(mesh_dir));
        ours.insert("node".to_owned(), Value::Table(home));
        let mesh = blvm_mesh_node::NodeConfig::parse(&ours.to_string(), folder);
        let mesh = mesh.map_err(|source| ConfigError::Mesh {
            path: path(),
            source,
        })?;
        Ok(Self {
            node,
            callers: callers.limits(&mesh.mesh),
            mesh,
            protocol,
            data_dir,
        })
    }
}

/// The network of the node, which is the main one when nothing else is said.
fn protocol(node: &NodeConfig) -> Result<(ProtocolVersion, Network), String> {
    Ok(match node.protocol_version.as_deref() {
        None | Some("BitcoinV1") => (ProtocolVersion::BitcoinV1, Network::Bitcoin),
        Some("Testnet3") => (ProtocolVersion::Testnet3, Network::Testnet),
        Some("Testnet4") => (ProtocolVersion::Testnet4, Network::Testnet4),
        Some("Signet") => (ProtocolVersion::Signet, Network::Signet),
        Some("Regtest") => (ProtocolVersion::Regtest, Network::Regtest),
        Some(unknown) => return Err(unknown.to_owned()),
    })
}

/// Has the mesh be on the node's network; another that it was told is an error.
fn on_network(ours: &mut Table, network: Network) -> Result<(), String> {
    let Some(Value::Table(mesh)) = ours.get_mut("mesh") else {
        // The mesh says what it is missing.
        return Ok(());
    };
    match mesh.get("network").and_then(Value::as_str) {
        Some(told) if told != network.as_str() => return Err(told.to_owned()),
        _ => {}
    }
    mesh.insert("network".to_owned(), Value::String(network.to_string()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<FullNodeConfig, ConfigError> {
        FullNodeConfig::parse(text, Path::new("blvm.toml"), Path::new("/home"))
    }

    const STORAGE: &str = "[storage]\ndata_dir = \"data\"\n";

    #[test]
    fn the_mesh_is_on_the_nodes_network_and_at_home_in_its_data_folder() {
        let text = format!("protocol_version = \"Regtest\"\n{STORAGE}[mesh]\n");
        let config = parse(&text).unwrap();
        assert_eq!(config.protocol, ProtocolVersion::Regtest);
        assert_eq!(config.mesh.mesh.network, Network::Regtest);
        assert_eq!(config.data_dir, Path::new("/home/data"));
        assert_eq!(config.mesh.node.data_dir, Path::new("/home/data/blvm-mesh"));
        let main = parse(&format!("{STORAGE}[mesh]\n")).unwrap();
        assert_eq!(main.mesh.mesh.network, Network::Bitcoin);
    }

    #[test]
    fn a_mesh_on_another_network_than_its_node_is_refused() {
        let text = format!("{STORAGE}[mesh]\nnetwork = \"regtest\"\n");
        let error = parse(&text).unwrap_err();
        assert!(matches!(&error, ConfigError::Networks { mesh, .. } if mesh == "regtest"));
        let same = format!("{STORAGE}[mesh]\nnetwork = \"bitcoin\"\n");
        assert!(parse(&same).is_ok());
    }

    #[test]
    fn other_modules_may_spend_what_is_said_or_what_a_route_may_cost_and_else_nothing() {
        let may_msat = |mesh: &str| {
            let config = parse(&format!("{STORAGE}[mesh]\n{mesh}")).unwrap();
            config.callers.per_send.to_msat()
        };
        assert_eq!(may_msat(""), 0);
        assert_eq!(may_msat("[mesh.module_api]\n"), 0);
        assert_eq!(may_msat("module_api.per_send_msat = 7\n"), 7);
        assert_eq!(may_msat("spending.per_day_msat = 9\n"), 1_000_000);
        assert_eq!(may_msat("spending.per_route_msat = 9\n"), 9);
        let both = "spending.per_route_msat = 9\nmodule_api.per_send_msat = 0\n";
        assert_eq!(may_msat(both), 0);
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        let said = |text: &str| parse(text).unwrap_err().to_string();
        let (mesh, storage) = ("[mesh]\n", STORAGE);
        for (text, part) in [
            (mesh.to_owned(), "[storage] data_dir is missing"),
            (storage.to_owned(), "[mesh]"),
            (format!("{storage}{mesh}priec = 1\n"), "priec"),
            (
                format!("{storage}{mesh}[lightning]\nbackend = \"x\"\n"),
                "x",
            ),
            (
                format!("protocol_version = \"main\"\n{storage}{mesh}"),
                "BitcoinV1",
            ),
            (
                format!("{storage}{mesh}module_api.per_day = 1\n"),
                "per_send_msat",
            ),
            (
                format!("{storage}{mesh}module_api.per_send_msat = -1\n"),
                "[mesh.module_api]",
            ),
            (
                format!("{storage}{mesh}module_api = 1\n"),
                "[mesh.module_api]",
            ),
            (format!("listen_addr = 7\n{storage}{mesh}"), "blvm.toml"),
            ("= 1".to_owned(), "blvm.toml"),
        ] {
            assert!(said(&text).contains(part), "{text:?}: {}", said(&text));
        }
    }
}
