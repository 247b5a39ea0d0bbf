use super::{
    book::Book,
    chain::{Source, bitcoin_network},
    core::Core,
    folder::{DATA_FILE, Folder},
    logging::Log,
    seed,
};
use crate::{LdkConfig, OpenError, said::said};
use ldk_node::{
    BuildError, Builder, NodeError,
    config::Config,
    io::sqlite_store::{KV_TABLE_NAME, SqliteStore},
    lightning::ln::msgs::SocketAddress,
};
use mesh_types::Network;
use std::sync::Arc;
use tokio::runtime::{Handle, Runtime};

/// The threads that a node has to itself; what blocks has others. Two, because it does little, and never waits for one.
const WORKERS: usize = 2;

/// The longest alias, in bytes.
const MAX_ALIAS: usize = 32;

/// The runtime of a node, apart from the caller's: LDK blocks in it, and wants one of several threads.
#[derive(Debug)]
pub(super) struct Workers(Option<Runtime>);

impl Workers {
    pub(super) fn start() -> Result<Self, OpenError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("ldk")
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| OpenError::Start(error.to_string()))?;
        Ok(Self(Some(runtime)))
    }

    pub(super) fn handle(&self) -> Option<&Handle> {
        self.0.as_ref().map(Runtime::handle)
    }
}

impl Drop for Workers {
    /// A runtime must not be waited for where others run.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Builds a node, starts it, and handles what happened before. Blocks; runs among the node's [`Workers`].
pub(super) fn start(
    folder: &Folder,
    config: &LdkConfig,
    network: Network,
    source: &Source,
    handle: Handle,
) -> Result<Core, OpenError> {
    let words = seed::read_or_make(folder, config.seed.as_ref())?;
    folder.prepare_data()?;
    let store = open_store(folder)?;
    let book = Book::open(Arc::clone(&store)).map_err(|error| start_failed(&error.to_string()))?;
    let log = Arc::new(Log::default());
    let mut builder = Builder::from_config(Config {
        storage_dir_path: folder.path().display().to_string(),
        network: bitcoin_network(network),
        ..Config::default()
    });
    builder.set_entropy_bip39_mnemonic(words, None);
    builder.set_custom_logger(log.clone());
    builder.set_runtime(handle);
    source.choose(&mut builder);
    be_reachable(&mut builder, config)?;
    let node = builder.build_with_store(store);
    let node = node.map_err(|error| not_built(&error, &log, network))?;
    node.start()
        .map_err(|error| not_started(error, &log, config))?;
    let core = Core::new(node, book);
    // Before anything new is begun, so that the ends of what was begun before are not taken for its own.
    core.handle_all()
        .map_err(|error| start_failed(&error.to_string()))?;
    Ok(core)
}

/// Reads the settings that can be wrong whatever the folder holds.
pub(super) fn check(config: &LdkConfig) -> Result<(), OpenError> {
    if let Some(alias) = &config.alias {
        let wrong = |why: &str| OpenError::Setting {
            setting: "alias",
            why: why.to_owned(),
        };
        if alias.trim().is_empty() || alias.len() > MAX_ALIAS {
            return Err(wrong("has 1 to 32 bytes"));
        }
        if config.listening_addresses.is_empty() {
            return Err(wrong(
                "is for a node that others can connect to: set `listening_addresses`, or leave it out",
            ));
        }
    }
    addresses(config).map(|_| ())
}

fn addresses(config: &LdkConfig) -> Result<Vec<SocketAddress>, OpenError> {
    let read = |text: &String| {
        text.parse().map_err(|_| OpenError::Setting {
            setting: "listening_addresses",
            why: format!("has \"{text}\", which is no host and port"),
        })
    };
    config.listening_addresses.iter().map(read).collect()
}

fn be_reachable(builder: &mut Builder, config: &LdkConfig) -> Result<(), OpenError> {
    let addresses = addresses(config)?;
    if !addresses.is_empty() {
        let set = builder.set_listening_addresses(addresses);
        set.map_err(|error| start_failed(&error.to_string()))?;
    }
    if let Some(alias) = &config.alias {
        let set = builder.set_node_alias(alias.clone());
        set.map_err(|error| start_failed(&error.to_string()))?;
    }
    Ok(())
}

fn open_store(folder: &Folder) -> Result<Arc<SqliteStore>, OpenError> {
    let store = SqliteStore::new(
        folder.path().to_owned(),
        Some(DATA_FILE.to_owned()),
        Some(KV_TABLE_NAME.to_owned()),
    );
    store.map(Arc::new).map_err(|error| OpenError::Folder {
        path: folder.path().join(DATA_FILE),
        source: std::io::Error::other(error.to_string()),
    })
}

fn not_built(error: &BuildError, log: &Log, network: Network) -> OpenError {
    match error {
        BuildError::NetworkMismatch => OpenError::Start(format!(
            "its folder is of another network than {network}: name another folder"
        )),
        BuildError::WalletSetupFailed
        | BuildError::ReadFailed
        | BuildError::InvalidChannelMonitor => OpenError::Start(format!(
            "its data cannot be read; the seed or the network is perhaps not the one that they were made with ({})",
            detail(&error.to_string(), log)
        )),
        error => start_failed(&detail(&error.to_string(), log)),
    }
}

fn not_started(error: NodeError, log: &Log, config: &LdkConfig) -> OpenError {
    match error {
        NodeError::InvalidSocketAddress => OpenError::Start(format!(
            "it cannot listen at {}; choose another of the `listening_addresses`, or stop what uses this one",
            config.listening_addresses.join(", ")
        )),
        NodeError::FeerateEstimationUpdateFailed | NodeError::FeerateEstimationUpdateTimeout => {
            OpenError::Chain(format!(
                "it does not say what a transaction costs ({})",
                detail(&error.to_string(), log)
            ))
        }
        error => start_failed(&detail(&error.to_string(), log)),
    }
}

/// LDK's log says more than its errors.
fn detail(error: &str, log: &Log) -> String {
    log.last_error().unwrap_or_else(|| said(error))
}

fn start_failed(why: &str) -> OpenError {
    OpenError::Start(why.to_owned())
}
