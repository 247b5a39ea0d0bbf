use crate::chance::Chance;
use blvm_mesh::LightningNode;
use blvm_mesh_node::{Node, config::LightningSection};
#[cfg(feature = "trials")]
use network::Network;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The wallets of all nodes.
pub(crate) enum Wallets {
    /// They play in a folder.
    Sandbox(PathBuf),
    /// They are LDK nodes with channels.
    #[cfg(feature = "trials")]
    Lightning(Box<Network>),
}

/// What has been received, as the wallets know it.
pub(crate) enum Received {
    /// They do not: what payers were told is all there is.
    NotKnown,
    /// Some is still on its way.
    #[cfg(feature = "trials")]
    NotYet(String),
    /// All that was ever paid, in millisatoshi.
    #[cfg(feature = "trials")]
    Msat(u64),
}

impl Received {
    /// What was paid, when all that payers were told is `told`; otherwise why that is not known yet.
    pub(crate) fn or_told(self, told: u64) -> Result<u64, String> {
        match self {
            Self::NotKnown => Ok(told),
            #[cfg(feature = "trials")]
            Self::NotYet(why) => Err(why),
            #[cfg(feature = "trials")]
            Self::Msat(received) => Ok(received),
        }
    }
}

impl Wallets {
    pub(crate) fn sandbox(folder: &Path) -> Self {
        Self::Sandbox(folder.join("sandbox"))
    }

    #[cfg(feature = "trials")]
    pub(crate) async fn lightning(folder: &Path) -> Self {
        Self::Lightning(Box::new(Network::open(folder)))
    }

    #[cfg(not(feature = "trials"))]
    pub(crate) async fn lightning(_: &Path) -> Self {
        panic!(
            "a Lightning network takes the feature `trials`: cargo xtask crash --wallet lightning"
        )
    }

    /// The settings of those who pay.
    pub(crate) fn of_payers(&self) -> LightningSection {
        match self {
            Self::Sandbox(path) => LightningSection::Sandbox { path: path.clone() },
            #[cfg(feature = "trials")]
            Self::Lightning(network) => network.of_payers(),
        }
    }

    /// The settings of the relay, as its file has them.
    pub(crate) fn of_relay(&self) -> String {
        match self {
            Self::Sandbox(path) => format!("backend = \"sandbox\"\npath = {path:?}"),
            #[cfg(feature = "trials")]
            Self::Lightning(network) => network.of_relay(),
        }
    }

    /// The wallet that pays for a node.
    pub(crate) fn that_pays(&self, node: &Node) -> Arc<dyn LightningNode> {
        match self {
            Self::Sandbox(_) => Arc::clone(node.sandbox().unwrap()) as _,
            #[cfg(feature = "trials")]
            Self::Lightning(network) => network.that_pays(),
        }
    }

    /// How many packets each payment buys at least: a routing fee of a satoshi has to be a small part of it.
    pub(crate) fn least_packets(&self) -> u64 {
        match self {
            Self::Sandbox(_) => 1,
            #[cfg(feature = "trials")]
            Self::Lightning(_) => 20,
        }
    }

    pub(crate) fn received_msat(&self) -> Result<Received, String> {
        match self {
            Self::Sandbox(_) => Ok(Received::NotKnown),
            #[cfg(feature = "trials")]
            Self::Lightning(network) => network.received_msat(),
        }
    }

    /// Kills and starts the relay's wallet at times.
    pub(crate) fn disturb(&mut self, chance: &mut Chance) -> Result<(), String> {
        match self {
            // It is in the relay, and dies with it.
            Self::Sandbox(_) => drop(chance.number()),
            #[cfg(feature = "trials")]
            Self::Lightning(network) => network.disturb(chance)?,
        }
        Ok(())
    }
}

#[cfg(feature = "trials")]
mod network {
    use super::Received;
    use crate::chance::Chance;
    use blvm_mesh::LightningNode;
    use blvm_mesh_node::config::LightningSection;
    use mesh_lightning::{Cln, ClnConfig, LightningConfig};
    use mesh_regtest::{
        ClnFront, LightningNetwork, LndFront,
        ldk_node::payment::{PaymentDetails, PaymentDirection, PaymentKind, PaymentStatus},
    };
    use std::{
        path::{Path, PathBuf},
        sync::Arc,
    };

