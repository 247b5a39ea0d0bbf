mod identity;
mod invoices;
mod macaroon;
mod methods;
mod reply;

use super::{Faults, Loss, MAX_FRONT_CONNECTIONS, payment::NoAnswer};
use crate::{Peer, worker::Worker};
use http_body_util::{BodyExt as _, Limited};
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use identity::Identity;
use methods::{Asked, Methods};
use reply::{Reply, ReplyBody};
use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{net::TcpStream, sync::Semaphore};
use tokio_rustls::TlsAcceptor;

/// The longest request, in bytes: more than any invoice takes.
pub const MAX_LND_REQUEST: usize = 64 << 10;

/// The header with the macaroon.
const MACAROON: &str = "grpc-metadata-macaroon";

/// A node's front that speaks as LND does: REST over TLS, behind a macaroon.
///
/// Its certificate, its macaroon and its port are kept in a folder. It goes away when it is dropped; another in the same
/// folder is the same node, which knows what it issued and paid.
///
/// # Source
/// LND's API reference: `lnrpc.Lightning` (GetInfo, AddInvoice, LookupInvoice, ListInvoices, SubscribeInvoices),
/// `routerrpc.Router` (SendPaymentV2, TrackPaymentV2); grpc-gateway, version 2, for the shapes of errors and streams.
pub struct LndFront {
    address: SocketAddr,
    tls_cert: PathBuf,
    macaroon: PathBuf,
    faults: Arc<Faults>,
    _worker: Worker,
}

impl LndFront {
    /// Begins to listen, on the port that the folder names or on a new one.
    ///
    /// # Errors
    /// When there is no port or no certificate to be had.
    pub fn start(peer: &Arc<Peer>, folder: &Path) -> io::Result<Self> {
        let Identity {
            listener,
            acceptor,
            macaroon,
            tls_cert,
            macaroon_file,
        } = Identity::open(folder)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let faults = Arc::new(Faults::default());
        let service = Arc::new(Service {
            macaroon,
            methods: Methods {
                peer: Arc::clone(peer),
                faults: Arc::clone(&faults),
            },
        });
        let worker = Worker::start("lnd-front", move || serve(listener, acceptor, service))?;
        Ok(Self {
            address,
            tls_cert,
            macaroon: macaroon_file,
            faults,
            _worker: worker,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file with its certificate.
    pub fn tls_cert(&self) -> &Path {
        &self.tls_cert
    }

    /// The file with the macaroon that it takes.
    pub fn macaroon(&self) -> &Path {
        &self.macaroon
    }

    /// Lets the answer to the next payment be lost.
    pub fn lose_next_answer(&self, loss: Loss) {
        self.faults.set(loss);
    }
}

impl fmt::Debug for LndFront {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LndFront")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    service: Arc<Service>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(MAX_FRONT_CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let (stream, _) = listener.accept().await?;
        let (acceptor, service) = (acceptor.clone(), Arc::clone(&service));
        tokio::spawn(async move {
            // A client that goes away, or is to have no answer, finds its connection closed.
            let _ = serve_one(stream, acceptor, service).await;
            drop(place);
        });
    }
}

async fn serve_one(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    service: Arc<Service>,
) -> io::Result<()> {
    let stream = acceptor.accept(stream).await?;
    let answer = service_fn(move |request| Arc::clone(&service).answer(request));
    let served = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    served.map_err(io::Error::other)
}

struct Service {
    macaroon: String,
    methods: Methods,
}

impl Service {
    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<ReplyBody>, io::Error> {
        let (head, body) = request.into_parts();
        let reply = match self.check(&head.headers) {
            Err(refused) => refused,
            Ok(()) => {
                let body = Limited::new(body, MAX_LND_REQUEST).collect().await;
                let body = body.map_err(|_| io::Error::other("no request"))?.to_bytes();
                let asked = Asked {
                    method: head.method,
                    path: head.uri.path().to_owned(),
                    query: head.uri.query().unwrap_or_default().to_owned(),
                    body: serde_json::from_slice(&body).unwrap_or_default(),
                };
                let answered = self.methods.answer(&asked).await;
                answered.map_err(|NoAnswer| io::Error::other("the answer is lost"))?
            }
        };
        let mut response = reply.into_response();
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        Ok(response)
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Reply> {
        match headers.get(MACAROON) {
            None => Err(Reply::refused("expected 1 macaroon, got 0")),
            Some(given) if given.as_bytes() == self.macaroon.as_bytes() => Ok(()),
            Some(_) => Err(Reply::refused(
                "verification failed: signature mismatch after caveat verification",
            )),
        }
    }
}
