use crate::{
    cli::ControlArgs,
    command_error::CommandError,
    commands::ask::ask,
    config::NodeConfig,
    control::{Answer, Client, ClientError, LedgerCall, LedgerReport, Request},
    ledger_desk,
};
use mesh_store::{MeshStore, OpenError, StoreLocation};
use std::{path::Path, time::Duration};
use tokio::time::timeout;

/// How long a node may take to say that it is there.
///
/// Ten seconds, because it says so at once unless it hangs; what is asked then may take as long as it does.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// The books of a node: those that it has open while it runs, or the store itself when it does not.
#[derive(Debug)]
pub(super) enum Books {
    OfNode(Client),
    InStore(MeshStore),
}

impl Books {
    /// Opens the books that the command line means.
    pub(super) async fn open(args: &ControlArgs) -> Result<Self, CommandError> {
        if let Some(socket) = &args.control {
            return Self::of_node(Client::connect(socket).await?, socket).await;
        }
        let config = NodeConfig::load(&args.config)?;
        let socket = &config.node.control_socket;
        match Client::connect(socket).await {
            Ok(client) => Self::of_node(client, socket).await,
            Err(ClientError::NotRunning { .. }) => {
                let store = open_store(&config.node.store, socket).await?;
                Ok(Self::InStore(store))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Asks, and takes a failure for an error.
    pub(super) async fn ask(&mut self, call: LedgerCall) -> Result<LedgerReport, CommandError> {
        match self {
            Self::OfNode(client) => match ask(client, Request::Ledger(call)).await? {
                Answer::Ledger(report) => Ok(*report),
                _ => Err(CommandError::Unexpected),
            },
            Self::InStore(store) => Ok(ledger_desk::answer(store, call).await?),
        }
    }

    pub(super) async fn close(self) {
        if let Self::InStore(store) = self {
            store.close().await;
        }
    }

    async fn of_node(mut client: Client, socket: &Path) -> Result<Self, CommandError> {
        // Nothing was handed over on this connection: this only asks whether somebody answers.
        match timeout(FIRST_WORD, ask(&mut client, Request::Taken {})).await {
            Ok(answered) => answered.map(|_| Self::OfNode(client)),
            Err(_) => Err(CommandError::Silent {
                socket: socket.to_owned(),
            }),
        }
    }
}

/// Opens a store whose node does not answer at `socket`; makes none.
async fn open_store(location: &StoreLocation, socket: &Path) -> Result<MeshStore, CommandError> {
    if let StoreLocation::Redb(path) = location
        && !path.exists()
    {
        return Err(CommandError::NoStore { path: path.clone() });
    }
    match MeshStore::open(location).await {
        Err(source @ OpenError::Held { .. }) => Err(CommandError::StoreHeld {
            socket: socket.to_owned(),
            source,
        }),
        opened => Ok(opened?),
    }
}
