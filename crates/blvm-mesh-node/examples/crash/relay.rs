use blvm_mesh::{NodeId, PeerAddress};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};
use tokio::time::sleep;

/// What a packet costs at the relay: 30 % of the fee that payers offer.
pub(crate) const SHARE_MSAT: u64 = 3_000;
pub(crate) const FEE_MSAT: u64 = 10_000;

/// How long to wait before the relay is asked again: each question is a process of its own.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The relay: a process of its own, killed and started again.
pub(crate) struct Relay {
    program: PathBuf,
    config: PathBuf,
    process: Option<Child>,
}

impl Relay {
    /// It dials `peers`: it has forgotten by then how often that failed while it was dead.
    pub(crate) fn new(folder: &Path, store: &str, wallet: &str, peers: &[PeerAddress]) -> Self {
        let home = folder.join("relay");
        fs::create_dir_all(&home).unwrap();
        let peers: Vec<_> = peers.iter().map(|peer| format!("\"{peer}\"")).collect();
        let peers = peers.join(", ");
        let config = home.join("mesh.toml");
        // Quotes live for a day, so that each proof can be shown again in every later round.
        let text = format!(
            "[node]\nstore = \"{store}\"\n\n\
             [mesh]\nnetwork = \"regtest\"\nmode = \"payment_gated\"\nlisten_addr = \"127.0.0.1:0\"\npeers = [{peers}]\n\
             price_per_packet_msat = {SHARE_MSAT}\nprice_per_kib_msat = 0\nquote_lifetime_secs = 86400\n\n\
             [lightning]\n{wallet}\n"
        );
        fs::write(&config, text).unwrap();
        // Examples lie in a folder beside the programs.
        let own = std::env::current_exe().unwrap();
        let program = own.ancestors().nth(2).unwrap().join("blvm-mesh");
        Self {
            program,
            config,
            process: None,
        }
    }

    /// Starts the process, and does not wait for it.
    pub(crate) fn spawn(&mut self) {
        let mut process = self
            .program(&["run"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Its log is read so that it never waits for a reader, and shown where it is an error.
        let log = BufReader::new(process.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if line.contains("ERROR") || line.starts_with("error") {
                    println!("            relay: {line}");
                }
            }
        });
        self.process = Some(process);
    }

    /// Waits until the process answers.
    pub(crate) async fn answers(&mut self) -> Result<Status, String> {
        for _ in 0..300 {
            if let Some(status) = self.status() {
                return Ok(status);
            }
            if let Some(ended) = self.process.as_mut().and_then(|it| it.try_wait().unwrap()) {
                return Err(format!("the relay ended by itself: {ended}"));
            }
            sleep(LOOK_AGAIN).await;
        }
        Err("the relay does not answer within 30 seconds".to_owned())
    }

    /// SIGKILL: nothing of it runs after this.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub(crate) fn status(&self) -> Option<Status> {
        let output = self.program(&["status", "--json"]).output().unwrap();
        if !output.status.success() {
            return None;
        }
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let money = |name: &str| said["money"][name].as_u64().unwrap();
        if !said["store_error"].is_null() {
            return None;
        }
        Some(Status {
            id: said["node_id"].as_str().unwrap().parse().unwrap(),
            links: said["peers"].as_array().unwrap().len(),
            deposited: money("deposited_msat"),
            credit: money("credit_msat"),
            reserved: money("reserved_msat"),
            earned: money("earned_msat"),
        })
    }

    /// Has the dead relay's books recomputed from its journal.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let output = self.program(&["ledger", "verify"]).output().unwrap();
        if output.status.success() {
            return Ok(());
        }
        let Output { stdout, stderr, .. } = output;
        Err(format!(
            "the ledger does not verify: {}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        ))
    }

    fn program(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).arg("--config").arg(&self.config);
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What the relay says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Status {
    pub(crate) id: NodeId,
    pub(crate) links: usize,
    pub(crate) deposited: u64,
    pub(crate) credit: u64,
    pub(crate) reserved: u64,
    pub(crate) earned: u64,
}
