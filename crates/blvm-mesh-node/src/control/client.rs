use super::{
    Answer, Call, LineError, MAX_REPLY_BYTES, PROTOCOL_VERSION, Reply, Request, line::read_line,
};
use std::{
    io,
    path::{Path, PathBuf},
};
use thiserror::Error;
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::UnixStream,
};

/// A connection to the control socket of a running node.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

/// Why a node did not answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nothing listens at the path.
    #[error(
        "no node is running at {path}: start one with blvm-mesh run, or name its socket with --control PATH"
    )]
    NotRunning {
        /// The path of the socket.
        path: PathBuf,
    },
    /// The socket cannot be used.
    #[error("the control socket {path}: {source}")]
    Connect {
        /// The path of the socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the node hung up: {0}")]
    Io(#[from] io::Error),
    /// What came is no line.
    #[error("the node's answer: {0}")]
    Line(#[from] LineError),
    /// The connection ended without an answer.
    #[error("the node ended the connection without an answer; its log says why")]
    NoAnswer,
    /// The answer is not one of this version.
    #[error("the node's answer is not understood: {0}; use the same blvm-mesh for both")]
    Syntax(#[from] serde_json::Error),
    /// The node speaks another version.
    #[error(
        "the node speaks protocol version {found}, not {PROTOCOL_VERSION}; use the same blvm-mesh for both"
    )]
    Version {
        /// Its version.
        found: u32,
    },
}

impl Client {
    /// Connects to the node that listens at `path`.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`] when there is none.
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        match UnixStream::connect(path).await {
            Ok(stream) => Ok(Self {
                stream: BufReader::new(stream),
            }),
            Err(source) => Err(match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    ClientError::NotRunning {
                        path: path.to_owned(),
                    }
                }
                _ => ClientError::Connect {
                    path: path.to_owned(),
                    source,
                },
            }),
        }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`ClientError`] when there is none. [`Answer::Failed`] is an answer.
    pub async fn ask(&mut self, request: Request) -> Result<Answer, ClientError> {
        let call = Call {
            version: PROTOCOL_VERSION,
            request,
        };
        self.stream.get_mut().write_all(&call.to_line()?).await?;
        let line = read_line(&mut self.stream, MAX_REPLY_BYTES).await?;
        let reply: Reply = serde_json::from_slice(&line.ok_or(ClientError::NoAnswer)?)?;
        if reply.version != PROTOCOL_VERSION {
            return Err(ClientError::Version {
                found: reply.version,
            });
        }
        Ok(reply.answer)
    }
}
