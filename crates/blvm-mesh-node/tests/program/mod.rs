//! The real program in processes of its own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]
#![allow(dead_code, reason = "each test file uses its own part of it")]

pub(crate) mod paid;
pub(crate) mod stranger;

use blvm_mesh::{NodeId, load_or_create_identity};
use std::{
    cell::RefCell,
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// How long anything may take; nothing here waits for it to pass.
const DEADLINE: Duration = Duration::from_secs(60);

/// The program, to be started.
pub(crate) fn blvm_mesh(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blvm-mesh"));
    command
        .args(args)
        .stdin(Stdio::null())
        .env_remove("NO_COLOR");
    command
}

/// What a run of the program came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str]) -> Ran {
    blvm_mesh(args).output().unwrap().into()
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A folder with a configuration and an identity key.
pub(crate) struct Home {
    pub(crate) config: PathBuf,
    pub(crate) id: NodeId,
}

impl Home {
    /// - `mesh`: the lines of the `[mesh]` table, and of tables inside it, but for the network.
    pub(crate) fn new(root: &Path, name: &str, mesh: &str) -> Self {
        let home = Self::empty(root, name);
        home.configure(mesh);
        home
    }

    /// The same with a wallet of its own.
    ///
    /// - `lightning`: the lines of the `[lightning]` table.
    pub(crate) fn with_wallet(root: &Path, name: &str, mesh: &str, lightning: &str) -> Self {
        let home = Self::empty(root, name);
        home.write(lightning, mesh);
        home
    }

    fn empty(root: &Path, name: &str) -> Self {
        let folder = root.join(name);
        fs::create_dir_all(&folder).unwrap();
        let id = load_or_create_identity(&folder.join("identity.key"))
            .unwrap()
            .node_id();
        Self {
            config: folder.join("mesh.toml"),
            id,
        }
    }

    pub(crate) fn configure(&self, mesh: &str) {
        let sandbox = "backend = \"sandbox\"\npath = \"../sandbox\"";
        // The sandbox asks for no fees, so deposits need not be larger for their sake.
        let fees = "spending.fee_share_permille = 1000";
        self.write(sandbox, &format!("{fees}\n{mesh}"));
    }

    fn write(&self, lightning: &str, mesh: &str) {
        let text = format!("[lightning]\n{lightning}\n\n[mesh]\nnetwork = \"regtest\"\n{mesh}\n");
        fs::write(&self.config, text).unwrap();
    }

    pub(crate) fn start(&self) -> Running {
        Running::start(&["run", "--config", self.config()])
    }

    /// Asks the running node of this home, and takes its JSON.
    pub(crate) fn ask(&self, args: &[&str]) -> serde_json::Value {
        let ran = self.command(args, &["--json"]);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.err);
        serde_json::from_str(&ran.out).unwrap()
    }

    /// Runs a command that talks to the running node of this home.
    pub(crate) fn command(&self, args: &[&str], more: &[&str]) -> Ran {
        run(&[args, &["--config", self.config()], more].concat())
    }

    pub(crate) fn config(&self) -> &str {
        self.config.to_str().unwrap()
    }
}

/// A node that runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    /// Lines that came while another was waited for.
    passed: RefCell<Vec<String>>,
}

impl Running {
    /// Starts the program and waits until it says that it runs.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = blvm_mesh(args);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        let err = BufReader::new(child.stderr.take().unwrap());
        let errors = sender.clone();
        std::thread::spawn(move || {
            out.lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        std::thread::spawn(move || {
            err.lines()
                .map_while(Result::ok)
                .try_for_each(|line| errors.send(line))
        });
        let running = Self {
            child,
            lines,
            passed: RefCell::default(),
        };
        running.expect("running;");
        running
    }

    /// Waits for a line, of what is said and of the log, that contains `part`; answers with it. Each line is found once.
    pub(crate) fn expect(&self, part: &str) -> String {
        let mut passed = self.passed.borrow_mut();
        if let Some(at) = passed.iter().position(|line| line.contains(part)) {
            return passed.remove(at);
        }
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => passed.push(line),
                Err(error) => panic!("{error} while waiting for {part:?} after {passed:#?}"),
            }
        }
    }

    /// Kills it without a word, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it politely to stop, and answers with its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.child.wait().unwrap().code()
    }

    /// Tells it to read its configuration again.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args([signal, &id]).status();
        assert!(told.unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
