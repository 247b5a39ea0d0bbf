//! Three nodes of ours on a chain, in a line.

use bitcoin::{Address, Amount, Network as Chains};
use lightning_invoice::Bolt11Invoice;
use mesh_lightning::{
    BitcoindConfig, ChainConfig, Ldk, LdkConfig, OpenChannel, OpenError, SecretFrom,
};
use mesh_regtest::Regtest;
use mesh_types::{InvoiceRequest, LightningNode as _, Msat, Network, PayLimits};
use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::{interval, timeout};

/// How long one thing may take: a hundred times what it takes on an idle machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// What is put into each channel.
const CHANNEL_SATS: u64 = 500_000;

/// What a relay of LDK asks for a forwarded payment, by its defaults.
pub(crate) const ROUTING_FEE: Msat = Msat::from_msat(1_000);

pub(crate) const LIMITS: PayLimits = PayLimits {
    max_fee: ROUTING_FEE,
    patience: Duration::from_secs(30),
};

/// What every test asks for.
pub(crate) fn request(number: u8) -> InvoiceRequest {
    InvoiceRequest {
        amount: Msat::from_msat(21_000),
        preimage: [number; 32],
        description: format!("quote {number}"),
        expiry: Duration::from_secs(600),
    }
}

/// A chain, and where nodes on it have their folders.
pub(crate) struct Ground {
    pub(crate) chain: Regtest,
    folder: TempDir,
}

/// A and C pay each other over B. Both ends have opened their channel, so that each finds B again after a restart.
pub(crate) struct Line {
    pub(crate) a: Place,
    pub(crate) c: Place,
    pub(crate) payer: Ldk,
    pub(crate) relay: Ldk,
    pub(crate) payee: Ldk,
    pub(crate) ground: Ground,
}

/// Where a node is, whether it runs or not.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) config: LdkConfig,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let chain = Regtest::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        fs::write(&password, chain.access().password).unwrap();
        fs::set_permissions(&password, Permissions::from_mode(0o600)).unwrap();
        Self { chain, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn place(&self, name: &str) -> Place {
        let access = self.chain.access();
        let bitcoind = BitcoindConfig {
            address: access.address.to_string(),
            cookie: None,
            user: Some(access.user),
            password: Some(SecretFrom::File(self.path("password"))),
        };
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let listening = free.local_addr().unwrap().to_string();
        Place {
            config: LdkConfig {
                folder: self.path(name),
                seed: None,
                chain: ChainConfig::Bitcoind(bitcoind),
                listening_addresses: vec![listening],
                alias: Some(name.to_owned()),
            },
        }
    }

    /// Gives each node money on the chain.
    async fn fund(&self, nodes: &[&Ldk]) {
        for node in nodes {
            let address = node.deposit_address().await.unwrap();
            let address: Address<_> = address.parse().unwrap();
            let address = address.require_network(Chains::Regtest).unwrap();
            let amount = Amount::from_sat(1_000_000);
            self.chain.fund(address.script_pubkey(), amount).unwrap();
        }
        self.mine(1, nodes).await;
        for node in nodes {
            until("the node has its money", async || {
                node.sync().await.unwrap();
                let spendable = node.status().await.unwrap().spendable_sats;
                (spendable > CHANNEL_SATS).then_some(())
            })
            .await;
        }
    }

    async fn mine(&self, blocks: u32, nodes: &[&Ldk]) {
        self.chain.mine(blocks).unwrap();
        for node in nodes {
            // One look does not do: where the node is looking already, it sees what was there before.
            until("the node knows the newest block", async || {
                node.sync().await.unwrap();
                let height = node.status().await.unwrap().height;
                (height == self.chain.height().unwrap()).then_some(())
            })
            .await;
        }
    }
}

impl Place {
    pub(crate) async fn open(&self) -> Ldk {
        self.try_open().await.unwrap()
    }

    pub(crate) async fn try_open(&self) -> Result<Ldk, OpenError> {
        Ok(Ldk::open(&self.config, Network::Regtest).await?.0)
    }

    pub(crate) fn address(&self) -> String {
        self.config.listening_addresses[0].clone()
    }
}

impl Line {
    pub(crate) async fn new() -> Self {
        let ground = Ground::new();
        let (a, b, c) = (ground.place("a"), ground.place("b"), ground.place("c"));
        let (payer, relay, payee) = (a.open().await, b.open().await, c.open().await);
        let nodes = [&payer, &relay, &payee];
        ground.fund(&nodes).await;
        let relay_id = relay.info().await.unwrap().payee_key;
        for (node, push_sats) in [(&payer, 0), (&payee, CHANNEL_SATS / 2)] {
            let open = OpenChannel {
                peer: relay_id,
                address: b.address(),
                amount_sats: CHANNEL_SATS,
                push_sats,
                is_private: false,
            };
            node.open_channel(open).await.unwrap();
        }
        // Six: an invoice names a channel that may be announced only as long as it has fewer than seven.
        ground.mine(6, &nodes).await;
        for (node, channels) in [(&payer, 1), (&relay, 2), (&payee, 1)] {
            usable(node, channels).await;
        }
        reachable(&payee).await;
        Self {
            ground,
            a,
            c,
            payer,
            relay,
            payee,
        }
    }

    pub(crate) async fn restart_payer(&mut self) {
        self.payer.close().await;
        self.payer = self.a.open().await;
        usable(&self.payer, 1).await;
    }

    pub(crate) async fn restart_payee(&mut self) {
        self.payee.close().await;
        self.payee = self.c.open().await;
        usable(&self.payee, 1).await;
    }

    pub(crate) async fn close(self) {
        for node in [self.payer, self.relay, self.payee] {
            node.close().await;
        }
    }
}

/// Waits until a node can use so many channels.
pub(crate) async fn usable(node: &Ldk, channels: usize) {
    until("channels are usable", async || {
        let status = node.status().await.unwrap();
        let usable = status.channels.iter().filter(|channel| channel.is_usable);
        (usable.count() >= channels).then_some(())
    })
    .await;
}

/// Waits until a node's invoices say over whom it is reached: the relay tells it its fees a moment after the channel is ready.
async fn reachable(node: &Ldk) {
    let mut number = 200;
    until("invoices name the relay", async || {
        number += 1;
        let invoice = node.create_invoice(request(number)).await.unwrap();
        let invoice: Bolt11Invoice = invoice.parse().unwrap();
        (!invoice.route_hints().is_empty()).then_some(())
    })
    .await;
}

/// Asks again and again until there is an answer, [`DEADLINE`] at most.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        let mut ticks = interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    let answer = timeout(DEADLINE, asking).await;
    answer.unwrap_or_else(|_| panic!("not within {DEADLINE:?}: {what}"))
}
