//! A small HTTP/1.1 server of the doubles, plain or with TLS: one request a connection.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]
#![allow(dead_code, reason = "each test file uses its own part of it")]

pub(crate) mod certificates;

use crate::suite::wallet::{Event, Fault, Op, Wallet};
use mesh_lightning::MAX_HTTP_ANSWER;
use serde_json::Value;
use std::{
    collections::HashMap,
    fs::{self, Permissions},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A request as it came.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Value,
}

/// An answer as it goes.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// An API of a double.
pub(crate) trait Api: Send + Sync + 'static {
    fn wallet(&self) -> &Wallet;
    fn op(&self, asked: &Asked) -> Op;
    fn answer(&self, asked: &Asked) -> Reply;
    /// How the API words an error.
    fn error(&self, message: &str) -> Reply;
    /// The first lines of a stream that goes on with the events of the wallet; `None` where the answer is none.
    fn stream(&self, _asked: &Asked) -> Option<Vec<String>> {
        None
    }
    /// The line of such a stream about an event.
    fn line_of(&self, _event: Event) -> String {
        String::new()
    }
}

pub(crate) fn secret_file(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// Serves until the handle is aborted.
pub(crate) async fn serve(
    api: Arc<impl Api>,
    tls: Option<TlsAcceptor>,
) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (api, tls) = (Arc::clone(&api), tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => one(&*api, tcp).await,
                    // A client that does not like the certificate goes away.
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(tcp).await {
                            one(&*api, stream).await;
                        }
                    }
                }
            });
        }
    });
    (address, serving)
}

async fn one(api: &impl Api, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let Some((asked, text)) = read(&mut stream).await else {
        return;
    };
    let fault = api.wallet().meets(api.op(&asked), &text);
    if fault.is_none()
        && let Some(lines) = api.stream(&asked)
    {
        // A client that has read enough closes the connection.
        let _ = follow(api, &mut stream, lines).await;
        return;
    }
    let reply = match fault {
        Some(Fault::Silent) => {
            tokio::time::pause();
            return std::future::pending().await;
        }
        Some(Fault::Closes) => return,
        Some(Fault::Echoes) => api.error(&format!("what is {text}?")),
        Some(Fault::Garbage | Fault::Truncated | Fault::Huge) => Reply {
            status: 200,
            body: "{}".to_owned(),
        },
        Some(Fault::LosesAnswer) | None => api.answer(&asked),
    };
    let Reply { status, body } = reply;
    let head = format!(
        "HTTP/1.1 {status} Of course\r\nContent-Type: application/json\r\nConnection: close\r\n"
    );
    let answer = match fault {
        Some(Fault::LosesAnswer) => return,
        Some(Fault::Garbage) => "SSH-2.0-OpenSSH_9.9\r\n\r\n".to_owned(),
        Some(Fault::Truncated) => format!("{head}Content-Length: 100\r\n\r\n{{\"state\": \"SET"),
        Some(Fault::Huge) => format!("{head}\r\n{}", "[".repeat(MAX_HTTP_ANSWER + 1)),
        // Streams are chunked, as those of LND are; all else has a length.
        _ if body.ends_with('\n') => format!(
            "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        ),
        _ => format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()),
    };
    // A client that has read enough closes the connection.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Tells what was, and then what comes. Without a line there is not even a head, as in LND.
async fn follow(
    api: &impl Api,
    stream: &mut (impl AsyncWrite + Unpin),
    mut lines: Vec<String>,
) -> std::io::Result<()> {
    let mut head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut seen = api.wallet().state().events.len();
    loop {
        let rings = api.wallet().rings.notified();
        let new = api.wallet().state().events[seen..].to_vec();
        seen += new.len();
        lines.extend(new.into_iter().map(|event| api.line_of(event)));
        for line in lines.drain(..) {
            let chunk = format!("{head}{:x}\r\n{line}\r\n", line.len());
            stream.write_all(chunk.as_bytes()).await?;
            stream.flush().await?;
            head = "";
        }
        api.wallet().waiting.send_modify(|count| *count += 1);
        rings.await;
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<(Asked, String)> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8(bytes.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let mut lines = head.lines();
        let mut words = lines.next().unwrap().split(' ').map(str::to_owned);
        let headers: HashMap<_, _> = lines
            .map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_ascii_lowercase(), value.to_owned())
            })
            .collect();
        let length = headers
            .get("content-length")
            .map_or(0, |text| text.parse().unwrap());
        if body.len() < length {
            continue;
        }
        let asked = Asked {
            method: words.next().unwrap(),
            path: words.next().unwrap(),
            headers,
            body: serde_json::from_str(body).unwrap_or_default(),
        };
        return Some((asked, text));
    }
}
