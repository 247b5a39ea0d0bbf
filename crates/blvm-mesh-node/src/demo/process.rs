use super::{
    check::differs,
    error::Cause,
    stage::{Books, PATIENCE, RELAY_PRICE},
};
use crate::{
    Home, Node, NodeConfig, StartError,
    command_error::CommandError,
    control::{Answer, Client, Request, Server, StatusReport},
    watcher::{Passage, Watcher},
};
use blvm_mesh::{MeshEvent, Msat, NodeId, PeerAddress, Refusal, load_or_create_identity};
use mesh_link::LinkEvent;
use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::watch,
    time::{sleep, timeout},
};

/// What the process says when it stands between the claim of a payment and its packet.
const CLAIMED: &str = "claimed ";
/// What it says when it runs.
const RUNNING: &str = "running";

/// How long to wait before the process is asked again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long a process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Until the first payment is claimed; then it stands still, and waits to be killed.
    UntilTheFirstClaim,
    /// As any node does.
    Long,
}

/// The relay of the story, in a process of its own.
pub(super) struct RelayProcess {
    id: NodeId,
    file: PathBuf,
    config: NodeConfig,
    running: Option<Running>,
}

struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl RelayProcess {
    /// Makes its key and its configuration; it dials `peers`.
    pub(super) fn new(folder: &Path, peers: &[PeerAddress]) -> Result<Self, Cause> {
        let home = folder.join("relay");
        let identity = load_or_create_identity(&home.join("identity.key"));
        let id = identity
            .map_err(StartError::from)
            .map_err(relay_start)?
            .node_id();
        let peers: Vec<_> = peers.iter().map(|peer| format!("\"{peer}\"")).collect();
        let text = format!(
            "[mesh]\nnetwork = \"regtest\"\nmode = \"payment_gated\"\nlisten_addr = \"127.0.0.1:0\"\n\
             price_per_packet_msat = {}\nprice_per_kib_msat = 0\npeers = [{}]\n\n\
             [lightning]\nbackend = \"sandbox\"\npath = \"../sandbox\"\n",
            RELAY_PRICE.to_msat(),
            peers.join(", ")
        );
        let file = home.join("mesh.toml");
        fs::write(&file, text)?;
        let config = NodeConfig::load(&file).map_err(io::Error::other)?;
        Ok(Self {
            id,
            file,
            config,
            running: None,
        })
    }

    /// Starts the process, and waits until it says that it runs.
    pub(super) async fn start(&mut self, life: Life) -> Result<(), Cause> {
        let mut command = match life {
            Life::Long => program("run")?,
            Life::UntilTheFirstClaim => program("demo")?,
        };
        command.arg(match life {
            Life::Long => "--config",
            Life::UntilTheFirstClaim => "--relay",
        });
        let mut child = command.arg(&self.file).spawn()?;
        let out = child.stdout.take();
        let out = out.ok_or_else(|| differs("the relay's output", "a pipe", "none"))?;
        let mut running = Running {
            child,
            lines: BufReader::new(out).lines(),
        };
        running.expect("that it runs", RUNNING).await?;
        self.running = Some(running);
        Ok(())
    }

    /// Waits until the process stands still at a claim, and answers with the payment hash.
    pub(super) async fn claimed(&mut self) -> Result<String, Cause> {
        match &mut self.running {
            Some(running) => running.expect("a claim", CLAIMED).await,
            None => Err(differs("the relay", "a process", "none")),
        }
    }

    /// Ends the process with SIGKILL, and waits until it is gone.
    pub(super) async fn kill(&mut self) -> Result<(), Cause> {
        if let Some(mut running) = self.running.take() {
            running.child.kill().await?;
        }
        Ok(())
    }

    /// Waits until the process has booked what it earned.
    pub(super) async fn booked(&self) -> Result<(), Cause> {
        self.until("its earnings booked", |status| {
            status.money.unbooked_msat == 0
        })
        .await
    }

    /// Waits until the process can send to as many peers.
    pub(super) async fn linked(&self, peers: usize) -> Result<(), Cause> {
        self.until("links with its peers", |status| status.peers.len() == peers)
            .await
    }

    async fn until(
        &self,
        what: &'static str,
        is_so: impl Fn(&StatusReport) -> bool,
    ) -> Result<(), Cause> {
        let wait = async {
            while !is_so(&*self.status().await?) {
                sleep(LOOK_AGAIN).await;
            }
            Ok(())
        };
        timeout(PATIENCE, wait).await.unwrap_or(Err(Cause::Unseen {
            who: "relay",
            what,
            within: PATIENCE,
        }))
    }

    /// Asks the process for its books.
    pub(super) async fn books(&self) -> Result<Books, Cause> {
        let money = self.status().await?.money;
        Ok(Books {
            deposited: Msat::from_msat(money.deposited_msat),
            credit: Msat::from_msat(money.credit_msat),
            earned: Msat::from_msat(money.earned_msat),
        })
    }

    async fn status(&self) -> Result<Box<StatusReport>, Cause> {
        let client = Client::connect(&self.config.node.control_socket).await;
        let mut client = client.map_err(io::Error::other)?;
        let answer = client.ask(Request::Status {}).await;
        match answer.map_err(io::Error::other)? {
            Answer::Status(status) => Ok(status),
            other => Err(differs("the relay's answer", "its status", other)),
        }
    }

    /// Has the program verify the ledger, and answers with what it says.
    pub(super) async fn verify(&self) -> Result<String, Cause> {
        let mut command = program("ledger")?;
        let output = command.args(["verify", "--config"]).arg(&self.file);
        let output = output.output().await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        Err(differs("blvm-mesh ledger verify", "no difference", said))
    }

    pub(super) const fn id(&self) -> NodeId {
        self.id
    }

    /// The number of the process; `None` while there is none.
    pub(super) fn pid(&self) -> Option<u32> {
        self.running.as_ref().and_then(|running| running.child.id())
    }
}

