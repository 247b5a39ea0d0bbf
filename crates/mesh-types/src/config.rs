use crate::{MeshMode, Msat, Network, NodeId, NodeIdError, OnChainConfig, Price, SpendingConfig};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};
use thiserror::Error;

/// The settings of one node: the `[mesh]` table of a configuration.
///
/// A key that is not a field here is an error, in a file as in a [`crate::ModuleContext`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeshConfig {
    /// Whether the mesh runs at all.
    pub enabled: bool,
    /// What passes, and what has to pay.
    pub mode: MeshMode,
    /// Where links are accepted.
    pub listen_addr: SocketAddr,
    /// The network whose Bitcoin messages, invoices and coins count.
    pub network: Network,
    /// The file of the identity key, from the data directory on.
    pub identity_path: PathBuf,
    /// What a packet costs, whatever its size.
    pub price_per_packet_msat: u64,
    /// What a KiB of payload costs on top.
    pub price_per_kib_msat: u64,
    /// How long a quote may be paid and shown, in seconds.
    pub quote_lifetime_secs: u32,
    /// How old a debit may become before it is booked, in milliseconds; a crash forgets what was not.
    pub debit_interval_ms: u32,
    /// Whether the wallet has to say, too, that an invoice is settled before its proof counts. Always so with a wallet whose
    /// key others share.
    pub check_settlement: bool,
    /// Whether payers get what they have not spent back when they ask for it, over Lightning.
    pub refunds: bool,
    /// What each source may send without paying.
    pub free_lane: FreeLane,
    /// Which payments on the chain count.
    pub on_chain: OnChainConfig,
    /// What this node may spend on others.
    pub spending: SpendingConfig,
    /// Where all of the mesh is told that this node accepts links, `<host>:<port>` each, best first; nowhere, if not said.
    pub announce_addresses: Vec<String>,
    /// The nodes to keep links with.
    pub peers: Vec<PeerAddress>,
    /// What is known of nodes further away, and holds whatever they announce.
    pub known_nodes: Vec<KnownNode>,
}

impl Default for MeshConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            mode: MeshMode::PaymentGated,
            listen_addr: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8334)),
            network: Network::Bitcoin,
            identity_path: PathBuf::from("identity.key"),
            price_per_packet_msat: 100,
            price_per_kib_msat: 100,
            quote_lifetime_secs: 600,
            debit_interval_ms: 200,
            check_settlement: false,
            refunds: false,
            free_lane: FreeLane::default(),
            on_chain: OnChainConfig::default(),
            spending: SpendingConfig::default(),
            announce_addresses: Vec::new(),
            peers: Vec::new(),
            known_nodes: Vec::new(),
        }
    }
}

/// A budget of bytes that refills with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FreeLane {
    /// How fast each source's budget refills.
    pub bytes_per_second_per_source: u32,
    /// How much each source's budget holds.
    pub burst_bytes_per_source: u32,
    /// How fast the budget that all sources share refills.
    pub bytes_per_second_total: u32,
}

impl Default for FreeLane {
    /// A source may relay a block now and then; all of them together never fill a home's uplink.
    fn default() -> Self {
        Self {
            bytes_per_second_per_source: 65_536,
            burst_bytes_per_source: 4_194_304,
            bytes_per_second_total: 1_048_576,
        }
    }
}

/// A node and where it is reached; in text `<node id>@<host>:<port>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerAddress {
    /// Who has to answer there.
    pub node_id: NodeId,
    /// Host and port.
    pub address: String,
}

/// What a configuration says of a node further away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownNode {
    /// The node.
    pub node_id: NodeId,
    /// What it asks for a packet, whatever its size.
    #[serde(default)]
    pub price_per_packet_msat: u64,
    /// What it asks for a KiB of payload on top.
    #[serde(default)]
    pub price_per_kib_msat: u64,
    /// The nodes it has links with.
    pub linked_with: Vec<NodeId>,
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The key is not one we know.
    #[error("unknown key {key:?}: expected one of {}", MeshConfig::KEYS.join(", "))]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// The value does not fit the key.
    #[error("{key} = {value:?}: {expected}")]
    Value {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What was expected.
        expected: String,
    },
}

impl MeshConfig {
    /// The keys of a flat configuration, in the order of the fields.
    pub const KEYS: [&'static str; 27] = [
        "enabled",
        "mode",
        "listen_addr",
        "network",
        "identity_path",
        "price_per_packet_msat",
        "price_per_kib_msat",
        "quote_lifetime_secs",
        "debit_interval_ms",
        "check_settlement",
        "refunds",
        "free_lane.bytes_per_second_per_source",
        "free_lane.burst_bytes_per_source",
        "free_lane.bytes_per_second_total",
        "on_chain.addresses",
        "on_chain.least_depth",
        "on_chain.final_depth",
        "on_chain.quote_lifetime_secs",
        "on_chain.ctv_on",
        "on_chain.template_hash_on",
        "spending.per_packet_msat",
        "spending.per_route_msat",
        "spending.per_peer_per_day_msat",
        "spending.per_day_msat",
        "spending.fee_share_permille",
        "announce_addresses",
        "peers",
    ];

