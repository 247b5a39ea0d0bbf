use blvm_mesh::{
    Attempt, Clock, MeshConfig, Msat, Network, NodeId, PaymentProof, ProofForHop, Quote, QuoteKey,
    Quoter, RefusalCode, Reply, Route, SystemClock,
};
use blvm_mesh_module::regtest::{DEADLINE, RealHome, linked_with};
use blvm_mesh_node::{Node, config::LightningSection};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How often is looked whether a node has got further.
const LOOK: Duration = Duration::from_millis(200);

/// What a packet costs at the nodes that it pays.
pub(crate) const PRICE: Msat = Msat::from_msat(600_000);
/// What is offered for a packet: nine tenths of it are the price, and more.
const OFFER: Msat = Msat::from_msat(670_000);
/// What is paid on the chain: more than three packets.
pub(crate) const PAID: Msat = Msat::from_msat(2_000_000);

/// A mesh node in this process that is linked with a real node and pays it.
pub(crate) struct Payer {
    node: Node,
    payee: NodeId,
    _folder: TempDir,
}

/// Why a packet was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhyNot {
    Refused(RefusalCode),
    /// It wants to be paid first.
    Unpaid,
}

impl Payer {
    pub(crate) async fn of(home: &RealHome) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (lightning, mesh) = (LightningSection::None, MeshConfig::default());
        let node = linked_with(home, folder.path(), lightning, mesh)
            .await
            .unwrap();
        let payee = home.id();
        let end = Instant::now() + DEADLINE;
        while node.manager().route_to(&payee, 1).await.is_err() {
            assert!(Instant::now() < end, "no link");
            sleep(LOOK).await;
        }
        Self {
            node,
            payee,
            _folder: folder,
        }
    }

    /// Who pays.
    pub(crate) fn id(&self) -> NodeId {
        self.node.manager().node_id()
    }

    /// What the real node would quote: its operator hands it out, and here the key is at hand.
    pub(crate) fn quote(&self, home: &RealHome) -> Quote {
        let key = QuoteKey::derive(&home.identity.secret_bytes()).on(Network::Regtest);
        let quoter = Quoter {
            payee: self.payee,
            key,
            lifetime: Duration::from_secs(86_400),
            price_epoch: 0,
        };
        let payer = self.node.manager().node_id();
        quoter
            .offer(payer, PAID, [7; 16], SystemClock.now())
            .unwrap()
    }

    /// Sends one packet to the real node, and says whether it was delivered, or why not.
    ///
    /// A node that is starting is busy; then it is sent again.
    pub(crate) async fn send(&self, proof: Option<&PaymentProof>) -> Result<(), WhyNot> {
        let end = Instant::now() + DEADLINE;
        loop {
            let outcome = self.try_send(proof.cloned()).await;
            if outcome != Err(WhyNot::Refused(RefusalCode::Busy)) || Instant::now() > end {
                return outcome;
            }
            sleep(LOOK).await;
        }
    }

    async fn try_send(&self, proof: Option<PaymentProof>) -> Result<(), WhyNot> {
        let attempt = Attempt {
            route: Route::new(vec![self.node.manager().node_id(), self.payee]).unwrap(),
            payload: b"books".to_vec(),
            fee: OFFER,
            proof: proof.map(|proof| ProofForHop { hop: 1, proof }),
            is_sealed: true,
            timeout: Duration::from_secs(30),
        };
        match self.node.manager().attempt(attempt).await.unwrap().1 {
            Reply::Delivered => Ok(()),
            Reply::Refused { code, .. } => Err(WhyNot::Refused(code)),
            Reply::PaymentRequired { .. } => Err(WhyNot::Unpaid),
        }
    }
}
