//! A wire between a gateway and the server that breaks where a test wants it to.

use mesh_store::StoreLocation;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
};

/// Where the wire breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// Before the commit comes to the server.
    BeforeCommit,
    /// When the commit is done, before its answer comes to the gateway.
    AfterCommit,
    /// Like [`Break::AfterCommit`], and the server goes on believing that the gateway is there.
    AfterCommitUnseen,
}

/// The wire; it lets everything pass until it is told to break.
pub(crate) struct Wire {
    folder: TempDir,
    armed: Arc<AtomicBool>,
    cut: Arc<AtomicBool>,
    at: Arc<std::sync::Mutex<Break>>,
    task: JoinHandle<()>,
}

impl Wire {
    /// Lays a wire to the server whose socket is in `folder`.
    pub(crate) fn to(server: &std::path::Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let armed = Arc::new(AtomicBool::new(false));
        let cut = Arc::new(AtomicBool::new(false));
        let at = Arc::new(std::sync::Mutex::new(Break::BeforeCommit));
        let flags = (Arc::clone(&armed), Arc::clone(&cut), Arc::clone(&at));
        let socket = server.join(".s.PGSQL.5432");
        let task = tokio::spawn(async move {
            while let Ok((gateway, _)) = listener.accept().await {
                let (armed, cut, at) = flags.clone();
                if cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = UnixStream::connect(&socket).await else {
                    continue;
                };
                tokio::spawn(carry(gateway, server, armed, at));
            }
        });
        Self {
            folder,
            armed,
            cut,
            at,
            task,
        }
    }

    pub(crate) fn location(&self, database: &str) -> StoreLocation {
        let socket = self.folder.path().display();
        format!("postgres:///{database}?host={socket}&user=mesh")
            .parse()
            .unwrap()
    }

    /// Breaks at the next commit; with `for_good` nobody connects until [`Wire::mend`].
    pub(crate) fn break_at(&self, at: Break, for_good: bool) {
        *self.at.lock().unwrap() = at;
        self.cut.store(for_good, Ordering::SeqCst);
        self.armed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }

    /// Whether it has broken since it was told to.
    pub(crate) fn is_broken(&self) -> bool {
        !self.armed.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    gateway: UnixStream,
    server: UnixStream,
    armed: Arc<AtomicBool>,
    at: Arc<std::sync::Mutex<Break>>,
) {
    let (from_gateway, to_gateway) = gateway.into_split();
    let (from_server, to_server) = server.into_split();
    let back = tokio::spawn(pass(from_server, to_gateway));
    let broken = watch(from_gateway, to_server, &armed, &at).await;
    let Some((at, mut to_server, commit)) = broken else {
        back.abort();
        return;
    };
    // What the server answers from here on, the gateway does not hear.
    back.abort();
    if at == Break::BeforeCommit {
        return;
    }
    to_server.write_all(&commit).await.unwrap();
    if at == Break::AfterCommitUnseen {
        // Kept open as long as the test runs.
        std::future::pending::<()>().await;
    }
}

/// Passes on what the gateway sends, until a commit that the wire breaks at.
async fn watch(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    armed: &AtomicBool,
    at: &std::sync::Mutex<Break>,
) -> Option<(Break, OwnedWriteHalf, Vec<u8>)> {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let count = from
            .read(&mut bytes)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        let sent = &bytes[..count];
        if sent.windows(7).any(|part| part == b"commit\0") && armed.swap(false, Ordering::SeqCst) {
            let at = *at.lock().unwrap();
            return Some((at, to, sent.to_vec()));
        }
        to.write_all(sent).await.ok()?;
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: OwnedWriteHalf) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
}
