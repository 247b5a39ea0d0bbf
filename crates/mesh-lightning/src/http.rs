mod answering;
mod endpoint;
#[cfg(any(feature = "lnd", feature = "lnbits"))]
mod pinned;
#[cfg(any(feature = "lnbits", feature = "ldk"))]
mod public;

use crate::{call::CallError, pay::REQUEST_PATIENCE};
pub(crate) use answering::Answer;
pub(crate) use answering::Answering;
use answering::Ended;
pub use answering::MAX_HTTP_ANSWER;
pub(crate) use endpoint::Endpoint;
use http_body_util::Full;
use hyper::{
    Method, Request,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
#[cfg(any(feature = "lnd", feature = "lnbits"))]
pub(crate) use pinned::pinned;
#[cfg(any(feature = "lnbits", feature = "ldk"))]
pub(crate) use public::public;
use serde_json::Value;
use std::{fmt, io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{Error as TlsError, pki_types::ServerName},
};

/// How long a server may take to accept a connection, and again to agree on TLS: five seconds, because across the world
/// and over Tor it takes less, and the next try costs nothing.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// An HTTP server with JSON behind one key.
///
/// Each request has a connection of its own: a server that was restarted is found by the next request, and a request
/// is never sent twice because a kept connection had died.
pub(crate) struct Http {
    /// What the server should be, for messages.
    pub(crate) name: &'static str,
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: Option<(TlsConnector, ServerName<'static>)>,
    pub(crate) key_header: HeaderName,
    pub(crate) key: HeaderValue,
    /// What to do when it shows another certificate.
    pub(crate) certificate_hint: String,
}

/// Whatever carries bytes both ways.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Http {
    /// Sends a request, and reads the answer to its end.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, CallError> {
        let asking = async { self.start(method, path, body).await?.whole().await };
        timeout(REQUEST_PATIENCE, asking)
            .await
            .unwrap_or_else(|_| Err(self.too_slow()))
    }

    pub(crate) fn too_slow(&self) -> CallError {
        let (name, seconds) = (self.name, REQUEST_PATIENCE.as_secs());
        CallError::Lost(format!("{name} took longer than {seconds} s to answer"))
    }

    /// Sends a request, and reads the head of the answer, however long it takes.
    pub(crate) async fn start(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answering, CallError> {
        let request = self.request(method, path, body)?;
        let connected = self.connect().await?;
        self.send(connected, request).await
    }

    /// As [`Http::start`], without a body; `None` when the answer has no head `patience` after the request was sent.
    #[cfg(feature = "lnd")]
    pub(crate) async fn start_within(
        &self,
        method: Method,
        path: &str,
        patience: Duration,
    ) -> Result<Option<Answering>, CallError> {
        let request = self.request(method, path, None)?;
        let connected = self.connect().await?;
        let sending = self.send(connected, request);
        timeout(patience, sending).await.ok().transpose()
    }

    async fn send(
        &self,
        (mut sender, connection): (SendRequest<Full<Bytes>>, Ended),
        request: Request<Full<Bytes>>,
    ) -> Result<Answering, CallError> {
        let sent = sender.send_request(request).await;
        let (head, body) = sent.map_err(|error| self.lost(&error))?.into_parts();
        Ok(Answering::new(
            self.name,
            head.status.as_u16(),
            body,
            connection,
        ))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, CallError> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint.prefix))
            .header(HOST, &self.endpoint.authority)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .header(&self.key_header, &self.key)
            .body(Full::new(Bytes::from(body)));
        request
            .map_err(|error| CallError::NotSent(format!("the request cannot be written: {error}")))
    }

    async fn connect(&self) -> Result<(SendRequest<Full<Bytes>>, Ended), CallError> {
        let at = &self.endpoint;
        let name = self.name;
        let connecting = TcpStream::connect((at.host.as_str(), at.port));
        let connected = timeout(CONNECT_PATIENCE, connecting).await;
        let tcp = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let tcp = tcp.map_err(|error| {
            let authority = &at.authority;
            CallError::NotSent(format!(
                "no {name} at {authority}: {error}; start it, or correct the address"
            ))
        })?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some((connector, server)) => {
                let agreeing = connector.connect(server.clone(), tcp);
                let agreed = timeout(CONNECT_PATIENCE, agreeing).await;
                let agreed = agreed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                Box::new(agreed.map_err(|error| self.no_tls(&error))?)
            }
        };
        let shaken = handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| self.lost(&error))?;
        let task = tokio::spawn(async move {
            // What goes wrong with it is told to the request.
            let _ = connection.await;
        });
        Ok((sender, Ended(task)))
    }

    fn no_tls(&self, error: &io::Error) -> CallError {
        let (name, authority) = (self.name, &self.endpoint.authority);
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        CallError::NotSent(match inner {
            Some(TlsError::InvalidCertificate(_)) => format!(
                "the server at {authority} shows a certificate that is not believed: {}",
                self.certificate_hint
            ),
            Some(TlsError::InvalidMessage(_)) => format!(
                "the server at {authority} does not speak TLS: it is not {name}, or not this port"
            ),
            _ => format!("no TLS with the server at {authority}: {error}"),
        })
    }

    fn lost(&self, error: &hyper::Error) -> CallError {
        let (name, authority) = (self.name, &self.endpoint.authority);
        CallError::Lost(if error.is_parse() {
            format!("the server at {authority} does not answer as {name} does: {error}")
        } else {
            format!("the connection to {name} at {authority} was lost: {error}")
        })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("name", &self.name)
            .field("endpoint", &self.endpoint)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}
