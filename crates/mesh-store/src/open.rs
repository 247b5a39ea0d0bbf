use crate::{error::OpenError, location::StoreLocation, store::MeshStore};

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
}
