//! A node, its front, and our client of it.

use mesh_lightning::{Cln, ClnConfig, Lnd, LndConfig, SecretFrom};
use mesh_regtest::{ClnFront, LndFront, Loss, Peer};
use mesh_types::{Incoming, LightningNode, Network};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

pub(crate) trait Side {
    /// What our client says of a payment that is held.
    const HELD: Incoming;

    fn open(peer: Arc<Peer>, folder: &Path) -> Self;
    fn peer(&self) -> &Arc<Peer>;
    fn client(&self) -> Arc<dyn LightningNode>;
    fn lose_next_answer(&self, loss: Loss);
    fn go_away(&mut self);
    fn come_back(&mut self);
}

pub(crate) struct ClnSide {
    peer: Arc<Peer>,
    socket: PathBuf,
    client: Arc<Cln>,
    front: Option<ClnFront>,
}

impl ClnSide {
    pub(crate) fn socket(&self) -> &Path {
        self.front.as_ref().unwrap().socket()
    }
}

impl Side for ClnSide {
    // Core Lightning's list of invoices does not tell of what a plugin holds.
    const HELD: Incoming = Incoming::Unpaid;

    fn open(peer: Arc<Peer>, folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let socket = folder.join("lightning-rpc");
        let config = ClnConfig {
            socket: socket.clone(),
        };
        Self {
            front: Some(ClnFront::start(&peer, &socket).unwrap()),
            client: Arc::new(Cln::new(&config, Network::Regtest)),
            peer,
            socket,
        }
    }

    fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    fn client(&self) -> Arc<dyn LightningNode> {
        Arc::clone(&self.client) as _
    }

    fn lose_next_answer(&self, loss: Loss) {
        self.front.as_ref().unwrap().lose_next_answer(loss);
    }

    fn go_away(&mut self) {
        self.front = None;
    }

    fn come_back(&mut self) {
        self.front = Some(ClnFront::start(&self.peer, &self.socket).unwrap());
    }
}

pub(crate) struct LndSide {
    peer: Arc<Peer>,
    folder: PathBuf,
    client: Arc<Lnd>,
    front: Option<LndFront>,
}

impl LndSide {
    pub(crate) fn front(&self) -> &LndFront {
        self.front.as_ref().unwrap()
    }
}

impl Side for LndSide {
    const HELD: Incoming = Incoming::Held;

    fn open(peer: Arc<Peer>, folder: &Path) -> Self {
        let front = LndFront::start(&peer, folder).unwrap();
        let config = LndConfig {
            address: front.address().to_string(),
            tls_cert: front.tls_cert().to_owned(),
            macaroon: SecretFrom::File(front.macaroon().to_owned()),
            private_channels: false,
        };
        let (client, warning) = Lnd::open(&config, Network::Regtest).unwrap();
        assert_eq!(
            warning, None,
            "the macaroon can do what is needed, and no more"
        );
        Self {
            front: Some(front),
            client: Arc::new(client),
            peer,
            folder: folder.to_owned(),
        }
    }

    fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    fn client(&self) -> Arc<dyn LightningNode> {
        Arc::clone(&self.client) as _
    }

    fn lose_next_answer(&self, loss: Loss) {
        self.front().lose_next_answer(loss);
    }

    fn go_away(&mut self) {
        self.front = None;
    }

    fn come_back(&mut self) {
        self.front = Some(LndFront::start(&self.peer, &self.folder).unwrap());
    }
}
