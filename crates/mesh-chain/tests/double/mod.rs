//! A node that says what it is told to say.

use mesh_chain::{BitcoinRpc, ChainConfig, OpenError, SecretFrom};
use mesh_types::Network;
use serde_json::{Value, json};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

pub(crate) const PASSWORD: &str = "hunter2-and-more-of-it";

/// What a call is answered with.
pub(crate) enum Reply {
    /// A result.
    Result(Value),
    /// An error, under a number, with these words.
    Error(i64, String),
    /// These bytes instead of an HTTP answer; the connection is closed behind them.
    Raw(Vec<u8>),
    /// This text as the body of an HTTP answer of this status.
    Body(u16, String),
    /// Nothing, ever; time passes at once from then on.
    Silence,
}

type Script = dyn Fn(&str, &Value) -> Reply + Send + Sync;

pub(crate) struct Double {
    pub(crate) address: String,
    shown: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
}

impl Double {
    /// Answers all calls as `script` says, but for those that it leaves to a regtest node at the tip.
    pub(crate) async fn start(
        script: impl Fn(&str, &Value) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let answer = move |method: &str, params: &Value| {
            script(method, params).unwrap_or_else(|| at_the_tip(method))
        };
        let answer: Arc<Script> = Arc::new(answer);
        let noted = Arc::clone(&shown);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&noted)));
            }
        });
        Self {
            address,
            shown,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn cookie(&self, text: &str) -> ChainConfig {
        let path = self.folder.path().join(".cookie");
        write_secret(&path, text);
        ChainConfig {
            address: self.address.clone(),
            cookie: Some(path),
            user: None,
            password: None,
        }
    }

    pub(crate) fn config(&self) -> ChainConfig {
        let path = self.folder.path().join("password");
        write_secret(&path, &format!("{PASSWORD}\n"));
        ChainConfig {
            address: self.address.clone(),
            cookie: None,
            user: Some("mesh".to_owned()),
            password: Some(SecretFrom::File(path)),
        }
    }

    pub(crate) async fn open(&self) -> Result<(BitcoinRpc, Vec<String>), OpenError> {
        BitcoinRpc::open(&self.config(), Network::Regtest).await
    }

    /// A client that has met a good node, which may be another one from now on.
    pub(crate) async fn met(&self) -> BitcoinRpc {
        self.open().await.unwrap().0
    }

    /// The `Authorization` of each request so far.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.shown.lock().unwrap().clone()
    }
}

pub(crate) fn write_secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

pub(crate) fn info(chain: &str, blocks: u32, headers: u32, is_loading: bool) -> Reply {
    Reply::Result(json!({
        "chain": chain,
        "blocks": blocks,
        "headers": headers,
        "bestblockhash": "0f".repeat(32),
        "initialblockdownload": is_loading,
    }))
}

fn at_the_tip(method: &str) -> Reply {
    match method {
        "getblockchaininfo" => info("regtest", 101, 101, false),
        "getindexinfo" => Reply::Result(json!({
            "txindex": { "synced": true, "best_block_height": 101 }
        })),
        "gettxout" => Reply::Result(Value::Null),
        _ => Reply::Error(-5, "not there".to_owned()),
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<Script>, shown: Arc<Mutex<Vec<String>>>) {
    let Some((authorization, call)) = read(&mut stream).await else {
        return;
    };
    shown.lock().unwrap().push(authorization);
    let method = call["method"].as_str().unwrap();
    let bytes = match answer(method, &call["params"]) {
        Reply::Result(result) => http(200, &json!({ "result": result, "error": null, "id": 0 })),
        Reply::Error(code, message) => {
            let error = json!({ "code": code, "message": message });
            http(500, &json!({ "result": null, "error": error, "id": 0 }))
        }
        Reply::Body(status, body) => text(status, &body),
        Reply::Raw(bytes) => bytes,
        Reply::Silence => {
            tokio::time::pause();
            std::future::pending().await
        }
    };
    // A client may have gone away in the middle of an answer that is too long.
    let _ = stream.write_all(&bytes).await;
}

async fn read(stream: &mut TcpStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let field = |name: &str| {
            let mut lines = head.lines();
            lines.find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()))
        };
        if body.len() < field("content-length:")?.parse().unwrap() {
            continue;
        }
        let authorization = field("authorization:").unwrap();
        return Some((authorization, serde_json::from_str(body).unwrap()));
    }
}

fn http(status: u16, body: &Value) -> Vec<u8> {
    text(status, &body.to_string())
}

fn text(status: u16, body: &str) -> Vec<u8> {
    let len = body.len();
    format!("HTTP/1.1 {status} Said\r\nContent-Length: {len}\r\n\r\n{body}").into_bytes()
}
