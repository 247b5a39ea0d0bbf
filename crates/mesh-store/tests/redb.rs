//! The one behaviour suite, run by the file store.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

#[macro_use]
mod suite;

use mesh_store::{MeshStore, StoreLocation};
use std::{path::PathBuf, sync::Arc};
use suite::Place;
use tempfile::TempDir;

/// A file in a folder of its own; after a crash, in the next one.
struct RedbPlace {
    folder: TempDir,
}

impl RedbPlace {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("mesh.redb")
    }
}

impl Place for RedbPlace {
    type Store = MeshStore;

    async fn open(&mut self) -> Arc<MeshStore> {
        let location = StoreLocation::Redb(self.file());
        Arc::new(MeshStore::open(&location).await.unwrap())
    }

    /// Goes on with a copy of the file as the system has it, which is what a killed process leaves.
    async fn crash(&mut self, store: Arc<MeshStore>) -> Arc<MeshStore> {
        let left = Self::new();
        std::fs::copy(self.file(), left.file()).unwrap();
        drop(store);
        *self = left;
        self.open().await
    }

    async fn reopen(&mut self, store: Arc<MeshStore>) -> Arc<MeshStore> {
        Arc::into_inner(store).unwrap().close().await;
        self.open().await
    }
}

store_tests!(lasting: Some(RedbPlace::new()));

#[test]
fn the_file_store_agrees_with_a_reference_ledger() {
    suite::model::agrees(48, || Some(RedbPlace::new()));
}
