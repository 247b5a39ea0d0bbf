use crate::{
    AttemptError, FrameDecoder, Handshake, HandshakeError, Identity, Refusal, Session, Step,
};
use mesh_types::NodeId;
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A TCP connection with a proven peer.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    pub(crate) outbound: bool,
    pub(crate) decoder: FrameDecoder,
    pub(crate) session: Session,
}

impl Connection {
    /// Connects to `address`, a host and a port.
    pub(crate) async fn open(address: &str) -> Result<TcpStream, AttemptError> {
        let stream = TcpStream::connect(address).await;
        stream.map_err(|error| AttemptError::Connect(error.kind()))
    }

    /// Proves us to the node `expected`, and it to us.
    pub(crate) async fn initiate(
        stream: TcpStream,
        identity: Arc<Identity>,
        expected: NodeId,
    ) -> Result<Self, AttemptError> {
        let mut out = Vec::new();
        let handshake = Handshake::initiate(identity, expected, &mut out)?;
        Self::shake(stream, handshake, out, true).await
    }

    /// Proves us to whoever connected, and him to us. He is owed a verdict then.
    pub(crate) async fn respond(
        stream: TcpStream,
        identity: Arc<Identity>,
    ) -> Result<Self, AttemptError> {
        let handshake = Handshake::respond(identity)?;
        Self::shake(stream, handshake, Vec::new(), false).await
    }

    /// Tells the peer whether it gets a link.
    pub(crate) async fn say(&mut self, verdict: Result<(), Refusal>) -> Result<(), AttemptError> {
        let mut out = Vec::new();
        self.session.verdict(verdict, &mut out)?;
        self.stream.write_all(&out).await?;
        Ok(())
    }

    async fn shake(
        mut stream: TcpStream,
        mut handshake: Handshake,
        mut out: Vec<u8>,
        outbound: bool,
    ) -> Result<Self, AttemptError> {
        stream.set_nodelay(true)?;
        let address = stream.peer_addr()?;
        let mut decoder = FrameDecoder::exactly(handshake.expects());
        loop {
            stream.write_all(&out).await?;
            out.clear();
            let expected = handshake.expects();
            decoder.expect_exactly(expected);
            let message = next_message(&mut stream, &mut decoder).await?;
            match handshake.step(&message, &mut out)? {
                Step::More(next) => handshake = next,
                Step::Proven(session) => {
                    return Ok(Self {
                        stream,
                        address,
                        outbound,
                        decoder,
                        session,
                    });
                }
            }
        }
    }
}

async fn next_message(
    stream: &mut TcpStream,
    decoder: &mut FrameDecoder,
) -> Result<Vec<u8>, AttemptError> {
    loop {
        match decoder.next_frame() {
            Ok(Some(message)) => return Ok(message.to_vec()),
            Ok(None) => {}
            Err(error) => {
                return Err(AttemptError::Handshake(HandshakeError::Length {
                    expected: error.most,
                    found: error.found,
                }));
            }
        }
        let read = stream.read(decoder.space()).await?;
        if read == 0 {
            return Err(AttemptError::Io(io::ErrorKind::UnexpectedEof));
        }
        decoder.advance(read);
    }
}

impl From<io::Error> for AttemptError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}
