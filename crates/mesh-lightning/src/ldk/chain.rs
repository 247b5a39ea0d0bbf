use crate::{
    BitcoindConfig, ChainConfig, MAX_SECRET_LEN, OpenError,
    call::CallError,
    http::{Endpoint, Http, public},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{
    Method,
    header::{AUTHORIZATION, HeaderValue, USER_AGENT},
};
use ldk_node::{Builder, bitcoin};
use mesh_secret::SecretFrom;
use mesh_types::Network;
use serde::Deserialize;
use serde_json::json;
use std::fmt;
use zeroize::Zeroizing;

/// Where the chain is asked, with the secrets that this takes.
pub(super) enum Source {
    Bitcoind {
        endpoint: Endpoint,
        user: String,
        password: Zeroizing<String>,
    },
    Esplora {
        endpoint: Endpoint,
        url: String,
    },
}

/// Answers `getblockchaininfo`.
#[derive(Deserialize)]
struct Answered {
    result: Option<ChainInfo>,
}

#[derive(Deserialize)]
struct ChainInfo {
    chain: String,
}

const BITCOIND: &str = "chain.bitcoind";
const ESPLORA: &str = "chain.esplora";

impl Source {
    /// Reads the settings and the secrets that they name.
    pub(super) fn read(config: &ChainConfig) -> Result<Self, OpenError> {
        match config {
            ChainConfig::Bitcoind(config) => {
                let endpoint = Endpoint::read(BITCOIND, &format!("http://{}", config.address))?;
                let (user, password) = credentials(config)?;
                Ok(Self::Bitcoind {
                    endpoint,
                    user,
                    password,
                })
            }
            ChainConfig::Esplora(url) => {
                let endpoint = Endpoint::read(ESPLORA, url)?;
                if !endpoint.is_secure && !endpoint.is_here() {
                    return Err(OpenError::InClear {
                        setting: ESPLORA,
                        host: endpoint.host,
                    });
                }
                let url = url.trim_end_matches('/').to_owned();
                Ok(Self::Esplora { endpoint, url })
            }
        }
    }

    /// Has a node ask there.
    pub(super) fn choose(&self, builder: &mut Builder) {
        match self {
            Self::Bitcoind {
                endpoint,
                user,
                password,
            } => builder.set_chain_source_bitcoind_rpc(
                endpoint.host.clone(),
                endpoint.port,
                user.clone(),
                password.as_str().to_owned(),
            ),
            Self::Esplora { url, .. } => builder.set_chain_source_esplora(url.clone(), None),
        };
    }

    /// What its operator should know, though it works.
    pub(super) fn warning(&self, config: &ChainConfig) -> Option<String> {
        match (self, config) {
            (Self::Bitcoind { endpoint, .. }, _) if !endpoint.is_here() => Some(format!(
                "the password of the Bitcoin node travels unencrypted to {}: keep it on a network of your own",
                endpoint.host
            )),
            (_, ChainConfig::Bitcoind(config)) if config.cookie.is_some() => Some(
                "the Bitcoin node makes a new cookie at each start, and this node has to be started after it: \
                 a user of its rpcauth spares that"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// Asks once, so that what is wrong is told at the start and in one sentence.
    pub(super) async fn check(&self, network: Network) -> Result<(), OpenError> {
        let expected = bitcoin_network(network);
        let found = match self {
            Self::Bitcoind {
                endpoint,
                user,
                password,
            } => ask_bitcoind(endpoint.clone(), user, password).await?,
            Self::Esplora { endpoint, .. } => ask_esplora(endpoint.clone()).await?,
        };
        if found == Found::Network(expected) {
            return Ok(());
        }
        Err(OpenError::WrongChain {
            place: self.to_string(),
            expected: network,
            found: match found {
                Found::Network(network) => network.to_string(),
                Found::Unknown => "of no network that is known".to_owned(),
            },
        })
    }
}

/// The network of a chain that was asked.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Network(bitcoin::Network),
    Unknown,
}

async fn ask_bitcoind(
    endpoint: Endpoint,
    user: &str,
    password: &Zeroizing<String>,
) -> Result<Found, OpenError> {
    let pair = Zeroizing::new(format!("{user}:{}", password.as_str()));
    let basic = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut key = HeaderValue::from_str(&basic).map_err(|_| OpenError::Setting {
        setting: BITCOIND,
        why: "names a user or a password with characters that HTTP does not carry".to_owned(),
    })?;
    key.set_sensitive(true);
    let place = endpoint.authority.clone();
    let http = Http {
        name: "Bitcoin node",
        endpoint,
        tls: None,
        key_header: AUTHORIZATION,
        key,
        certificate_hint: String::new(),
    };
    let body = json!({"jsonrpc": "1.0", "id": 0, "method": "getblockchaininfo", "params": []});
    let answer = http.ask(Method::POST, "/", Some(&body)).await;
    let answer = answer.map_err(unreachable)?;
    if let 401 | 403 = answer.status {
        return Err(OpenError::Chain(format!(
            "the Bitcoin node at {place} does not take this user and password, or has made a new cookie since"
        )));
    }
    let answered = serde_json::from_slice::<Answered>(&answer.body);
    let info = answered.ok().and_then(|answered| answered.result);
    let info = info.ok_or_else(|| {
        OpenError::Chain(format!(
            "what listens at {place} does not answer as a Bitcoin node does (HTTP {})",
            answer.status
        ))
    })?;
    let network = bitcoin::Network::from_core_arg(&info.chain);
    Ok(network.map_or(Found::Unknown, Found::Network))
}

/// Asks for the first block, which is another one on each network.
async fn ask_esplora(endpoint: Endpoint) -> Result<Found, OpenError> {
    let place = endpoint.authority.clone();
    let tls = if endpoint.is_secure {
        Some((public()?, endpoint.server_name(ESPLORA)?))
    } else {
        None
    };
    let http = Http {
        name: "Esplora server",
        endpoint,
        tls,
        key_header: USER_AGENT,
        key: HeaderValue::from_static("blvm-mesh"),
        certificate_hint: "name another server".to_owned(),
    };
    let answer = http.ask(Method::GET, "/block-height/0", None).await;
    let answer = answer.map_err(unreachable)?;
    let hash = std::str::from_utf8(&answer.body);
    let hash = hash
        .ok()
        .and_then(|text| text.trim().parse::<bitcoin::BlockHash>().ok());
    let Some(hash) = hash.filter(|_| answer.status == 200) else {
        return Err(OpenError::Chain(format!(
            "what listens at {place} does not answer as an Esplora server does (HTTP {})",
            answer.status
        )));
    };
    let networks = [
        bitcoin::Network::Bitcoin,
        bitcoin::Network::Testnet,
        bitcoin::Network::Testnet4,
        bitcoin::Network::Signet,
        bitcoin::Network::Regtest,
    ];
    let network = networks.into_iter().find(|network| {
        let first = bitcoin::constants::genesis_block(network);
        first.block_hash() == hash
    });
    Ok(network.map_or(Found::Unknown, Found::Network))
}

fn unreachable(error: CallError) -> OpenError {
    match error {
        CallError::NotSent(why) | CallError::Lost(why) | CallError::Denied(why) => {
            OpenError::Chain(why)
        }
        CallError::Refused { message, .. } => OpenError::Chain(message),
    }
}

/// The user and the password, from a cookie or from the settings.
fn credentials(config: &BitcoindConfig) -> Result<(String, Zeroizing<String>), OpenError> {
    let wrong = |why: &str| OpenError::Setting {
        setting: BITCOIND,
        why: why.to_owned(),
    };
    match config {
        BitcoindConfig {
            cookie: Some(cookie),
            user: None,
            password: None,
            ..
        } => {
            let text = SecretFrom::File(cookie.clone()).read(MAX_SECRET_LEN)?;
            let text = std::str::from_utf8(text.bytes()).ok();
            let pair = text.and_then(|text| text.trim().split_once(':'));
            let (user, password) = pair.ok_or_else(|| {
                wrong("names a cookie file that holds no cookie of a Bitcoin node")
            })?;
            Ok((user.to_owned(), Zeroizing::new(password.to_owned())))
        }
        BitcoindConfig {
            cookie: None,
            user: Some(user),
            password: Some(password),
            ..
        } => {
            let text = password.read(MAX_SECRET_LEN)?;
            let password = std::str::from_utf8(text.bytes());
            let password = password.map_err(|_| wrong("names a password that is no text"))?;
            Ok((
                user.clone(),
                Zeroizing::new(password.trim_end_matches(['\r', '\n']).to_owned()),
            ))
        }
        _ => Err(wrong("needs either `cookie`, or `user` and `password`")),
    }
}

/// The same network, as LDK names it.
pub(super) const fn bitcoin_network(network: Network) -> bitcoin::Network {
    match network {
        Network::Bitcoin => bitcoin::Network::Bitcoin,
        Network::Testnet => bitcoin::Network::Testnet,
        Network::Testnet4 => bitcoin::Network::Testnet4,
        Network::Signet => bitcoin::Network::Signet,
        Network::Regtest => bitcoin::Network::Regtest,
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bitcoind { endpoint, .. } => {
                write!(f, "the Bitcoin node at {}", endpoint.authority)
            }
            Self::Esplora { endpoint, .. } => {
                write!(f, "the Esplora server at {}", endpoint.authority)
            }
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
