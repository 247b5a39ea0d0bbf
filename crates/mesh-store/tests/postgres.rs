//! The one behaviour suite, run by PostgreSQL; and what only it can do: several gateways, and a server that goes away.

#![cfg(feature = "postgres")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

#[path = "postgres/gateways.rs"]
mod gateways;
#[path = "postgres/moving.rs"]
mod moving;
#[path = "postgres/outage.rs"]
mod outage;
#[path = "postgres/payments.rs"]
mod payments;
#[path = "postgres/schema.rs"]
mod schema;
#[path = "postgres/server.rs"]
mod server;
#[macro_use]
mod suite;
#[path = "postgres/tls.rs"]
mod tls;
#[path = "postgres/wire.rs"]
mod wire;

use mesh_store::{MeshStore, StoreLocation};
use server::{Server, name};
use std::sync::Arc;
use suite::Place;
use tokio::runtime::{Builder, Runtime};

/// A database of its own, and one gateway.
struct PgPlace {
    server: Arc<Server>,
    location: StoreLocation,
    /// Where the gateway's tasks run: they end with it, as with a process.
    gateway: Option<Runtime>,
}

impl PgPlace {
    fn new() -> Option<Self> {
        let server = Server::shared()?;
        Some(Self {
            location: server.database(),
            server,
            gateway: None,
        })
    }
}

impl Place for PgPlace {
    type Store = MeshStore;

    async fn open(&mut self) -> Arc<MeshStore> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let location = self.location.clone();
        let opening = runtime.spawn(async move { MeshStore::open(&location).await });
        if let Some(before) = self.gateway.replace(runtime) {
            before.shutdown_background();
        }
        Arc::new(opening.await.unwrap().unwrap())
    }

    async fn crash(&mut self, store: Arc<MeshStore>) -> Arc<MeshStore> {
        self.gateway.take().unwrap().shutdown_background();
        // The server notices the end of a process a moment later.
        let locks = "select count(*) from pg_locks where locktype = 'advisory'
            and database = (select oid from pg_database where datname = current_database())";
        while self.server.sql(&name(&self.location), locks) != "0" {}
        drop(store);
        self.open().await
    }

    async fn reopen(&mut self, store: Arc<MeshStore>) -> Arc<MeshStore> {
        Arc::into_inner(store).unwrap().close().await;
        self.open().await
    }
}

impl Drop for PgPlace {
    fn drop(&mut self) {
        if let Some(runtime) = self.gateway.take() {
            runtime.shutdown_background();
        }
    }
}

store_tests!(lasting: PgPlace::new());

#[test]
fn postgresql_agrees_with_a_reference_ledger() {
    suite::model::agrees(12, PgPlace::new);
}
