use blvm_mesh::{LightningNode, Msat, Network, PayLimits, SystemClock};
use blvm_mesh_module::api::{CallerLimits, MeshApi};
use blvm_mesh_node::{Brought, NodeConfig, SandboxLightning, Service, Unwatched};
use blvm_node::{
    module::{
        api::{EventManager, NodeApiImpl},
        inter_module::{ModuleApiRegistry, ModuleRouter},
        traits::NodeAPI,
    },
    storage::{Storage, database::DatabaseBackend},
};
use std::{path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// What the far node asks for a packet: with a tenth of the fee for its source, 10 sat in all.
pub(crate) const FAR_MSAT: u64 = 9_000;

/// What callers may spend in tests that are not about that.
pub(crate) const ENOUGH: CallerLimits = CallerLimits {
    per_send: Msat::from_msat(1_000_000),
};

/// Two meshes that are linked, the far one paid, each with the module API.
pub(crate) struct TwoNodes {
    near: Service,
    far: Service,
    pub(crate) near_api: Arc<MeshApi>,
    pub(crate) far_api: Arc<MeshApi>,
    root: TempDir,
}

async fn start(root: &Path, name: &str, mesh: &str) -> Service {
    let text = format!(
        "[mesh]\nlisten_addr = \"127.0.0.1:0\"\nnetwork = \"regtest\"\nspending.fee_share_permille = 1000\n{mesh}\n[node]\ndata_dir = \"{name}\"\n[lightning]\nbackend = \"sandbox\"\npath = \"sandbox\"\n"
    );
    let config = NodeConfig::parse(&text, root).unwrap();
    let service = Service::start(&config, Arc::new(Unwatched), Brought::default()).await;
    service.unwrap()
}

impl TwoNodes {
    pub(crate) async fn start(limits: CallerLimits) -> Self {
        let root = tempfile::tempdir().unwrap();
        let price = format!("price_per_packet_msat = {FAR_MSAT}\nprice_per_kib_msat = 0");
        let far = start(root.path(), "far", &price).await;
        let far_id = far.node().manager().node_id();
        let far_addr = far.node().local_addr().unwrap();
        let peers = format!("mode = \"open\"\npeers = [\"{far_id}@{far_addr}\"]");
        let near = start(root.path(), "near", &peers).await;
        let nodes = Self {
            near_api: Arc::new(MeshApi::new(near.node(), limits)),
            far_api: Arc::new(MeshApi::new(far.node(), limits)),
            near,
            far,
            root,
        };
        let end = Instant::now() + Duration::from_secs(60);
        while nodes.near_api.peer_list().unwrap().0.is_empty()
            || nodes.far_api.peer_list().unwrap().0.is_empty()
        {
            assert!(Instant::now() < end, "no link");
            sleep(Duration::from_millis(20)).await;
        }
        nodes
    }

    pub(crate) fn near_id(&self) -> [u8; 32] {
        self.near_api.node_id().unwrap().to_bytes()
    }

    pub(crate) fn far_id(&self) -> [u8; 32] {
        self.far_api.node_id().unwrap().to_bytes()
    }

    /// What the near node's wallet has paid.
    pub(crate) fn paid(&self) -> Msat {
        let wallet = self.near.node().sandbox().unwrap();
        wallet.balance().unwrap().sent
    }

    /// Has somebody else pay an invoice, and answers with the preimage.
    pub(crate) async fn paid_by_somebody(&self, invoice: &str) -> [u8; 32] {
        let folder = self.root.path().join("sandbox");
        let clock = Arc::new(SystemClock);
        let wallet = SandboxLightning::open(&folder, &[77; 32], Network::Regtest, clock).unwrap();
        let limits = PayLimits {
            max_fee: Msat::ZERO,
            patience: Duration::from_secs(10),
        };
        wallet.pay_invoice(invoice, limits).await.unwrap().preimage
    }

    pub(crate) async fn stop(self) {
        self.near.stop().await;
        self.far.stop().await;
    }
}

/// The node's own way for modules to call each other, with a mesh registered as an entitled module would be.
pub(crate) struct OtherModules {
    node_api: NodeApiImpl,
    _folder: TempDir,
}

impl OtherModules {
    pub(crate) async fn of(api: &Arc<MeshApi>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::with_backend(folder.path(), DatabaseBackend::Redb).unwrap();
        let events = Arc::new(EventManager::new());
        let name = "blvm-mesh".to_owned();
        let mut node_api = NodeApiImpl::with_event_manager(Arc::new(storage), events, name);
        let registry = Arc::new(ModuleApiRegistry::new());
        let router = Arc::new(ModuleRouter::new(Arc::clone(&registry)));
        node_api.set_module_api_registry(registry, router);
        node_api
            .register_module_api(Arc::clone(api) as _)
            .await
            .unwrap();
        Self {
            node_api,
            _folder: folder,
        }
    }

    /// Calls the mesh, and answers with what it says.
    pub(crate) async fn call(&self, method: &str, params: Vec<u8>) -> Result<Vec<u8>, String> {
        let called = self.node_api.call_module(Some("blvm-mesh"), method, params);
        called.await.map_err(|error| error.to_string())
    }
}
