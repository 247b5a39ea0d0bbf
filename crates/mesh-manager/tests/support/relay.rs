use super::{store::TestStore, *};
use mesh_manager::Refusal;
use std::sync::atomic::AtomicU64;

pub(crate) const SOURCE: u8 = 1;
pub(crate) const RELAY: u8 = 2;
pub(crate) const FEE: Msat = Msat::from_msat(10_000);

/// A relay with a store, between a source and a destination that only exist on paper.
pub(crate) struct Relay {
    pub(crate) mesh: MeshManager,
    pub(crate) api: Arc<WiredNode>,
    pub(crate) source: mesh_manager::Engine,
}

impl Relay {
    pub(crate) async fn over(store: &Arc<TestStore>) -> Self {
        Self::at(store, ManualClock::start()).await
    }

    pub(crate) async fn at(store: &Arc<TestStore>, clock: ManualClock) -> Self {
        Self::with(gated(RELAY_PRICE), store, clock, Arc::default()).await
    }

    pub(crate) async fn with(
        config: MeshConfig,
        store: &Arc<TestStore>,
        clock: ManualClock,
        blocks: Arc<BlockChain>,
    ) -> Self {
        Self::with_wallet(config, store, clock, blocks, TableWallet::new(100 + RELAY)).await
    }

    pub(crate) async fn with_wallet(
        config: MeshConfig,
        store: &Arc<TestStore>,
        clock: ManualClock,
        blocks: Arc<BlockChain>,
        wallet: TableWallet,
    ) -> Self {
        let wires = Wires::default();
        wires.drop_to("node-3");
        let api = Arc::new(WiredNode {
            id: id(RELAY),
            wires,
            wallet: Some(Arc::new(Backend {
                wallet,
                clock: clock.clone(),
            })),
            clock,
            store: Arc::clone(store) as Arc<dyn Store>,
            blocks,
            events: Mutex::default(),
        });
        let node_api = Arc::clone(&api) as Arc<dyn NodeAPI>;
        let mesh = MeshManager::start(config, identity(RELAY), node_api)
            .await
            .unwrap();
        mesh.handle_event(NodeEvent::PeerConnected {
            peer_addr: "node-3".to_owned(),
            peer_node_id: Some(id(3)),
        });
        // Each as if the source had gone on: no two relays of a test see the same packet.
        static SOURCES: AtomicU64 = AtomicU64::new(1);
        let source = engine(SOURCE, open(), &[RELAY]);
        let next = START.to_millis() * 1_000 + 1_000 * SOURCES.fetch_add(1, Ordering::SeqCst);
        let numbers = SequenceBlock {
            next,
            end: next + 1_000,
            good_for: None,
        };
        source.go_on_with(numbers, START);
        Self { mesh, api, source }
    }

    /// A packet to the destination, with a proof perhaps.
    pub(crate) fn packet(&self, proof: Option<PaymentProof>) -> Vec<u8> {
        self.packet_offering(FEE, proof)
    }

    pub(crate) fn packet_offering(&self, fee: Msat, proof: Option<PaymentProof>) -> Vec<u8> {
        let draft = mesh_manager::Draft {
            proof: proof.map(|proof| ProofForHop { hop: 1, proof }),
            ..data(&[SOURCE, RELAY, 3], b"books", fee)
        };
        compose(&self.source, draft, self.api.clock.now()).bytes
    }

    pub(crate) async fn take(&self, bytes: &[u8]) -> Result<(), Refusal> {
        self.mesh.receive(id(SOURCE), bytes.to_vec()).await
    }
}
