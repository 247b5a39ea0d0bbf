use super::{DEADLINE, GREETING, RealNode, RegtestError};
use blvm_mesh::bitcoin::{
    consensus::encode::{deserialize, serialize},
    p2p::{
        Address, Magic, ServiceFlags,
        message::{NetworkMessage, RawNetworkMessage},
        message_network::VersionMessage,
    },
};
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::TcpStream,
    time::timeout,
};

/// How often it is dialled.
const TRIES: u8 = 20;

/// The version of the protocol that is spoken: the one with all that every node has.
const VERSION: u32 = 70_016;

/// A frame's head: magic, command, length and checksum.
const HEAD_LEN: usize = 24;

/// The longest message of the Bitcoin protocol.
const MAX_MESSAGE: usize = 4_000_000;

/// A peer of a node by the Bitcoin protocol that is no node itself: it greets and pings.
#[derive(Debug)]
pub struct BitcoinPeer {
    stream: BufStream<TcpStream>,
}

impl BitcoinPeer {
    /// Dials a node, and waits until both have greeted.
    ///
    /// # Errors
    /// When it does not greet.
    pub async fn of(node: &RealNode) -> Result<Self, RegtestError> {
        // Each try comes from another address, because the node counts what was ended against its network.
        for net in 1..=TRIES {
            let address = format!("127.1.{net}.1:{}", node.p2p());
            let address: SocketAddr = address.parse().map_err(|_| strange("an address"))?;
            if let Ok(greeted) = timeout(GREETING, Self::greet(address)).await {
                return greeted.map_err(RegtestError::io("a Bitcoin peer"));
            }
        }
        Err(strange("no greeting"))
    }

    async fn greet(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut peer = Self {
            stream: BufStream::new(stream),
        };
        let nobody = Address::new(&address, ServiceFlags::NONE);
        let mut version = VersionMessage::new(
            ServiceFlags::NONE,
            0,
            nobody.clone(),
            nobody,
            1,
            "/relay-cost:1/".to_owned(),
            0,
        );
        version.version = VERSION;
        peer.send(NetworkMessage::Version(version)).await?;
        let (mut is_met, mut is_taken) = (false, false);
        while !(is_met && is_taken) {
            match message(&peer.receive().await?)?.payload() {
                NetworkMessage::Version(_) => {
                    is_met = true;
                    peer.send(NetworkMessage::Verack).await?;
                }
                NetworkMessage::Verack => is_taken = true,
                _ => {}
            }
        }
        Ok(peer)
    }

    /// Sends so many pings, never more than `at_once` of them unanswered, and sees that each is answered in its turn with
    /// the bytes that the protocol has for it, and no others.
    ///
    /// # Errors
    /// When one is not, or is answered otherwise.
    pub async fn ping(&mut self, count: u64, at_once: u64) -> Result<(), RegtestError> {
        let pinged = timeout(DEADLINE, self.ping_all(count, at_once)).await;
        let pinged = pinged.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        pinged.map_err(RegtestError::io("pings"))
    }

    async fn ping_all(&mut self, count: u64, at_once: u64) -> io::Result<()> {
        let mut sent = 0;
        for answered in 0..count {
            while sent < count.min(answered.saturating_add(at_once)) {
                self.write(NetworkMessage::Ping(nonce(sent))).await?;
                sent += 1;
            }
            self.stream.flush().await?;
            let expected = frame(NetworkMessage::Pong(nonce(answered)));
            loop {
                let got = self.receive().await?;
                if got == expected {
                    break;
                }
                match message(&got)?.payload() {
                    NetworkMessage::Pong(_) => return Err(io::ErrorKind::InvalidData.into()),
                    NetworkMessage::Ping(theirs) => {
                        self.send(NetworkMessage::Pong(*theirs)).await?;
                    }
                    // It tells of blocks and addresses meanwhile.
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn send(&mut self, message: NetworkMessage) -> io::Result<()> {
        self.write(message).await?;
        self.stream.flush().await
    }

    async fn write(&mut self, message: NetworkMessage) -> io::Result<()> {
        self.stream.write_all(&frame(message)).await
    }

    /// Reads one frame, head and all.
    async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut frame = vec![0; HEAD_LEN];
        self.stream.read_exact(&mut frame).await?;
        let length = frame.get(16..20).and_then(|bytes| bytes.try_into().ok());
        let length = length.map_or(0, u32::from_le_bytes);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        frame.resize(HEAD_LEN + length, 0);
        let (_, payload) = frame.split_at_mut(HEAD_LEN);
        self.stream.read_exact(payload).await?;
        Ok(frame)
    }
}

fn message(frame: &[u8]) -> io::Result<RawNetworkMessage> {
    deserialize(frame).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn frame(message: NetworkMessage) -> Vec<u8> {
    serialize(&RawNetworkMessage::new(Magic::REGTEST, message))
}

/// A number that no other ping has.
fn nonce(ping: u64) -> u64 {
    ping.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6d65_7368
}

fn strange(what: &str) -> RegtestError {
    RegtestError::Rpc {
        method: "greet".to_owned(),
        answer: what.to_owned(),
    }
}
