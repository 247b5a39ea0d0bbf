use mesh_secret::SecretError;
use mesh_types::{ChainError, Network};
use thiserror::Error;

/// Why a Bitcoin node is of no use with these settings.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A setting cannot be used.
    #[error("{setting} {why}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The password cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// It does not let us in.
    #[error("{0}")]
    Denied(String),
    /// What listens there is none.
    #[error("{0}")]
    Strange(String),
    /// It is on another network.
    #[error(
        "the Bitcoin node at {address} is on {found}, and this node is on {expected}: \
         name another one, or correct [mesh] network"
    )]
    WrongNetwork {
        /// Where it is.
        address: String,
        /// The network that the settings name.
        expected: Network,
        /// What it says.
        found: String,
    },
}

/// Why a call has no result. Messages hold no secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// It cannot be reached, is busy or slow, or the connection broke off: it may be back in a moment.
    Away(String),
    /// It does not take this user and password, or there are none to show.
    Denied(String),
    /// It answers as no Bitcoin node does.
    Strange(String),
    /// It answers with an error, under its own number for it.
    Refused {
        /// The number.
        code: i64,
        /// What it says.
        message: String,
    },
}

impl From<CallError> for ChainError {
    fn from(error: CallError) -> Self {
        Self(match error {
            CallError::Away(why) | CallError::Denied(why) | CallError::Strange(why) => why,
            CallError::Refused { code, message } => {
                format!("the Bitcoin node says: {message} ({code})")
            }
        })
    }
}
