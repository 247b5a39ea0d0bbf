use crate::SecretError;
use mesh_types::Network;
use std::{io, path::PathBuf};
use thiserror::Error;

/// Why a wallet cannot be opened with these settings, now or later.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The program was built without this back end.
    #[error(
        "this program was built without the Lightning back end \"{0}\": build it with that feature"
    )]
    NotBuilt(&'static str),
    /// The wallet's money is of another network.
    #[error(
        "the Lightning back end is on {found}, and this node on {expected}: choose the other wallet, or the other network"
    )]
    WrongNetwork {
        /// The network of this node.
        expected: Network,
        /// The network of the wallet.
        found: Network,
    },
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The address is none.
    #[error("`{setting}` is \"{text}\", which is not the address of a server: {why}")]
    Address {
        /// The setting.
        setting: &'static str,
        /// What it says.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The certificate cannot be read.
    #[error("the certificate {path} cannot be read: {source}")]
    CertificateFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no certificate.
    #[error("{path} holds no certificate in PEM: set `tls_cert` to the tls.cert of the server")]
    Certificate {
        /// The file.
        path: PathBuf,
    },
    /// The secret is no macaroon.
    #[error("what {place} holds is no macaroon of LND: make one with `{command}`")]
    Macaroon {
        /// The file or the variable.
        place: String,
        /// How to make one.
        command: String,
    },
    /// The key would travel in clear.
    #[error(
        "`{setting}` sends the key unencrypted to {host}: use https, or a server on this machine"
    )]
    InClear {
        /// The setting.
        setting: &'static str,
        /// The host.
        host: String,
    },
    /// The secret is no key.
    #[error(
        "what {place} holds is no key of an LNbits wallet: copy one from the wallet's API info"
    )]
    Key {
        /// The file or the variable.
        place: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}
