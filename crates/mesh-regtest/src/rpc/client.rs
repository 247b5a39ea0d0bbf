use super::server::RpcAccess;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};
use thiserror::Error;

/// How long a server may be silent: half a minute, because mining a hundred blocks on a busy machine takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer that is read, in bytes: a block of the largest kind with all its transactions spelled out.
const MAX_ANSWER: u64 = 64 << 20;

/// Why a server was asked in vain.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AskError {
    /// It cannot be reached, or the connection broke off.
    #[error("it does not answer: {0}")]
    Io(#[from] io::Error),
    /// It answers with an error.
    #[error("{message} ({code})")]
    Refused {
        /// The error's number.
        code: i64,
        /// What it says.
        message: String,
    },
    /// What it answers is no JSON-RPC: one that does not let us in answers with status 401 and nothing else.
    #[error("it answers with HTTP status {status} and no result")]
    Garbled {
        /// The HTTP status, or 0 where there is none.
        status: u16,
    },
}

impl RpcAccess {
    /// Calls a method, and waits for its result. For tests, which have nothing else to do meanwhile.
    ///
    /// # Errors
    /// [`AskError`]
    pub fn ask(&self, method: &str, params: &Value) -> Result<Value, AskError> {
        let call = json!({ "jsonrpc": "1.0", "id": 0, "method": method, "params": params });
        let answer = self.post(&call.to_string())?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
        let garbled = || AskError::Garbled {
            status: status.unwrap_or_default(),
        };
        let mut answer: Value = serde_json::from_str(body).map_err(|_| garbled())?;
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            let code = error.get("code").and_then(Value::as_i64);
            let message = error.get("message").and_then(Value::as_str);
            let (code, message) = code.zip(message).ok_or_else(garbled)?;
            let message = message.to_owned();
            return Err(AskError::Refused { code, message });
        }
        let result = answer.get_mut("result").ok_or_else(garbled)?;
        Ok(result.take())
    }

    fn post(&self, body: &str) -> io::Result<String> {
        let pair = STANDARD.encode(format!("{}:{}", self.user, self.password));
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {pair}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = String::new();
        stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
        Ok(answer)
    }
}
