use mesh_secret::SecretError;
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
    /// The folder of the node inside this program cannot be used.
    #[error("the Lightning folder {path} cannot be used: {source}")]
    Folder {
        /// The folder, or a file in it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can enter the folder, or read the seed.
    #[error("{path} is open to others: do `chmod go-rwx {path}`")]
    Exposed {
        /// The folder or the file.
        path: PathBuf,
    },
    /// Another process runs on the folder.
    #[error(
        "another program runs on the Lightning folder {folder}: stop it, or name another folder"
    )]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder is there, and its seed is not.
    #[error(
        "the seed {seed} is missing, and {folder} was used with one: put it back, or name a new folder"
    )]
    NoSeed {
        /// The file that should hold it.
        seed: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// The file holds no seed.
    #[error(
        "{path} holds no seed: it should be 24 words of BIP 39, as they were written when it was made"
    )]
    Seed {
        /// The file.
        path: PathBuf,
    },
    /// A setting of the node inside this program is wrong.
    #[error("`{setting}` {why}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// What knows the chain cannot be asked.
    #[error("the chain cannot be asked: {0}")]
    Chain(String),
    /// The chain is of another network.
    #[error(
        "the chain that {place} has is {found}, and this node is on {expected}: choose the other chain, or the other network"
    )]
    WrongChain {
        /// Where it was asked.
        place: String,
        /// The network of this node.
        expected: Network,
        /// What it is there.
        found: String,
    },
    /// The node inside this program does not start.
    #[error("the Lightning node does not start: {0}")]
    Start(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}
