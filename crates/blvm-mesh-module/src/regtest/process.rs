use super::{DEADLINE, GREETING, RealHome, RegtestError, Rpc};
use blvm_mesh_node::control::{Answer, Client, DeliveryReport, Request, StatusReport};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// How often is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(50);

/// A peer by the Bitcoin protocol.
struct Peer {
    address: String,
    has_greeted: bool,
}

impl Peer {
    /// Reads what a node says of it: before a peer has greeted it offers no services, and its other fields are the node's
    /// own.
    fn of(info: &Value) -> Self {
        let field = |name| info.get(name).and_then(Value::as_str).unwrap_or_default();
        Self {
            address: field("addr").to_owned(),
            has_greeted: field("services").bytes().any(|digit| digit != b'0'),
        }
    }
}

/// In what the system counts time of a processor: a hundredth of a second, on every Linux.
const TICK_MILLIS: u64 = 10;

/// Of the log of a node that failed, how many lines are shown.
const LOG_LINES: usize = 20;

/// A blvm-node that runs, with its mesh; killed when dropped.
#[derive(Debug)]
pub struct RealNode {
    child: Child,
    /// Its JSON-RPC.
    pub rpc: Rpc,
    /// The port where it takes connections by the Bitcoin protocol.
    p2p: u16,
    /// How many connections it was told to make.
    dialled: AtomicU8,
    control: PathBuf,
    log: PathBuf,
}

