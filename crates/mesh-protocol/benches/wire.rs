//! What reading, writing, authenticating and sealing a packet costs, each beside its floor.
//!
//! The packet has three nodes, a Lightning proof with an invoice of 350 characters, and 1,200 bytes of payload.

use criterion::{Criterion, Throughput};
use mesh_protocol::{
    ControlMessage, IdentityKey, MacKey, PacketView, SealContext, emit, emit_authenticated,
};
use mesh_types::{MeshPacket, Msat, NodeId, PacketKind, PaymentProof, ProofForHop, Route};
use sha2::{Digest, Sha256};
use std::{error::Error, hint::black_box};

const PAYLOAD_LEN: usize = 1_200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    let mesh = Mesh::new()?;
    read(&mut criterion, &mesh)?;
    write(&mut criterion, &mesh)?;
    authenticate(&mut criterion, &mesh)?;
    seal(&mut criterion, &mesh)?;
    pair(&mut criterion, &mesh)?;
    control(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

fn read(criterion: &mut Criterion, mesh: &Mesh) -> Result<(), Box<dyn Error>> {
    let paid = mesh.emit(&mesh.packet(3, true)?)?;
    let longest = mesh.emit(&mesh.packet(16, true)?)?;
    let mut group = criterion.benchmark_group("read");
    group.bench_function("parse, 3 nodes, paid", |b| {
        b.iter(|| PacketView::parse(black_box(&paid)).map(|view| view.sequence()));
    });
    group.bench_function("parse, 16 nodes, paid", |b| {
        b.iter(|| PacketView::parse(black_box(&longest)).map(|view| view.sequence()));
    });
    let view = PacketView::parse(&paid)?;
    group.bench_function("to packet", |b| b.iter(|| black_box(&view).to_packet()));
    group.bench_function("floor: copy the bytes", |b| {
        b.iter(|| black_box(paid.as_slice()).to_vec());
    });
    group.finish();
    Ok(())
}

fn write(criterion: &mut Criterion, mesh: &Mesh) -> Result<(), Box<dyn Error>> {
    let packet = mesh.packet(3, true)?;
    let keys = mesh.mac_keys(3)?;
    let bytes = mesh.emit(&packet)?;
    let body_digest = PacketView::parse(&bytes)?.body_digest();
    let mut group = criterion.benchmark_group("write");
    group.bench_function("emit", |b| b.iter(|| emit(black_box(&packet))));
    group.bench_function("emit authenticated", |b| {
        b.iter(|| emit_authenticated(black_box(&packet), &keys));
    });
    group.bench_function("one more mac", |b| {
        let authenticated = PacketView::parse(&bytes).map(|view| view.authenticated());
        let authenticated = authenticated.unwrap_or_default();
        b.iter(|| {
            keys.first()
                .map(|key| key.mac(black_box(authenticated), &body_digest))
        });
    });
    group.bench_function("floor: copy the bytes", |b| {
        b.iter(|| black_box(bytes.as_slice()).to_vec());
    });
    group.finish();
    Ok(())
}

fn authenticate(criterion: &mut Criterion, mesh: &Mesh) -> Result<(), Box<dyn Error>> {
    let unpaid = mesh.emit(&mesh.packet(3, false)?)?;
    let view = PacketView::parse(&unpaid)?;
    let source = view.source();
    let key = mesh.identity(1)?.pair_with(&source)?.incoming_mac;
    let mut group = criterion.benchmark_group("authenticate");
    group.throughput(Throughput::Bytes(u64::try_from(PAYLOAD_LEN)?));
    group.bench_function("verify a mac, on credit", |b| {
        b.iter(|| key.verify(black_box(&view), 1));
    });
    group.bench_function("floor: sha-256 of the payload", |b| {
        b.iter(|| Sha256::digest(black_box(view.payload())));
    });
    group.finish();
    Ok(())
}

fn seal(criterion: &mut Criterion, mesh: &Mesh) -> Result<(), Box<dyn Error>> {
    use chacha20poly1305::{AeadInPlace, KeyInit, XChaCha20Poly1305};
    let packet = mesh.packet(3, false)?;
    let context = SealContext::from(&packet);
    let key = mesh.identity(0)?.pair_with(&mesh.node(2)?)?.outgoing_seal;
    let sealed = key.seal(&packet.payload, &context, [7; 24])?;
    let mut group = criterion.benchmark_group("seal");
    group.throughput(Throughput::Bytes(u64::try_from(PAYLOAD_LEN)?));
    group.bench_function("seal", |b| {
        b.iter(|| key.seal(black_box(&packet.payload), &context, [7; 24]));
    });
    group.bench_function("open", |b| {
        b.iter(|| key.open(black_box(&sealed), &context))
    });
    group.bench_function("floor: the cipher, in place", |b| {
        let cipher = XChaCha20Poly1305::new(&[9; 32].into());
        let mut buffer = packet.payload.clone();
        b.iter(|| {
            cipher
                .encrypt_in_place_detached(&[7; 24].into(), &[0; 82], black_box(&mut buffer))
                .map(|tag| tag.len())
        });
    });
    group.finish();
    Ok(())
}

fn pair(criterion: &mut Criterion, mesh: &Mesh) -> Result<(), Box<dyn Error>> {
    let ours = mesh.identity(0)?;
    let peer = mesh.node(1)?;
    let secret = secp256k1::SecretKey::from_slice(ours.secret_bytes().as_slice())?;
    let public =
        secp256k1::XOnlyPublicKey::from_slice(peer.as_bytes())?.public_key(secp256k1::Parity::Even);
    let mut group = criterion.benchmark_group("pair");
    group.bench_function("pair with a node", |b| {
        b.iter(|| ours.pair_with(black_box(&peer)));
    });
    group.bench_function("floor: one ecdh", |b| {
        b.iter(|| secp256k1::ecdh::shared_secret_point(black_box(&public), &secret));
    });
    group.finish();
    Ok(())
}

fn control(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let message = ControlMessage::PaymentRequired {
        sequence: 1,
        price: Msat::from_msat(250),
        missing: Msat::from_msat(250),
        invoice: Some("l".repeat(350)),
    };
    let bytes = message.encode()?;
    let mut group = criterion.benchmark_group("control");
    group.bench_function("encode payment required", |b| {
        b.iter(|| black_box(&message).encode())
    });
    group.bench_function("decode payment required", |b| {
        b.iter(|| ControlMessage::decode(black_box(&bytes)));
    });
    group.bench_function("floor: copy the bytes", |b| {
        b.iter(|| black_box(bytes.as_slice()).to_vec());
    });
    group.finish();
    Ok(())
}

struct Mesh {
    secrets: Vec<[u8; 32]>,
}

impl Mesh {
    fn new() -> Result<Self, Box<dyn Error>> {
        let secrets = (1..=16).map(|byte| [byte; 32]).collect();
        Ok(Self { secrets })
    }

    fn identity(&self, index: usize) -> Result<IdentityKey, Box<dyn Error>> {
        let secret = self.secrets.get(index).ok_or("no such node")?;
        Ok(IdentityKey::from_secret_bytes(*secret)?)
    }

    fn node(&self, index: usize) -> Result<NodeId, Box<dyn Error>> {
        Ok(self.identity(index)?.node_id())
    }

    fn packet(&self, nodes: usize, paid: bool) -> Result<MeshPacket, Box<dyn Error>> {
        let route: Result<_, _> = (0..nodes).map(|index| self.node(index)).collect();
        let proof = PaymentProof::Lightning {
            invoice: "l".repeat(350),
            preimage: [1; 32],
            amount_msats: 100_000,
            timestamp: 1_795_000_000,
            expires_at: 1_795_000_600,
        };
        Ok(MeshPacket {
            kind: PacketKind::Data,
            sealed: true,
            receipt: false,
            route: Route::new(route?)?,
            sequence: 1_795_000_000_000_000,
            copy_of: None,
            timestamp: 1_795_000_000,
            fee_msat: 1_000,
            proof: paid.then_some(ProofForHop { hop: 1, proof }),
            payload: vec![0x5a; PAYLOAD_LEN],
            macs: vec![[0; 16]; nodes.saturating_sub(1)],
        })
    }

    fn mac_keys(&self, nodes: usize) -> Result<Vec<MacKey>, Box<dyn Error>> {
        let source = self.identity(0)?;
        (1..nodes)
            .map(|index| Ok(source.pair_with(&self.node(index)?)?.outgoing_mac))
            .collect()
    }

    fn emit(&self, packet: &MeshPacket) -> Result<Vec<u8>, Box<dyn Error>> {
        let keys = self.mac_keys(packet.route.len())?;
        Ok(emit_authenticated(packet, &keys)?)
    }
}
