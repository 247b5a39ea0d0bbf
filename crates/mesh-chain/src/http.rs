use crate::{OpenError, error::CallError};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::handshake,
    header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue},
    http::uri::Authority,
};
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, future::pending, io, net::IpAddr, time::Duration};
use tokio::{net::TcpStream, sync::Semaphore, time::timeout};

/// How long a node may take to accept a connection: two seconds, because it is here or near, and the packet that waits for
/// it waits for five.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

/// How long a node may take to answer: ten seconds, because nobody waits for it longer.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes: the largest transaction that nodes relay, spelled out, takes four million.
pub const MAX_ANSWER: usize = 8 << 20;

/// Questions that one node is asked at once: four, as many as a bitcoind answers at once by its defaults, so that strange
/// answers take no more memory than four of the longest.
pub const MAX_AT_ONCE: usize = 4;

/// An HTTP server that takes POST requests.
///
/// Each request has a connection of its own: a server that was restarted is found by the next request.
#[derive(Debug)]
pub(crate) struct Http {
    authority: Authority,
    host: String,
    port: u16,
    places: Semaphore,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Http {
    /// Reads a host and a port.
    pub(crate) fn at(address: &str) -> Result<Self, OpenError> {
        let wrong = |why| OpenError::Setting {
            setting: "address",
            why,
        };
        if address.contains('@') {
            return Err(wrong("has no place for a password: see `password`"));
        }
        let no_address = "is not a host and a port, such as 127.0.0.1:8332";
        let authority: Authority = address.parse().map_err(|_| wrong(no_address))?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().filter(|_| !host.is_empty());
        Ok(Self {
            host,
            port: port.ok_or_else(|| wrong(no_address))?,
            authority,
            places: Semaphore::new(MAX_AT_ONCE),
        })
    }

    /// The host and the port, as they were written.
    pub(crate) fn address(&self) -> &str {
        self.authority.as_str()
    }

    /// Whether what is sent to it stays on this machine.
    pub(crate) fn is_here(&self) -> bool {
        let number: Result<IpAddr, _> = self.host.parse();
        self.host == "localhost" || number.is_ok_and(|number| number.is_loopback())
    }

    /// Sends a request, and reads the answer to its end.
    pub(crate) async fn post(
        &self,
        authorization: HeaderValue,
        body: String,
    ) -> Result<Answer, CallError> {
        let asking = async {
            // It is never closed.
            let _place = self.places.acquire().await;
            self.ask(authorization, body).await
        };
        let slow = || {
            let seconds = ANSWER_PATIENCE.as_secs();
            let address = self.address();
            CallError::Away(format!(
                "the Bitcoin node at {address} took longer than {seconds} s to answer"
            ))
        };
        timeout(ANSWER_PATIENCE, asking)
            .await
            .unwrap_or_else(|_| Err(slow()))
    }

    async fn ask(&self, authorization: HeaderValue, body: String) -> Result<Answer, CallError> {
        let address = self.address();
        let connecting = timeout(
            CONNECT_PATIENCE,
            TcpStream::connect((self.host.as_str(), self.port)),
        );
        let connected = connecting.await;
        let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = stream.map_err(|error| {
            CallError::Away(format!(
                "no Bitcoin node at {address}: {error}; start it, or correct the address"
            ))
        })?;
        let lost = |error: &hyper::Error| {
            if error.is_parse() {
                CallError::Strange(format!("what listens at {address} speaks no HTTP: {error}"))
            } else {
                CallError::Away(format!(
                    "the connection to the Bitcoin node at {address} was lost: {error}"
                ))
            }
        };
        let request = Request::post("/")
            .header(HOST, address)
            .header(AUTHORIZATION, authorization)
            .header(CONNECTION, "close")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| {
                CallError::Strange(format!("the request cannot be written: {error}"))
            })?;
        let shaken = handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| lost(&error))?;
        let asking = async {
            let answer = sender.send_request(request).await;
            let (head, body) = answer.map_err(|error| lost(&error))?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await;
            let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
                Ok(error) => lost(&error),
                Err(_) => CallError::Strange(format!(
                    "an answer of what listens at {address} is longer than {MAX_ANSWER} bytes"
                )),
            })?;
            Ok(Answer {
                status: head.status.as_u16(),
                body: body.to_bytes(),
            })
        };
        // It ends with the question; what goes wrong with it is told to that.
        let driving = async {
            let _ = connection.await;
            pending::<Infallible>().await
        };
        tokio::select! {
            answer = asking => answer,
            never = driving => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read() {
        let here = Http::at("[::1]:8332").unwrap();
        assert_eq!((here.host.as_str(), here.port), ("::1", 8332));
        assert!(here.is_here());
        assert!(!Http::at("node.example:8332").unwrap().is_here());
        for wrong in [
            "",
            "localhost",
            ":8332",
            "http://a:1",
            "a:1/b",
            "a b:1",
            "a:99999",
        ] {
            assert!(Http::at(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let error = Http::at("mesh:hunter2@a:1").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
