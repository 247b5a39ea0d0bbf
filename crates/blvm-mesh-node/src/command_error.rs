use crate::{
    ReloadError, ServiceError, StartError,
    config::{ConfigFileError, SettingError},
    control::{ClientError, Failure as Answered, SocketError},
    demo::DemoError,
    ledger_desk::LedgerError,
};
use blvm_mesh::MeshError;
use mesh_store::{ImportError, OpenError};
use std::{io, path::PathBuf, process::ExitCode};
use thiserror::Error;

/// Why a command did not do what it was asked.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigFileError),
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Reload(#[from] ReloadError),
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{}", .0.message)]
    Answered(Answered),
    #[error("the node answered something else than was asked")]
    Unexpected,
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error("{0}")]
    Usage(String),
    #[error("cannot read {path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error("there is no ledger at {path} yet: the node makes it when it runs for the first time")]
    NoStore { path: PathBuf },
    #[error("{source}, or have it answer: nothing does at its control socket {socket}")]
    StoreHeld { socket: PathBuf, source: OpenError },
    #[error("whoever listens at {socket} does not answer: is the node stopped?")]
    Silent { socket: PathBuf },
    #[error("a node runs at {socket}: stop it first, for its store is not to be used meanwhile")]
    NodeRuns { socket: PathBuf },
    #[error("the invoice has ended and was not paid: quote again")]
    NotPaid,
    #[error("the ledger is wrong; it is left as it is")]
    WrongLedger,
    #[error("cannot write to the standard output: {0}")]
    Output(io::Error),
    #[error("the system does not let this program run: {0}")]
    Runtime(io::Error),
}

impl From<ServiceError> for CommandError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Start(error) => error.into(),
            ServiceError::Socket(error) => error.into(),
        }
    }
}

impl CommandError {
    /// 2 where the command line or the configuration has to be changed, 1 for everything else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        let code = match self {
            Self::Config(_) | Self::Setting(_) | Self::Usage(_) | Self::File { .. } => 2,
            Self::Start(
                StartError::Disabled
                | StartError::NoModule
                | StartError::Peer { .. }
                | StartError::Mesh(MeshError::ConfigError(_)),
            ) => 2,
            _ => 1,
        };
        ExitCode::from(code)
    }
}
