use blvm_mesh::{MeshConfig, MeshManager, Msat, NodeId, SendOptions, to_hex};
use blvm_mesh_module::{
    FullNodeConfig, MeshInside,
    regtest::{DEADLINE, RealHome, Settings, linked_with},
};
use blvm_mesh_node::{Node as MeshNode, config::LightningSection};
use blvm_node::{
    module::{
        api::events::EventManager,
        ipc::protocol::{EventMessage, EventPayload, ModuleMessage},
        traits::EventType,
    },
    node::Node,
};
use std::{env, fs, process::Command, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

/// How many events are forged, and how long each is: a gigabyte in all.
const FORGED: u32 = 100_000;
const FORGED_BYTES: usize = 10_000;

/// How many texts are sent meanwhile, at most: what they cost is limited.
const MOST_TEXTS: u32 = 300;

/// How much larger than before the process may be after them: a hundred events fit very often, and all of them never.
const MOST_PAGES: u64 = 50_000;

/// A ping of the Bitcoin protocol on regtest.
const PING: &str = "fabfb5da70696e6700000000000000000800000078f5ff4a6d65642d6873656d";

const LOOK: Duration = Duration::from_millis(20);

/// What another module of the node hears.
struct Listener {
    node_events: Arc<EventManager>,
    heard: mpsc::Receiver<ModuleMessage>,
}

impl Listener {
    async fn of(node: &Node) -> Self {
        let modules = node.module_manager().unwrap();
        let node_events = Arc::clone(modules.lock().await.event_manager());
        let (sender, heard) = mpsc::channel(1_000);
        let kinds = vec![
            EventType::NodeStartupCompleted,
            EventType::PeerConnected,
            EventType::PeerDisconnected,
            EventType::MessageReceived,
            EventType::RouteDiscovered,
            EventType::RouteFailed,
            EventType::PaymentVerified,
        ];
        let subscribed = node_events.subscribe_module("listener".to_owned(), kinds, sender);
        subscribed.await.unwrap();
        Self { node_events, heard }
    }

    async fn next(&mut self) -> EventMessage {
        loop {
            if let ModuleMessage::Event(event) = self.heard.recv().await.unwrap() {
                return event;
            }
        }
    }

    /// Waits for the next event of a kind.
    async fn hear(&mut self, kind: EventType) -> EventPayload {
        loop {
            let event = self.next().await;
            if event.event_type == kind {
                return event.payload;
            }
        }
    }
}

/// Without this in its environment a node that knows nobody waits half a minute before it starts.
const NO_WAIT: (&str, &str) = ("BLVM_IBD_PEER_HEIGHT_WAIT_MS", "0");

/// In a process of its own, which has the environment that the node needs, and the memory that is looked at.
#[test]
fn events_pass_both_ways_at_a_rate_and_forged_ones_change_nothing() {
    let name = "inside::events_pass_both_ways_at_a_rate_and_forged_ones_change_nothing";
    if env::var_os(NO_WAIT.0).is_some() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(the_node_inside_this_process());
    }
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", name, "--nocapture"]);
    assert!(child.env(NO_WAIT.0, NO_WAIT.1).status().unwrap().success());
}

async fn the_node_inside_this_process() {
    let root = tempfile::tempdir().unwrap();
    let home = RealHome::new(root.path(), "inside").unwrap();
    let settings = Settings {
        peer: None,
        // A machine that is busy may book late, and who is late with that carries nothing.
        mesh: "price_per_packet_msat = 3000\nprice_per_kib_msat = 0\ndebit_interval_ms = 10000",
        ..Settings::default()
    };
    home.configure(settings).unwrap();
    let config = FullNodeConfig::load(&home.config()).unwrap();
    let data_dir = config.data_dir.to_string_lossy();
    let listen_addr = config.node.listen_addr.unwrap();
    let storage = config.node.storage.as_ref();
    let protocol = Some(config.protocol);
    let mut node =
        Node::with_storage_config(&data_dir, listen_addr, home.rpc, protocol, storage).unwrap();
    node = node.with_config(config.node.clone()).unwrap();
    node = node.with_modules_from_config(&config.node).unwrap();
    let mesh = MeshInside::start(&node, &config).await.unwrap();
    let mut listener = Listener::of(&node).await;
    tokio::select! {
        ended = node.start() => panic!("the node ended: {ended:?}"),
        () = async {
            listener.hear(EventType::NodeStartupCompleted).await;
            let guest = guest(&root, &home).await;
            a_payment_is_told(&mesh, &guest, &mut listener).await;
            peers_are_heard(&mesh, &home, &mut listener).await;
            forged_events_change_nothing(&mesh, &guest, &mut listener).await;
            routes_are_told_at_a_rate(&mesh, guest, &mut listener).await;
        } => {}
        () = sleep(DEADLINE) => panic!("something has not happened in time"),
    }
    what_cannot_change_is_named(&mesh, config);
    mesh.stop().await;
    node.stop().await.unwrap();
}

fn what_cannot_change_is_named(mesh: &MeshInside, mut config: FullNodeConfig) {
    config.mesh.mesh.price_per_packet_msat = 5_000;
    config.callers.per_send = Msat::from_msat(7);
    config.node.listen_addr = None;
    let done = mesh.reload(&config).unwrap();
    assert_eq!(done.taken, ["mesh.price_per_packet_msat"]);
    assert_eq!(done.kept, ["mesh.module_api", "those of the node itself"]);
}

