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

    /// All that was ever paid to the relay, in millisatoshi: as the wallets know it, or what payers were `told` where these do
    /// not; `None` while something is on its way.
    pub(crate) fn paid_msat(&self, told: u64) -> Result<Option<u64>, String> {
        match self {
            Self::Sandbox(_) => Ok(Some(told)),
            #[cfg(feature = "trials")]
            Self::Lightning(network) => network.moved_msat(),
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
    use crate::chance::Chance;
    use blvm_mesh::LightningNode;
    use blvm_mesh_node::config::LightningSection;
    use mesh_lightning::{Cln, ClnConfig, LightningConfig};
    use mesh_regtest::{ClnFront, LightningNetwork, LndFront};
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

        pub(crate) fn moved_msat(&self) -> Result<Option<u64>, String> {
            let moved = self.network.moved_msat(PAYING, PAID);
            moved.map_err(|error| error.to_string())
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
