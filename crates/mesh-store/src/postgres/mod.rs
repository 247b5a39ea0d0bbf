//! A database that several gateways share.

mod backend;
mod batch;
mod fault;
mod gateway;
mod import;
mod link;
mod money;
mod node;
mod number;
mod payments;
mod purse;
mod reader;
mod refunds;
mod schema;
mod session;
mod snapshot;
mod tally;
mod tally_refunds;
mod watched;

use self::{
    backend::Postgres,
    fault::Fault,
    link::{Held, Link},
    reader::Readers,
};
use crate::{error::OpenError, location::StoreLocation, store::MeshStore};
use std::sync::{Arc, atomic::AtomicBool};

/// Opens the database at `url`, makes the schema where there is none, and gives back what dead gateways had drawn.
pub(crate) async fn open(url: &str) -> Result<MeshStore, OpenError> {
    let store = StoreLocation::Postgres(url.to_owned()).to_string();
    let unavailable = |fault: Fault| OpenError::Unavailable {
        store: store.clone(),
        reason: fault.reason().to_owned(),
    };
    let options = session::options(url)?;
    let mut conn = session::connect(&options).await.map_err(unavailable)?;
    schema::migrate(&mut conn, &store).await?;
    drop(conn);
    let mut held = Held::first(&options).await.map_err(unavailable)?;
    warn_of_unsafe_server(&mut held)
        .await
        .map_err(unavailable)?;
    let dead = gateway::dead(&mut held.conn, held.run.number, None, false).await;
    for run in dead.map_err(unavailable)? {
        let buried = gateway::bury(&mut held.conn, run).await;
        buried.map_err(unavailable)?;
    }
    let is_up = Arc::new(AtomicBool::new(true));
    let readers = Readers::new(session::readers(options.clone()), Arc::clone(&is_up));
    let backend = Postgres::new(Link::new(held, options, is_up));
    Ok(MeshStore::start(backend, Arc::new(readers)))
}

async fn warn_of_unsafe_server(held: &mut Held) -> Result<(), Fault> {
    let fsync: String = sqlx::query_scalar("select current_setting('fsync')")
        .fetch_one(&mut held.conn)
        .await?;
    if fsync != "on" {
        tracing::warn!("the server runs with fsync off: it may forget claims when it crashes");
    }
    Ok(())
}
