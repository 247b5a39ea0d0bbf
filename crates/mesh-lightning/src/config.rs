use crate::SecretFrom;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

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
        }
        self
    }

    /// The word that chooses the back end.
    pub const fn backend(&self) -> &'static str {
        match self {
            Self::Cln(_) => "cln",
            Self::Lnd(_) => "lnd",
            Self::Lnbits(_) => "lnbits",
        }
    }
}