/// A mesh node with a wallet that is linked with the node.
async fn guest(root: &TempDir, home: &RealHome) -> MeshNode {
    let sandbox = LightningSection::Sandbox {
        path: root.path().join("sandbox"),
    };
    let folder = root.path().join("guest");
    let guest = linked_with(home, &folder, sandbox, MeshConfig::default())
        .await
        .unwrap();
    while guest.manager().route_to(&home.id(), 1).await.is_err() {
        sleep(LOOK).await;
    }
    guest
}

async fn send(guest: &MeshNode, mesh: &MeshInside) {
    let (to, options) = (mesh.manager().node_id(), SendOptions::default());
    let sent = guest.manager().send(to, b"text".to_vec(), options).await;
    sent.unwrap();
    assert_eq!(mesh.manager().next_delivery().await.payload, b"text");
}

/// How much memory this process has in use.
fn memory_pages() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse().unwrap()
}

async fn deposited(mesh: &MeshManager) -> u64 {
    mesh.status().await.money.unwrap().deposited.to_msat()
}

async fn a_payment_is_told(mesh: &MeshInside, guest: &MeshNode, listener: &mut Listener) {
    send(guest, mesh).await;
    let paid = deposited(mesh.manager()).await;
    assert!(paid > 0);
    let told = listener.hear(EventType::PaymentVerified).await;
    assert!(
        matches!(&told, EventPayload::PaymentVerified { amount_msats, invoice, .. }
            if *amount_msats == paid && invoice.is_empty()),
        "{told:?}"
    );
}

/// A Bitcoin peer comes, says something and goes: the mesh hears of it, and its own links are none of it.
async fn peers_are_heard(mesh: &MeshInside, home: &RealHome, listener: &mut Listener) {
    let before = mesh.events().heard;
    let mut peer = TcpStream::connect(home.p2p).await.unwrap();
    let there = peer.local_addr().unwrap().to_string();
    let ping = blvm_mesh::from_hex::<32>(PING).unwrap();
    let (mut has_come, mut has_spoken) = (false, false);
    while !(has_come && has_spoken) {
        // The node may not know yet from whom it is, and drop it.
        let _ = peer.write_all(&ping).await;
        while let Ok(heard) = timeout(LOOK, listener.next()).await {
            match heard.payload {
                EventPayload::PeerConnected { peer_addr, .. } => has_come |= peer_addr == there,
                EventPayload::MessageReceived { peer_addr, .. } => has_spoken |= peer_addr == there,
                _ => {}
            }
        }
    }
    drop(peer);
    listener.hear(EventType::PeerDisconnected).await;
    // Of the message itself a mesh wants to hear only where it writes down everything.
    while mesh.events().heard < before + 2 {
        sleep(LOOK).await;
    }
    assert_eq!(mesh.node().links().peers().len(), 1);
}

/// What any module may say, very often: that a payment was verified, that a link of the mesh is gone.
async fn forged_events_change_nothing(
    mesh: &MeshInside,
    guest: &MeshNode,
    listener: &mut Listener,
) {
    let link = mesh.node().links().peers().pop().unwrap();
    let forged = [
        EventPayload::PaymentVerified {
            payment_id: to_hex(&[7; 32]),
            amount_msats: 1_000_000,
            invoice: "x".repeat(FORGED_BYTES),
        },
        EventPayload::PeerDisconnected {
            peer_addr: link.address.to_string(),
            reason: "x".repeat(FORGED_BYTES),
        },
    ];
    let kinds = [EventType::PaymentVerified, EventType::PeerDisconnected];
    let (node_events, memory) = (Arc::clone(&listener.node_events), memory_pages());
    let flood = tokio::spawn(async move {
        for _ in 0..FORGED / 2 {
            for (kind, payload) in kinds.into_iter().zip(&forged) {
                let published = node_events.publish_event(kind, payload.clone());
                published.await.unwrap();
            }
        }
    });
    for _ in 0..MOST_TEXTS {
        send(guest, mesh).await;
        sleep(LOOK).await;
        if flood.is_finished() {
            break;
        }
    }
    flood.await.unwrap();
    let more = memory_pages().saturating_sub(memory);
    assert!(more < MOST_PAGES, "{more} pages pile up");
    while listener.heard.try_recv().is_ok() {}

    let links = mesh.node().links().peers();
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].address, link.address, "it is the same link");
    assert_eq!(mesh.manager().peers().await.len(), 1, "and is used");
    let spent = async || guest.manager().status().await.spent.to_msat();
    // The last payment may still be under way.
    while deposited(mesh.manager()).await != spent().await {
        sleep(LOOK).await;
    }
}

async fn routes_are_told_at_a_rate(mesh: &MeshInside, guest: MeshNode, listener: &mut Listener) {
    let to = guest.manager().node_id();
    mesh.manager().route_to(&to, 1).await.unwrap();
    let told = listener.hear(EventType::RouteDiscovered).await;
    let EventPayload::RouteDiscovered {
        destination,
        route_path,
        ..
    } = told
    else {
        panic!("it is another event: {told:?}");
    };
    assert_eq!(destination, to.to_bytes());
    let way = [mesh.manager().node_id(), to];
    assert_eq!(route_path, way.map(|node| node.to_string()));
    guest.shutdown().await;
    let told = listener.hear(EventType::RouteFailed).await;
    assert!(
        matches!(&told, EventPayload::RouteFailed { destination, .. } if *destination == to.to_bytes()),
        "{told:?}"
    );

    // What is asked for at once is told one after another, twenty a second.
    let before = Instant::now();
    for number in 1..=11 {
        let nobody = NodeId::from_bytes([number; 32]);
        mesh.manager().route_to(&nobody, 1).await.unwrap_err();
    }
    for _ in 1..=11 {
        listener.hear(EventType::RouteFailed).await;
    }
    assert!(before.elapsed() >= Duration::from_millis(500));
}
