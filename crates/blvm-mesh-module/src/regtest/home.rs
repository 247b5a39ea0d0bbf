use super::{
    RegtestError,
    rpc::{PASSWORD, USER},
};
use crate::MESH_DIR;
use blvm_mesh::{IdentityKey, NodeId, load_or_create_identity};
use std::{
    fmt::Write as _,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// A folder with the configuration of a node on regtest, and its mesh's key.
#[derive(Debug)]
pub struct RealHome {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    /// Where the Bitcoin node listens.
    pub p2p: SocketAddr,
    /// Where it answers JSON-RPC.
    pub rpc: SocketAddr,
    /// Where its mesh listens.
    pub mesh: SocketAddr,
    /// Its mesh's key.
    pub identity: IdentityKey,
}

/// What one node is told that the others are not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings<'a> {
    /// The node whose mesh its mesh is linked with.
    pub peer: Option<&'a RealHome>,
    /// Lines of `[mesh]`, and of tables in it.
    pub mesh: &'a str,
    /// The socket of a Core Lightning node that is its wallet; without one, a sandbox wallet that all homes of a root share.
    pub wallet: Option<&'a Path>,
}

impl RealHome {
    /// Makes the folder, in `root`, with a key and three ports that nobody listens on.
    ///
    /// # Errors
    /// When the folder or the key cannot be made.
    pub fn new(root: &Path, name: &str) -> Result<Self, RegtestError> {
        let folder = root.join(name);
        let mesh_dir = mesh_dir(&folder);
        fs::create_dir_all(&mesh_dir).map_err(RegtestError::io("the folder of a node"))?;
        Ok(Self {
            name: name.to_owned(),
            p2p: free_address()?,
            rpc: free_address()?,
            mesh: free_address()?,
            identity: load_or_create_identity(&mesh_dir.join("identity.key"))?,
            folder,
        })
    }

    /// Who its mesh is.
    pub fn id(&self) -> NodeId {
        self.identity.node_id()
    }

    /// Where its mesh keeps its things.
    pub fn mesh_dir(&self) -> PathBuf {
        mesh_dir(&self.folder)
    }

    /// Where its mesh answers.
    pub fn control(&self) -> PathBuf {
        self.mesh_dir().join("control").join("node.sock")
    }

    /// Where the node's modules reach it.
    pub fn modules_socket(&self) -> PathBuf {
        self.folder.join("sockets").join("node.sock")
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("blvm.toml")
    }

    /// Writes the configuration: the node's, with `[mesh]` and `[lightning]`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn configure(&self, settings: Settings<'_>) -> Result<(), RegtestError> {
        let folder = self.folder.display();
        let link = |peer: &Self| format!("\"{}@{}\"", peer.id(), peer.mesh);
        let links = settings.peer.map(link).unwrap_or_default();
        let sandbox = || {
            format!(
                "path = \"{}\"",
                self.folder.with_file_name("sandbox").display()
            )
        };
        let (backend, wallet) = match settings.wallet {
            Some(socket) => ("cln", format!("socket = \"{}\"", socket.display())),
            None => ("sandbox", sandbox()),
        };
        let mut text = format!(
            r#"listen_addr = "0.0.0.0:{}"
protocol_version = "Regtest"
transport_preference = "tcponly"
enable_self_advertisement = false

[storage]
database_backend = "redb"
data_dir = "{folder}/data"

[modules]
modules_dir = "{folder}/modules"
data_dir = "{folder}/module-data"
socket_dir = "{folder}/sockets"
enabled_modules = []
registry_url = ""
watch_enabled = false

[block_validation]
assume_valid_height = 0

[request_timeouts]
handshake_timeout_secs = 0

[background_tasks]
peer_reconnection_interval_secs = 1

[rpc]
max_connections_per_ip_per_minute = 1000000
ip_rate_limit_burst = 1000000
ip_rate_limit_rate = 1000000

[rpc_auth]
required = true
username = "{USER}"
password = "{PASSWORD}"
rate_limit_burst = 1000000
rate_limit_rate = 1000000
ip_rate_limit_burst = 1000000
ip_rate_limit_rate = 1000000

[dos_protection]
max_connections_per_window = 100000

"#,
            self.p2p.port()
        );
        let mesh = format!(
            r#"[lightning]
backend = "{backend}"
{wallet}

[mesh]
listen_addr = "{}"
peers = [{links}]
spending.fee_share_permille = 1000
{}
"#,
            self.mesh, settings.mesh
        );
        // Writing to a string does not fail.
        let _ = text.write_str(&mesh);
        fs::write(self.config(), text).map_err(RegtestError::io("the configuration of a node"))
    }
}

fn mesh_dir(folder: &Path) -> PathBuf {
    folder.join("data").join(MESH_DIR)
}

/// An address that nobody listens on.
///
/// The system gives outgoing connections ports from 32768 up, so that none of those takes it before the node does; and two
/// processes that look at once begin at different places.
fn free_address() -> Result<SocketAddr, RegtestError> {
    const PORTS: Range<u32> = 10_000..30_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let begin = process::id().wrapping_mul(97);
    for _ in PORTS {
        let step = begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + step % (PORTS.end - PORTS.start);
        let address =
            SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap_or_default()));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(RegtestError::io("a port")(io::ErrorKind::AddrInUse.into()))
}
