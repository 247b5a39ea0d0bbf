//! JSON-RPC of a module's own, for a released node serves no name of a module's.
//!
//! It is what callers of a node's JSON-RPC know: version 2.0 over HTTP, one call in each request, and a cookie as bitcoind
//! has it. It is answered on this machine alone.

mod call;
mod cookie;

use blvm_node::rpc::errors::RpcError;
use cookie::Cookie;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE, HeaderValue, ORIGIN, WWW_AUTHENTICATE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

/// The name of the cookie's file, in a module's data folder: what bitcoind calls its own.
pub const COOKIE_FILE: &str = ".cookie";

/// Connections at a time; more wait until one ends.
///
/// 64, as many calls as the mesh answers at a time.
pub const MAX_CONNECTIONS: usize = 64;

/// The most bytes of a request's body: the longest packet in hex is half of it.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// How long a caller has for the head of a request, and for its body: ten seconds each, on this machine.
const READING: Duration = Duration::from_secs(10);

/// How long one connection lasts at most, whoever is slow: sending may take half a minute.
const CONNECTION: Duration = Duration::from_secs(60);

/// How long a wrong cookie holds up its answer, as with bitcoind, so that nobody guesses fast.
const WRONG_COOKIE: Duration = Duration::from_millis(250);

/// How long nothing is accepted when the system has no place for a connection.
const NO_PLACE: Duration = Duration::from_secs(1);

/// What answers the calls.
#[async_trait::async_trait]
pub trait RpcMethods: Send + Sync + 'static {
    /// Answers one call, whose parameters are null where it has none.
    ///
    /// # Errors
    /// [`RpcError`], which the caller sees as it is.
    async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError>;
}

/// Why JSON-RPC is not served.
#[derive(Debug, Error)]
pub enum RpcBindError {
    /// Others than this machine could ask.
    #[error(
        "rpc_addr = \"{address}\": JSON-RPC is answered on this machine alone; choose 127.0.0.1 or [::1]"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("rpc_addr = \"{address}\": {source}; choose another, or stop what uses this one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody could ask.
    #[error("cannot write the cookie {path}: {source}")]
    Cookie {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A socket that is listened on, and the cookie that opens it.
#[derive(Debug)]
pub struct RpcServer {
    listener: TcpListener,
    cookie: Cookie,
}

impl RpcServer {
    /// Listens on `address`, and writes a new cookie into `folder`, which only its owner can read.
    ///
    /// # Errors
    /// [`RpcBindError`] says what to do about it.
    pub async fn bind(address: SocketAddr, folder: &Path) -> Result<Self, RpcBindError> {
        if !address.ip().is_loopback() {
            return Err(RpcBindError::NotLoopback { address });
        }
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| RpcBindError::Listen { address, source })?;
        let path = folder.join(COOKIE_FILE);
        let cookie = Cookie::new(&path).map_err(|source| RpcBindError::Cookie { path, source })?;
        Ok(Self { listener, cookie })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers calls until it is dropped; the cookie goes with it.
    pub async fn run(self, methods: Arc<dyn RpcMethods>) -> Infallible {
        let cookie = Arc::new(self.cookie);
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let place = Arc::clone(&places).acquire_owned().await;
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let (cookie, methods) = (Arc::clone(&cookie), Arc::clone(&methods));
                    connections.spawn(async move {
                        let _place = place;
                        // Whoever is cut off has been slow, or gone.
                        let _ = timeout(CONNECTION, serve(stream, &cookie, &*methods)).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection for JSON-RPC can be accepted");
                    sleep(NO_PLACE).await;
                }
            }
        }
    }
}

/// Answers the one request of a connection.
async fn serve(stream: TcpStream, cookie: &Cookie, methods: &dyn RpcMethods) {
    let answering = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(answer(request, cookie, methods).await)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READING)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answering)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection for JSON-RPC ended");
    }
}

/// Looks at who asks before anything that was asked.
///
/// # Security
/// Browsers name the page that asks, and programs do not. A browser to which somebody has once said the cookie would add it to
/// what any page sends here, so pages are not asked for it either.
async fn answer(
    request: Request<Incoming>,
    cookie: &Cookie,
    methods: &dyn RpcMethods,
) -> Response<Full<Bytes>> {
    if request.headers().contains_key(ORIGIN) {
        return refused(StatusCode::FORBIDDEN, None);
    }
    if !cookie.opens(request.headers()) {
        sleep(WRONG_COOKIE).await;
        let asks = HeaderValue::from_static("Basic realm=\"blvm-mesh\"");
        return refused(StatusCode::UNAUTHORIZED, Some((WWW_AUTHENTICATE, asks)));
    }
    if request.method() != Method::POST {
        let only = HeaderValue::from_static("POST");
        return refused(StatusCode::METHOD_NOT_ALLOWED, Some((ALLOW, only)));
    }
    let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect();
    let body = match timeout(READING, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return refused(StatusCode::PAYLOAD_TOO_LARGE, None);
        }
        Ok(Err(_)) => return refused(StatusCode::BAD_REQUEST, None),
        Err(_) => return refused(StatusCode::REQUEST_TIMEOUT, None),
    };
    match call::answer(&body, methods).await {
        Some(answer) => {
            let mut response = Response::new(Full::from(answer.to_string()));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        None => refused(StatusCode::NO_CONTENT, None),
    }
}

/// An answer without a body.
fn refused(
    status: StatusCode,
    header: Option<(hyper::header::HeaderName, HeaderValue)>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response.headers_mut().extend(header);
    response
}
