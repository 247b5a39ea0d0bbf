use super::{ask::print, check::check, status::lightning};
use crate::{
    Brought, Node, Service,
    cli::RunArgs,
    command_error::CommandError,
    config::{Backend, ConfigFileError, NodeConfig},
    node_log::{self, NodeLog},
    reload_on_hangup,
    text::msat,
};
use blvm_mesh::{MeshMode, Price};
use std::{io, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};

/// Runs one node until it is told to stop.
pub(crate) async fn run(args: &RunArgs) -> Result<(), CommandError> {
    let config = read(args)?;
    if args.check {
        return check(&config, &args.config).await;
    }
    node_log::start(args.verbose);
    let told_to_stop = told_to_stop().map_err(CommandError::Runtime)?;
    let service = Service::start(&config, Arc::new(NodeLog::default()), Brought::default()).await?;
    warn(&config);
    // A reader that has gone away is no reason not to run.
    let _ = print(&introduction(service.node(), &config));
    let reload = || Ok::<_, CommandError>(service.reload(&read(args)?)?);
    tokio::select! {
        () = told_to_stop => {}
        () = reload_on_hangup(reload) => {}
    }
    tracing::info!("stopping: sending what is queued");
    service.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// Reads the configuration, with the peers of the command line, which count.
fn read(args: &RunArgs) -> Result<NodeConfig, ConfigFileError> {
    let mut config = NodeConfig::load(&args.config)?;
    for peer in &args.peers {
        config.mesh.peers.retain(|it| it.node_id != peer.node_id);
        config.mesh.peers.push(peer.clone());
    }
    Ok(config)
}

/// Listens for Ctrl-C and for the polite request to end, from now on.
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn warn(config: &NodeConfig) {
    let is_priced =
        config.mesh.mode == MeshMode::PaymentGated && config.mesh.price() != Price::FREE;
    match config.lightning.backend() {
        Backend::Sandbox => tracing::warn!(
            "the Lightning back end is a SANDBOX: its invoices are regtest, no real money moves, and a payment proves nothing"
        ),
        Backend::None if is_priced => tracing::warn!(
            "this node asks for payment and has no Lightning back end, so nobody can pay it: see [lightning]"
        ),
        Backend::None
        | Backend::Cln
        | Backend::Lnd
        | Backend::Lnbits
        | Backend::Ldk
        | Backend::Module => {}
    }
}

fn introduction(node: &Node, config: &NodeConfig) -> String {
    let mesh = &config.mesh;
    let price = node.manager().engine().price();
    let price = if price == Price::FREE {
        "nothing".to_owned()
    } else {
        format!(
            "{} a packet, {} a KiB on top",
            msat(price.per_packet),
            msat(price.per_kib)
        )
    };
    let mut text = format!("blvm-mesh {}\n", env!("CARGO_PKG_VERSION"));
    let mut line = |label: &str, value: String| text += &format!("{label:<12}{value}\n");
    line("node", node.manager().node_id().to_string());
    let address = node.local_addr().unwrap_or(mesh.listen_addr);
    line("listening", address.to_string());
    line("mode", format!("{}, on {}", mesh.mode, mesh.network));
    line("price", price);
    line("lightning", lightning(node.backend()));
    let chain = config.chain.as_ref();
    let chain = chain.map(|chain| format!("the Bitcoin node at {}", chain.address));
    line("chain", chain.unwrap_or_else(|| "none".to_owned()));
    line("store", config.node.store.to_string());
    line("control", config.node.control_socket.display().to_string());
    line("peers", format!("{} to be dialled", mesh.peers.len()));
    for peer in &mesh.peers {
        text += &format!("  {peer}\n");
    }
    text += "running; Ctrl-C stops it\n";
    text
}
