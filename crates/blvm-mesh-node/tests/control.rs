//! The control socket: who may use it, what it understands, what it survives.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

use blvm_mesh::{MeshConfig, MeshEvent, MeshMode, Network, PeerAddress, Refusal};
use blvm_mesh_node::config::{LightningSection, NodeSection};
use blvm_mesh_node::control::{
    Answer, Client, ClientError, FailureKind, LedgerCall, MAX_CALL_BYTES, MAX_SESSIONS, Reply,
    Request, SendCall, Server, SocketError,
};
use blvm_mesh_node::{Home, LockError, Node, NodeConfig, Passage, Watcher};
use mesh_link::LinkEvent;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

const DEADLINE: Duration = Duration::from_secs(30);

/// Tells when a link is up and when a packet was decided.
struct Bell(mpsc::UnboundedSender<()>);

impl Watcher for Bell {
    fn link(&self, event: &LinkEvent) {
        if matches!(event, LinkEvent::Up { .. }) {
            let _ = self.0.send(());
        }
    }
    fn decided(&self, _: &Passage, _: Result<(), &Refusal>) {}
    fn published(&self, _: &MeshEvent) {}
}

/// A node with a control socket.
struct Desk {
    node: Arc<Node>,
    socket: PathBuf,
    links: mpsc::UnboundedReceiver<()>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

impl Desk {
    /// A node that forgets its money.
    async fn open(peers: Vec<PeerAddress>) -> Self {
        Self::start(peers, |_| Home::Forgetful).await
    }

    /// A node that keeps its money in its store.
    async fn open_at_home(peers: Vec<PeerAddress>) -> Self {
        Self::start(peers, |config| Home::Durable(config.node.store.clone())).await
    }

    async fn start(peers: Vec<PeerAddress>, home: impl Fn(&NodeConfig) -> Home) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().to_owned();
        let socket = data_dir.join("control/node.sock");
        let config = NodeConfig {
            mesh: MeshConfig {
                mode: MeshMode::Open,
                network: Network::Regtest,
                listen_addr: "127.0.0.1:0".parse().unwrap(),
                peers,
                ..MeshConfig::default()
            },
            node: NodeSection {
                control_socket: socket.clone(),
                ..NodeSection::in_folder(data_dir)
            },
            lightning: LightningSection::None,
            chain: None,
        };
        let (bell, links) = mpsc::unbounded_channel();
        let node = Arc::new(
            Node::start(&config, home(&config), Arc::new(Bell(bell)))
                .await
                .unwrap(),
        );
        let server = Server::bind(&socket).unwrap();
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(server.run(Arc::clone(&node), stopped));
        Self {
            node,
            socket,
            links,
            stop,
            serving,
            _folder: folder,
        }
    }

    async fn client(&self) -> Client {
        Client::connect(&self.socket).await.unwrap()
    }

    async fn raw(&self) -> Raw {
        let stream = UnixStream::connect(&self.socket).await.unwrap();
        Raw(BufReader::new(stream))
    }

    fn address(&self) -> PeerAddress {
        PeerAddress {
            node_id: self.node.manager().node_id(),
            address: self.node.local_addr().unwrap().to_string(),
        }
    }

    async fn close(self) {
        self.stop.send_replace(true);
        timeout(DEADLINE, self.serving).await.unwrap().unwrap();
        self.node.shutdown().await;
    }
}

/// A connection that writes what it likes.
struct Raw(BufReader<UnixStream>);

impl Raw {
    async fn say(&mut self, line: &[u8]) {
        self.0.get_mut().write_all(line).await.unwrap();
        self.0.get_mut().write_all(b"\n").await.unwrap();
    }

    /// The next answer; `None` when the node has closed the connection.
    async fn hear(&mut self) -> Option<Answer> {
        let mut line = String::new();
        timeout(DEADLINE, self.0.read_line(&mut line))
            .await
            .unwrap()
            .unwrap();
        (!line.is_empty()).then(|| serde_json::from_str::<Reply>(&line).unwrap().answer)
    }

