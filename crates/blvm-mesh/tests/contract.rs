//! The public contract, line by line: users wrote against these names and shapes before this code existed.
//!
//! Most of it has only to compile. Where a line promises a shape, the shape is spelled out.

use async_trait::async_trait;
use blvm_mesh::{
    Clock, DetectedProtocol, FeeDistribution, LightningNode, MeshConfig, MeshError, MeshEvent,
    MeshManager, MeshMode, MeshPacket, ModuleContext, NodeAPI, NodeEvent, NodeId, PaymentProof,
    PaymentVerifier, ReplayPrevention, RoutingPolicy, RoutingPolicyEngine, RoutingTable, UnixTime,
    VerificationResult,
};
use std::sync::Arc;

struct Node(NodeId);

impl Clock for Node {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(1_790_000_000)
    }
}

#[async_trait]
impl NodeAPI for Node {
    fn get_node_id(&self) -> NodeId {
        self.0
    }

    async fn send_mesh_packet_to_peer(&self, to: String, _: Vec<u8>) -> Result<(), MeshError> {
        Err(MeshError::NetworkError(format!("no link to {to}")))
    }

    async fn publish_event(&self, _: MeshEvent) -> Result<(), MeshError> {
        Ok(())
    }

    fn lightning(&self) -> Option<Arc<dyn LightningNode>> {
        None
    }
}

#[expect(dead_code, reason = "what is promised here is that it compiles")]
async fn the_managers_lines(
    ctx: &ModuleContext,
    node_api: Arc<dyn NodeAPI>,
    packet: MeshPacket,
) -> Result<(), MeshError> {
    let manager: MeshManager = MeshManager::new(ctx, node_api).await?;
    let () = manager.handle_packet(packet).await?;
    manager
        .send_mesh_packet(String::new(), Vec::<u8>::new())
        .await
}

#[expect(dead_code, reason = "what is promised here is that it compiles")]
async fn the_verifiers_lines(
    node_api: Arc<dyn NodeAPI>,
    proof: PaymentProof,
) -> Result<VerificationResult, MeshError> {
    let verifier: PaymentVerifier = PaymentVerifier::new(node_api);
    verifier.verify(&proof).await
}

#[expect(dead_code, reason = "what is promised here is that it compiles")]
fn the_lines_of_routing_policy_and_replay(
    local: NodeId,
    mode: MeshMode,
    protocol: DetectedProtocol,
    replay: &ReplayPrevention,
    proof: &PaymentProof,
) -> Result<(), MeshError> {
    let table: RoutingTable = RoutingTable::new(local);
    let () = table.add_direct_peer(local, String::new());
    let route: Option<Vec<NodeId>> = table.find_route(&local);
    let _: FeeDistribution = table.calculate_fee(&route.unwrap_or_default(), 0_u64);

    let engine: RoutingPolicyEngine = RoutingPolicyEngine::new(mode);
    let _: DetectedProtocol = engine.detect_protocol(&[0_u8]);
    let _: RoutingPolicy = engine.determine_policy(protocol);

    let () = replay.check_replay(proof, &local, 0_u64)?;
    let _: usize = replay.cleanup_expired();
    Ok(())
}

