use super::{NodeConfig, SettingError};
use blvm_mesh::MeshConfig;
use mesh_chain::ChainConfig;
use mesh_lightning::LightningConfig;
use mesh_store::StoreLocation;
use serde::{Deserialize, Serialize, Serializer, ser};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Where the program keeps its things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeSection {
    /// The folder of the node's state, the identity key first of all.
    pub data_dir: PathBuf,
    /// The socket on which the node answers `send`, `receive`, `status`, `ledger` and `lightning`.
    pub control_socket: PathBuf,
    /// Where the node keeps its money.
    #[serde(serialize_with = "without_password")]
    pub store: StoreLocation,
}

impl NodeSection {
    /// Everything in `data_dir`, under the names that are used when a configuration names none.
    pub fn in_folder(data_dir: PathBuf) -> Self {
        Self {
            control_socket: data_dir.join(CONTROL_DIR).join(CONTROL_SOCKET),
            store: StoreLocation::Redb(data_dir.join(STORE_FILE)),
            data_dir,
        }
    }
}

/// The wallet that quotes and pays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "backend", rename_all = "lowercase")]
pub enum LightningSection {
    /// None: the node neither quotes nor pays.
    #[default]
    None,
    /// A wallet that plays Lightning with the others of a shared folder, without money.
    Sandbox {
        /// The folder.
        path: PathBuf,
    },
    /// The module `blvm-lightning` of the node that this one is part of, which brings it.
    #[serde(rename = "blvm-lightning")]
    Module,
    /// A Lightning node, or a wallet on one.
    #[serde(untagged)]
    Node(LightningConfig),
}

impl LightningSection {
    /// Which kind of wallet it is.
    pub const fn backend(&self) -> Backend {
        match self {
            Self::None => Backend::None,
            Self::Sandbox { .. } => Backend::Sandbox,
            Self::Module => Backend::Module,
            Self::Node(LightningConfig::Cln(_)) => Backend::Cln,
            Self::Node(LightningConfig::Lnd(_)) => Backend::Lnd,
            Self::Node(LightningConfig::Ldk(_)) => Backend::Ldk,
            // The settings have read no other.
            Self::Node(_) => Backend::Lnbits,
        }
    }
}

/// A kind of wallet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// None. In text `none`.
    #[default]
    None,
    /// Play money. In text `sandbox`.
    Sandbox,
    /// Core Lightning. In text `cln`.
    Cln,
    /// LND. In text `lnd`.
    Lnd,
    /// LNbits. In text `lnbits`.
    Lnbits,
    /// LDK, inside this program. In text `ldk`.
    Ldk,
    /// A module of the node that this one is part of. In text `blvm-lightning`.
    #[serde(rename = "blvm-lightning")]
    Module,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Sandbox => "sandbox",
            Self::Cln => "cln",
            Self::Lnd => "lnd",
            Self::Lnbits => "lnbits",
            Self::Ldk => "ldk",
            Self::Module => "blvm-lightning",
        })
    }
}

/// The name of the folder, in the data folder, that holds the control socket alone.
const CONTROL_DIR: &str = "control";
const CONTROL_SOCKET: &str = "node.sock";

/// The name of the file, in the data folder, that holds the money.
const STORE_FILE: &str = "store.redb";

/// A configuration file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    mesh: Option<MeshConfig>,
    #[serde(default)]
    node: WrittenNode,
    #[serde(default)]
    lightning: toml::Table,
    chain: Option<toml::Table>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenNode {
    data_dir: Option<PathBuf>,
    control_socket: Option<PathBuf>,
    store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenLightning {
    /// Read already; here, so that it is no unknown key.
    #[serde(rename = "backend")]
    _backend: Backend,
    path: Option<PathBuf>,
}

impl File {
    /// Fills in what was left out, and lets every path begin at `folder`.
    pub(super) fn rooted(self, folder: &Path) -> Result<NodeConfig, SettingError> {
        let data_dir = match self.node.data_dir {
            Some(written) => folder.join(written),
            None => folder.to_owned(),
        };
        let mut node = NodeSection::in_folder(data_dir);
        if let Some(written) = self.node.control_socket {
            node.control_socket = folder.join(written);
        }
        if let Some(written) = self.node.store {
            node.store = match written.parse()? {
                StoreLocation::Redb(path) => StoreLocation::Redb(node.data_dir.join(path)),
                postgres @ StoreLocation::Postgres(_) => postgres,
            };
        }
        Ok(NodeConfig {
            mesh: self.mesh.ok_or(SettingError::NoMeshTable)?,
            node,
            lightning: lightning(self.lightning, folder)?,
            chain: self.chain.map(|it| chain(it, folder)).transpose()?,
        })
    }
}

/// Which settings there are depends on the back end.
fn lightning(written: toml::Table, folder: &Path) -> Result<LightningSection, SettingError> {
    let backend = match written.get("backend") {
        Some(word) => word.clone().try_into().map_err(in_lightning)?,
        None => Backend::None,
    };
    if let Backend::Cln | Backend::Lnd | Backend::Lnbits | Backend::Ldk = backend {
        let config: LightningConfig = written.try_into().map_err(in_lightning)?;
        return Ok(LightningSection::Node(config.rooted(folder)));
    }
    let written: WrittenLightning = written.try_into().map_err(in_lightning)?;
    match (backend, written.path) {
        (Backend::Sandbox, Some(path)) => Ok(LightningSection::Sandbox {
            path: folder.join(path),
        }),
        (Backend::Sandbox, None) => Err(SettingError::SandboxWithoutPath),
        (_, Some(_)) => Err(SettingError::PathWithoutSandbox),
        (Backend::Module, None) => Ok(LightningSection::Module),
        (_, None) => Ok(LightningSection::None),
    }
}

fn chain(written: toml::Table, folder: &Path) -> Result<ChainConfig, SettingError> {
    if written.get("password").is_some_and(toml::Value::is_str) {
        // It is refused anyway; this says which setting it is.
        return Err(SettingError::PasswordInTheOpen);
    }
    let config: Result<ChainConfig, toml::de::Error> = written.try_into();
    let config = config.map_err(|error| SettingError::Chain(error.message().to_owned()))?;
    Ok(config.rooted(folder))
}

fn in_lightning(error: toml::de::Error) -> SettingError {
    SettingError::Lightning(error.message().to_owned())
}

/// Writes a store's place as a configuration has it, but for a password.
fn without_password<S: Serializer>(
    store: &StoreLocation,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match store {
        StoreLocation::Redb(path) if path.to_str().is_none() => {
            Err(ser::Error::custom("path contains invalid UTF-8 characters"))
        }
        _ => serializer.collect_str(store),
    }
}