    async fn hear_failure(&mut self) -> (FailureKind, String) {
        match self.hear().await {
            Some(Answer::Failed(failure)) => (failure.kind, failure.message),
            other => panic!("expected a failure, not {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_answered_and_the_connection_goes_on() {
    let desk = Desk::open(vec![]).await;
    let mut raw = desk.raw().await;
    let lines: [&[u8]; 6] = [
        b"",
        b"hello",
        b"\xff\xfe\x00",
        b"[]",
        b"{\"version\":1}",
        b"{\"version\":1,\"request\":{\"status\":{}}} trailing",
    ];
    for line in lines {
        raw.say(line).await;
        let (kind, message) = raw.hear_failure().await;
        assert_eq!(kind, FailureKind::Call);
        assert!(message.starts_with("not a call"), "{message}");
    }
    raw.say(b"{\"version\":1,\"request\":{\"status\":{}}}")
        .await;
    assert!(matches!(raw.hear().await, Some(Answer::Status(_))));
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unknown_is_named() {
    let desk = Desk::open(vec![]).await;
    let mut raw = desk.raw().await;
    let cases: [(&str, &str); 10] = [
        (
            r#"{"version":1,"request":{"ledger":{"deposits":{"first":{"most":0}}}}}"#,
            "most = 0: expected 1 to 10000",
        ),
        (
            r#"{"version":1,"request":{"ledger":{"gifts":{}}}}"#,
            "unknown variant `gifts`",
        ),
        (
            r#"{"version":1,"request":{"dance":{}}}"#,
            "unknown variant `dance`",
        ),
        (
            r#"{"version":1,"request":{"status":{"more":1}}}"#,
            "unknown field `more`",
        ),
        (
            r#"{"version":1,"request":{"status":{}},"id":1}"#,
            "unknown field `id`",
        ),
        (
            r#"{"version":7,"request":{"dance":{}}}"#,
            "protocol version 7",
        ),
        (
            r#"{"version":1,"request":{"receive":{"max":65,"wait_secs":0}}}"#,
            "max = 65: expected 1 to 64",
        ),
        (
            r#"{"version":1,"request":{"receive":{"max":1,"wait_secs":9999}}}"#,
            "wait_secs = 9999",
        ),
        (
            r#"{"version":1,"request":{"routes":{"destination":null,"payload_bytes":4294967295}}}"#,
            "payload_bytes = 4294967295",
        ),
        (
            r#"{"version":1,"request":{"price":{"destination":"1111111111111111111111111111111111111111111111111111111111111111","bytes":4294967295,"timeout_secs":1,"in_clear":false}}}"#,
            "bytes = 4294967295",
        ),
    ];
    for (line, expected) in cases {
        raw.say(line.as_bytes()).await;
        let (kind, message) = raw.hear_failure().await;
        assert_eq!(kind, FailureKind::Call);
        assert!(message.contains(expected), "{message}");
    }
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_forgets_its_money_has_no_ledger_and_says_so() {
    let desk = Desk::open(vec![]).await;
    let call = Request::Ledger(LedgerCall::Verify {});
    let answer = desk.client().await.ask(call).await.unwrap();
    assert!(matches!(answer, Answer::Failed(failure)
        if failure.kind == FailureKind::Store && failure.message.contains("forgotten")));
    let Answer::Status(status) = desk.client().await.ask(Request::Status {}).await.unwrap() else {
        panic!("that is no status");
    };
    assert_eq!((status.store, status.store_error), (None, None));
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_to_a_whole_path_and_to_nothing_that_is_there() {
    let desk = Desk::open_at_home(vec![]).await;
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there");
    fs::write(&there, "precious").unwrap();
    let nowhere = folder.path().join("no/such/folder");
    for (path, why) in [
        (Path::new("relative"), "begins at the root"),
        (&there, "is there already"),
        (&nowhere, "cannot write"),
    ] {
        let path = path.to_owned();
        let call = Request::Ledger(LedgerCall::Export { path });
        let answer = desk.client().await.ask(call).await.unwrap();
        assert!(
            matches!(&answer, Answer::Failed(failure)
            if failure.kind == FailureKind::Store && failure.message.contains(why)),
            "{answer:?}"
        );
    }
    assert_eq!(fs::read_to_string(&there).unwrap(), "precious");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_too_long_ends_the_connection_and_nothing_else() {
    let desk = Desk::open(vec![]).await;
    let mut raw = desk.raw().await;
    raw.0
        .get_mut()
        .write_all(&vec![b'x'; MAX_CALL_BYTES + 1])
        .await
        .unwrap();
    let (kind, message) = raw.hear_failure().await;
    assert_eq!(kind, FailureKind::Call);
    assert!(message.contains("a line has at most"), "{message}");
    assert_eq!(raw.hear().await, None);
    let status = desk.client().await.ask(Request::Status {}).await.unwrap();
    assert!(matches!(status, Answer::Status(_)));
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_refused_and_told() {
    let desk = Desk::open(vec![]).await;
    let call = SendCall {
        destination: desk.node.manager().node_id(),
        payload_hex: "0G".to_owned(),
        limit_sats: 0,
        packets_ahead: 1,
        timeout_secs: 1,
        deadline_secs: 60,
        in_clear: false,
    };
    let answer = desk
        .client()
        .await
        .ask(Request::Send(call.clone()))
        .await
        .unwrap();
    assert!(matches!(answer, Answer::Failed(failure) if failure.message.contains("0-9a-f")));
    let to_nobody = SendCall {
        payload_hex: String::new(),
        destination: blvm_mesh::NodeId::from_bytes([9; 32]),
        ..call.clone()
    };
    let answer = desk
        .client()
        .await
        .ask(Request::Send(to_nobody))
        .await
        .unwrap();
    assert!(matches!(answer, Answer::Failed(failure) if failure.kind == FailureKind::Routing));
    let too_patient = SendCall {
        payload_hex: String::new(),
        deadline_secs: 121,
        ..call
    };
    let answer = desk
        .client()
        .await
        .ask(Request::Send(too_patient))
        .await
        .unwrap();
    let named = "deadline_secs = 121: expected 1 to 120";
    assert!(matches!(answer, Answer::Failed(failure) if failure.message.contains(named)));
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_turned_away_and_told() {
    let desk = Desk::open(vec![]).await;
    let mut clients = Vec::new();
    for _ in 0..MAX_SESSIONS {
        let mut client = desk.client().await;
        client.ask(Request::Status {}).await.unwrap();
        clients.push(client);
    }
    let (kind, _) = desk.raw().await.hear_failure().await;
    assert_eq!(kind, FailureKind::Busy);
    let answer = clients[0].ask(Request::Status {}).await.unwrap();
    assert!(matches!(answer, Answer::Status(_)));
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_and_its_folder_are_the_owners_alone() {
    let desk = Desk::open(vec![]).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&desk.socket), 0o600);
    assert_eq!(mode(desk.socket.parent().unwrap()), 0o700);
    let socket = desk.socket.clone();
    desk.close().await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_folder_that_others_can_enter_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o750)).unwrap();
    let error = Server::bind(&folder.path().join("node.sock")).unwrap_err();
    assert!(
        matches!(error, SocketError::Exposed { mode: 0o750, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("chmod 700"));
}

#[tokio::test]
async fn a_socket_in_use_is_refused_and_one_that_was_left_behind_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control/node.sock");
    let first = Server::bind(&path).unwrap();
    let error = Server::bind(&path).unwrap_err();
    assert!(
        matches!(error, SocketError::Locked(LockError::Held { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("another blvm-mesh"), "{error}");
    drop(first);
    // What a killed process leaves behind: the file of a socket that nobody listens on.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    drop(Server::bind(&path).unwrap());
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    let path = folder.path().join("node.sock");
    fs::write(&path, "precious").unwrap();
    let error = Server::bind(&path).unwrap_err();
    assert!(matches!(error, SocketError::NotASocket { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn nobody_at_the_socket_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = Client::connect(&folder.path().join("no.sock"))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::NotRunning { .. }));
    assert!(error.to_string().contains("blvm-mesh run"), "{error}");
}

/// Two linked nodes; the second has received "one" and "two".
async fn with_two_deliveries() -> (Desk, Desk) {
    let to = Desk::open(vec![]).await;
    let mut from = Desk::open(vec![to.address()]).await;
    timeout(DEADLINE, from.links.recv()).await.unwrap().unwrap();
    for text in ["one", "two"] {
        let call = SendCall {
            destination: to.node.manager().node_id(),
            payload_hex: blvm_mesh::to_hex(text.as_bytes()),
            limit_sats: 0,
            packets_ahead: 1,
            timeout_secs: 20,
            deadline_secs: 60,
            in_clear: false,
        };
        let answer = from.client().await.ask(Request::Send(call)).await.unwrap();
        assert!(matches!(answer, Answer::Sent(_)), "{answer:?}");
    }
    (from, to)
}

async fn receive(client: &mut Client, max: u16) -> Vec<String> {
    let request = Request::Receive { max, wait_secs: 0 };
    match client.ask(request).await.unwrap() {
        Answer::Deliveries(deliveries) => {
            assert!(deliveries.iter().all(|delivery| delivery.sealed));
            deliveries
                .into_iter()
                .map(|delivery| delivery.payload_hex)
                .collect()
        }
        other => panic!("expected deliveries, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_that_were_not_taken_wait_for_the_next_who_asks() {
    let (from, to) = with_two_deliveries().await;
    let (one, two) = (blvm_mesh::to_hex(b"one"), blvm_mesh::to_hex(b"two"));
    let mut first = to.client().await;
    assert_eq!(receive(&mut first, 64).await, [one.as_str(), &two]);
    drop(first);
    let mut second = to.client().await;
    // The node notices the end of the first connection in its own time.
    let again = timeout(DEADLINE, async {
        loop {
            let again = receive(&mut second, 1).await;
            if !again.is_empty() {
                return again;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(again.await.unwrap(), [one]);
    second.ask(Request::Taken {}).await.unwrap();
    assert_eq!(receive(&mut second, 64).await, [two]);
    second.ask(Request::Taken {}).await.unwrap();
    assert_eq!(receive(&mut second, 64).await, [""; 0]);
    from.close().await;
    to.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_ends_the_calls_that_wait() {
    let desk = Desk::open(vec![]).await;
    let mut raw = desk.raw().await;
    raw.say(b"{\"version\":1,\"request\":{\"status\":{}}}")
        .await;
    assert!(matches!(raw.hear().await, Some(Answer::Status(_))));
    raw.say(b"{\"version\":1,\"request\":{\"receive\":{\"max\":1,\"wait_secs\":3600}}}")
        .await;
    desk.close().await;
    // An empty answer, or none where the node stopped before it had read the call: but not an hour's wait.
    let mut rest = Vec::new();
    let ended = timeout(DEADLINE, raw.0.read_to_end(&mut rest))
        .await
        .unwrap();
    let reset = |error: std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
    assert!(ended.map_err(reset) != Err(false));
}
