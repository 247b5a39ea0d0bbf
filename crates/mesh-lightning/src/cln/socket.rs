use crate::{call::CallError, said::said};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    io::{Error, ErrorKind},
    path::PathBuf,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};
use zeroize::Zeroizing;

/// The longest answer that is read, in bytes: one invoice or payment takes two thousand, and one of a hundred parts still
/// fits.
pub const MAX_CLN_ANSWER: usize = 1 << 20;

/// What ends an answer of Core Lightning. No JSON text of one has it inside.
const END: &[u8] = b"\n\n";

/// Bytes read at once.
const READ_LEN: usize = 8 << 10;

/// A number for a request; each has a connection of its own, so one is enough.
const ID: u64 = 1;

/// The JSON-RPC of a unix socket.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
}

#[derive(Serialize)]
struct Request<'a> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    params: &'a Value,
}

#[derive(Deserialize)]
struct Response<T> {
    id: Value,
    result: Option<T>,
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    code: i64,
    message: String,
}

impl Socket {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Calls a method, however long it takes.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Value,
    ) -> Result<T, CallError> {
        let request = Request {
            jsonrpc: "2.0",
            id: ID,
            method,
            params,
        };
        let request = serde_json::to_vec(&request).map_err(|error| {
            CallError::NotSent(format!("the request cannot be written: {error}"))
        })?;
        let request = Zeroizing::new(request);
        let connected = UnixStream::connect(&self.path).await;
        let mut stream = connected.map_err(|error| self.not_connected(&error))?;
        let lost = |error: Error| {
            CallError::Lost(format!(
                "the connection to Core Lightning was lost: {error}"
            ))
        };
        stream.write_all(&request).await.map_err(lost)?;
        let answer = read_answer(&mut stream).await?;
        self.read_result(&answer)
    }

    fn read_result<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, CallError> {
        let response: Response<T> = match serde_json::from_slice(answer) {
            Ok(response) => response,
            Err(error) => return Err(self.unlike_cln(&format!("{:?}", error.classify()))),
        };
        match response {
            Response { id, .. } if id != ID => Err(self.unlike_cln("another number")),
            Response {
                error: Some(RpcError { code, message }),
                ..
            } => Err(CallError::Refused {
                code,
                message: said(&message),
            }),
            Response {
                result: Some(result),
                ..
            } => Ok(result),
            Response { .. } => Err(self.unlike_cln("neither result nor error")),
        }
    }

    fn not_connected(&self, error: &Error) -> CallError {
        let path = self.path.display();
        CallError::NotSent(match error.kind() {
            ErrorKind::NotFound => format!(
                "there is no socket {path}: start lightningd, or set `socket` to its lightning-rpc"
            ),
            ErrorKind::PermissionDenied => format!(
                "this user may not open {path}: let it into lightningd's group, and set rpc-file-mode=0660 there"
            ),
            ErrorKind::ConnectionRefused => {
                format!("nothing listens on {path}: start lightningd")
            }
            _ => format!("{path} cannot be opened: {error}"),
        })
    }

    fn unlike_cln(&self, what: &str) -> CallError {
        let path = self.path.display();
        CallError::Lost(format!(
            "what listens on {path} does not answer as Core Lightning does ({what}): set `socket` to its lightning-rpc"
        ))
    }
}

/// Reads up to the two line ends that close an answer, or to the end of the stream.
async fn read_answer(stream: &mut UnixStream) -> Result<Zeroizing<Vec<u8>>, CallError> {
    let mut answer = Zeroizing::new(Vec::new());
    let mut part = Zeroizing::new([0; READ_LEN]);
    loop {
        let read = stream.read(part.as_mut_slice()).await;
        let len = read.map_err(|error| {
            CallError::Lost(format!(
                "the connection to Core Lightning was lost: {error}"
            ))
        })?;
        if len == 0 && answer.is_empty() {
            return Err(CallError::Lost(
                "Core Lightning closed the connection without an answer".to_owned(),
            ));
        }
        answer.extend_from_slice(part.get(..len).unwrap_or_default());
        if len == 0 || answer.ends_with(END) {
            return Ok(answer);
        }
        if answer.len() > MAX_CLN_ANSWER {
            return Err(CallError::Lost(format!(
                "an answer of Core Lightning is longer than {MAX_CLN_ANSWER} bytes"
            )));
        }
    }
}
