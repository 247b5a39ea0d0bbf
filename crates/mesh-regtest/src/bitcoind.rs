use crate::{AskError, RpcAccess};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    fmt, fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::Duration,
};
use tempfile::TempDir;
use thiserror::Error;

/// How often a bitcoind that starts or stops is looked at, and how many times at most: half a minute together, because it
/// takes a second.
const LOOKS: u32 = 600;
const INTERVAL: Duration = Duration::from_millis(50);

/// The most that is repeated of what a bitcoind said before it ended, in bytes.
const MAX_LAST_WORDS: usize = 500;

/// A bitcoind in a folder of its own, without peers, on a port of this machine.
///
/// When it is dropped, it is killed, and its folder is removed.
pub struct Bitcoind {
    program: PathBuf,
    arguments: Vec<String>,
    address: SocketAddr,
    folder: TempDir,
    running: Mutex<Running>,
}

struct Running {
    child: Child,
    access: RpcAccess,
}

/// Why a bitcoind does not run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BitcoindError {
    /// The program cannot be started, or its folder not be made.
    #[error("{program} cannot be started: {source}")]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It ended by itself.
    #[error("bitcoind ended with {status}: {words}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// What it said.
        words: String,
    },
    /// It does not start, or does not stop, in time.
    #[error("bitcoind does not {0} in time")]
    Slow(&'static str),
    /// It answers otherwise than it should.
    #[error("bitcoind cannot be asked: {0}")]
    Asked(#[from] AskError),
}

impl Bitcoind {
    /// Starts a program, and waits until it answers.
    ///
    /// - `arguments`: the chain and what else is wanted of it, such as `-chain=regtest` and `-txindex`.
    ///
    /// # Errors
    /// [`BitcoindError`]
    pub fn start(program: &Path, arguments: &[&str]) -> Result<Self, BitcoindError> {
        let begin = || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            Ok((listener.local_addr()?, tempfile::tempdir()?))
        };
        let (address, folder) = begin().map_err(|source| BitcoindError::Start {
            program: program.to_owned(),
            source,
        })?;
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        let arguments: Vec<_> = arguments.collect();
        Ok(Self {
            running: Mutex::new(Running::start(program, &arguments, address, folder.path())?),
            program: program.to_owned(),
            arguments,
            address,
            folder,
        })
    }

    /// Where it answers, and with which user and password, until it is started again.
    pub fn access(&self) -> RpcAccess {
        self.running.lock().access.clone()
    }

    /// The file with user and password, which is written anew at each start.
    pub fn cookie(&self) -> PathBuf {
        cookie(self.folder.path())
    }

    /// Calls a method.
    ///
    /// # Errors
    /// [`AskError`]
    pub fn ask(&self, method: &str, params: &Value) -> Result<Value, AskError> {
        self.access().ask(method, params)
    }

    /// Ends it in good order, and starts it again on the same port and from the same folder, with a new cookie.
    ///
    /// # Errors
    /// [`BitcoindError`]
    pub fn restart(&self) -> Result<(), BitcoindError> {
        let mut running = self.running.lock();
        running.stop()?;
        *running = Running::start(
            &self.program,
            &self.arguments,
            self.address,
            self.folder.path(),
        )?;
        Ok(())
    }
}

impl Running {
    fn start(
        program: &Path,
        arguments: &[String],
        address: SocketAddr,
        folder: &Path,
    ) -> Result<Self, BitcoindError> {
        let said = folder.join("said");
        let spawn = || {
            let output = fs::File::create(&said)?;
            Command::new(program)
                .args(arguments)
                .args(["-server", "-connect=0", "-listen=0", "-printtoconsole=0"])
                .arg(format!("-datadir={}", folder.display()))
                .arg(format!("-rpccookiefile={}", cookie(folder).display()))
                .args(["-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1"])
                .arg(format!("-rpcport={}", address.port()))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(output)
                .spawn()
        };
        let child = spawn().map_err(|source| BitcoindError::Start {
            program: program.to_owned(),
            source,
        })?;
        let mut running = Self {
            child,
            access: RpcAccess {
                address,
                user: String::new(),
                password: String::new(),
            },
        };
        for _ in 0..LOOKS {
            if let Some(status) = running.ended() {
                let mut words = fs::read_to_string(&said).unwrap_or_default();
                words.truncate(words.floor_char_boundary(MAX_LAST_WORDS));
                return Err(BitcoindError::Ended { status, words });
            }
            let pair = fs::read_to_string(cookie(folder)).unwrap_or_default();
            if let Some((user, password)) = pair.split_once(':') {
                running.access.user = user.to_owned();
                running.access.password = password.to_owned();
                // It refuses every question while it loads its blocks.
                if running.access.ask("getblockcount", &json!([])).is_ok() {
                    return Ok(running);
                }
            }
            sleep(INTERVAL);
        }
        Err(BitcoindError::Slow("start"))
    }

    fn stop(&mut self) -> Result<(), BitcoindError> {
        self.access.ask("stop", &json!([]))?;
        for _ in 0..LOOKS {
            if self.ended().is_some() {
                return Ok(());
            }
            sleep(INTERVAL);
        }
        Err(BitcoindError::Slow("stop"))
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is dead as it should be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cookie(folder: &Path) -> PathBuf {
    folder.join(".cookie")
}

impl fmt::Debug for Bitcoind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bitcoind")
            .field("program", &self.program)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
