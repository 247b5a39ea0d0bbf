//! A blvm-node with the mesh inside.

use blvm_mesh_module::{FullNodeConfig, MeshInside, demo, relay_cost};
use blvm_mesh_node::reload_on_hangup;
use blvm_node::{node::Node, utils::logging::init_logging_from_config};
use clap::{Args, Parser};
use std::{env, error::Error, net::SocketAddr, path::PathBuf, process::ExitCode};

/// A blvm-node with the mesh inside: its configuration is the node's, with a [mesh] table.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example: blvm-mesh-full-node run --config blvm.toml"
)]
enum Command {
    Run(RunArgs),
    /// Starts three of itself on regtest, and sends a paid packet across the middle one
    Demo,
    /// Starts four of itself on regtest, and measures what the mesh costs the node's own relay
    Bench {
        /// How often everything is measured
        #[arg(long, default_value_t = 10)]
        rounds: u32,
    },
}

/// Runs the node until it is told to stop.
#[derive(Debug, Args)]
struct RunArgs {
    /// The node's configuration file
    #[arg(long)]
    config: PathBuf,

    /// Where the node answers JSON-RPC
    #[arg(long, default_value = "127.0.0.1:8332")]
    rpc_addr: SocketAddr,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Run(args) => run(&args).await,
        Command::Demo => tell().await,
        Command::Bench { rounds } => measure(rounds).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &RunArgs) -> Result<(), Box<dyn Error>> {
    let config = FullNodeConfig::load(&args.config)?;
    init_logging_from_config(config.node.logging.as_ref());
    let data_dir = config.data_dir.to_string_lossy();
    let listen_addr = config.node.listen_addr.ok_or("listen_addr is missing")?;
    let storage = config.node.storage.as_ref();
    let protocol = Some(config.protocol);
    let node = Node::with_storage_config(&data_dir, listen_addr, args.rpc_addr, protocol, storage)?;
    let mut node = node
        .with_config(config.node.clone())?
        .with_modules_from_config(&config.node)?;
    if !config.mesh.mesh.enabled {
        tracing::warn!("[mesh] enabled = false: the node runs without the mesh");
        node.start().await?;
        return Ok(());
    }
    let mesh = MeshInside::start(&node, &config).await?;
    tracing::info!(node = %mesh.manager().node_id(), "the mesh is up");
    let reload = || {
        let config = FullNodeConfig::load(&args.config)?;
        Ok::<_, Box<dyn Error>>(mesh.reload(&config)?)
    };
    let outcome = tokio::select! {
        // First, so that SIGHUP is heard from the start on.
        biased;
        () = reload_on_hangup(reload) => Ok(()),
        outcome = node.start() => outcome,
    };
    mesh.stop().await;
    outcome?;
    Ok(())
}

async fn measure(rounds: u32) -> Result<(), Box<dyn Error>> {
    Ok(relay_cost(&env::current_exe()?, rounds).await?)
}

async fn tell() -> Result<(), Box<dyn Error>> {
    Ok(demo(&env::current_exe()?).await?)
}
