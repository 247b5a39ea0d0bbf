//! What a link costs, beside what it cannot cost less than: plain TCP, the bare cipher, the bare curve operations.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a bench reads a clock, and stops where something is not as it expects"
)]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mesh_link::{
    FrameDecoder, Handshake, Identity, LinkConfig, LinkEvent, Links, NOISE_PATTERN, Session, Step,
};
use mesh_types::{NodeId, PeerAddress};
use secp256k1::{Keypair, Message, Secp256k1};
use snow::{
    Builder, StatelessTransportState,
    resolvers::{BoxedCryptoResolver, DefaultResolver, FallbackResolver, RingResolver},
};
use std::{
    hint::black_box,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::mpsc,
};

const PACKET_LEN: usize = 1_200;
const FRAME_LEN: usize = 2 + PACKET_LEN + 16;
const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

fn throughput(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("throughput");
    group.throughput(Throughput::Bytes(PACKET_LEN as u64));
    group.measurement_time(Duration::from_secs(8));
    let (from, to, mut events) = runtime.block_on(linked());
    group.bench_function("link", |b| {
        b.iter_custom(|packets| runtime.block_on(over_link(&from, to, &mut events, packets)));
    });
    let (mut near, mut far) = runtime.block_on(connected());
    for (name, per_write) in [
        ("tcp, a write a packet", 1),
        ("tcp, 50 packets a write", 50),
    ] {
        group.bench_function(name, |b| {
            b.iter_custom(|packets| {
                runtime.block_on(over_tcp(&mut near, &mut far, packets, per_write))
            });
        });
    }
    group.finish();
    runtime.block_on(from.shutdown());
}

async fn linked() -> (Links, NodeId, mpsc::Receiver<LinkEvent>) {
    let any = Some(SocketAddr::from((LOOPBACK, 0)));
    let start = |secret| Links::start([secret; 32], any, LinkConfig::default());
    let (from, mut at_from) = start(1).await.expect("a node");
    let (to, mut events) = start(2).await.expect("a node");
    let node_id = to.node_id();
    let address = to.local_addr().expect("it listens").to_string();
    from.dial(PeerAddress { node_id, address })
        .expect("dialled");
    at_from.recv().await.expect("a link");
    events.recv().await.expect("a link");
    // Both ends stay alive as long as the program.
    std::mem::forget((at_from, to));
    (from, node_id, events)
}

async fn over_link(
    from: &Links,
    to: NodeId,
    events: &mut mpsc::Receiver<LinkEvent>,
    packets: u64,
) -> Duration {
    let start = Instant::now();
    let from = from.clone();
    let sending = tokio::spawn(async move {
        for _ in 0..packets {
            while from.try_send(&to, vec![7; PACKET_LEN]).is_err() {
                tokio::task::yield_now().await;
            }
        }
    });
    for _ in 0..packets {
        black_box(events.recv().await.expect("a packet"));
    }
    sending.await.expect("sent");
    start.elapsed()
}

async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a listener");
    let address = listener.local_addr().expect("an address");
    let near = TcpStream::connect(address).await.expect("connected");
    near.set_nodelay(true).expect("an option");
    (near, listener.accept().await.expect("accepted").0)
}

/// Moves as many bytes as the frames of a link have.
async fn over_tcp(
    near: &mut TcpStream,
    far: &mut TcpStream,
    packets: u64,
    per_write: u64,
) -> Duration {
    let start = Instant::now();
    let mut left = usize::try_from(packets).expect("few") * FRAME_LEN;
    let sending = async {
        let one = vec![7; FRAME_LEN * usize::try_from(per_write).expect("few")];
        let mut unsent = packets;
        while unsent > 0 {
            let now = unsent.min(per_write);
            let bytes = usize::try_from(now).expect("few") * FRAME_LEN;
            near.write_all(&one[..bytes]).await.expect("written");
            unsent -= now;
        }
    };
    let receiving = async {
        let mut buffer = vec![0; 128 * 1024];
        while left > 0 {
            left -= far.read(&mut buffer).await.expect("read");
        }
    };
    tokio::join!(sending, receiving);
    start.elapsed()
}

