use super::{
    call::Call,
    error::{RpcError, code},
    methods,
};
use crate::{Chain, worker::Worker};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bitcoin::hex::DisplayHex as _;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    fmt,
    fs::OpenOptions,
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
};
use tokio::sync::Semaphore;

/// Connections that are served at once: more than a few nodes and their tools have.
pub const MAX_CONNECTIONS: usize = 64;

/// The longest request, in bytes: a transaction as large as a block, in hex, and what is round it.
pub const MAX_REQUEST: usize = (8 << 20) + (64 << 10);

/// Calls in one request: a thousand, because their answers are kept until the last is there.
const MAX_CALLS: usize = 1_000;

/// The user of bitcoind's cookie.
const USER: &str = "__cookie__";

/// Answers questions about a chain as bitcoind does: JSON-RPC over HTTP, on a port of this machine, behind a password.
///
/// It has a thread of its own, and ends when it is dropped.
///
/// # Source
/// `src/rpc`, `src/httprpc.cpp` and `src/rpc/protocol.h` of Bitcoin Core, version 29, and a running Bitcoin Knots 29.4: `tests/bitcoind.rs` compares.
pub struct RpcServer {
    access: RpcAccess,
    _worker: Worker,
}

/// Where a server is, and who may ask it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RpcAccess {
    /// Where it answers.
    pub address: SocketAddr,
    /// The user that it lets in.
    pub user: String,
    /// That one's password.
    pub password: String,
}

impl RpcServer {
    /// Begins to answer, on a free port.
    ///
    /// # Errors
    /// When there is no port, no thread or no chance to be had.
    pub fn start(chain: Chain) -> io::Result<Self> {
        Self::begin(chain, true)
    }

    /// The same as a bitcoind without `-txindex` does: a transaction of the chain is found in the block that is named alone.
    ///
    /// # Errors
    /// As [`RpcServer::start`].
    pub fn start_without_index(chain: Chain) -> io::Result<Self> {
        Self::begin(chain, false)
    }

    fn begin(chain: Chain, has_index: bool) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let password = secret.to_lower_hex_string();
        let asked = STANDARD.encode(format!("{USER}:{password}"));
        let service = Arc::new(Service {
            chain,
            has_index,
            authorization: format!("Basic {asked}"),
        });
        let worker = Worker::start("regtest-rpc", move || serve(listener, service))?;
        let access = RpcAccess {
            address,
            user: USER.to_owned(),
            password,
        };
        Ok(Self {
            access,
            _worker: worker,
        })
    }

    /// All that it takes to ask it.
    pub fn access(&self) -> &RpcAccess {
        &self.access
    }

    /// Writes user and password as bitcoind writes its file `.cookie`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_cookie(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new();
        file.write(true).create(true).truncate(true).mode(0o600);
        write!(file.open(path)?, "{USER}:{}", self.access.password)
    }
}

impl fmt::Debug for RpcServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcServer")
            .field("address", &self.access.address)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RpcAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcAccess")
            .field("address", &self.address)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

async fn serve(listener: TcpListener, service: Arc<Service>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let (stream, _) = listener.accept().await?;
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let answer = service_fn(move |request| Arc::clone(&service).answer(request));
            // A client that goes away is none of the server's business.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
            drop(place);
        });
    }
}

struct Service {
    chain: Chain,
    has_index: bool,
    authorization: String,
}

type HttpAnswer = Response<Full<Bytes>>;

impl Service {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<HttpAnswer, Infallible> {
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            let words = "JSONRPC server handles only POST requests";
            return Ok(plain(StatusCode::METHOD_NOT_ALLOWED, words));
        }
        if !self.lets_in(&head.headers) {
            let mut answer = plain(StatusCode::UNAUTHORIZED, "");
            let realm = HeaderValue::from_static("Basic realm=\"jsonrpc\"");
            answer.headers_mut().insert(WWW_AUTHENTICATE, realm);
            return Ok(answer);
        }
        let Ok(body) = Limited::new(body, MAX_REQUEST).collect().await else {
            return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, ""));
        };
        let (status, answer) = self.reply(&body.to_bytes());
        let mut answer = Response::new(Full::new(Bytes::from(format!("{answer}\n"))));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        let json = HeaderValue::from_static("application/json");
        answer.headers_mut().insert(CONTENT_TYPE, json);
        Ok(answer)
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION);
        given.is_some_and(|given| given.as_bytes() == self.authorization.as_bytes())
    }

    fn reply(&self, body: &[u8]) -> (u16, Value) {
        let parsed: Result<Value, _> = serde_json::from_slice(body);
        match parsed {
            Err(_) => failed(
                &Value::Null,
                false,
                &RpcError::new(code::PARSE, "Parse error"),
            ),
            Ok(Value::Array(calls)) if calls.len() > MAX_CALLS => {
                let error = RpcError::new(code::INVALID_REQUEST, "too many calls");
                failed(&Value::Null, false, &error)
            }
            Ok(Value::Array(calls)) => {
                let answers = calls.into_iter().map(|call| self.reply_to(call).1);
                (200, answers.collect())
            }
            Ok(call) => self.reply_to(call),
        }
    }

    fn reply_to(&self, request: Value) -> (u16, Value) {
        let id = request.get("id").cloned().unwrap_or_default();
        let call = match Call::read(request) {
            Ok(call) => call,
            Err(error) => return failed(&id, false, &error),
        };
        match methods::answer(&self.chain, self.has_index, &call) {
            Ok(result) if call.is_v2 => {
                let answer = json!({ "jsonrpc": "2.0", "result": result, "id": call.id });
                (200, answer)
            }
            Ok(result) => {
                let answer = json!({ "result": result, "error": null, "id": call.id });
                (200, answer)
            }
            Err(error) => failed(&call.id, call.is_v2, &error),
        }
    }
}

fn failed(id: &Value, is_v2: bool, error: &RpcError) -> (u16, Value) {
    if is_v2 {
        let answer = json!({ "jsonrpc": "2.0", "error": error.json(), "id": id });
        (200, answer)
    } else {
        let answer = json!({ "result": null, "error": error.json(), "id": id });
        (error.status(), answer)
    }
}

fn plain(status: StatusCode, words: &'static str) -> HttpAnswer {
    let mut answer = Response::new(Full::new(Bytes::from_static(words.as_bytes())));
    *answer.status_mut() = status;
    answer
}
