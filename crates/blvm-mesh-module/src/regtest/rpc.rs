use super::{DEADLINE, RegtestError};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The user that every node of a test lets in.
pub const USER: &str = "test";
/// That user's password.
pub const PASSWORD: &str = "regtest-only";

/// A node's JSON-RPC.
#[derive(Debug, Clone, Copy)]
pub struct Rpc {
    address: SocketAddr,
}

impl Rpc {
    pub(super) const fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Asks, and answers with the result.
    ///
    /// # Errors
    /// [`RegtestError::Rpc`] when the node says no, and [`RegtestError::Io`] when it does not answer.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, RegtestError> {
        let asked = timeout(DEADLINE, self.post(method, &params)).await;
        let text = asked
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(RegtestError::io(method))?;
        let refused = |answer: &str| RegtestError::Rpc {
            method: method.to_owned(),
            answer: answer.to_owned(),
        };
        let (_, body) = text.split_once("\r\n\r\n").ok_or_else(|| refused(&text))?;
        let mut reply: Value = serde_json::from_str(body).map_err(|_| refused(&text))?;
        if reply.get("error").is_some_and(|error| !error.is_null()) {
            return Err(refused(body));
        }
        Ok(reply.get_mut("result").map(Value::take).unwrap_or_default())
    }

    async fn post(&self, method: &str, params: &Value) -> io::Result<String> {
        let body =
            json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let login = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let head = format!(
            "POST / HTTP/1.1\r\nHost: node\r\nAuthorization: Basic {login}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }

    /// Mines blocks that pay `address`.
    ///
    /// # Errors
    /// As [`Rpc::call`].
    pub async fn mine(&self, blocks: u32, address: &str) -> Result<(), RegtestError> {
        self.call("generatetoaddress", json!([blocks, address]))
            .await?;
        Ok(())
    }

    /// The height of the newest block.
    ///
    /// # Errors
    /// As [`Rpc::call`].
    pub async fn height(&self) -> Result<u64, RegtestError> {
        let height = self.call("getblockcount", json!([])).await?;
        height.as_u64().ok_or_else(|| RegtestError::Rpc {
            method: "getblockcount".to_owned(),
            answer: height.to_string(),
        })
    }
}