    /// Reads the flat form that a [`crate::ModuleContext`] carries; what it does not name keeps its default.
    ///
    /// Lists have commas between. `known_nodes` has no flat form.
    ///
    /// # Errors
    /// [`ConfigError`] names the key, and what was expected.
    pub fn from_flat(flat: &HashMap<String, String>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for (key, value) in flat {
            config.set(key, value)?;
        }
        Ok(config)
    }

    /// What this node asks for a packet.
    pub const fn price(&self) -> Price {
        Price {
            per_packet: Msat::from_msat(self.price_per_packet_msat),
            per_kib: Msat::from_msat(self.price_per_kib_msat),
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        match key {
            "enabled" => self.enabled = read(key, value, "true or false")?,
            "mode" => self.mode = read_or_say(key, value)?,
            "listen_addr" => self.listen_addr = read(key, value, "an IP address and a port")?,
            "network" => self.network = read_or_say(key, value)?,
            "identity_path" => self.identity_path = PathBuf::from(value),
            "price_per_packet_msat" => {
                self.price_per_packet_msat = read(key, value, "millisatoshi")?
            }
            "price_per_kib_msat" => self.price_per_kib_msat = read(key, value, "millisatoshi")?,
            "quote_lifetime_secs" => self.quote_lifetime_secs = read(key, value, "seconds")?,
            "debit_interval_ms" => self.debit_interval_ms = read(key, value, "milliseconds")?,
            "check_settlement" => self.check_settlement = read(key, value, "true or false")?,
            "refunds" => self.refunds = read(key, value, "true or false")?,
            "free_lane.bytes_per_second_per_source" => {
                self.free_lane.bytes_per_second_per_source = read(key, value, "bytes a second")?;
            }
            "free_lane.burst_bytes_per_source" => {
                self.free_lane.burst_bytes_per_source = read(key, value, "bytes")?;
            }
            "free_lane.bytes_per_second_total" => {
                self.free_lane.bytes_per_second_total = read(key, value, "bytes a second")?;
            }
            "announce_addresses" => self.announce_addresses = read_list(key, value)?,
            "peers" => self.peers = read_list(key, value)?,
            "on_chain.addresses" => self.on_chain.addresses = read_list(key, value)?,
            "on_chain.least_depth" => self.on_chain.least_depth = read(key, value, BLOCKS)?,
            "on_chain.final_depth" => self.on_chain.final_depth = read(key, value, BLOCKS)?,
            "on_chain.quote_lifetime_secs" => {
                self.on_chain.quote_lifetime_secs = read(key, value, "seconds")?;
            }
            "on_chain.ctv_on" => self.on_chain.ctv_on = read_list(key, value)?,
            "on_chain.template_hash_on" => {
                self.on_chain.template_hash_on = read_list(key, value)?;
            }
            "spending.per_packet_msat" => {
                self.spending.per_packet_msat = read(key, value, "millisatoshi")?;
            }
            "spending.per_route_msat" => {
                self.spending.per_route_msat = read(key, value, "millisatoshi")?;
            }
            "spending.per_peer_per_day_msat" => {
                self.spending.per_peer_per_day_msat = read(key, value, "millisatoshi")?;
            }
            "spending.per_day_msat" => {
                self.spending.per_day_msat = read(key, value, "millisatoshi")?;
            }
            "spending.fee_share_permille" => {
                self.spending.fee_share_permille = read(key, value, "thousandths")?;
            }
            _ => {
                return Err(ConfigError::UnknownKey {
                    key: key.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// What a depth is.
const BLOCKS: &str = "a number of blocks, at least 1";

fn read<T: FromStr>(key: &str, value: &str, expected: &str) -> Result<T, ConfigError> {
    value
        .parse()
        .map_err(|_| wrong_value(key, value, &format!("expected {expected}")))
}

fn read_list<T: FromStr<Err: fmt::Display>>(key: &str, value: &str) -> Result<Vec<T>, ConfigError> {
    let texts = value
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    texts.map(|text| read_or_say(key, text)).collect()
}

fn read_or_say<T: FromStr<Err: fmt::Display>>(key: &str, value: &str) -> Result<T, ConfigError> {
    value
        .parse()
        .map_err(|error: T::Err| wrong_value(key, value, &error.to_string()))
}

fn wrong_value(key: &str, value: &str, expected: &str) -> ConfigError {
    ConfigError::Value {
        key: key.to_owned(),
        value: value.to_owned(),
        expected: expected.to_owned(),
    }
}

/// Why a text is not a [`PeerAddress`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PeerAddressError {
    /// There is no `@`, or no port behind the host.
    #[error("expected <node id>@<host>:<port>")]
    Shape,
    /// What stands before the `@` is not a node id.
    #[error(transparent)]
    NodeId(#[from] NodeIdError),
}

impl FromStr for PeerAddress {
    type Err = PeerAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, address) = text.split_once('@').ok_or(PeerAddressError::Shape)?;
        let (host, port) = address.rsplit_once(':').ok_or(PeerAddressError::Shape)?;
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(PeerAddressError::Shape);
        }
        Ok(Self {
            node_id: id.parse()?,
            address: address.to_owned(),
        })
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.node_id, self.address)
    }
}

impl TryFrom<String> for PeerAddress {
    type Error = PeerAddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PeerAddress> for String {
    fn from(peer: PeerAddress) -> Self {
        peer.to_string()
    }
}
