//! How long a deposit takes, and how many there are a second, by the wallets of payer and relay: quoted, paid over two
//! channels, shown and credited in a durable store. Beside it, a payment between the same LDK nodes with no mesh at all.
//!
//! cargo run --release -p blvm-mesh-node --features trials --example deposits

#![expect(
    clippy::print_stdout,
    reason = "a program that talks to whoever started it"
)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "it stops where something is not as it expects, and measures time"
)]

use blvm_mesh::{
    MeshConfig, MeshMode, Msat, Network, PeerAddress, ProofForHop, Route, SpendingConfig,
};
use blvm_mesh_node::{
    Home, Node, NodeConfig, Unwatched,
    config::{LightningSection, NodeSection},
};
use mesh_lightning::{ClnConfig, LightningConfig, LndConfig, SecretFrom};
use mesh_regtest::{
    ClnFront, LightningNetwork, LndFront,
    ldk_node::{
        lightning_invoice::{Bolt11InvoiceDescription, Description},
        payment::PaymentStatus,
    },
    wait_until,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Deposits one after the other, and then in all by [`AT_ONCE`].
const DEPOSITS: usize = 40;
const AT_ONCE: usize = 8;

/// What each is over: routing takes one of a hundred satoshi.
const AMOUNT: Msat = Msat::from_msat(100_000);
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() {
    let network = LightningNetwork::line().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    println!(
        "{:<34}{:>9}{:>9}{:>14}",
        "a deposit of 100 sat", "median", "95 %", "8 at once"
    );
    floor(&network).await;
    let sandbox = || LightningSection::Sandbox {
        path: root.join("sandbox"),
    };
    measure("sandbox, no real money", root, sandbox(), sandbox()).await;
    {
        let paying = ClnFront::start(network.peer("a").unwrap(), &root.join("a.rpc")).unwrap();
        let paid = ClnFront::start(network.peer("c").unwrap(), &root.join("c.rpc")).unwrap();
        let [payer, relay] = [&paying, &paid].map(|front| {
            let socket = front.socket().to_owned();
            LightningSection::Node(LightningConfig::Cln(ClnConfig { socket }))
        });
        measure("cln, a front over LDK", root, payer, relay).await;
    }
    let paying = LndFront::start(network.peer("a").unwrap(), &root.join("a")).unwrap();
    let paid = LndFront::start(network.peer("c").unwrap(), &root.join("c")).unwrap();
    let [payer, relay] = [&paying, &paid].map(|front| {
        LightningSection::Node(LightningConfig::Lnd(LndConfig {
            address: front.address().to_string(),
            tls_cert: front.tls_cert().to_owned(),
            macaroon: SecretFrom::File(front.macaroon().to_owned()),
            private_channels: false,
        }))
    });
    measure("lnd, a front over LDK", root, payer, relay).await;
}

/// A payment from one LDK node to another over a third, until the payer knows.
async fn floor(network: &LightningNetwork) {
    let node = |name| network.peer(name).unwrap().node().unwrap();
    let (payer, payee) = (node("a"), node("c"));
    let pay = move || {
        let text = Description::new("floor".to_owned()).unwrap();
        let text = Bolt11InvoiceDescription::Direct(text);
        let invoice = payee.bolt11_payment().receive(AMOUNT.to_msat(), &text, 600);
        let id = payer
            .bolt11_payment()
            .send(&invoice.unwrap(), None)
            .unwrap();
        wait_until("a payment", || {
            let status = payer.payment(&id).map(|payment| payment.status);
            Ok(status == Some(PaymentStatus::Succeeded))
        })
        .unwrap();
    };
    let times =
        tokio::task::spawn_blocking(move || (0..DEPOSITS).map(|_| timed(&pay)).collect::<Vec<_>>());
    report(
        "floor: LDK alone, over one relay",
        times.await.unwrap(),
        None,
    );
}

fn timed(doing: &impl Fn()) -> Duration {
    let began = Instant::now();
    doing();
    began.elapsed()
}

async fn measure(name: &str, root: &Path, payer: LightningSection, relay: LightningSection) {
    let folder = tempfile::tempdir_in(root).unwrap();
    let relay = start(&folder.path().join("relay"), relay, Vec::new()).await;
    let at = PeerAddress {
        node_id: relay.manager().node_id(),
        address: relay.local_addr().unwrap().to_string(),
    };
    let payee = at.node_id;
    let payer = Arc::new(start(&folder.path().join("payer"), payer, vec![at]).await);
    while payer
        .manager()
        .engine()
        .routes()
        .peer_address(&payee)
        .is_none()
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let deposit = move || {
        let payer = Arc::clone(&payer);
        async move {
            let mesh = payer.manager();
            let began = Instant::now();
            let way = Route::new(vec![mesh.node_id(), payee]).unwrap();
            let quoted = mesh.request_quote(&way, 1, AMOUNT, PATIENCE).await.unwrap();
            let paid = mesh
                .pay(payee, &quoted.invoice.unwrap(), AMOUNT)
                .await
                .unwrap();
            let proof = ProofForHop {
                hop: 1,
                proof: paid.proof,
            };
            // The relay's wallet may have told before: then the proof is used, and the credit there.
            let _ = mesh.deposit(&way, proof, PATIENCE).await;
            began.elapsed()
        }
    };
    let mut times = Vec::new();
    for _ in 0..DEPOSITS {
        times.push(deposit().await);
        // An invoice a payer may ask for at once, and two a second: nobody's time but the budget's.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let began = Instant::now();
    let mut all = JoinSet::new();
    for _ in 0..AT_ONCE {
        all.spawn(deposit());
    }
    all.join_all().await;
    let rate = AT_ONCE as f64 / began.elapsed().as_secs_f64();
    report(name, times, Some(rate));
    relay.shutdown().await;
}

async fn start(folder: &Path, lightning: LightningSection, peers: Vec<PeerAddress>) -> Node {
    let config = NodeConfig {
        mesh: MeshConfig {
            mode: MeshMode::PaymentGated,
            network: Network::Regtest,
            listen_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            spending: SpendingConfig {
                per_day_msat: u64::MAX / 2,
                per_peer_per_day_msat: u64::MAX / 2,
                ..SpendingConfig::default()
            },
            peers,
            ..MeshConfig::default()
        },
        node: NodeSection::in_folder(folder.to_owned()),
        lightning,
        chain: None,
    };
    let home = Home::Durable(config.node.store.clone());
    Node::start(&config, home, Arc::new(Unwatched))
        .await
        .unwrap()
}

fn report(name: &str, mut times: Vec<Duration>, rate: Option<f64>) {
    times.sort_unstable();
    let at = |part: usize| {
        times
            .get(times.len() * part / 100)
            .copied()
            .unwrap_or_default()
    };
    let rate = rate
        .map(|rate| format!("{rate:.1} a second"))
        .unwrap_or_default();
    println!("{name:<34}{:>9.0?}{:>9.0?}{rate:>14}", at(50), at(95));
}
