//! What the tests share: nodes on loopback, and an adversary who speaks Noise with his own hands.
#![allow(dead_code, reason = "each test file uses its own part")]

use mesh_link::{
    DownReason, FrameDecoder, Hello, LinkConfig, LinkEvent, Links, NOISE_PATTERN, Role,
};
use mesh_types::{NodeId, PeerAddress};
use secp256k1::{All, Keypair, Message, Secp256k1};
use snow::{Builder, HandshakeState, TransportState};
use std::{collections::HashMap, future::Future, net::SocketAddr, sync::LazyLock, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

/// Waits for something that has to happen, with far more time than it needs.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what)
        .await
        .expect("it never happened")
}

/// Yields until a condition holds.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    soon(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

static CURVE: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);

pub(crate) fn keypair(secret: u8) -> Keypair {
    Keypair::from_seckey_slice(&CURVE, &[secret; 32]).unwrap()
}

pub(crate) fn id(secret: u8) -> NodeId {
    NodeId::from_bytes(keypair(secret).x_only_public_key().0.serialize())
}

/// Bounds for tests: quick to dial again, patient otherwise.
pub(crate) fn quick() -> LinkConfig {
    LinkConfig {
        handshake_timeout: Duration::from_secs(30),
        reconnect_min: Duration::from_millis(2),
        reconnect_max: Duration::from_millis(50),
        shutdown_timeout: Duration::from_secs(30),
        ..LinkConfig::default()
    }
}

/// A node on loopback.
pub(crate) struct Node {
    pub(crate) links: Links,
    pub(crate) id: NodeId,
    pub(crate) events: mpsc::Receiver<LinkEvent>,
}

impl Node {
    pub(crate) async fn start(secret: u8) -> Self {
        Self::with(secret, quick()).await
    }

    pub(crate) async fn with(secret: u8, config: LinkConfig) -> Self {
        Self::at(secret, SocketAddr::from(([127, 0, 0, 1], 0)), config).await
    }

    pub(crate) async fn at(secret: u8, address: SocketAddr, config: LinkConfig) -> Self {
        let (links, events) = Links::start([secret; 32], Some(address), config)
            .await
            .unwrap();
        let id = links.node_id();
        Self { links, id, events }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.links.local_addr().unwrap()
    }

    /// Who and where this node is.
    pub(crate) fn peer(&self) -> PeerAddress {
        PeerAddress {
            node_id: self.id,
            address: self.address().to_string(),
        }
    }

    pub(crate) async fn event(&mut self) -> LinkEvent {
        soon(self.events.recv()).await.expect("no more events")
    }

    /// The next node that links, after however many attempts.
    pub(crate) async fn up(&mut self) -> NodeId {
        loop {
            match self.event().await {
                LinkEvent::Up { node_id, .. } => return node_id,
                LinkEvent::DialFailed { .. } => {}
                other => panic!("expected Up, got {other:?}"),
            }
        }
    }

    pub(crate) async fn down(&mut self) -> DownReason {
        match self.event().await {
            LinkEvent::Down { reason, .. } => reason,
            other => panic!("expected Down, got {other:?}"),
        }
    }

    pub(crate) async fn packet(&mut self) -> Vec<u8> {
        match self.event().await {
            LinkEvent::Packet { bytes, .. } => bytes,
            other => panic!("expected Packet, got {other:?}"),
        }
    }
}

/// Two nodes with a link, both having told `Up`; the first dialled.
pub(crate) async fn pair(config: LinkConfig) -> (Node, Node) {
    let mut a = Node::with(1, config.clone()).await;
    let mut b = Node::with(2, config).await;
    a.links.dial(b.peer()).unwrap();
    assert_eq!(a.up().await, b.id);
    assert_eq!(b.up().await, a.id);
    (a, b)
}

/// Checks that one node's events come in the promised order, peer by peer.
#[derive(Default)]
pub(crate) struct OrderCheck {
    up: HashMap<NodeId, bool>,
}

impl OrderCheck {
    pub(crate) fn see(&mut self, event: &LinkEvent) {
        match event {
            LinkEvent::Up { node_id, .. } => {
                let before = self.up.insert(*node_id, true);
                assert_ne!(before, Some(true), "Up while up");
            }
            LinkEvent::Down { node_id, .. } => {
                let before = self.up.insert(*node_id, false);
                assert_eq!(before, Some(true), "Down while down");
            }
            LinkEvent::Packet { from, .. } => {
                assert_eq!(self.up.get(from), Some(&true), "Packet while down");
            }
            LinkEvent::DialFailed { .. } => {}
        }
    }

    pub(crate) fn is_up(&self, peer: &NodeId) -> bool {
        self.up.get(peer) == Some(&true)
    }
}

/// Somebody who makes handshake messages by hand, and so can lie in them.
pub(crate) struct Forger {
    pub(crate) hash: [u8; 32],
    pub(crate) noise: TransportState,
}

