//! A configuration that is read again while the node runs: what is taken, what is named, and that nothing else moves.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod program;

use blvm_mesh::{
    Attempt, IdentityKey, MeshConfig, MeshMode, Msat, Network, PeerAddress, RefusalCode, Reply,
    Route, SendOptions,
};
use blvm_mesh_node::{
    Brought, NodeConfig, NodeLog, Reloaded, Service,
    config::{LightningSection, NodeSection},
};
use program::Home;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

const DEADLINE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

fn config(root: &Path, name: &str, peers: &[PeerAddress]) -> NodeConfig {
    NodeConfig {
        mesh: MeshConfig {
            network: Network::Regtest,
            listen_addr: "127.0.0.1:0".parse().unwrap(),
            price_per_packet_msat: 3_000,
            price_per_kib_msat: 0,
            peers: peers.to_vec(),
            ..MeshConfig::default()
        },
        node: NodeSection::in_folder(root.join(name)),
        lightning: LightningSection::Sandbox {
            path: root.join("sandbox"),
        },
        chain: None,
    }
}

async fn start(config: &NodeConfig) -> Service {
    let log = Arc::new(NodeLog::default());
    Service::start(config, log, Brought::default())
        .await
        .unwrap()
}

fn address(service: &Service) -> PeerAddress {
    PeerAddress {
        node_id: service.node().manager().node_id(),
        address: service.node().local_addr().unwrap().to_string(),
    }
}

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            sleep(LOOK).await;
        }
    };
    let is_so = timeout(DEADLINE, waiting).await;
    assert!(is_so.is_ok(), "{what}");
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A node that is paid, and one that is linked with it.
struct Pair {
    config: NodeConfig,
    node: Service,
    source: Service,
    _root: tempfile::TempDir,
}

impl Pair {
    async fn linked() -> Self {
        let root = tempfile::tempdir().unwrap();
        let config = config(root.path(), "node", &[]);
        let node = start(&config).await;
        let source = start(&self::config(root.path(), "source", &[address(&node)])).await;
        until("the link", async || {
            !node.node().manager().peers().await.is_empty()
                && !source.node().manager().peers().await.is_empty()
        })
        .await;
        Self {
            config,
            node,
            source,
            _root: root,
        }
    }

    /// What becomes of a packet that offers nothing.
    async fn send(&self) -> Reply {
        let [source, node] = [&self.source, &self.node].map(|it| it.node().manager().node_id());
        let attempt = Attempt {
            route: Route::new(vec![source, node]).unwrap(),
            payload: b"text".to_vec(),
            fee: Msat::ZERO,
            proof: None,
            is_sealed: true,
            timeout: DEADLINE,
        };
        self.source
            .node()
            .manager()
            .attempt(attempt)
            .await
            .unwrap()
            .1
    }

    async fn quoted(&self) -> u64 {
        let (to, options) = (self.node.node().manager().node_id(), SendOptions::default());
        let quoted = self.source.node().manager().quote_route(to, 4, &options);
        quoted.await.unwrap().nodes[0].asks.to_msat()
    }

    /// Waits until the source has heard by announcement what the node asks.
    async fn announced(&self, msat: u64) {
        until("the announcement", async || {
            let peers = self.source.node().manager().peers().await;
            peers[0].price.per_packet == Msat::from_msat(msat)
        })
        .await;
    }

    async fn stop(self) {
        self.source.stop().await;
        self.node.stop().await;
    }
}

#[tokio::test]
async fn a_new_price_is_in_the_next_quote_and_announcement_and_a_new_mode_decides_the_next_packet()
{
    let mut pair = Pair::linked().await;
    pair.announced(3_000).await;
    assert_eq!(pair.quoted().await, 3_000);
    let link = pair.node.node().links().peers()[0].address;

    pair.config.mesh.price_per_packet_msat = 6_000;
    let done = pair.node.reload(&pair.config).unwrap();
    let taken = names(&["mesh.price_per_packet_msat"]);
    assert_eq!((done.taken, done.kept), (taken, vec![]));
    assert_eq!(pair.quoted().await, 6_000);
    pair.announced(6_000).await;
    assert!(matches!(pair.send().await, Reply::PaymentRequired { .. }));

    let mode = async |pair: &mut Pair, mode| {
        pair.config.mesh.mode = mode;
        let done = pair.node.reload(&pair.config).unwrap();
        assert_eq!((done.taken, done.kept), (names(&["mesh.mode"]), vec![]));
        pair.send().await
    };
    assert_eq!(mode(&mut pair, MeshMode::Open).await, Reply::Delivered);
    pair.announced(0).await;
    let denied = mode(&mut pair, MeshMode::BitcoinOnly).await;
    assert!(matches!(
        denied,
        Reply::Refused {
            code: RefusalCode::Denied,
            ..
        }
    ));
    let gated = mode(&mut pair, MeshMode::PaymentGated).await;
    assert!(matches!(gated, Reply::PaymentRequired { .. }));
    pair.announced(6_000).await;

    let links = pair.node.node().links().peers();
    assert_eq!((links.len(), links[0].address), (1, link), "the same link");
    pair.stop().await;
}

