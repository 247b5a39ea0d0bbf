//! A payer's back end is killed, with SIGKILL and a process of its own, while it pays.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

use bitcoin::{Amount, ScriptBuf, secp256k1::PublicKey};
use mesh_lightning::{Cln, ClnConfig, Lnd, LndConfig, SecretFrom};
use mesh_regtest::{
    ClnFront, LightningNetwork, PeerConfig, Plan, ldk_node::lightning_invoice::Bolt11Invoice,
    wait_until,
};
use mesh_types::{
    Incoming, InvoiceRequest, LightningError, LightningNode, Msat, Network, Outgoing, PaidInvoice,
    PayLimits,
};
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::sleep;

const AMOUNT: Msat = Msat::from_msat(21_000);
const FEE: Msat = Msat::from_msat(1_000);
const LIMITS: PayLimits = PayLimits {
    max_fee: FEE,
    patience: Duration::from_secs(30),
};

/// When a payer is killed, after its client asked it to pay: before it does anything, in between, and when it is done.
const MOMENTS: [u64; 6] = [0, 5, 20, 50, 120, 400];

/// The payer's process.
struct Payer {
    config: PeerConfig,
    child: Child,
    _input: ChildStdin,
    id: PublicKey,
    script: ScriptBuf,
}

impl Payer {
    fn start(config: PeerConfig) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_regtest-node"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let order = serde_json::to_string(&config).unwrap();
        writeln!(input, "{order}").unwrap();
        let mut ready = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut ready).unwrap();
        let (id, script) = ready.trim().split_once(' ').unwrap();
        Self {
            id: id.parse().unwrap(),
            script: ScriptBuf::from_hex(script).unwrap(),
            config,
            child,
            _input: input,
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Payer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A payer in a process of its own, a relay and a payee.
struct Scene {
    network: LightningNetwork,
    payer: Option<Payer>,
    payee: Cln,
    _front: ClnFront,
    folder: TempDir,
    preimages: u8,
}

impl Scene {
    async fn new() -> Self {
        let network = LightningNetwork::start(&Plan::line(&["b", "c"])).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("c");
        let front = ClnFront::start(network.peer("c").unwrap(), &socket).unwrap();
        let payee = Cln::new(&ClnConfig { socket }, Network::Regtest);
        let rpc = network.chain().access();
        let config = PeerConfig::new("a", folder.path().join("a"), rpc).unwrap();
        let scene = Self {
            network,
            payer: Some(Payer::start(config)),
            payee,
            _front: front,
            folder,
            preimages: 0,
        };
        scene.open_channel();
        scene
    }

    /// Lets the relay open a channel to the payer, half of which is the payer's.
    fn open_channel(&self) {
        let payer = self.payer.as_ref().unwrap();
        let relay = self.network.peer("b").unwrap().node().unwrap();
        let chain = self.network.chain();
        let own = relay.onchain_payment().new_address().unwrap();
        chain
            .fund(own.script_pubkey(), Amount::from_sat(1_500_000))
            .unwrap();
        chain
            .fund(payer.script.clone(), Amount::from_sat(200_000))
            .unwrap();
        self.network.mine(1).unwrap();
        wait_until("the channel to be funded", || {
            let mut channels = relay.list_channels().into_iter();
            // Refused until the payer has seen its reserve on the chain.
            if channels.all(|channel| channel.counterparty_node_id != payer.id) {
                let address = payer.config.listen.into();
                let pushed = Some(500_000_000);
                let _ = relay.open_announced_channel(payer.id, address, 1_000_000, pushed, None);
            }
            Ok(!chain.mempool()?.is_empty())
        })
        .unwrap();
        self.network.mine(6).unwrap();
        self.join();
    }

    fn join(&self) {
        let payer = self.payer.as_ref().unwrap();
        let relay = self.network.peer("b").unwrap().node().unwrap();
        wait_until("the channel to the payer to be usable", || {
            let mut channels = relay.list_channels().into_iter();
            let is_usable = channels.any(|it| it.counterparty_node_id == payer.id && it.is_usable);
            if !is_usable {
                let _ = relay.connect(payer.id, payer.config.listen.into(), true);
            }
            Ok(is_usable)
        })
        .unwrap();
    }

    fn kill_and_revive(&mut self) {
        let mut payer = self.payer.take().unwrap();
        payer.kill();
        self.payer = Some(Payer::start(payer.config.clone()));
        self.join();
    }

    fn clients(&self) -> [Arc<dyn LightningNode>; 2] {
        let fronts = self.folder.path().join("a").join("fronts");
        let cln = ClnConfig {
            socket: fronts.join("lightning-rpc"),
        };
        let lnd = LndConfig {
            address: fs::read_to_string(fronts.join("lnd/restlisten")).unwrap(),
            tls_cert: fronts.join("lnd/tls.cert"),
            macaroon: SecretFrom::File(fronts.join("lnd/mesh.macaroon")),
            private_channels: false,
        };
        [
            Arc::new(Cln::new(&cln, Network::Regtest)),
            Arc::new(Lnd::open(&lnd, Network::Regtest).unwrap().0),
        ]
    }

    async fn issue(&mut self) -> (String, [u8; 32], PaidInvoice) {
        self.preimages += 1;
        let request = InvoiceRequest {
            amount: AMOUNT,
            preimage: [self.preimages; 32],
            description: "mesh: 21 packets".to_owned(),
            expiry: Duration::from_secs(600),
        };
        let preimage = request.preimage;
        let text = self.payee.create_invoice(request).await.unwrap();
        let invoice: Bolt11Invoice = text.parse().unwrap();
        let hash = *invoice.payment_hash().as_ref();
        let paid = PaidInvoice { preimage, fee: FEE };
        (text, hash, paid)
    }

    /// What the payee has received.
    fn received(&self) -> u64 {
        let payee = self.network.peer("c").unwrap().node().unwrap();
        let channels = payee.list_channels();
        channels.iter().map(|it| it.outbound_capacity_msat).sum()
    }

    /// Pays until it succeeds: a new payer does not know the way yet.
    async fn warm_up(&mut self, client: &Arc<dyn LightningNode>) {
        let before = self.received();
        let (text, _, paid) = self.issue().await;
        for _ in 0..150 {
            match client.pay_invoice(&text, LIMITS).await {
                Ok(found) => {
                    assert_eq!(found, paid);
                    return self.has_received_once(before);
                }
                Err(LightningError::PaymentFailed(_)) => sleep(Duration::from_millis(200)).await,
                Err(error) => panic!("{error:?}"),
            }
        }
        panic!("the payer finds no way");
    }

    /// Finds out what became of a payment, trying again what was not paid, and sees that the payee has it once.
    async fn conclude(
        &self,
        client: &Arc<dyn LightningNode>,
        (text, hash, paid): (String, [u8; 32], PaidInvoice),
        before: u64,
    ) {
        let mut found = None;
        for _ in 0..300 {
            match client.outgoing(hash).await.unwrap() {
                Outgoing::Paid(paid) => found = Some(paid),
                Outgoing::Pending => {}
                Outgoing::NotPaid => drop(client.pay_invoice(&text, LIMITS).await),
            }
            if found.is_some() {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(found, Some(paid));
        assert_eq!(client.pay_invoice(&text, LIMITS).await, Ok(paid));
        let settled = Incoming::Settled { amount: AMOUNT };
        assert_eq!(self.payee.incoming(hash).await, Ok(settled));
        self.has_received_once(before);
    }

    /// Waits until the payee has one payment more than before, which comes a moment after the payer has heard of it.
    fn has_received_once(&self, before: u64) {
        let once = before + AMOUNT.to_msat();
        wait_until("the payee to be paid once", || Ok(self.received() == once)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_payer_killed_with_a_payment_on_its_way_finds_it_again() {
    let mut scene = Scene::new().await;
    let clients = scene.clients();
    scene.warm_up(&clients[0]).await;
    for client in clients {
        let before = scene.received();
        let (text, hash, paid) = scene.issue().await;
        let payee = Arc::clone(scene.network.peer("c").unwrap());
        payee.hold(true);
        let paying = tokio::spawn({
            let (client, text) = (Arc::clone(&client), text.clone());
            async move { client.pay_invoice(&text, LIMITS).await }
        });
        wait_until("a payment to be held", || Ok(payee.held()?.contains(&hash))).unwrap();
        scene.kill_and_revive();
        let unknown = paying.await.unwrap();
        assert!(
            matches!(unknown, Err(LightningError::Unknown(_))),
            "{unknown:?}"
        );
        assert_eq!(client.outgoing(hash).await, Ok(Outgoing::Pending));
        payee.hold(false);
        payee.claim(hash).unwrap();
        scene.conclude(&client, (text, hash, paid), before).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "ldk-node 0.7.1, killed between its write of a channel's monitor and that of its manager, closes the channel"]
async fn a_payer_killed_at_any_moment_pays_once() {
    let mut scene = Scene::new().await;
    let clients = scene.clients();
    scene.warm_up(&clients[0]).await;
    for (moment, client) in MOMENTS.iter().zip(clients.iter().cycle()) {
        let before = scene.received();
        let issued = scene.issue().await;
        let paying = tokio::spawn({
            let (client, text) = (Arc::clone(client), issued.0.clone());
            async move { client.pay_invoice(&text, LIMITS).await }
        });
        sleep(Duration::from_millis(*moment)).await;
        scene.kill_and_revive();
        match paying.await.unwrap() {
            Ok(paid) => assert_eq!(paid, issued.2),
            Err(LightningError::Unknown(_) | LightningError::Unreachable(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
        scene.conclude(client, issued, before).await;
    }
}
