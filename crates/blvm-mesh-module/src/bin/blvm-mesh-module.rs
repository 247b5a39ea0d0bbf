//! The mesh as a module of a blvm-node, in a process of its own.

use blvm_mesh_module::{
    CONFIG_FILE, LOG_FILE, MODULE_NAME, MeshBeside, NodeSocket, ProcessConfig, start_log,
};
use blvm_mesh_node::reload_on_hangup;
use clap::Parser;
use std::{
    env,
    error::Error,
    fs::DirBuilder,
    os::unix::{
        fs::DirBuilderExt,
        process::{CommandExt, parent_id},
    },
    path::PathBuf,
    process::{Command, ExitCode},
    thread,
    time::Duration,
};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
    time::sleep,
};

/// Threads that carry packets; a module may have half a processor, and each costs address space.
const WORKERS: usize = 2;

/// Threads that wait for the disk: one for what is claimed, the others for reading and for names that are looked up.
const BLOCKING: usize = 6;

/// Threads that this process has to be able to start at once: those that carry, and two that wait.
const AT_LEAST: usize = WORKERS + 2;

/// How often is looked whether the node that has started this process is there.
const LOOK: Duration = Duration::from_secs(1);

/// The mesh as a module of a blvm-node: started by the node, or by hand beside one that runs.
///
/// Its settings are in config.toml in its data folder, its log is blvm-mesh.log there, and `blvm-mesh status --control
/// <data folder>/control/node.sock` asks it how it is.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example: blvm-mesh-module --socket /var/lib/blvm/sockets/node.sock --data-dir /var/lib/blvm/mesh"
)]
struct Args {
    /// The node's socket for modules: <socket_dir>/node.sock, where [modules] of the node's configuration has socket_dir;
    /// else what the node says in SOCKET_PATH
    #[arg(long)]
    socket: Option<PathBuf>,

    /// The folder of the key, the money, the settings and the log; else what the node says in DATA_DIR
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

/// Where this process runs, and for whom.
struct Place {
    socket: NodeSocket,
    data_dir: PathBuf,
    /// The node's process, where that has started this one.
    node: Option<u32>,
}

/// How glibc is told that all threads allocate in one place.
///
/// By default each thread reserves 64 MiB of address space for itself, and a node gives a module 512. Nothing is lost: what is
/// written in Rust here has an allocator of its own.
const ONE_ARENA: (&str, &str) = ("MALLOC_ARENA_MAX", "1");

fn main() -> ExitCode {
    let (name, value) = ONE_ARENA;
    if env::var_os(name).is_none()
        && let Ok(program) = env::current_exe()
    {
        // It is read when a program starts, so this one starts again, as the same process. If that fails, it goes on as it is.
        let mut again = Command::new(program);
        let _ = again.args(env::args_os().skip(1)).env(name, value).exec();
    }
    let parent = parent_id();
    match run(Args::parse(), parent) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args, parent: u32) -> Result<(), Box<dyn Error>> {
    let place = place(args, parent)?;
    let folder = &place.data_dir;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .and_then(|()| start_log(folder))
        .map_err(|error| format!("{}: {error}", folder.join(LOG_FILE).display()))?;
    let config = ProcessConfig::load(folder, readable_variables())?;
    if config.file.is_none() {
        let file = folder.join(CONFIG_FILE);
        tracing::warn!(file = %file.display(), "there is no such file: all settings are as by default");
    }
    runtime()?.block_on(serve(&config, place))
}

fn place(args: Args, parent: u32) -> Result<Place, Box<dyn Error>> {
    let told = |argument: Option<PathBuf>, variable: &str, option: &str| {
        argument
            .or_else(|| env::var_os(variable).map(PathBuf::from))
            .ok_or_else(|| {
                format!(
                    "{option} is missing, and no node has set {variable}; --help has an example"
                )
            })
    };
    let given = env::var("MODULE_ID").ok();
    Ok(Place {
        socket: NodeSocket {
            path: told(args.socket, "SOCKET_PATH", "--socket")?,
            module_id: given.clone().unwrap_or_else(|| MODULE_NAME.to_owned()),
        },
        data_dir: std::path::absolute(told(args.data_dir, "DATA_DIR", "--data-dir")?)?,
        node: given.map(|_| parent),
    })
}

/// The environment, without what is no text: no setting is.
fn readable_variables() -> impl Iterator<Item = (String, String)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The threads, once it is sure that they can be started: a node limits the processes of a module, and all threads of its
/// user count.
fn runtime() -> Result<Runtime, Box<dyn Error>> {
    let started: Result<Vec<_>, _> = (0..AT_LEAST)
        .map(|_| thread::Builder::new().spawn(thread::park))
        .collect();
    let started = started.map_err(|error| format!(
        "no thread can be started ({error}): the node lets this user have too few; raise default_max_child_processes in [module_resource_limits] of its configuration"
    ))?;
    for thread in started {
        thread.thread().unpark();
        let _ = thread.join();
    }
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING)
        .enable_all()
        .build()?)
}

async fn serve(config: &ProcessConfig, place: Place) -> Result<(), Box<dyn Error>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let socket = place.socket.path.display().to_string();
    let mesh = MeshBeside::start(config, place.socket).await?;
    let control = config.mesh.node.control_socket.display();
    tracing::info!(node = %mesh.manager().node_id(), %socket, %control, "the mesh is up");
    let reload = || {
        let config = ProcessConfig::load(&place.data_dir, readable_variables())?;
        Ok::<_, Box<dyn Error>>(mesh.reload(&config)?)
    };
    tokio::select! {
        () = reload_on_hangup(reload) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = orphaned(place.node) => tracing::warn!("the node that has started this module is gone"),
    }
    tracing::info!("stopping: sending what is queued");
    mesh.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// Waits until the node is gone that has started this process; for ever, where none has.
async fn orphaned(node: Option<u32>) {
    while node.is_none_or(|node| node == parent_id()) {
        sleep(LOOK).await;
    }
}
