use crate::{
    chance::Chance,
    relay::{FEE_MSAT, SHARE_MSAT},
    truth::Truth,
    wallets::Wallets,
};
use blvm_mesh::{
    Attempt, Clock, LightningNode, MeshConfig, MeshError, MeshManager, MeshMode, Msat, Network,
    NodeId, PaidQuote, PaymentProof, PeerAddress, ProofForHop, QuoteToPay, RefusalCode, Reply,
    Route, SystemClock, pay_quote,
};
use blvm_mesh_node::{Home, Node, NodeConfig, Unwatched, config::NodeSection};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(5);

/// A node of this process, linked with the relay.
#[derive(Clone)]
pub(crate) struct Payer {
    pub(crate) number: usize,
    pub(crate) node: Arc<Node>,
    wallet: Arc<dyn LightningNode>,
    least_packets: u64,
    truth: Arc<Truth>,
}

impl Payer {
    pub(crate) async fn start(
        number: usize,
        folder: &Path,
        truth: &Arc<Truth>,
        wallets: &Wallets,
    ) -> Self {
        let config = NodeConfig {
            mesh: MeshConfig {
                mode: MeshMode::Open,
                network: Network::Regtest,
                listen_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                ..MeshConfig::default()
            },
            node: NodeSection::in_folder(folder.join(format!("payer-{number}"))),
            lightning: wallets.of_payers(),
            chain: None,
        };
        let node = Node::start(&config, Home::Forgetful, Arc::new(Unwatched)).await;
        let node = Arc::new(node.unwrap());
        Self {
            number,
            wallet: wallets.that_pays(&node),
            least_packets: wallets.least_packets(),
            node,
            truth: Arc::clone(truth),
        }
    }

    pub(crate) fn mesh(&self) -> &MeshManager {
        self.node.manager()
    }

    pub(crate) fn address(&self) -> PeerAddress {
        PeerAddress {
            node_id: self.mesh().node_id(),
            address: self.node.local_addr().unwrap().to_string(),
        }
    }

    pub(crate) fn is_linked(&self, relay: &NodeId) -> bool {
        self.mesh().engine().routes().peer_address(relay).is_some()
    }

    /// Does one thing, drawn from `chance`.
    ///
    /// # Errors
    /// What the relay must never do.
    pub(crate) async fn work(
        &self,
        relay: NodeId,
        destination: NodeId,
        chance: &mut Chance,
    ) -> Result<(), String> {
        // Real payments take a second: where they are made, most of the work is to make them.
        let is_slow = self.least_packets > 1;
        match chance.one_of(if is_slow { 10 } else { 20 }) {
            0 => {
                // Nobody shows the proof of this one: the relay's wallet has to tell.
                if let Some(paid) = self.pay(relay, 1 + chance.one_of(4)).await {
                    self.truth.paid_unshown(paid.amount.to_msat());
                }
            }
            1..5 => {
                if let Some(proof) = self.buy(relay, 1 + chance.one_of(10)).await {
                    self.deposit(relay, proof).await?;
                }
            }
            5..8 => {
                if let Some(proof) = self.buy(relay, 1 + chance.one_of(4)).await {
                    self.send(relay, destination, Some(proof)).await?;
                }
            }
            8..10 => self.show_again(relay, chance).await?,
            _ => self.send(relay, destination, None).await?,
        }
        Ok(())
    }

    /// Buys credit for so many packets; the proof is noted before anybody sees it.
    async fn buy(&self, relay: NodeId, packets: u64) -> Option<usize> {
        let PaidQuote { amount, proof } = self.pay(relay, packets).await?;
        Some(self.truth.showing(self.number, proof, amount.to_msat()))
    }

