use mesh_secret::SecretFrom;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The longest secret that is read, in bytes: a macaroon with every permission and some caveats takes a thousand.
pub const MAX_SECRET_LEN: usize = 4 << 10;

/// Which wallet a node uses, and where it is: the section `[lightning]` of the settings.
///
/// Secrets are not part of it, only the places where they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "backend", rename_all = "lowercase")]
#[non_exhaustive]
pub enum LightningConfig {
    /// Core Lightning, by its unix socket.
    Cln(ClnConfig),
    /// LND, by REST.
    Lnd(LndConfig),
    /// LNbits, by REST.
    Lnbits(LnbitsConfig),
    /// A Lightning node inside this program.
    Ldk(LdkConfig),
}

/// Where a Core Lightning node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClnConfig {
    /// The socket `lightning-rpc` in the folder of its network. Whoever may open it may spend the node's money.
    pub socket: PathBuf,
}

/// Where an LND node is, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LndConfig {
    /// Host and port of its `restlisten`.
    pub address: String,
    /// Its `tls.cert`: this certificate, or one signed by it, and no other is believed.
    pub tls_cert: PathBuf,
    /// Where the macaroon is kept: a file as LND writes it, or hex.
    pub macaroon: SecretFrom,
    /// Whether invoices name the node's unannounced channels, which a node without announced ones needs to be paid.
    #[serde(default)]
    pub private_channels: bool,
}

/// Where a wallet of LNbits is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LnbitsConfig {
    /// The address of the server, `https://…`; `http://…` on this machine alone.
    pub url: String,
    /// Where the wallet's key is kept: its invoice key is enough to receive, to pay takes its admin key.
    pub key: SecretFrom,
    /// The only certificate to believe, or the one that signed it; without it, those of the public authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
}

/// What a Lightning node inside this program is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LdkConfig {
    /// Its folder, which no other program uses. Its channels are there, and a copy that is older than they are loses money.
    pub folder: PathBuf,
    /// The 24 words that its keys are made of; `seed` in its folder where nothing is said. Made at the first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<PathBuf>,
    /// Where it learns of the chain.
    pub chain: ChainConfig,
    /// Where other Lightning nodes may connect, each a host and a port; nowhere when there is none.
    #[serde(default)]
    pub listening_addresses: Vec<String>,
    /// The name under which others see it, 32 bytes at most. Channels are announced only with one, and with an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
}

/// Where a Lightning node inside this program learns of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChainConfig {
    /// A Bitcoin node, by JSON-RPC.
    Bitcoind(BitcoindConfig),
    /// The URL of an Esplora server, `https://…`; `http://…` on this machine alone.
    Esplora(String),
}

/// Where a Bitcoin node is: either its cookie is named, or a user and a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BitcoindConfig {
    /// Host and port of its RPC.
    pub address: String,
    /// Its file `.cookie`. It is another one after each of its starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<PathBuf>,
    /// The user of its `rpcauth`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where that user's password is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretFrom>,
}

impl LightningConfig {
    /// Lets every path begin at `folder`.
    #[must_use]
    pub fn rooted(mut self, folder: &Path) -> Self {
        let root = |path: &mut PathBuf| *path = folder.join(&*path);
        match &mut self {
            Self::Cln(config) => root(&mut config.socket),
            Self::Lnd(config) => {
                root(&mut config.tls_cert);
                config.macaroon.root(folder);
            }
            Self::Lnbits(config) => {
                config.key.root(folder);
                config.tls_cert.iter_mut().for_each(root);
            }
            Self::Ldk(config) => {
                root(&mut config.folder);
                config.seed.iter_mut().for_each(root);
                if let ChainConfig::Bitcoind(bitcoind) = &mut config.chain {
                    bitcoind.cookie.iter_mut().for_each(root);
                    let password = bitcoind.password.iter_mut();
                    password.for_each(|password| password.root(folder));
                }
            }
        }
        self
    }

    /// The word that chooses the back end.
    pub const fn backend(&self) -> &'static str {
        match self {
            Self::Cln(_) => "cln",
            Self::Lnd(_) => "lnd",
            Self::Lnbits(_) => "lnbits",
            Self::Ldk(_) => "ldk",
        }
    }
}
