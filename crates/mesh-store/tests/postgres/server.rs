//! A PostgreSQL server of the tests' own, where its programs are installed.

#![allow(dead_code, reason = "each test file uses its own part of it")]

use mesh_store::StoreLocation;
use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU32, Ordering},
    },
};
use tempfile::TempDir;

/// A server with its data in a folder of its own, reached through a socket in that folder; it stops when it is dropped.
pub(crate) struct Server {
    folder: TempDir,
    programs: PathBuf,
    /// Whom it runs as, when the tests run as root: the server refuses to.
    user: Option<(u32, u32)>,
    settings: String,
}

/// The server that the tests of one program share; it stops behind the last of them.
static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

static DATABASES: AtomicU32 = AtomicU32::new(0);

impl Server {
    /// The shared server; `None`, with a word, where PostgreSQL is not installed.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(|dead| dead.into_inner());
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::start("")?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// A server for one test, started with `settings` besides; `None`, with a word, where PostgreSQL is not installed.
    pub(crate) fn start(settings: &str) -> Option<Self> {
        Self::start_with(settings, |_| {})
    }

    /// The same, with something done before it starts.
    pub(crate) fn start_with(settings: &str, before: impl FnOnce(&Self)) -> Option<Self> {
        let Some(programs) = programs() else {
            println!("skipped: PostgreSQL's initdb, pg_ctl and psql are not installed here");
            return None;
        };
        let Some(user) = user() else {
            println!("skipped: PostgreSQL does not run as root, and there is no user for it");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let server = Self {
            folder,
            programs,
            user,
            settings: settings.to_owned(),
        };
        let data = server.data();
        server.must(
            "initdb",
            [
                "-D",
                text(&data),
                "-U",
                "mesh",
                "-A",
                "trust",
                "-N",
                "-E",
                "UTF8",
                "--no-locale",
            ],
        );
        before(&server);
        server.go_on();
        Some(server)
    }

    /// Makes an empty database, and says where it is.
    pub(crate) fn database(&self) -> StoreLocation {
        let name = format!("mesh_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("create database {name}"));
        self.location(&name)
    }

    pub(crate) fn location(&self, database: &str) -> StoreLocation {
        let socket = self.folder.path().display();
        format!("postgres:///{database}?host={socket}&user=mesh")
            .parse()
            .unwrap()
    }

    /// What psql says when it is refused.
    pub(crate) fn refusal(&self, database: &str, sql: &str) -> String {
        self.psql(database, sql).unwrap_err()
    }

    /// Asks something, and answers with what psql writes: a line for each row, `|` between columns.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        self.psql(database, sql).unwrap()
    }

    /// The same, of a server that may be on its way down or up.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let socket = text(self.folder.path());
        let arguments = [
            "-h",
            socket,
            "-U",
            "mesh",
            "-d",
            database,
            "-v",
            "ON_ERROR_STOP=1",
            "-qXtAc",
            sql,
        ];
        self.run("psql", arguments)
    }

    /// The same of the server's own database, where it does not listen at the usual port.
    pub(crate) fn sql_at(&self, port: u16, sql: &str) -> String {
        let port = port.to_string();
        let socket = text(self.folder.path());
        self.must(
            "psql",
            [
                "-h", socket, "-p", &port, "-U", "mesh", "-d", "postgres", "-qXtAc", sql,
            ],
        )
    }

    /// Gives a file to the user that the server runs as.
    pub(crate) fn own(&self, path: &Path) {
        if let Some((user, group)) = self.user {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }

    /// Starts a server that was stopped.
    pub(crate) fn go_on(&self) {
        let (data, log) = (self.data(), self.folder.path().join("log"));
        let options = format!(
            "-k {} -c listen_addresses='' -c max_connections=60 -c log_lock_waits=on {}",
            self.folder.path().display(),
            self.settings
        );
        // A server that was killed may still hold its memory for a moment.
        for _ in 0..50 {
            let arguments = [
                "start",
                "-w",
                "-t",
                "60",
                "-s",
                "-D",
                text(&data),
                "-l",
                text(&log),
                "-o",
                &options,
            ];
            if self.run("pg_ctl", arguments).is_ok() {
                return;
            }
        }
        panic!(
            "the server does not start: {}",
            fs::read_to_string(log).unwrap_or_default()
        );
    }

    /// Stops it as an operator does: who is connected is thrown out.
    pub(crate) fn stop(&self) {
        let data = self.data();
        self.must(
            "pg_ctl",
            ["stop", "-w", "-s", "-m", "fast", "-D", text(&data)],
        );
    }

    /// Stops it as a power cut does, except for what the system has in its caches.
    pub(crate) fn kill(&self) {
        let data = self.data();
        let pid = fs::read_to_string(data.join("postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        let killed = Command::new("sh")
            .args(["-c", &format!("kill -9 {pid}")])
            .status();
        assert!(killed.unwrap().success(), "there is no server {pid}");
    }

    /// Kills the process that serves the connection that writes; the server then throws everybody out and recovers.
    pub(crate) fn kill_writer(&self, database: &str) {
        let writer = "select pid from pg_locks where locktype = 'advisory' limit 1";
        // It may have gone by itself since.
        if let Ok(pid) = self.psql(database, writer) {
            let _ = Command::new("sh")
                .args(["-c", &format!("kill -9 {pid}")])
                .output();
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn must<'a>(&self, program: &str, arguments: impl IntoIterator<Item = &'a str>) -> String {
        self.run(program, arguments).unwrap()
    }

    /// Runs one of PostgreSQL's programs as the user that the server runs as.
    fn run<'a>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Result<String, String> {
        let mut command = Command::new(self.programs.join(program));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear();
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        // To a file, because a server that pg_ctl starts would keep a pipe open.
        let out = self
            .folder
            .path()
            .join(format!("out-{}", DATABASES.fetch_add(1, Ordering::Relaxed)));
        let file = fs::File::create(&out).unwrap();
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let ended = command.status().unwrap();
        let said = fs::read_to_string(&out).unwrap();
        fs::remove_file(out).unwrap();
        if ended.success() {
            Ok(said.trim().to_owned())
        } else {
            Err(format!("{program}: {said}"))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.data();
        let _ = self.run(
            "pg_ctl",
            ["stop", "-w", "-s", "-m", "immediate", "-D", text(&data)],
        );
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Where initdb, pg_ctl, postgres and psql are.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<_> = versions.flatten().map(|it| it.path().join("bin")).collect();
        versions.sort();
        versions.reverse();
        folders.extend(versions);
    }
    let all = |folder: &PathBuf| {
        ["initdb", "pg_ctl", "postgres", "psql"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    folders.into_iter().find(all)
}

/// Whom the server is to run as: `Some(None)` for whoever runs the tests.
fn user() -> Option<Option<(u32, u32)>> {
    if fs::metadata("/proc/self").ok()?.uid() != 0 {
        return Some(None);
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let find = |name: &str| {
        let mut fields = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.first() == Some(&name))?
            .into_iter()
            .skip(2)
            .map(|field| field.parse().ok());
        Some((fields.next()??, fields.next()??))
    };
    find("postgres").or_else(|| find("nobody")).map(Some)
}

/// The name of the database at `location`.
pub(crate) fn name(location: &StoreLocation) -> String {
    let url = location.to_string();
    let path = url.split('?').next().unwrap();
    path.rsplit('/')
        .next()
        .map(OsStr::new)
        .and_then(OsStr::to_str)
        .unwrap()
        .to_owned()
}
