//! A node that lets a module do what its manifest asks for, which the released one does not by itself: its own module system,
//! in this process, whose list of permissions is filled in by hand.

use crate::{
    module::{Module, settings},
    payer::Payer,
};
use blvm_mesh::bitcoin::{Network, constants::genesis_block, hashes::Hash as _};
use blvm_mesh_module::{
    CONFIG_FILE, MODULE_NAME,
    api::{DiscoverRouteRequest, DiscoverRouteResponse, decode_answer, encode},
    regtest::RealHome,
};
use blvm_node::{
    BlockHeader,
    module::{
        api::node_api::NodeApiImpl,
        inter_module::{registry::ModuleApiRegistry, router::ModuleRouter},
        ipc::protocol::{EventPayload, ModuleMessage},
        manager::ModuleManager,
        registry::manifest::ModuleManifest,
        security::permissions::{PermissionSet, parse_permission_string},
        traits::EventType,
    },
    node::mempool::MempoolManager,
    storage::Storage,
};
use std::{fs, path::Path, sync::Arc};
use tokio::sync::{Mutex, mpsc};

/// What the manifest asks for.
fn permissions() -> PermissionSet {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("module.toml");
    let manifest = ModuleManifest::from_file(manifest).unwrap();
    let named = manifest.capabilities.iter();
    PermissionSet::from_vec(
        named
            .map(|it| parse_permission_string(it).unwrap())
            .collect(),
    )
}

/// What the chain begins with.
fn first_block() -> BlockHeader {
    let first = genesis_block(Network::Regtest).header;
    BlockHeader {
        version: 1,
        prev_block_hash: [0; 32],
        merkle_root: first.merkle_root.to_byte_array(),
        timestamp: first.time.into(),
        bits: first.bits.to_consensus().into(),
        nonce: first.nonce.into(),
    }
}

/// Starts what a node has for its modules, with its storage and mempool, and permissions for ours.
async fn granting(home: &RealHome) -> Arc<Mutex<ModuleManager>> {
    let socket = home.modules_socket();
    let [modules_dir, data_dir] =
        ["modules", "module-data"].map(|it| home.config().with_file_name(it));
    let socket_dir = socket.parent().unwrap().to_owned();
    let modules = Arc::new(Mutex::new(ModuleManager::new(
        modules_dir,
        data_dir,
        socket_dir,
    )));
    let events = Arc::clone(modules.lock().await.event_manager());
    let storage = Arc::new(Storage::new(home.mesh_dir()).unwrap());
    storage.chain().initialize(&first_block()).unwrap();
    let mempool = Arc::new(MempoolManager::new());
    let mut api = NodeApiImpl::with_dependencies(storage, Some(events), None, Some(mempool), None);
    api.set_module_manager(Arc::clone(&modules));
    let registry = Arc::new(ModuleApiRegistry::new());
    let router = ModuleRouter::new(Arc::clone(&registry)).with_module_manager(Arc::clone(&modules));
    api.set_module_api_registry(registry, Arc::new(router));
    let mut manager = modules.lock().await;
    manager.start(socket, Arc::new(api)).await.unwrap();
    let hub = manager.api_hub_arc().unwrap();
    let name = MODULE_NAME.to_owned();
    hub.lock()
        .await
        .register_module_permissions(name, permissions());
    drop(manager);
    modules
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lets_a_module_do_what_its_manifest_asks_for_is_told_events_and_answered_calls()
{
    let root = tempfile::tempdir().unwrap();
    let home = RealHome::new(root.path(), "node").unwrap();
    let modules = granting(&home).await;
    let beside = RealHome::new(root.path(), "module").unwrap();
    let settings = settings(&beside, "");
    fs::write(beside.mesh_dir().join(CONFIG_FILE), settings).unwrap();
    let module = Module::by_hand(&[], &home.modules_socket(), beside.mesh_dir());
    module.says("other modules can call the mesh", 1).await;
    assert!(!module.log().contains("covenants are refused"));

    let calls = modules.lock().await.ipc_handle().unwrap();
    let call = async |method| {
        calls
            .invoke_module_api(MODULE_NAME, method, &[], "tester")
            .await
    };
    assert_eq!(call("get_node_id").await.unwrap(), beside.id().to_bytes());
    let unknown = call("get_rich").await.unwrap_err().to_string();
    assert!(unknown.contains("send_packet"), "{unknown}");

    let (heard, mut hearing) = mpsc::channel(100);
    let events = Arc::clone(modules.lock().await.event_manager());
    let found = vec![EventType::RouteDiscovered];
    let subscribed = events.subscribe_module("tester".to_owned(), found, heard);
    subscribed.await.unwrap();
    let payer = Payer::of(&beside).await;
    let sought = DiscoverRouteRequest {
        destination: payer.id().to_bytes(),
        max_hops: None,
        timeout_seconds: None,
    };
    let sought = encode(&sought).unwrap();
    let route = calls.invoke_module_api(MODULE_NAME, "discover_route", &sought, "tester");
    let route: DiscoverRouteResponse = decode_answer(&route.await.unwrap()).unwrap();
    let ids = [beside.id().to_bytes(), payer.id().to_bytes()];
    assert_eq!(route.route.unwrap().0, ids);
    let Some(ModuleMessage::Event(event)) = hearing.recv().await else {
        unreachable!("the node tells nothing but events");
    };
    let EventPayload::RouteDiscovered { destination, .. } = event.payload else {
        unreachable!("nothing else is subscribed to");
    };
    assert_eq!(destination, payer.id().to_bytes());
}