/// Makes settings wrong, with the address of the node itself.
type Spoil = fn(&mut MeshConfig, PeerAddress);

#[tokio::test]
async fn what_needs_a_restart_is_named_each_time_and_what_is_wrong_changes_nothing() {
    let mut pair = Pair::linked().await;
    pair.config.mesh.listen_addr = "127.0.0.1:1".parse().unwrap();
    pair.config.mesh.on_chain.least_depth = 9.try_into().unwrap();
    pair.config.lightning = LightningSection::None;
    pair.config.mesh.spending.per_day_msat = 7_000;
    let kept = names(&[
        "lightning.backend",
        "lightning.path",
        "mesh.listen_addr",
        "mesh.on_chain.least_depth",
    ]);
    let taken = names(&["mesh.spending.per_day_msat"]);
    for taken in [taken, vec![]] {
        let done = pair.node.reload(&pair.config).unwrap();
        let kept = kept.clone();
        assert_eq!(done, Reloaded { taken, kept });
    }
    let limit = pair.node.node().manager().status().await.day_limit;
    assert_eq!(limit, Msat::from_msat(7_000));

    let own = PeerAddress {
        address: "127.0.0.1:2".to_owned(),
        ..address(&pair.node)
    };
    let wrong: [(&str, Spoil); 4] = [
        ("fee_share_permille", |mesh, _| {
            mesh.spending.fee_share_permille = 1_001
        }),
        ("announce_addresses", |mesh, _| {
            mesh.announce_addresses = vec!["nowhere".to_owned()]
        }),
        ("our own", |mesh, own| mesh.peers = vec![own]),
        ("twice", |mesh, own| mesh.peers = vec![own.clone(), own]),
    ];
    for (part, spoil) in wrong {
        let mut config = pair.config.clone();
        config.mesh.mode = MeshMode::Open;
        spoil(&mut config.mesh, own.clone());
        let error = pair.node.reload(&config).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert!(matches!(pair.send().await, Reply::PaymentRequired { .. }));
    }
    pair.stop().await;
}

#[tokio::test]
async fn a_peer_that_is_added_is_dialled_and_one_that_is_struck_is_left() {
    let root = tempfile::tempdir().unwrap();
    let others = [
        start(&config(root.path(), "one", &[])).await,
        start(&config(root.path(), "other", &[])).await,
    ];
    let [one, other] = [&others[0], &others[1]].map(address);
    let mut config = config(root.path(), "node", std::slice::from_ref(&one));
    let node = start(&config).await;
    let linked_with = async |peers: &[&PeerAddress]| {
        until("the links", async || {
            let links = node.node().links().peers();
            let mut linked: Vec<_> = links.iter().map(|link| link.node_id).collect();
            linked.sort_unstable();
            let mut wanted: Vec<_> = peers.iter().map(|peer| peer.node_id).collect();
            wanted.sort_unstable();
            linked == wanted
        })
        .await;
    };
    linked_with(&[&one]).await;
    for peers in [vec![&one, &other], vec![&other], vec![]] {
        config.mesh.peers = peers.iter().map(|it| (*it).clone()).collect();
        let done = node.reload(&config).unwrap();
        assert_eq!((done.taken, done.kept), (names(&["mesh.peers"]), vec![]));
        linked_with(&peers).await;
    }
    assert!(node.node().links().dialled().is_empty());
    node.stop().await;
    for other in others {
        other.stop().await;
    }
}

#[test]
fn a_running_program_reads_its_file_again_when_it_is_told_to() {
    let root = tempfile::tempdir().unwrap();
    let mesh = |lines: &str| format!("listen_addr = \"127.0.0.1:0\"\n{lines}");
    let home = Home::new(root.path(), "node", &mesh("price_per_packet_msat = 3000"));
    // A peer of the command line, which no file strikes.
    let nobody = IdentityKey::from_secret_bytes([1; 32]).unwrap().node_id();
    let peer = format!("{nobody}@127.0.0.1:1");
    let args = ["run", "--config", home.config(), "--peer", &peer];
    let node = program::Running::start(&args);
    let price = || home.ask(&["status"])["price"]["per_packet_msat"].clone();
    assert_eq!(price(), 3_000);

    home.configure(&mesh("price_per_packet_msat = \"cheap\""));
    node.hang_up();
    node.expect("the configuration stays as it was");
    node.expect("price_per_packet_msat = \"cheap\"");

    home.configure("listen_addr = \"127.0.0.1:2\"\nprice_per_packet_msat = 5000");
    node.hang_up();
    assert!(node.expect("need a restart").contains("mesh.listen_addr"));
    let line = node.expect("the configuration was read again");
    assert!(line.contains("mesh.price_per_packet_msat") && !line.contains("mesh.peers"));
    assert_eq!(price(), 5_000);
    assert_eq!(node.stop(), Some(0));
}
