use crate::{
    api::CallerLimits,
    callers::Callers,
    settings_file::{self, SettingsFileError},
};
use blvm_mesh::{ConfigError as FlatError, MeshConfig};
use blvm_mesh_node::{NodeConfig, config::SettingError};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};
use thiserror::Error;
use toml::{Table, Value};

/// The name of the settings, in a module's data folder.
pub const CONFIG_FILE: &str = "config.toml";

/// What a node puts before the names of the settings that it hands to a module.
const PREFIX: &str = "MODULE_CONFIG_";

/// What a node tells each of its modules, and the mesh has no use for.
const FROM_EVERY_NODE: [&str; 4] = [
    "version",
    "database_backend",
    "node_p2p_listen_ip",
    "node_p2p_listen_port",
];

/// The tables that stand beside the settings of the mesh, as in the configuration of `blvm-mesh run`.
const TABLES: [&str; 2] = ["lightning", "chain"];

/// A setting that a module has and `[mesh]` has not: where `blvm-mesh status` finds it.
const CONTROL_SOCKET: &str = "control_socket";

/// Another: where JSON-RPC is answered.
const RPC_ADDR: &str = "rpc_addr";

/// A table of `[mesh]` that stand-alone nodes have not, and its one key.
const MODULE_API: [&str; 2] = ["module_api", "module_api.per_send_msat"];

/// Where JSON-RPC is answered when nothing is said: beside the port of the links, on this machine alone.
pub const RPC_ADDR_BY_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8335);

/// What a module is told: the settings of `[mesh]` without that line, `[lightning]`, and `[chain]`.
#[derive(Debug, Clone)]
pub struct ProcessConfig {
    /// What the mesh is told. Its data folder is the module's.
    pub mesh: NodeConfig,
    /// What other modules and RPC callers may do: `[module_api]`.
    pub callers: CallerLimits,
    /// Where JSON-RPC is answered.
    pub rpc_addr: SocketAddr,
    /// The file it was read from, where there is one.
    pub file: Option<PathBuf>,
}

