use blvm_mesh_module::{
    COOKIE_FILE, LOG_FILE,
    regtest::{DEADLINE, RealHome, Rpc},
};
use blvm_mesh_node::control::{Answer, Client, Request, StatusReport};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How often is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(100);

/// The program under test.
pub(crate) fn module_program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_blvm-mesh-module"))
}

/// The settings of a module that listens where its home says.
///
/// - `more`: more lines.
pub(crate) fn settings(home: &RealHome, more: &str) -> String {
    let (listen_addr, rpc_addr) = (home.mesh, home.rpc);
    format!(
        "network = \"regtest\"\nlisten_addr = \"{listen_addr}\"\nrpc_addr = \"{rpc_addr}\"\n{more}"
    )
}

/// The mesh in a process of its own; killed when dropped, where it was started by hand.
pub(crate) struct Module {
    child: Option<Child>,
    data_dir: PathBuf,
}

impl Module {
    /// Starts it by hand. Nobody reads what it says on its standard streams.
    ///
    /// - `line`: what runs it, behind which come the program and its arguments; nothing, when it runs by itself.
    pub(crate) fn by_hand(line: &[&str], socket: &Path, data_dir: PathBuf) -> Self {
        let mut words = line
            .iter()
            .copied()
            .chain([module_program().to_str().unwrap()]);
        let child = Command::new(words.next().unwrap())
            .args(words)
            .arg("--socket")
            .arg(socket)
            .arg("--data-dir")
            .arg(&data_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            child: Some(child),
            data_dir,
        }
    }

    /// The one that a node starts.
    pub(crate) fn of_node(data_dir: PathBuf) -> Self {
        Self {
            child: None,
            data_dir,
        }
    }

    pub(crate) async fn status(&self) -> Option<StatusReport> {
        let control = self.data_dir.join("control").join("node.sock");
        let mut client = Client::connect(&control).await.ok()?;
        match client.ask(Request::Status {}).await.ok()? {
            Answer::Status(status) => Some(*status),
            _ => None,
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.data_dir.join(LOG_FILE)).unwrap_or_default()
    }

    /// Its JSON-RPC.
    ///
    /// - `home`: where its settings have their addresses from.
    pub(crate) fn rpc(&self, home: &RealHome) -> Rpc {
        let cookie = fs::read_to_string(self.data_dir.join(COOKIE_FILE)).unwrap();
        Rpc::with_login(home.rpc, cookie)
    }

    /// Waits until its log has a text so many times.
    pub(crate) async fn says(&self, what: &str, times: usize) {
        let has_said = async || self.log().matches(what).count() >= times;
        self.until(what, has_said).await;
    }

    pub(crate) async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let end = Instant::now() + DEADLINE;
        while !is_so().await {
            assert!(
                Instant::now() < end,
                "{what} did not happen:\n{}",
                self.log()
            );
            sleep(LOOK).await;
        }
    }

    /// What the system says of the process that holds its log open, under a name in a file of /proc.
    pub(crate) fn of_process(&self, file: &str, name: &str) -> String {
        let pid = self.pid().unwrap();
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().to_owned()
    }

    /// The most address space that it has had.
    pub(crate) fn peak_kib(&self) -> u64 {
        let peak = self.of_process("status", "VmPeak:");
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The process, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        let log = fs::canonicalize(self.data_dir.join(LOG_FILE)).ok()?;
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.into_iter().find(|pid: &u32| {
            let files = fs::read_dir(format!("/proc/{pid}/fd"));
            let mut files = files.into_iter().flatten().flatten();
            files.any(|file| fs::read_link(file.path()).is_ok_and(|path| path == log))
        })
    }

    /// Tells it to read its settings again.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let child = self.child.as_ref().unwrap().id().to_string();
        let told = Command::new("kill").args([signal, &child]).status();
        assert!(told.unwrap().success());
    }

    /// Asks it politely to stop, and answers with how it ended.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        self.signal("-TERM");
        let mut ended = None;
        let mut child = self.child.take().unwrap();
        let has_ended = async || {
            ended = child.try_wait().unwrap();
            ended.is_some()
        };
        self.until("the end", has_ended).await;
        ended.unwrap()
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