#[test]
fn the_words_of_the_contract_are_there() {
    let _ = [
        DetectedProtocol::BitcoinP2P,
        DetectedProtocol::CommonsGovernance,
        DetectedProtocol::StratumV2,
        DetectedProtocol::MeshPacket,
        DetectedProtocol::Unknown,
    ];
    let _ = [
        RoutingPolicy::Free,
        RoutingPolicy::PaymentRequired,
        RoutingPolicy::Denied,
    ];
    for (mode, word) in [
        (MeshMode::BitcoinOnly, "bitcoin_only"),
        (MeshMode::PaymentGated, "payment_gated"),
        (MeshMode::Open, "open"),
    ] {
        assert_eq!(word.parse(), Ok(mode));
    }
    let said = "paid"
        .parse::<MeshMode>()
        .map_err(|error| error.to_string());
    assert_eq!(
        said,
        Err(
            "unknown mode \"paid\": expected \"bitcoin_only\", \"payment_gated\" or \"open\""
                .to_owned()
        )
    );
    for error in [
        MeshError::NetworkError(String::new()),
        MeshError::PaymentVerificationFailed(String::new()),
        MeshError::ReplayDetected(String::new()),
        MeshError::RoutingError(String::new()),
    ] {
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn the_proofs_have_the_fields_of_the_contract() {
    let proofs = [
        PaymentProof::Lightning {
            invoice: String::new(),
            preimage: [0_u8; 32],
            amount_msats: 0_u64,
            timestamp: 0_u64,
            expires_at: 0_u64,
        },
        PaymentProof::OnChainSettlement {
            payment_request_id: String::new(),
            tx_hash: [0_u8; 32],
            amount_sats: 0_u64,
            timestamp: 0_u64,
        },
        PaymentProof::InstantSettlement {
            covenant_proof: Vec::new(),
            output_index: 0_u32,
            merkle_proof: Vec::new(),
            amount_sats: 0_u64,
            timestamp: 0_u64,
        },
    ];
    assert_eq!(proofs.len(), 3);
}

#[test]
fn a_fee_distribution_sums_to_its_total_in_route_order() {
    let id = |byte| NodeId::from_bytes([byte; 32]);
    let table = RoutingTable::new(id(1));
    let FeeDistribution {
        total_sats,
        destination_sats,
        relay_sats,
        source_sats,
    } = table.calculate_fee(&[id(1), id(2), id(3), id(4)], 1_000);
    assert_eq!(
        (total_sats, destination_sats, source_sats),
        (1_000, 600, 100)
    );
    assert_eq!(relay_sats, vec![150, 150]);
}

#[test]
fn a_node_id_is_its_bytes_and_its_hex() -> Result<(), Box<dyn std::error::Error>> {
    let id = NodeId::from_bytes([0xab; 32]);
    assert_eq!(id.to_bytes(), [0xab; 32]);
    assert_eq!(id.to_string(), "ab".repeat(32));
    assert_eq!("ab".repeat(32).parse::<NodeId>()?, id);
    Ok(())
}

#[test]
fn the_subscribed_and_published_events_are_there() {
    let subscribed = [
        NodeEvent::PeerConnected {
            peer_addr: String::new(),
            peer_node_id: None,
        },
        NodeEvent::PeerDisconnected {
            peer_addr: String::new(),
            reason: String::new(),
        },
        NodeEvent::MessageReceived {
            peer_addr: String::new(),
            message_type: String::new(),
            message_size: 0,
        },
        NodeEvent::PaymentVerified {
            payment_id: String::new(),
            amount_msats: 0,
        },
    ];
    let id = NodeId::from_bytes([1; 32]);
    let published = [
        MeshEvent::RouteDiscovered {
            destination: id,
            route_path: Vec::new(),
            route_cost: blvm_mesh::Msat::ZERO,
        },
        MeshEvent::RouteFailed {
            destination: id,
            reason: String::new(),
        },
        MeshEvent::PaymentVerified {
            payment_id: String::new(),
            payer: id,
            amount: blvm_mesh::Msat::ZERO,
        },
    ];
    assert_eq!((subscribed.len(), published.len()), (4, 3));
}

#[test]
fn the_settings_of_the_contract_are_read_from_a_module_context() -> Result<(), MeshError> {
    let flat = [
        ("enabled", "true"),
        ("mode", "payment_gated"),
        ("listen_addr", "0.0.0.0:8334"),
    ];
    let flat = flat
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let config =
        MeshConfig::from_flat(&flat).map_err(|error| MeshError::ConfigError(error.to_string()))?;
    assert_eq!(config, MeshConfig::default());
    Ok(())
}

#[test]
fn a_node_without_a_wallet_cannot_decide_about_a_proof() {
    // `Err` means *could not decide*; a proof that is not good would be `Ok` with `verified: false`.
    let verifier = PaymentVerifier::new(Arc::new(Node(NodeId::from_bytes([1; 32]))));
    let proof = PaymentProof::OnChainSettlement {
        payment_request_id: String::new(),
        tx_hash: [0; 32],
        amount_sats: 1,
        timestamp: 0,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    assert!(matches!(
        runtime.block_on(verifier.verify(&proof)),
        Err(MeshError::LightningError(_))
    ));
}
