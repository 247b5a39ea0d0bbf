use crate::{error::OpenError, location::StoreLocation, store::MeshStore};

/// What a file takes on the disk, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Before it was made smaller.
    pub before: u64,
    /// Now.
    pub after: u64,
}

impl MeshStore {
    /// Opens the store at `location`, and makes an empty one where there is none.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed then.
    pub async fn open(location: &StoreLocation) -> Result<Self, OpenError> {
        #[cfg(not(all(feature = "redb", feature = "postgres")))]
        let not_built = || OpenError::NotBuilt {
            store: location.to_string(),
        };
        match location {
            #[cfg(feature = "redb")]
            StoreLocation::Redb(path) => crate::redb::open(path).await,
            #[cfg(not(feature = "redb"))]
            StoreLocation::Redb(_) => Err(not_built()),
            #[cfg(feature = "postgres")]
            StoreLocation::Postgres(url) => crate::postgres::open(url).await,
            #[cfg(not(feature = "postgres"))]
            StoreLocation::Postgres(_) => Err(not_built()),
        }
    }

    /// Gives the free space of a file back to the system, while no node has it open. It takes about a second for each 50 MB
    /// that the file holds.
    ///
    /// A running store uses free space again; this is for one that has become much smaller for good.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::NoFile`] for a database.
    pub async fn compact(location: &StoreLocation) -> Result<Compacted, OpenError> {
        match location {
            #[cfg(feature = "redb")]
            StoreLocation::Redb(path) => crate::redb::compact(path).await,
            #[cfg(not(feature = "redb"))]
            StoreLocation::Redb(_) => Err(OpenError::NotBuilt {
                store: location.to_string(),
            }),
            StoreLocation::Postgres(_) => Err(OpenError::NoFile {
                store: location.to_string(),
            }),
        }
    }
}
