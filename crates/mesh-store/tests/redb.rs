//! The one behaviour suite, run by the file store.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

#[macro_use]
mod suite;

use mesh_store::{MeshStore, StoreLocation};
use mesh_types::{CreditStore as _, Msat};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
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

#[tokio::test]
async fn the_only_gateway_is_handed_all_there_is() {
    let store = RedbPlace::new().open().await;
    suite::deposit(&*store, suite::claim(1, 1_000)).await;
    let drawn = store.draw(suite::payer(1), suite::msat(1)).await.unwrap();
    assert_eq!(drawn.amount, suite::msat(1_000));
    let more = store.draw(suite::payer(1), suite::msat(1)).await.unwrap();
    assert_eq!(more.amount, Msat::ZERO);
}

/// What is settled leaves the file and the hands of the process in one step, for whoever reads beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credit_is_never_read_in_the_middle_of_a_settlement() {
    const ROUNDS: u64 = 200;
    let mut place = RedbPlace::new();
    let store = place.open().await;
    suite::deposit(&*store, suite::claim(1, 1_000)).await;
    let over = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn({
        let (store, over) = (Arc::clone(&store), Arc::clone(&over));
        async move {
            let mut last = 1_000;
            while !over.load(Ordering::Relaxed) {
                let read = store.credit(suite::payer(1)).await.unwrap().to_msat();
                assert!(
                    read == 0 || read <= last && read >= 1_000 - ROUNDS,
                    "{read}"
                );
                last = if read == 0 { last } else { read };
            }
        }
    });
    for round in 1..=ROUNDS {
        let drawn = suite::draw_all(&*store, suite::payer(1)).await.to_msat();
        assert_eq!(drawn, 1_001 - round);
        suite::settle(&*store, suite::payer(1), 1, drawn - 1).await;
    }
    over.store(true, Ordering::Relaxed);
    reading.await.unwrap();
}
