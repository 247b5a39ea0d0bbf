//! A node without our back end.

use super::line::{DEADLINE, Place};
use bitcoin::Network as Chains;
use ldk_node::{
    Builder, Event, Node,
    bip39::Mnemonic,
    config::Config,
    lightning_types::payment::{PaymentHash, PaymentPreimage},
};
use mesh_lightning::{ChainConfig, LdkConfig, SecretFrom};
use std::{fs, sync::Arc, thread};
use tokio::{sync::oneshot, time::timeout};

/// A node on the folder of one of ours, which handles nothing unless it is told to, as if ours were stopped half-way.
///
/// All that is done with it blocks, and has a thread without a runtime: LDK takes the unparking of a thread that waits for
/// something else for its own.
pub(crate) struct Raw(Arc<Node>);

impl Raw {
    pub(crate) async fn open(place: &Place) -> Self {
        let config = place.config.clone();
        Self(Arc::new(on_thread(move || start(&config)).await))
    }

    /// Waits until a payment of this hash can be claimed; it is neither claimed nor acknowledged.
    pub(crate) async fn expect_claimable(&self, hash: [u8; 32]) {
        let is_meant = move |event: &Event| match event {
            Event::PaymentClaimable { payment_hash, .. } => payment_hash.0 == hash,
            _ => false,
        };
        self.expect(is_meant).await;
    }

    /// Claims it, and waits until it is settled; that is not acknowledged.
    pub(crate) async fn claim(&self, preimage: [u8; 32], hash: [u8; 32], amount_msat: u64) {
        let node = Arc::clone(&self.0);
        on_thread(move || {
            let (hash, preimage) = (PaymentHash(hash), PaymentPreimage(preimage));
            let bolt11 = node.bolt11_payment();
            bolt11.claim_for_hash(hash, amount_msat, preimage).unwrap();
            node.event_handled().unwrap();
        })
        .await;
        let is_meant = move |event: &Event| match event {
            Event::PaymentReceived { payment_hash, .. } => payment_hash.0 == hash,
            _ => false,
        };
        self.expect(is_meant).await;
    }

    pub(crate) async fn stop(self) {
        on_thread(move || {
            self.0.stop().unwrap();
            drop(self);
        })
        .await;
    }

    /// Waits for an event. What is told before, and LDK tells again of settled payments after a restart, is acknowledged.
    async fn expect(&self, is_meant: impl Fn(&Event) -> bool + Send + 'static) {
        let node = Arc::clone(&self.0);
        on_thread(move || {
            while !is_meant(&node.wait_next_event()) {
                node.event_handled().unwrap();
            }
        })
        .await;
    }
}

fn start(config: &LdkConfig) -> Node {
    let ChainConfig::Bitcoind(bitcoind) = &config.chain else {
        panic!("no Bitcoin node");
    };
    let Some(SecretFrom::File(password)) = &bitcoind.password else {
        panic!("no password");
    };
    let words = fs::read_to_string(config.folder.join("seed")).unwrap();
    let mut builder = Builder::from_config(Config {
        storage_dir_path: config.folder.display().to_string(),
        network: Chains::Regtest,
        ..Config::default()
    });
    builder.set_entropy_bip39_mnemonic(words.trim().parse::<Mnemonic>().unwrap(), None);
    let (host, port) = bitcoind.address.split_once(':').unwrap();
    builder.set_chain_source_bitcoind_rpc(
        host.to_owned(),
        port.parse().unwrap(),
        bitcoind.user.clone().unwrap(),
        fs::read_to_string(password).unwrap(),
    );
    let listening = vec![config.listening_addresses[0].parse().unwrap()];
    builder.set_listening_addresses(listening).unwrap();
    builder.set_node_alias("raw".to_owned()).unwrap();
    let node = builder.build().unwrap();
    node.start().unwrap();
    node
}

async fn on_thread<T: Send + 'static>(doing: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = oneshot::channel();
    thread::spawn(move || {
        let _ = done.send(doing());
    });
    timeout(DEADLINE, result).await.unwrap().unwrap()
}