impl Running {
    /// Waits for a line that begins with `word`, and answers with what follows.
    async fn expect(&mut self, what: &'static str, word: &str) -> Result<String, Cause> {
        let wait = async {
            while let Ok(Some(line)) = self.lines.next_line().await {
                if let Some(rest) = line.strip_prefix(word) {
                    return Some(rest.to_owned());
                }
            }
            None
        };
        let found = timeout(PATIENCE, wait).await.ok().flatten();
        found.ok_or(Cause::Unseen {
            who: "relay",
            what,
            within: PATIENCE,
        })
    }
}

/// Runs the relay that stands still at its first claim, until it is killed.
pub(crate) async fn stand_still(file: &Path) -> Result<(), CommandError> {
    let config = NodeConfig::load(file)?;
    let home = Home::Durable(config.node.store.clone());
    let node = Arc::new(Node::start(&config, home, Arc::new(Statue)).await?);
    // The story is of a proof: the wallet's word would be faster at times.
    if let Some(wallet) = node.sandbox() {
        wallet.fall_silent();
    }
    let server = Server::bind(&config.node.control_socket)?;
    say(RUNNING);
    // Nobody says stop: it is killed, or stopped with the demo that started it.
    let (_stop, stopped) = watch::channel(false);
    server.run(node, stopped).await;
    Ok(())
}

/// Stands still for ever when a payment has been claimed: before its packet goes on.
struct Statue;

impl Watcher for Statue {
    fn link(&self, _: &LinkEvent) {}

    fn decided(&self, _: &Passage, _: Result<(), &Refusal>) {}

    fn published(&self, event: &MeshEvent) {
        if let MeshEvent::PaymentVerified { payment_id, .. } = event {
            say(&format!("{CLAIMED}{payment_id}"));
            loop {
                thread::park();
            }
        }
    }
}

fn say(line: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// This very program.
fn program(command: &str) -> Result<Command, Cause> {
    let mut program = Command::new(env::current_exe()?);
    program
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    Ok(program)
}

fn relay_start(source: StartError) -> Cause {
    Cause::Start {
        who: "relay",
        source,
    }
}