impl RealNode {
    /// Starts `program` in a home, and waits until the node has started and the mesh answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start(program: &Path, home: &RealHome) -> Result<Self, RegtestError> {
        let mut node = Self::start_without_mesh(program, home).await?;
        let what = format!("the mesh of {}", home.name);
        node.until(&what, async |node| Ok(node.status().await.is_ok()))
            .await?;
        Ok(node)
    }

    /// The same in a home whose mesh is not enabled.
    ///
    /// # Errors
    /// When the node does not start.
    pub async fn start_without_mesh(program: &Path, home: &RealHome) -> Result<Self, RegtestError> {
        let log = home.folder.join("log");
        let opened = File::options().create(true).append(true).open(&log);
        let opened = opened.map_err(RegtestError::io("the log of a node"))?;
        let errors = opened
            .try_clone()
            .map_err(RegtestError::io("the log of a node"))?;
        let child = Command::new(program)
            .args(["run", "--rpc-addr", &home.rpc.to_string(), "--config"])
            .arg(home.config())
            .current_dir(&home.folder)
            .env("BLVM_IBD_PEER_HEIGHT_WAIT_MS", "0")
            .env("BLVM_IBD_MAX_PENDING_OPS", "400000")
            .stdin(Stdio::null())
            .stdout(opened)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(RegtestError::io(program.display().to_string()))?;
        let mut node = Self {
            child,
            rpc: Rpc::new(home.rpc),
            p2p: home.p2p.port(),
            dialled: AtomicU8::new(0),
            control: home.control(),
            log,
        };
        let modules = home.modules_socket();
        let what = format!("the start of {}", home.name);
        // JSON-RPC answers much earlier; modules are the last part of a node to start.
        node.until(&what, async |_| Ok(modules.exists())).await?;
        Ok(node)
    }

    /// The port where it takes connections by the Bitcoin protocol.
    pub(super) const fn p2p(&self) -> u16 {
        self.p2p
    }

    /// How much time of a processor it has taken so far.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn cpu_time(&self) -> Result<Duration, RegtestError> {
        let id = self.child.id().unwrap_or_default();
        let stat = fs::read_to_string(format!("/proc/{id}/stat"));
        let stat = stat.map_err(RegtestError::io("/proc"))?;
        // Behind the name, which is in parentheses and may hold anything: the state, ten numbers, and these two.
        let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
        let ticks = fields.split_ascii_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks.saturating_mul(TICK_MILLIS)))
    }

    /// Asks the mesh.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ask(&self, request: Request) -> Result<Answer, RegtestError> {
        Ok(Client::connect(&self.control).await?.ask(request).await?)
    }

    /// How the mesh is.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn status(&self) -> Result<StatusReport, RegtestError> {
        match self.ask(Request::Status {}).await? {
            Answer::Status(status) => Ok(*status),
            other => Err(RegtestError::Answer(format!("{other:?}"))),
        }
    }

    /// Takes one packet that has arrived, or arrives within half a minute.
    ///
    /// # Errors
    /// When none does.
    pub async fn receive(&self) -> Result<DeliveryReport, RegtestError> {
        let mut client = Client::connect(&self.control).await?;
        let first = Request::Receive {
            max: 1,
            wait_secs: 30,
        };
        let delivery = match client.ask(first).await? {
            Answer::Deliveries(mut arrived) => arrived.pop(),
            other => return Err(RegtestError::Answer(format!("{other:?}"))),
        };
        client.ask(Request::Taken {}).await?;
        delivery.ok_or_else(|| RegtestError::Answer("no packet".to_owned()))
    }

    /// Waits until something is so.
    ///
    /// # Errors
    /// When it is not in time, or the node has ended.
    pub async fn until(
        &mut self,
        what: &str,
        mut is_so: impl AsyncFnMut(&Self) -> Result<bool, RegtestError>,
    ) -> Result<(), RegtestError> {
        let end = Instant::now() + DEADLINE;
        while !is_so(self).await? {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return Err(RegtestError::Ended {
                    log_end: self.log_end(),
                });
            }
            if Instant::now() > end {
                return Err(RegtestError::Late {
                    what: what.to_owned(),
                    log_end: self.log_end(),
                });
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Connects to another by the Bitcoin protocol, and waits until both have greeted.
    ///
    /// The released node now and then forgets to greet (docs/blvm-node.md); then the next connection is tried.
    ///
    /// # Errors
    /// As [`RealNode::until`].
    pub async fn connect(&mut self, other: &Self) -> Result<(), RegtestError> {
        let greeted = |peers: &[Peer]| peers.iter().filter(|peer| peer.has_greeted).count();
        let before = greeted(&other.peers().await?);
        let mut tried: Option<(Instant, String)> = None;
        self.until("the greeting", async |node| {
            if let Some((when, address)) = &tried {
                let (ours, theirs) = (node.peers().await?, other.peers().await?);
                let is_up = |peer: &Peer| peer.has_greeted && peer.address == *address;
                if ours.iter().any(is_up) && greeted(&theirs) > before {
                    return Ok(true);
                }
                if when.elapsed() < GREETING {
                    return Ok(false);
                }
                node.rpc.call("disconnectnode", json!([address])).await?;
            }
            tried = Some((Instant::now(), node.dial(other).await?));
            Ok(false)
        })
        .await
    }

    /// Ends the connections that lead to another, and makes a new one.
    ///
    /// The released node now and then hears nothing more on a connection, soon after both have greeted (docs/blvm-node.md).
    ///
    /// # Errors
    /// When a call of its JSON-RPC fails.
    pub async fn reconnect(&self, other: &Self) -> Result<(), RegtestError> {
        let port = format!(":{}", other.p2p);
        for peer in self.peers().await? {
            if peer.address.ends_with(&port) {
                let address = json!([peer.address]);
                self.rpc.call("disconnectnode", address).await?;
            }
        }
        self.dial(other).await.map(drop)
    }

    /// Calls another, and answers with where.
    ///
    /// A connection that was ended is still counted against its network, so each goes to another address of this machine.
    async fn dial(&self, other: &Self) -> Result<String, RegtestError> {
        let net = self.dialled.fetch_add(1, Ordering::Relaxed) % u8::MAX;
        let address = format!("127.0.{}.1:{}", net + 1, other.p2p);
        self.rpc.call("addnode", json!([address, "onetry"])).await?;
        Ok(address)
    }

    fn log_end(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let skipped = lines.len().saturating_sub(LOG_LINES);
        lines
            .into_iter()
            .skip(skipped)
            .collect::<Vec<_>>()
            .join("\n")
    }

    async fn peers(&self) -> Result<Vec<Peer>, RegtestError> {
        let peers = self.rpc.call("getpeerinfo", json!([])).await?;
        let peers = peers.as_array().into_iter().flatten();
        Ok(peers.map(Peer::of).collect())
    }

    /// Kills it without a word, as a power cut would.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(mut self) -> Result<(), RegtestError> {
        self.child.kill().await.map_err(RegtestError::io("kill"))
    }

    /// Tells it to read its configuration again.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn hang_up(&self) -> Result<(), RegtestError> {
        self.signal("-HUP").await
    }

    async fn signal(&self, signal: &str) -> Result<(), RegtestError> {
        let id = self.child.id().unwrap_or_default().to_string();
        let told = Command::new("kill").args([signal, &id]).status().await;
        told.map_err(RegtestError::io("kill"))?;
        Ok(())
    }

    /// Asks it politely to stop, and answers with its exit code.
    ///
    /// # Errors
    /// When it does not stop in time.
    pub async fn stop(mut self) -> Result<Option<i32>, RegtestError> {
        self.signal("-TERM").await?;
        let ended = timeout(DEADLINE, self.child.wait()).await;
        let ended = ended.map_err(|_| RegtestError::Late {
            what: "the end of a node".to_owned(),
            log_end: self.log_end(),
        })?;
        Ok(ended.map_err(RegtestError::io("wait"))?.code())
    }
}