fn cipher(c: &mut Criterion) {
    let mut group = c.benchmark_group("cipher");
    group.throughput(Throughput::Bytes(PACKET_LEN as u64));
    let resolvers: [(&str, Resolver); 2] = [
        ("ring", ring_first),
        ("pure Rust", || Box::new(DefaultResolver)),
    ];
    for (name, resolver) in resolvers {
        let (one, other) = noise_pair(resolver);
        let plain = vec![7; PACKET_LEN];
        let mut sealed = vec![0; PACKET_LEN + 16];
        let mut opened = vec![0; PACKET_LEN + 16];
        group.bench_function(BenchmarkId::new("seal and open 1,200 bytes", name), |b| {
            b.iter(|| {
                let len = one.write_message(1, black_box(&plain), &mut sealed);
                let len = len.expect("sealed");
                other
                    .read_message(1, &sealed[..len], &mut opened)
                    .expect("opened")
            });
        });
    }
    group.finish();
}

type Resolver = fn() -> BoxedCryptoResolver;

/// What `mesh-link` itself uses.
fn ring_first() -> BoxedCryptoResolver {
    Box::new(FallbackResolver::new(
        Box::new(RingResolver),
        Box::new(DefaultResolver),
    ))
}

fn noise_pair(resolver: Resolver) -> (StatelessTransportState, StatelessTransportState) {
    let builder = || Builder::with_resolver(NOISE_PATTERN.parse().expect("a pattern"), resolver());
    let mut one = builder().build_initiator().expect("a state");
    let mut other = builder().build_responder().expect("a state");
    let (mut message, mut payload) = ([0; 128], [0; 128]);
    let len = one.write_message(&[], &mut message).expect("written");
    other
        .read_message(&message[..len], &mut payload)
        .expect("read");
    let len = other.write_message(&[], &mut message).expect("written");
    one.read_message(&message[..len], &mut payload)
        .expect("read");
    let transport = |noise: snow::HandshakeState| noise.into_stateless_transport_mode();
    (
        transport(one).expect("done"),
        transport(other).expect("done"),
    )
}

fn handshake(c: &mut Criterion) {
    let mut group = c.benchmark_group("handshake");
    let [one, other] =
        [1, 2].map(|secret| Arc::new(Identity::from_secret_key([secret; 32]).expect("a key")));
    group.bench_function("both sides", |b| {
        b.iter(|| shake(&one, &other));
    });
    let curve = Secp256k1::new();
    let keypair = Keypair::from_seckey_slice(&curve, &[1; 32]).expect("a key");
    let (key, _) = keypair.x_only_public_key();
    let message = Message::from_digest([3; 32]);
    group.bench_function("bare: Noise NN, two signatures, two verifications", |b| {
        b.iter(|| {
            noise_pair(ring_first);
            for _ in 0..2 {
                let signature = curve.sign_schnorr_no_aux_rand(black_box(&message), &keypair);
                curve
                    .verify_schnorr(&signature, &message, &key)
                    .expect("good");
            }
        });
    });
    group.finish();
}

/// One whole handshake in memory.
fn shake(one: &Arc<Identity>, other: &Arc<Identity>) -> Session {
    let mut out = Vec::new();
    let mut near = Handshake::initiate(Arc::clone(one), other.node_id(), &mut out).expect("begun");
    let mut far = Handshake::respond(Arc::clone(other)).expect("begun");
    loop {
        let mut answer = Vec::new();
        for message in messages(&out) {
            match far.step(message, &mut answer).expect("good") {
                Step::More(next) => far = next,
                Step::Proven(mut session) => {
                    session.verdict(Ok(()), &mut answer).expect("sealed");
                    let verdict = messages(&answer).next().expect("a verdict");
                    let Step::Proven(session) = near.step(verdict, &mut Vec::new()).expect("good")
                    else {
                        unreachable!("the verdict is the last message");
                    };
                    return session;
                }
            }
        }
        out.clear();
        for message in messages(&answer) {
            let Step::More(next) = near.step(message, &mut out).expect("good") else {
                unreachable!("the verdict is the last message");
            };
            near = next;
        }
    }
}

fn messages(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (length, behind) = rest.split_first_chunk()?;
        let (message, behind) = behind.split_at(usize::from(u16::from_be_bytes(*length)));
        rest = behind;
        Some(message)
    })
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    let length = u16::try_from(PACKET_LEN + 16).expect("short").to_be_bytes();
    let frames: Vec<u8> = [&length[..], &[7; PACKET_LEN + 16]].concat().repeat(50);
    group.throughput(Throughput::Elements(50));
    let full = || {
        let mut decoder = FrameDecoder::any();
        decoder.space()[..frames.len()].copy_from_slice(&frames);
        decoder.advance(frames.len());
        decoder
    };
    group.bench_function("50 frames of 1,200 bytes", |b| {
        b.iter_batched_ref(
            full,
            |decoder| {
                while let Some(frame) = decoder.next_frame().expect("possible") {
                    black_box(frame);
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, throughput, cipher, handshake, decode);
criterion_main!(benches);