/// Why the settings of a module cannot be used.
#[derive(Debug, Error)]
pub enum ProcessConfigError {
    /// Their file cannot be read, or is no TOML.
    #[error(transparent)]
    File(#[from] SettingsFileError),
    /// A key is none of the mesh's.
    #[error("{path}: unknown key {key:?}: expected one of {}", expected())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A setting stands there twice.
    #[error("{path}: {key} stands both in [mesh] and outside: leave one of them out")]
    Twice {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// The node has made a text of a table.
    #[error("{PREFIX}{name}: a node cannot hand on a table; write [{}] into {path}", .name.to_lowercase())]
    TableFromNode {
        /// The file where it belongs.
        path: PathBuf,
        /// What the node called it.
        name: String,
    },
    /// A setting that the node hands on does not fit.
    #[error("{PREFIX}*, from [modules.blvm-mesh] of the node's configuration: {0}")]
    FromNode(FlatError),
    /// The part about other modules is not understood.
    #[error("{path}: [module_api]: {reason}")]
    ModuleApi {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The mesh does not take them.
    #[error("{path}: {source}")]
    Mesh {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: SettingError,
    },
}

impl ProcessConfig {
    /// Reads the settings in a module's data folder, and over them those that the node hands on in `environment`.
    ///
    /// Without a file everything is as by default. Paths begin in the folder.
    ///
    /// # Errors
    /// [`ProcessConfigError`] says what to do about it.
    pub fn load(
        folder: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ProcessConfigError> {
        let path = folder.join(CONFIG_FILE);
        let text = match settings_file::read(&path) {
            Err(error) if error.is_missing() => None,
            read => Some(read?),
        };
        let written = text.as_deref().unwrap_or_default();
        let config = Self::parse(written, &path, folder, environment)?;
        Ok(Self {
            file: text.is_some().then_some(path),
            ..config
        })
    }

    /// - `path`: what the file is called, for errors.
    fn parse(
        text: &str,
        path: &Path,
        folder: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ProcessConfigError> {
        let mut written = settings_file::table(text, path)?;
        let mut all = Table::new();
        for name in TABLES {
            if let Some(table) = written.remove(name) {
                all.insert(name.to_owned(), table);
            }
        }
        let mut mesh = gathered(written, path)?;
        for (key, value) in from_node(environment, path)? {
            put(&mut mesh, &key, value);
        }
        let mut node = Table::new();
        node.insert("data_dir".to_owned(), text_of(folder));
        if let Some(socket) = mesh.remove(CONTROL_SOCKET) {
            node.insert(CONTROL_SOCKET.to_owned(), socket);
        }
        let rpc_addr = match mesh.remove(RPC_ADDR) {
            None => RPC_ADDR_BY_DEFAULT,
            Some(written) => written
                .try_into()
                .map_err(SettingsFileError::syntax(path))?,
        };
        let callers = Callers::taken_from(&mut mesh).map_err(|reason| {
            let path = path.to_owned();
            ProcessConfigError::ModuleApi { path, reason }
        })?;
        all.insert("mesh".to_owned(), Value::Table(mesh));
        all.insert("node".to_owned(), Value::Table(node));
        let mesh = NodeConfig::parse(&all.to_string(), folder);
        let mesh = mesh.map_err(|source| ProcessConfigError::Mesh {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            callers: callers.limits(&mesh.mesh),
            mesh,
            rpc_addr,
            file: None,
        })
    }
}

/// The settings of the mesh, whether they stand in `[mesh]`, as a node's users write them, or outside, as a module's do.
fn gathered(mut written: Table, path: &Path) -> Result<Table, ProcessConfigError> {
    let mut mesh = match written.remove("mesh") {
        Some(Value::Table(mesh)) => mesh,
        Some(_) => return Err(unknown(path, "mesh")),
        None => Table::new(),
    };
    for (key, value) in written {
        if !top_keys().any(|known| known == key) {
            return Err(unknown(path, &key));
        }
        if mesh.contains_key(&key) {
            return Err(ProcessConfigError::Twice {
                path: path.to_owned(),
                key,
            });
        }
        mesh.insert(key, value);
    }
    Ok(mesh)
}

/// The settings that the node hands on, each with its key and a value of the right kind.
fn from_node(
    environment: impl IntoIterator<Item = (String, String)>,
    path: &Path,
) -> Result<Vec<(String, Value)>, ProcessConfigError> {
    let mut own = Vec::new();
    let mut flat = HashMap::new();
    for (variable, value) in environment {
        let Some(name) = variable.strip_prefix(PREFIX) else {
            continue;
        };
        let key = name.to_lowercase();
        if key == "mesh" || TABLES.contains(&key.as_str()) {
            return Err(ProcessConfigError::TableFromNode {
                path: path.to_owned(),
                name: name.to_owned(),
            });
        }
        if key == CONTROL_SOCKET || key == RPC_ADDR {
            own.push((key, Value::String(value)));
        } else if key == MODULE_API[1] {
            own.push((key, Value::Integer(msat(&value)?)));
        } else if !FROM_EVERY_NODE.contains(&key.as_str()) {
            flat.insert(key, value);
        }
    }
    let read = MeshConfig::from_flat(&flat).map_err(ProcessConfigError::FromNode)?;
    let table = Table::try_from(read).unwrap_or_default();
    let of_key = |key: &String| {
        let mut parts = key.split('.');
        let first = table.get(parts.next()?)?;
        parts
            .try_fold(first, |value, part| value.get(part))
            .cloned()
    };
    let keys = flat.into_keys();
    own.extend(keys.filter_map(|key| of_key(&key).map(|value| (key, value))));
    Ok(own)
}

fn msat(value: &str) -> Result<i64, ProcessConfigError> {
    value.parse().map_err(|_| {
        ProcessConfigError::FromNode(FlatError::Value {
            key: MODULE_API[1].to_owned(),
            value: value.to_owned(),
            expected: "expected millisatoshi".to_owned(),
        })
    })
}

/// Sets the value of a dotted key.
fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = table.entry(first).or_insert(Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

fn text_of(path: &Path) -> Value {
    Value::String(path.to_string_lossy().into_owned())
}

/// The first parts of the keys that stand outside of tables, some of them more than once.
fn top_keys() -> impl Iterator<Item = &'static str> {
    let keys = MeshConfig::KEYS.into_iter();
    let first = keys.map(|key| key.split_once('.').map_or(key, |(first, _)| first));
    first.chain(["known_nodes", MODULE_API[0], CONTROL_SOCKET, RPC_ADDR])
}

fn expected() -> String {
    let mut names: Vec<_> = top_keys().collect();
    names.extend(["[mesh]", "[lightning]", "[chain]"]);
    names.dedup();
    names.join(", ")
}

fn unknown(path: &Path, key: &str) -> ProcessConfigError {
    ProcessConfigError::UnknownKey {
        path: path.to_owned(),
        key: key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blvm_mesh::{MeshMode, Network};

    fn parsed(text: &str, handed_on: &[(&str, &str)]) -> Result<ProcessConfig, ProcessConfigError> {
        let environment = handed_on
            .iter()
            .map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned()));
        ProcessConfig::parse(
            text,
            Path::new("config.toml"),
            Path::new("/data"),
            environment,
        )
    }

    const REGTEST: &str = "network = \"regtest\"\n";

    #[test]
    fn flat_keys_and_a_mesh_table_say_the_same() {
        let flat = format!("{REGTEST}mode = \"open\"\n[on_chain]\nleast_depth = 2\n");
        let tables =
            format!("[mesh]\n{REGTEST}mode = \"open\"\n[mesh.on_chain]\nleast_depth = 2\n");
        let both = format!("mode = \"open\"\non_chain.least_depth = 2\n[mesh]\n{REGTEST}");
        for text in [flat, tables, both] {
            let config = parsed(&text, &[]).unwrap().mesh;
            assert_eq!(config.mesh.mode, MeshMode::Open, "{text}");
            assert_eq!(config.mesh.network, Network::Regtest);
            assert_eq!(config.mesh.on_chain.least_depth.get(), 2);
            assert_eq!(config.node.data_dir, Path::new("/data"));
        }
        let by_default = parsed("", &[]).unwrap();
        assert_eq!(by_default.mesh.mesh, MeshConfig::default());
        assert_eq!(by_default.rpc_addr, RPC_ADDR_BY_DEFAULT);
        assert_eq!(by_default.callers.per_send.to_msat(), 0);
    }

    #[test]
    fn a_wallet_and_a_node_have_their_tables_and_paths_begin_in_the_folder() {
        let text = format!(
            "{REGTEST}control_socket = \"mesh.sock\"\n[lightning]\nbackend = \"sandbox\"\npath = \"play\"\n\
             [chain]\naddress = \"127.0.0.1:18443\"\ncookie = \"../.cookie\"\n"
        );
        let config = parsed(&text, &[]).unwrap().mesh;
        assert_eq!(config.node.control_socket, Path::new("/data/mesh.sock"));
        let cookie = config.chain.unwrap().cookie.unwrap();
        assert_eq!(cookie, Path::new("/data/../.cookie"));
    }

    #[test]
    fn what_the_node_hands_on_counts_over_the_file_and_what_it_tells_everybody_does_not() {
        let text = format!(
            "{REGTEST}price_per_packet_msat = 1\n[free_lane]\nburst_bytes_per_source = 7\n"
        );
        let config = parsed(
            &text,
            &[
                ("PRICE_PER_PACKET_MSAT", "2000"),
                ("FREE_LANE.BYTES_PER_SECOND_TOTAL", "9"),
                ("ANNOUNCE_ADDRESSES", "a.example:1, b.example:2"),
                ("RPC_ADDR", "127.0.0.1:7"),
                ("MODULE_API.PER_SEND_MSAT", "5"),
                ("VERSION", "0.1.0"),
                ("DATABASE_BACKEND", "sled"),
                ("NODE_P2P_LISTEN_IP", "0.0.0.0"),
                ("NODE_P2P_LISTEN_PORT", "8333"),
            ],
        );
        let config = config.unwrap();
        assert_eq!(config.rpc_addr.port(), 7);
        assert_eq!(config.callers.per_send.to_msat(), 5);
        let mesh = config.mesh.mesh;
        assert_eq!(mesh.price_per_packet_msat, 2_000);
        assert_eq!(mesh.announce_addresses, ["a.example:1", "b.example:2"]);
        assert_eq!(mesh.free_lane.bytes_per_second_total, 9);
        assert_eq!(mesh.free_lane.burst_bytes_per_source, 7, "it stays");
        assert_eq!(mesh.network, Network::Regtest, "it stays");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_expected() {
        let said = |text: &str, handed_on: &[(&str, &str)]| {
            parsed(text, handed_on).unwrap_err().to_string()
        };
        for (text, part) in [
            ("priec = 1\n", "\"priec\": expected one of enabled, mode"),
            ("[lightnig]\n", "[lightning], [chain]"),
            ("[mesh]\npriec = 1\n", "priec"),
            (
                "mode = \"open\"\n[mesh]\nmode = \"open\"\n",
                "mode stands both",
            ),
            ("mode = \"closed\"\n", "payment_gated"),
            ("mesh = 1\n", "\"mesh\""),
            ("rpc_addr = \"here\"\n", "config.toml"),
            ("module_api.per_day = 1\n", "per_send_msat"),
            ("= 1", "config.toml"),
        ] {
            assert!(
                said(text, &[]).contains(part),
                "{text:?}: {}",
                said(text, &[])
            );
        }
        for (name, value, part) in [
            ("PRIEC", "1", "\"priec\": expected one of"),
            ("MODE", "closed", "payment_gated"),
            ("MODULE_API.PER_SEND_MSAT", "-", "millisatoshi"),
            (
                "MESH",
                "mesh.mode,\"open\"",
                "write [mesh] into config.toml",
            ),
        ] {
            let said = said("", &[(name, value)]);
            assert!(said.contains(part), "{name}: {said}");
        }
    }
}
