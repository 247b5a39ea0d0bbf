use crate::call::CallError;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::task::JoinHandle;

/// The longest answer, and the longest line of a stream, that is read, in bytes: an invoice or a payment takes a few
/// thousand, and a payment of a hundred parts with all their hops still fits.
pub const MAX_HTTP_ANSWER: usize = 1 << 20;

/// An answer whose body is still to come.
#[derive(Debug)]
pub(crate) struct Answering {
    name: &'static str,
    status: u16,
    body: Incoming,
    unread: Vec<u8>,
    _connection: Ended,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// The task that drives a connection, ended with it.
#[derive(Debug)]
pub(super) struct Ended(pub(super) JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Answering {
    pub(super) fn new(name: &'static str, status: u16, body: Incoming, connection: Ended) -> Self {
        Self {
            name,
            status,
            body,
            unread: Vec::new(),
            _connection: connection,
        }
    }

    #[cfg(feature = "lnd")]
    pub(crate) const fn status(&self) -> u16 {
        self.status
    }

    /// Reads to the end.
    pub(crate) async fn whole(mut self) -> Result<Answer, CallError> {
        while self.more().await? {}
        Ok(Answer {
            status: self.status,
            body: self.unread,
        })
    }

    /// Reads the next line of a stream; `None` at its end.
    #[cfg(feature = "lnd")]
    pub(crate) async fn line(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        let mut searched = 0;
        loop {
            let mut new = self.unread.iter().skip(searched);
            if let Some(end) = new.position(|byte| *byte == b'\n') {
                let len = searched.saturating_add(end).saturating_add(1);
                let rest = self.unread.split_off(len);
                return Ok(Some(std::mem::replace(&mut self.unread, rest)));
            }
            searched = self.unread.len();
            if !self.more().await? {
                let last = std::mem::take(&mut self.unread);
                return Ok((!last.is_empty()).then_some(last));
            }
        }
    }

    /// Reads a piece; `false` at the end.
    async fn more(&mut self) -> Result<bool, CallError> {
        let name = self.name;
        let Some(frame) = self.body.frame().await else {
            return Ok(false);
        };
        let frame = frame
            .map_err(|error| CallError::Lost(format!("the answer of {name} broke off: {error}")))?;
        if let Some(data) = frame.data_ref() {
            if self.unread.len().saturating_add(data.len()) > MAX_HTTP_ANSWER {
                return Err(CallError::Lost(format!(
                    "an answer of {name} is longer than {MAX_HTTP_ANSWER} bytes"
                )));
            }
            self.unread.extend_from_slice(data);
        }
        Ok(true)
    }
}