    async fn pay(&self, relay: NodeId, packets: u64) -> Option<PaidQuote> {
        let amount = Msat::from_msat(packets * self.least_packets * SHARE_MSAT);
        let way = Route::new(vec![self.mesh().node_id(), relay]).unwrap();
        let quoted = self.mesh().request_quote(&way, 1, amount, PATIENCE).await;
        let invoice = quoted.ok()?.invoice?;
        let to_pay = QuoteToPay {
            invoice: &invoice,
            payer: self.mesh().node_id(),
            payee: relay,
            limit: amount,
        };
        let began = SystemClock.now();
        let paid = pay_quote(self.wallet.as_ref(), to_pay, began).await;
        // Whether a payment that was lost track of was made, the wallets tell in the end.
        let paid = paid.ok()?;
        let took = SystemClock.now().to_millis() - began.to_millis();
        self.truth.took(Duration::from_millis(took));
        Some(paid)
    }

    /// Shows a proof; answers whether the relay took it now (`true`) or had it before.
    pub(crate) async fn deposit(&self, relay: NodeId, number: usize) -> Result<bool, String> {
        let proof = self.truth.shown(number).proof;
        match self.present(relay, proof).await {
            Ok(_) => {
                self.truth.acknowledged(number);
                Ok(true)
            }
            Err(MeshError::ReplayDetected(_)) => {
                self.truth.acknowledged(number);
                Ok(false)
            }
            Err(MeshError::PaymentVerificationFailed(why)) => {
                Err(format!("the relay does not take a good proof: {why}"))
            }
            Err(_) => Ok(false),
        }
    }

    /// Shows a proof that the relay has acknowledged: it has to be refused as used.
    async fn show_again(&self, relay: NodeId, chance: &mut Chance) -> Result<(), String> {
        let count = self.truth.proofs() as u64;
        if count == 0 {
            return Ok(());
        }
        let number = chance.one_of(count) as usize;
        self.is_used(relay, number).await.map(drop)
    }

    /// Checks that an acknowledged proof is refused as used; `None` when it is not acknowledged, or the relay is away.
    pub(crate) async fn is_used(&self, relay: NodeId, number: usize) -> Result<Option<()>, String> {
        let shown = self.truth.shown(number);
        if !shown.is_acknowledged {
            return Ok(None);
        }
        match self.present(relay, shown.proof).await {
            Ok(_) => Err(format!(
                "proof {number} of payer {} was acknowledged, and is taken again",
                shown.payer
            )),
            Err(MeshError::ReplayDetected(_)) => Ok(Some(())),
            Err(MeshError::PaymentVerificationFailed(why)) => {
                Err(format!("an acknowledged proof has become bad: {why}"))
            }
            Err(_) => Ok(None),
        }
    }

    async fn present(&self, relay: NodeId, proof: PaymentProof) -> Result<Msat, MeshError> {
        let way = Route::new(vec![self.mesh().node_id(), relay]).unwrap();
        let proof = ProofForHop { hop: 1, proof };
        self.mesh().deposit(&way, proof, PATIENCE).await
    }

    async fn send(
        &self,
        relay: NodeId,
        destination: NodeId,
        number: Option<usize>,
    ) -> Result<(), String> {
        let route = Route::new(vec![self.mesh().node_id(), relay, destination]).unwrap();
        let proof = number.map(|number| ProofForHop {
            hop: 1,
            proof: self.truth.shown(number).proof,
        });
        self.truth.attempting();
        let attempt = Attempt {
            route,
            payload: vec![7; 100],
            fee: Msat::from_msat(FEE_MSAT),
            proof,
            is_sealed: true,
            timeout: PATIENCE,
        };
        match (self.mesh().attempt(attempt).await, number) {
            (Ok((_, Reply::Delivered)), Some(number)) => self.truth.acknowledged(number),
            (
                Ok((
                    _,
                    Reply::Refused {
                        code: RefusalCode::ProofReplayed,
                        ..
                    },
                )),
                Some(number),
            ) => {
                return Err(format!(
                    "proof {number} was never shown, and is refused as used"
                ));
            }
            _ => {}
        }
        Ok(())
    }
}
