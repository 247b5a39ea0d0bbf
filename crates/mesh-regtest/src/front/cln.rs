mod methods;

use super::{Faults, Loss, MAX_FRONT_CONNECTIONS, payment::NoAnswer};
use crate::{Peer, worker::Worker};
use methods::Methods;
use serde_json::{Value, json};
use std::{
    fmt, fs, io,
    os::unix::net::UnixListener as StdListener,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};

/// The longest request, in bytes: more than any invoice takes.
pub const MAX_CLN_REQUEST: usize = 64 << 10;

/// What ends an answer.
const END: &[u8] = b"\n\n";

/// A node's front that speaks as Core Lightning does: JSON-RPC on a unix socket.
///
/// It goes away when it is dropped; another on the same socket is the same node, which knows what it issued and paid.
///
/// # Source
/// Core Lightning's manual pages of `getinfo`, `invoice`, `listinvoices`, `waitanyinvoice`, `pay`, `xpay`, `listpays`.
pub struct ClnFront {
    socket: PathBuf,
    faults: Arc<Faults>,
    _worker: Worker,
}

impl ClnFront {
    /// Begins to listen on a socket, in whose place there is nothing, or what an earlier front left.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn start(peer: &Arc<Peer>, socket: &Path) -> io::Result<Self> {
        match fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = StdListener::bind(socket)?;
        listener.set_nonblocking(true)?;
        let faults = Arc::new(Faults::default());
        let methods = Arc::new(Methods {
            peer: Arc::clone(peer),
            faults: Arc::clone(&faults),
        });
        Ok(Self {
            socket: socket.to_owned(),
            faults,
            _worker: Worker::start("cln-front", move || serve(listener, methods))?,
        })
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Lets the answer to the next payment be lost.
    pub fn lose_next_answer(&self, loss: Loss) {
        self.faults.set(loss);
    }
}

impl Drop for ClnFront {
    fn drop(&mut self) {
        // Nobody is served by a socket that is left behind, and nobody harmed.
        let _ = fs::remove_file(&self.socket);
    }
}

impl fmt::Debug for ClnFront {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClnFront")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

async fn serve(listener: StdListener, methods: Arc<Methods>) -> io::Result<()> {
    let listener = UnixListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(MAX_FRONT_CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let (stream, _) = listener.accept().await?;
        let methods = Arc::clone(&methods);
        tokio::spawn(async move {
            // A client that goes away, or is to have no answer, finds its connection closed.
            let _ = serve_one(stream, &methods).await;
            drop(place);
        });
    }
}

async fn serve_one(mut stream: UnixStream, methods: &Methods) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let Some(request) = read_request(&mut stream, &mut bytes).await? else {
            return Ok(());
        };
        let (mut reader, mut writer) = stream.split();
        let answered = tokio::select! {
            answered = answer(methods, &request) => answered,
            // What is asked meanwhile is more than this front promises.
            _ = reader.read_u8() => return Ok(()),
        };
        let Ok(answer) = answered else {
            return Ok(());
        };
        writer.write_all(answer.to_string().as_bytes()).await?;
        writer.write_all(END).await?;
    }
}

/// Reads one request; `None` when there is no more.
async fn read_request(stream: &mut UnixStream, bytes: &mut Vec<u8>) -> io::Result<Option<Value>> {
    loop {
        let mut values = serde_json::Deserializer::from_slice(bytes).into_iter();
        if let Some(Ok(request)) = values.next() {
            let len = values.byte_offset();
            bytes.drain(..len);
            return Ok(Some(request));
        }
        if bytes.len() > MAX_CLN_REQUEST || stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    }
}

async fn answer(methods: &Methods, request: &Value) -> Result<Value, NoAnswer> {
    let field = |name: &str| request.get(name).cloned().unwrap_or_default();
    let (id, params) = (field("id"), field("params"));
    let method = field("method");
    let answered = methods.answer(method.as_str().unwrap_or_default(), &params);
    Ok(match answered.await? {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => {
            let error = json!({ "code": error.code, "message": error.message });
            json!({ "jsonrpc": "2.0", "id": id, "error": error })
        }
    })
}
