use crate::{error::OpenError, location::StoreLocation, store::MeshStore};

impl MeshStore {
    /// Opens the store at `location`, and makes an empty one where there is none.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed then.
    pub async fn open(location: &StoreLocation) -> Result<Self, OpenError> {
        let not_built = || OpenError::NotBuilt {
            store: location.to_string(),
        };
        match location {
            #[cfg(feature = "redb")]
            StoreLocation::Redb(path) => crate::redb::open(path).await,
            #[cfg(not(feature = "redb"))]
            StoreLocation::Redb(_) => Err(not_built()),
            StoreLocation::Postgres(_) => Err(not_built()),
        }
    }
}
