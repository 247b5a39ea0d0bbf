use crate::program;
use blvm_mesh_module::regtest::Line;
use std::{env, path::Path, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
};

/// Names the program that has the channels: `regtest-lightning` of mesh-regtest.
const CHANNELS: &str = "REGTEST_LIGHTNING";

/// Three LDK nodes with channels between them; gone when dropped.
struct Channels {
    _process: Child,
}

impl Channels {
    /// Starts them, with their sockets in a folder.
    async fn start(program: &Path, folder: &Path) -> Self {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let line = format!("{}\n", folder.display());
        let input = child.stdin.as_mut().unwrap();
        input.write_all(line.as_bytes()).await.unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = output.next_line().await.unwrap();
        assert_eq!(said.as_deref(), Some("ready"));
        Self { _process: child }
    }
}

/// Real HTLCs, behind sockets that speak as Core Lightning's do.
#[tokio::test]
async fn packets_that_are_paid_over_real_channels_cross_a_real_node() {
    let Some(channels) = env::var_os(CHANNELS) else {
        eprintln!(
            "skipped: {CHANNELS} names no regtest-lightning (cargo xtask blvm-node test --lightning)"
        );
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let channels = Channels::start(Path::new(&channels), root.path()).await;
    let sockets = root.path().join("homes");
    std::fs::create_dir(&sockets).unwrap();
    let line = Line::with_wallets(&sockets, Some(root.path())).unwrap();
    let nodes = line.start(program()).await.unwrap();
    let [near, middle, far] = &nodes;

    let mut deposited = 0;
    for text in ["one", "two", "three"] {
        deposited += line.send(near, text).await.unwrap().deposited_msat;
        let delivery = far.receive().await.unwrap();
        assert_eq!(delivery.payload_hex, blvm_mesh::to_hex(text.as_bytes()));
    }
    let money =
        async |node: &blvm_mesh_module::regtest::RealNode| node.status().await.unwrap().money;
    let (near_money, middle_money, far_money) =
        (money(near).await, money(middle).await, money(far).await);
    assert_eq!(middle_money.earned_msat, 3 * Line::MIDDLE_MSAT);
    assert_eq!(far_money.earned_msat, 3 * Line::FAR_MSAT);
    let received = middle_money.deposited_msat + far_money.deposited_msat;
    assert_eq!((received, near_money.spent_msat), (deposited, deposited));
    drop(channels);
    let [near, middle, far] = nodes;
    for node in [near, middle, far] {
        assert_eq!(node.stop().await.unwrap(), Some(0));
    }
}
