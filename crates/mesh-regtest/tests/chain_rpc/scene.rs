//! A chain, and a client that asks it.

use mesh_chain::{BitcoinRpc, ChainConfig};
use mesh_regtest::{BITCOIND, Bitcoind, Regtest, RpcAccess};
use mesh_types::{ChainError, ChainNode as _, ChainTransaction, Network, TxHash};
use std::{
    env,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::sleep;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    OursWithoutIndex,
    Bitcoind,
    BitcoindWithoutIndex,
}

pub(crate) struct Scene {
    pub(crate) kind: Kind,
    pub(crate) chain: Regtest,
    pub(crate) client: BitcoinRpc,
    _folder: TempDir,
}

impl Scene {
    /// `None` where there is no bitcoind.
    pub(crate) async fn enter(kind: Kind) -> Option<Self> {
        let chain = match kind {
            Kind::Ours => Regtest::here(),
            Kind::OursWithoutIndex => Regtest::here_without_index(),
            Kind::Bitcoind => Regtest::bitcoind(&program()?, &["-txindex"]),
            Kind::BitcoindWithoutIndex => Regtest::bitcoind(&program()?, &[]),
        };
        let chain = chain.unwrap();
        let cookie = chain.node().map(Bitcoind::cookie);
        let (client, folder) = client(&chain.access(), cookie).await;
        Some(Self {
            kind,
            chain,
            client,
            _folder: folder,
        })
    }

    /// With a client that has another user.
    pub(crate) async fn on(kind: Kind, chain: Regtest, access: &RpcAccess) -> Self {
        let (client, folder) = client(access, None).await;
        Self {
            kind,
            chain,
            client,
            _folder: folder,
        }
    }

    pub(crate) const fn has_index(&self) -> bool {
        matches!(self.kind, Kind::Ours | Kind::Bitcoind)
    }

    /// A client that has seen nothing yet.
    pub(crate) async fn stranger(&self) -> (BitcoinRpc, TempDir) {
        let cookie = self.chain.node().map(Bitcoind::cookie);
        client(&self.chain.access(), cookie).await
    }

    /// What is told of a transaction, when the index has come along.
    pub(crate) async fn transaction(&self, tx_hash: TxHash) -> Option<ChainTransaction> {
        let mut last = ChainError(String::new());
        for _ in 0..600 {
            match self.client.transaction(tx_hash).await {
                Ok(found) => return found,
                Err(error) => last = error,
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("{last}");
    }
}

/// The bitcoind that the environment names.
pub(crate) fn program() -> Option<PathBuf> {
    let program = env::var_os(BITCOIND).map(PathBuf::from);
    if program.is_none() {
        eprintln!("skipped: {BITCOIND} names no bitcoind; `cargo xtask bitcoind` fetches one");
    }
    program
}

pub(crate) async fn client(access: &RpcAccess, cookie: Option<PathBuf>) -> (BitcoinRpc, TempDir) {
    let (config, folder) = config(access, cookie);
    let (client, _) = BitcoinRpc::open(&config, Network::Regtest).await.unwrap();
    (client, folder)
}

/// Where a node has no file with its cookie, one is written.
pub(crate) fn config(access: &RpcAccess, cookie: Option<PathBuf>) -> (ChainConfig, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let cookie = cookie.unwrap_or_else(|| {
        let path = folder.path().join(".cookie");
        fs::write(&path, format!("{}:{}", access.user, access.password)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    });
    let config = ChainConfig {
        address: access.address.to_string(),
        cookie: Some(cookie),
        user: None,
        password: None,
    };
    (config, folder)
}