    /// One round in so many ends with the relay's wallet started anew.
    const DISTURBANCES: u64 = 4;

    /// The node that pays, and the one that the relay is paid at; a third stands between them.
    const PAYING: &str = "a";
    const PAID: &str = "c";

    /// LDK nodes on a chain of their own: the payers' behind a front of Core Lightning, the relay's behind one of LND.
    pub(crate) struct Network {
        // Before the nodes that they ask.
        paying: ClnFront,
        paid: Option<LndFront>,
        paid_folder: PathBuf,
        network: LightningNetwork,
    }

    impl Network {
        pub(crate) fn open(folder: &Path) -> Self {
            let network = LightningNetwork::line().unwrap();
            let socket = folder.join("lightning-rpc");
            let paid_folder = folder.join("lnd");
            let paying = ClnFront::start(network.peer(PAYING).unwrap(), &socket).unwrap();
            let paid = LndFront::start(network.peer(PAID).unwrap(), &paid_folder).unwrap();
            Self {
                paying,
                paid: Some(paid),
                paid_folder,
                network,
            }
        }

        fn cln(&self) -> ClnConfig {
            ClnConfig {
                socket: self.paying.socket().to_owned(),
            }
        }

        pub(crate) fn of_payers(&self) -> LightningSection {
            LightningSection::Node(LightningConfig::Cln(self.cln()))
        }

        pub(crate) fn of_relay(&self) -> String {
            let front = self.paid.as_ref().unwrap();
            format!(
                "backend = \"lnd\"\naddress = \"{}\"\ntls_cert = {:?}\nmacaroon = {{ file = {:?} }}",
                front.address(),
                front.tls_cert(),
                front.macaroon()
            )
        }

        pub(crate) fn that_pays(&self) -> Arc<dyn LightningNode> {
            Arc::new(Cln::new(&self.cln(), blvm_mesh::Network::Regtest))
        }

        /// What has come in, once nothing more is on its way.
        pub(crate) fn received_msat(&self) -> Result<Received, String> {
            let payments = |name, direction, status| {
                let node = self.network.peer(name).and_then(|peer| peer.node());
                let node = node.map_err(|error| error.to_string())?;
                let found = node.list_payments_with_filter(|payment| {
                    let is_on_chain = matches!(payment.kind, PaymentKind::Onchain { .. });
                    payment.direction == direction && payment.status == status && !is_on_chain
                });
                Ok::<_, String>(found)
            };
            let on_their_way =
                payments(PAYING, PaymentDirection::Outbound, PaymentStatus::Pending)?;
            if !on_their_way.is_empty() {
                return Ok(Received::NotYet(format!(
                    "{} payments are on their way",
                    on_their_way.len()
                )));
            }
            let received = payments(PAID, PaymentDirection::Inbound, PaymentStatus::Succeeded)?;
            let sent = payments(PAYING, PaymentDirection::Outbound, PaymentStatus::Succeeded)?;
            let sum = |all: &[PaymentDetails]| -> u64 {
                all.iter().filter_map(|payment| payment.amount_msat).sum()
            };
            let (received, sent) = (sum(&received), sum(&sent));
            if received != sent {
                return Ok(Received::NotYet(format!(
                    "{sent} msat were sent, and {received} are there"
                )));
            }
            Ok(Received::Msat(received))
        }

        pub(crate) fn disturb(&mut self, chance: &mut Chance) -> Result<(), String> {
            if chance.one_of(DISTURBANCES) > 0 {
                return Ok(());
            }
            drop(self.paid.take());
            let restarted = self.network.restart(PAID);
            restarted.map_err(|error| error.to_string())?;
            let peer = self.network.peer(PAID).map_err(|error| error.to_string())?;
            let front = LndFront::start(peer, &self.paid_folder);
            self.paid = Some(front.map_err(|error| error.to_string())?);
            Ok(())
        }
    }
}