pub(crate) fn noise(pattern: &str, prologue: &[u8], initiator: bool) -> HandshakeState {
    let builder = Builder::new(pattern.parse().unwrap())
        .prologue(prologue)
        .unwrap();
    if initiator {
        builder.build_initiator().unwrap()
    } else {
        builder.build_responder().unwrap()
    }
}

pub(crate) fn good_noise(initiator: bool) -> HandshakeState {
    noise(NOISE_PATTERN, b"blvm-mesh/link/1", initiator)
}

pub(crate) fn write(noise: &mut HandshakeState) -> Vec<u8> {
    let mut message = vec![0; 256];
    let len = noise.write_message(&[], &mut message).unwrap();
    message.truncate(len);
    message
}

impl Forger {
    pub(crate) fn new(noise: HandshakeState) -> Self {
        let hash = noise.get_handshake_hash().try_into().unwrap();
        let noise = noise.into_transport_mode().unwrap();
        Self { hash, noise }
    }

    pub(crate) fn seal(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let mut message = vec![0; plaintext.len() + 16];
        let len = self.noise.write_message(plaintext, &mut message).unwrap();
        message.truncate(len);
        message
    }

    pub(crate) fn open(&mut self, ciphertext: &[u8]) -> Vec<u8> {
        let mut message = vec![0; ciphertext.len()];
        let len = self.noise.read_message(ciphertext, &mut message).unwrap();
        message.truncate(len);
        message
    }

    /// A hello that is right in all, for this channel.
    pub(crate) fn hello(&self, secret: u8, role: Role, peer: Option<NodeId>) -> Hello {
        let node_id = id(secret);
        let digest = Hello::digest(role, &self.hash, &node_id, peer.as_ref());
        Hello {
            node_id,
            signature: sign(secret, digest),
        }
    }
}

pub(crate) fn sign(secret: u8, digest: [u8; 32]) -> [u8; 64] {
    CURVE
        .sign_schnorr_no_aux_rand(&Message::from_digest(digest), &keypair(secret))
        .serialize()
}

/// The messages in a run of frames.
pub(crate) fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut messages = Vec::new();
    while let [high, low, behind @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        messages.push(behind[..len].to_vec());
        rest = &behind[len..];
    }
    messages
}

/// One message as a frame.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap();
    [&length.to_be_bytes(), message].concat()
}

/// A socket to a node, in the hands of somebody who may do anything.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    decoder: FrameDecoder,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        let decoder = FrameDecoder::any();
        Self { stream, decoder }
    }

    pub(crate) async fn send(&mut self, message: &[u8]) {
        self.stream.write_all(&frame(message)).await.unwrap();
    }

    pub(crate) async fn receive(&mut self) -> Vec<u8> {
        self.try_receive().await.expect("closed")
    }

    /// The next message; `None` when the connection ends before.
    async fn try_receive(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(message) = self.decoder.next_frame().unwrap() {
                return Some(message.to_vec());
            }
            let read = soon(self.stream.read(self.decoder.space())).await.ok()?;
            if read == 0 {
                return None;
            }
            self.decoder.advance(read);
        }
    }

    /// Reads until the node closes.
    pub(crate) async fn closed(&mut self) {
        let mut sink = Vec::new();
        // A reset is as closed as an end.
        let _ = soon(self.stream.read_to_end(&mut sink)).await;
    }

    /// Makes the Noise channel as its initiator, and reads the responder's hello.
    pub(crate) async fn channel(&mut self) -> (Forger, Hello) {
        self.try_channel().await.expect("closed")
    }

    /// Becomes a link of the node with `secret`.
    pub(crate) async fn link(&mut self, secret: u8) -> Forger {
        self.try_link(secret).await.expect("refused")
    }

    /// Tries to become a link of the node with `secret`.
    pub(crate) async fn try_link(&mut self, secret: u8) -> Option<Forger> {
        let (mut forger, hello) = self.try_channel().await?;
        let mine = forger.hello(secret, Role::Initiator, Some(hello.node_id));
        let message = frame(&forger.seal(&mine.emit()));
        self.stream.write_all(&message).await.ok()?;
        let verdict = self.try_receive().await?;
        (forger.open(&verdict) == [0]).then_some(forger)
    }

    async fn try_channel(&mut self) -> Option<(Forger, Hello)> {
        let mut noise = good_noise(true);
        self.stream
            .write_all(&frame(&write(&mut noise)))
            .await
            .ok()?;
        let reply = self.try_receive().await?;
        noise.read_message(&reply, &mut [0; 64]).unwrap();
        let mut forger = Forger::new(noise);
        let hello = forger.open(&self.try_receive().await?);
        Some((forger, Hello::parse(&hello).unwrap()))
    }
}
