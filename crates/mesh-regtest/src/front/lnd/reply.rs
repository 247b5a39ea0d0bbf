use bitcoin::hex::DisplayHex as _;
use http_body_util::{Either, Full};
use hyper::{
    Response, StatusCode,
    body::{Body, Bytes, Frame},
};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// gRPC's numbers of errors.
pub(super) mod code {
    pub(in crate::front::lnd) const UNKNOWN: i64 = 2;
    pub(in crate::front::lnd) const INVALID_ARGUMENT: i64 = 3;
    pub(in crate::front::lnd) const NOT_FOUND: i64 = 5;
    pub(in crate::front::lnd) const ALREADY_EXISTS: i64 = 6;
}

/// Lines that a stream has ready before its client reads them.
const LINES_AHEAD: usize = 16;

/// An answer: a text, or lines that are still to come.
pub(super) type ReplyBody = Either<Full<Bytes>, Lines>;

/// An answer, before it is one of HTTP.
#[derive(Debug)]
pub(super) enum Reply {
    Whole { status: u16, body: String },
    Stream(Lines),
}

/// Lines of a stream, as they come.
#[derive(Debug)]
pub(super) struct Lines(mpsc::Receiver<Bytes>);

/// Where the lines of a stream come from.
#[derive(Debug)]
pub(super) struct LineSender(mpsc::Sender<Bytes>);

impl Reply {
    pub(super) fn good(body: &Value) -> Self {
        let body = body.to_string();
        Self::Whole { status: 200, body }
    }

    /// The error of a call with one answer.
    pub(super) fn error(code: i64, message: &str) -> Self {
        let body = json!({ "code": code, "message": message, "details": [] });
        let body = body.to_string();
        let status = status(code);
        Self::Whole { status, body }
    }

    /// The error of a call with a stream for an answer, before its first line.
    pub(super) fn stream_error(code: i64, message: &str) -> Self {
        let body = json!({ "error": { "code": code, "message": message, "details": [] } });
        let body = body.to_string();
        let status = status(code);
        Self::Whole { status, body }
    }

    pub(super) fn refused(message: &str) -> Self {
        Self::error(code::UNKNOWN, message)
    }

    /// A stream that has one line.
    pub(super) fn line(result: &Value) -> Self {
        let body = format!("{}\n", json!({ "result": result }));
        Self::Whole { status: 200, body }
    }

    pub(super) fn stream() -> (LineSender, Self) {
        let (sender, lines) = mpsc::channel(LINES_AHEAD);
        (LineSender(sender), Self::Stream(Lines(lines)))
    }

    pub(super) fn into_response(self) -> Response<ReplyBody> {
        match self {
            Self::Whole { status, body } => {
                let mut response = Response::new(Either::Left(Full::new(Bytes::from(body))));
                *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
                response
            }
            Self::Stream(lines) => Response::new(Either::Right(lines)),
        }
    }
}

impl LineSender {
    /// Sends a line, and says whether somebody still listens.
    pub(super) async fn send(&self, result: &Value) -> bool {
        let line = format!("{}\n", json!({ "result": result }));
        self.0.send(Bytes::from(line)).await.is_ok()
    }

    /// Comes back when nobody listens any more.
    pub(super) async fn closed(&self) {
        self.0.closed().await;
    }
}

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let line = self.0.poll_recv(context);
        line.map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

/// The HTTP status that grpc-gateway gives an error.
fn status(code: i64) -> u16 {
    match code {
        code::INVALID_ARGUMENT => 400,
        code::NOT_FOUND => 404,
        code::ALREADY_EXISTS => 409,
        _ => 500,
    }
}

/// Bytes in hex, as they are in a path or in a payment.
pub(super) fn hex(bytes: &[u8; 32]) -> String {
    bytes.to_lower_hex_string()
}
