//! A blvm-node of your own with the mesh inside: `cargo run --example embed -- blvm.toml`.
//!
//! The configuration is your node's, with a `[mesh]` table in it and, where the mesh shall earn and pay, `[lightning]`.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use blvm_mesh_module::{FullNodeConfig, MeshInside};
use blvm_node::node::Node;
use std::{env, error::Error, path::Path};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("which configuration file?")?;
    let config = FullNodeConfig::load(Path::new(&path))?;

    // Your node, as you make it today. Only its module system has to be on: through it the mesh asks about the chain.
    let mut node = Node::with_storage_config(
        &config.data_dir.to_string_lossy(),
        config.node.listen_addr.ok_or("listen_addr is missing")?,
        "127.0.0.1:8332".parse()?,
        Some(config.protocol),
        config.node.storage.as_ref(),
    )?
    .with_config(config.node.clone())?
    .with_modules_from_config(&config.node)?;

    // The mesh starts first: a setting that it does not take is told before the node has touched the network.
    let mesh = MeshInside::start(&node, &config).await?;
    let manager = mesh.manager().clone();
    println!("this node is {}", manager.node_id());

    // What others send to this node arrives here; `manager.send` sends, and pays for it.
    tokio::spawn(async move {
        loop {
            let delivery = manager.next_delivery().await;
            println!("{} bytes from {}", delivery.payload.len(), delivery.source);
        }
    });

    // Runs until the node is told to stop; then the mesh sends what is queued and books what it has earned.
    let outcome = node.start().await;
    mesh.stop().await;
    Ok(outcome?)
}
