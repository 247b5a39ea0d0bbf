use mesh_types::StoreError;
use thiserror::Error;

/// What keeps the file from being read or written.
#[derive(Debug, Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Redb(Box<redb::Error>),
    #[error("the file is damaged: {0}")]
    Corrupt(&'static str),
    #[error("it is closed")]
    Closed,
    #[error("{0}")]
    Refused(String),
}

impl Fault {
    /// For what was not to change anything, or did not come to it.
    pub(super) fn unavailable(self) -> StoreError {
        StoreError::Unavailable(self.to_string())
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                Self::Redb(Box::new(error.into()))
            }
        }
    )*};
}

from_redb!(
    CommitError,
    CursorError,
    DatabaseError,
    SetDurabilityError,
    StorageError,
    TableError,
    TransactionError
);
