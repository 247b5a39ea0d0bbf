//! The one behaviour suite of every store, run by the one that forgets.

#[macro_use]
#[path = "../../mesh-store/tests/suite/mod.rs"]
mod suite;

use mesh_manager::ForgetfulStore;
use std::sync::Arc;
use suite::Place;

/// Nowhere in particular.
struct Memory;

impl Place for Memory {
    type Store = ForgetfulStore;

    async fn open(&mut self) -> Arc<ForgetfulStore> {
        Arc::default()
    }

    async fn crash(&mut self, _: Arc<ForgetfulStore>) -> Arc<ForgetfulStore> {
        self.open().await
    }

    async fn reopen(&mut self, _: Arc<ForgetfulStore>) -> Arc<ForgetfulStore> {
        self.open().await
    }
}

store_tests!(forgets: Some(Memory));
