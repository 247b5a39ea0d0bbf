use super::{NodeConfig, SettingError};
use blvm_mesh::MeshConfig;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Where the program keeps its things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeSection {
    /// The folder of the node's state, the identity key first of all.
    pub data_dir: PathBuf,
    /// The socket on which the node answers `send`, `receive` and `status`.
    pub control_socket: PathBuf,
}

/// The wallet that quotes and pays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LightningSection {
    /// Which kind of wallet.
    pub backend: Backend,
    /// The folder that all sandbox wallets share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
}

/// A kind of wallet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// None: the node neither quotes nor pays. In text `none`.
    #[default]
    None,
    /// Wallets that play Lightning in a shared folder, without money. In text `sandbox`.
    Sandbox,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Sandbox => "sandbox",
        })
    }
}

/// The name of the folder, in the data folder, that holds the control socket alone.
const CONTROL_DIR: &str = "control";
const CONTROL_SOCKET: &str = "node.sock";

/// A configuration file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    mesh: Option<MeshConfig>,
    #[serde(default)]
    node: WrittenNode,
    #[serde(default)]
    lightning: WrittenLightning,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenNode {
    data_dir: Option<PathBuf>,
    control_socket: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenLightning {
    backend: Backend,
    path: Option<PathBuf>,
}

impl File {
    /// Fills in what was left out, and lets every path begin at `folder`.
    pub(super) fn rooted(self, folder: &Path) -> Result<NodeConfig, SettingError> {
        let data_dir = match self.node.data_dir {
            Some(written) => folder.join(written),
            None => folder.to_owned(),
        };
        let control_socket = match self.node.control_socket {
            Some(written) => folder.join(written),
            None => data_dir.join(CONTROL_DIR).join(CONTROL_SOCKET),
        };
        Ok(NodeConfig {
            mesh: self.mesh.ok_or(SettingError::NoMeshTable)?,
            node: NodeSection {
                data_dir,
                control_socket,
            },
            lightning: LightningSection {
                backend: self.lightning.backend,
                path: self.lightning.path.map(|written| folder.join(written)),
            },
        })
    }
}
