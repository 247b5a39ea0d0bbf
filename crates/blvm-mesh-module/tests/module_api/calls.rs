use crate::two_nodes::{ENOUGH, FAR_MSAT, OtherModules, TwoNodes};
use blvm_mesh::{Msat, NodeId};
use blvm_mesh_module::api::*;
use proptest::{collection::vec, prelude::*};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{runtime::Runtime, task::JoinSet};

/// A Bitcoin `ping` on regtest, which rides free.
const PING: &str = "fabfb5da70696e6700000000000000000800000078f5ff4a6d65642d6873656d";

fn packet(destination: [u8; 32], protocol_id: Option<&str>, payload: &[u8]) -> SendPacketRequest {
    SendPacketRequest {
        destination,
        payload: payload.to_vec(),
        payment_proof: None,
        protocol_id: protocol_id.map(str::to_owned),
        ttl: Some(3_600),
    }
}

fn poll(protocol_id: Option<&str>) -> PollRequest {
    PollRequest {
        protocol_id: protocol_id.map(str::to_owned),
        max_packets: None,
    }
}

fn delivery(protocol_id: &str, payload: &[u8], source: [u8; 32]) -> LocalDelivery {
    LocalDelivery {
        protocol_id: protocol_id.to_owned(),
        payload: payload.to_vec(),
        source,
    }
}

async fn ask<T: DeserializeOwned>(
    modules: &OtherModules,
    method: &str,
    request: &impl Serialize,
) -> T {
    let answer = modules.call(method, encode(request).unwrap()).await;
    decode_answer(&answer.unwrap()).unwrap()
}

#[tokio::test]
async fn a_packet_of_another_module_is_paid_for_and_arrives_with_its_protocol_id_and_source() {
    let nodes = TwoNodes::start(ENOUGH).await;
    let near = OtherModules::of(&nodes.near_api).await;
    let far = OtherModules::of(&nodes.far_api).await;

    let request = packet(nodes.far_id(), Some("app-ukm-v1"), b"hello");
    let sent: SendPacketResponse = ask(&near, "send_packet", &request).await;
    assert_eq!((sent.success, sent.error), (true, None));
    assert_eq!((sent.route_length, sent.estimated_cost_sats), (2, 10));
    assert_ne!(sent.packet_id, [0; 32]);
    // For ten packets.
    assert_eq!(nodes.paid(), Msat::from_msat(10 * FAR_MSAT));

    let nothing: LocalDeliveries = ask(&far, "poll_local_deliveries", &poll(Some("other"))).await;
    assert_eq!(nothing.0, []);
    let arrived: LocalDeliveries =
        ask(&far, "poll_local_deliveries", &poll(Some("app-ukm-v1"))).await;
    assert_eq!(
        arrived.0,
        [delivery("app-ukm-v1", b"hello", nodes.near_id())]
    );
    let nothing: LocalDeliveries = ask(&far, "poll_local_deliveries", &poll(None)).await;
    assert_eq!(nothing.0, [], "it was handed over");
    nodes.stop().await;
}

#[tokio::test]
async fn a_packet_without_a_protocol_id_is_not_lost_and_those_of_others_stay_for_them() {
    let nodes = TwoNodes::start(ENOUGH).await;
    for (protocol_id, payload) in [(Some("a"), b"1"), (None, b"2"), (Some("b"), b"3")] {
        let request = packet(nodes.far_id(), protocol_id, payload);
        assert!(nodes.near_api.send_packet(request).await.unwrap().success);
    }
    let polled = |protocol_id| {
        let request = poll(protocol_id);
        nodes.far_api.poll_local_deliveries(request).unwrap().0
    };
    let near = nodes.near_id();
    assert_eq!(polled(Some("b")), [delivery("b", b"3", near)]);
    assert_eq!(polled(Some("")), [delivery("", b"2", near)]);
    assert_eq!(polled(None), [delivery("a", b"1", near)]);
    let many = PollRequest {
        protocol_id: None,
        max_packets: Some(u64::MAX),
    };
    assert_eq!(nodes.far_api.poll_local_deliveries(many).unwrap().0, []);
    nodes.stop().await;
}

#[tokio::test]
async fn callers_that_may_spend_nothing_send_what_is_free_and_are_told_which_setting_it_is() {
    let limits = CallerLimits {
        per_send: Msat::ZERO,
    };
    let nodes = TwoNodes::start(limits).await;
    let request = packet(nodes.far_id(), None, b"hello");
    let refused = nodes.near_api.send_packet(request).await.unwrap();
    assert!(!refused.success);
    assert_eq!(refused.packet_id, [0; 32]);
    let error = refused.error.unwrap();
    assert!(error.contains("[mesh.module_api] per_send_msat"), "{error}");
    let with_proof = SendPacketRequest {
        payment_proof: Some(proof("lnbc1".to_owned(), [0; 32], 0)),
        ..packet(nodes.far_id(), None, b"hello")
    };
    let refused = nodes.near_api.send_packet(with_proof).await.unwrap();
    let error = refused.error.unwrap();
    assert!(error.starts_with("payment_proof: "), "{error}");
    assert!(error.contains("[mesh.module_api] per_send_msat"), "{error}");
    assert_eq!(nodes.paid(), Msat::ZERO);

    let ping: [u8; 32] = blvm_mesh::from_hex(PING).unwrap();
    let free = nodes
        .near_api
        .send_packet(packet(nodes.far_id(), None, &ping));
    let free = free.await.unwrap();
    assert_eq!((free.success, free.estimated_cost_sats), (true, 0));
    nodes.stop().await;
}

#[tokio::test]
async fn a_packet_that_costs_more_than_callers_may_spend_is_not_paid_for() {
    let limits = CallerLimits {
        per_send: Msat::from_msat(FAR_MSAT),
    };
    let nodes = TwoNodes::start(limits).await;
    let request = packet(nodes.far_id(), None, b"hello");
    let refused = nodes.near_api.send_packet(request).await.unwrap();
    let error = refused.error.unwrap();
    assert!(error.contains("may spend 9000 msat a packet"), "{error}");
    assert_eq!(nodes.paid(), Msat::ZERO);
    nodes.stop().await;
}

fn proof(invoice: String, preimage: [u8; 32], amount_msats: u64) -> Proof {
    let parsed = blvm_mesh::Invoice::parse(&invoice);
    let times =
        |parsed: blvm_mesh::Invoice| (parsed.timestamp().to_secs(), parsed.expires_at().to_secs());
    let (timestamp, expires_at) = parsed.map(times).unwrap_or_default();
    Proof::Lightning {
        invoice,
        preimage,
        amount_msats,
        timestamp,
        expires_at,
    }
}

async fn invoice_of(api: &MeshApi, payee: [u8; 32]) -> HopInvoiceResponse {
    let request = HopInvoiceRequest {
        destination: payee,
        amount_msats: 20_500,
        expiry_seconds: Some(3_600),
    };
    api.request_hop_invoice(request).await.unwrap()
}

async fn paid_invoice_of(nodes: &TwoNodes, api: &MeshApi, payee: [u8; 32]) -> (Proof, u64) {
    let quoted = invoice_of(api, payee).await;
    let preimage = nodes.paid_by_somebody(&quoted.invoice).await;
    let proof = proof(quoted.invoice, preimage, quoted.amount_msats);
    (proof, quoted.amount_msats)
}

#[tokio::test]
async fn an_invoice_that_a_caller_has_paid_pays_for_packets_once_and_the_nodes_wallet_for_none() {
    let nodes = TwoNodes::start(ENOUGH).await;
    let (proof, amount_msats) = paid_invoice_of(&nodes, &nodes.near_api, nodes.far_id()).await;
    assert_eq!(amount_msats, 21_000, "rounded up to whole satoshi");
    let request = SendPacketRequest {
        payment_proof: Some(proof),
        ..packet(nodes.far_id(), Some("app"), b"paid by me")
    };
    let sent = nodes.near_api.send_packet(request.clone()).await.unwrap();
    assert_eq!((sent.success, sent.error), (true, None));
    assert_eq!(nodes.paid(), Msat::ZERO);

    let again = nodes.near_api.send_packet(request).await.unwrap();
    let error = again.error.unwrap();
    assert!(error.starts_with("payment_proof: "), "{error}");
    let arrived = nodes.far_api.poll_local_deliveries(poll(None)).unwrap();
    assert_eq!(arrived.0, [delivery("app", b"paid by me", nodes.near_id())]);
    nodes.stop().await;
}

#[tokio::test]
async fn a_proof_that_cannot_be_used_here_is_refused_with_the_reason_and_nothing_is_sent() {
    let nodes = TwoNodes::start(ENOUGH).await;
    // The far node has asked for it, so it buys the far node credit.
    let (others, _) = paid_invoice_of(&nodes, &nodes.far_api, nodes.near_id()).await;
    let no_quote = Proof::OnChainSettlement {
        payment_request_id: "invoice 7".to_owned(),
        tx_hash: [1; 32],
        amount_sats: 1,
        timestamp: 1,
    };
    let no_covenant = Proof::InstantSettlement {
        covenant_proof: vec![9; 9],
        output_index: 0,
        merkle_proof: Vec::new(),
        amount_sats: 1,
        timestamp: 1,
    };
    let no_invoice = proof("lnbc1".to_owned(), [0; 32], 1);
    let unpaid = invoice_of(&nodes.near_api, nodes.far_id()).await;
    let unpaid = proof(unpaid.invoice, [0; 32], unpaid.amount_msats);
    for (proof, reason) in [
        (others, "request_hop_invoice"),
        (no_quote, "mesh-quote"),
        (no_covenant, "covenant"),
        (no_invoice, ""),
        (unpaid, "preimage"),
    ] {
        let request = SendPacketRequest {
            payment_proof: Some(proof),
            ..packet(nodes.far_id(), None, b"hello")
        };
        let refused = nodes.near_api.send_packet(request).await.unwrap();
        let error = refused.error.unwrap();
        assert!(error.starts_with("payment_proof: "), "{error}");
        assert!(error.contains(reason), "{error}");
    }
    assert_eq!(nodes.paid(), Msat::ZERO);
    let arrived = nodes.far_api.poll_local_deliveries(poll(None)).unwrap();
    assert_eq!(arrived.0, []);
    nodes.stop().await;
}

#[tokio::test]
async fn routes_prices_and_figures_are_those_of_the_mesh() {
    let nodes = TwoNodes::start(ENOUGH).await;
    let near = OtherModules::of(&nodes.near_api).await;
    let id: [u8; 32] = ask(&near, "get_node_id", &NoRequest).await;
    assert_eq!(id, nodes.near_id());
    let peers: PeerList = ask(&near, "get_peer_list", &NoRequest).await;
    let far_id = NodeId::from_bytes(nodes.far_id());
    assert_eq!(peers.0.len(), 1);
    assert_eq!(peers.0.first().unwrap().node_id_hex, far_id.to_string());

    let quote = QuoteRouteFeeRequest {
        destination: nodes.far_id(),
        base_fee_sats: 0,
    };
    let fee: u64 = ask(&near, "quote_route_fee", &quote).await;
    assert_eq!(fee, 10);
    let offered = QuoteRouteFeeRequest {
        base_fee_sats: 25,
        ..quote
    };
    let fee: u64 = ask(&near, "quote_route_fee", &offered).await;
    assert_eq!(fee, 25);
    assert_eq!(nodes.paid(), Msat::ZERO);

    let discover = |destination, max_hops| DiscoverRouteRequest {
        destination,
        max_hops,
        timeout_seconds: Some(1),
    };
    let found: DiscoverRouteResponse =
        ask(&near, "discover_route", &discover(nodes.far_id(), Some(1))).await;
    let way = NodeList(vec![nodes.near_id(), nodes.far_id()]);
    assert_eq!((found.route, found.route_cost_sats), (Some(way), 10));
    for request in [
        discover(nodes.far_id(), Some(0)),
        discover([9; 32], None),
        discover(nodes.near_id(), None),
    ] {
        let none: DiscoverRouteResponse = ask(&near, "discover_route", &request).await;
        assert_eq!((none.route, none.route_cost_sats), (None, 0));
    }

    let routing: RouteStats = ask(&near, "get_route_stats", &NoRequest).await;
    assert_eq!((routing.total_routes, routing.direct_peers), (1, 1));
    assert!(routing.cached_routes >= 1);
    for method in ["get_routing_stats", "get_network_stats"] {
        let stats: NetworkStats = ask(&near, method, &NoRequest).await;
        assert!(stats.enabled);
        assert_eq!(stats.mode, 2);
        assert_eq!(stats.routing.route_expiry_seconds, 3_600);
        assert_eq!(stats.replay.expiry_seconds, 120);
    }
    nodes.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_an_error_that_says_what_was_expected() {
    let nodes = TwoNodes::start(ENOUGH).await;
    let near = OtherModules::of(&nodes.near_api).await;
    let said = async |method: &str, params: &[u8]| {
        let answer = near.call(method, params.to_vec()).await;
        answer.unwrap_err()
    };
    let unknown = said("route_packet", &[]).await;
    for method in METHODS {
        assert!(unknown.contains(method), "{unknown}");
        let error = said(method, &[1; 3]).await;
        assert!(
            error.contains(&format!("the request of {method}")),
            "{error}"
        );
    }
    let frame = HandleMeshPacketRequest(b"MESH".to_vec(), "192.0.2.1:8333".to_owned());
    let error = said("handle_mesh_packet", &encode(&frame).unwrap()).await;
    assert!(error.contains("links of the mesh"), "{error}");

    let refused = async |request| {
        let answer = nodes.near_api.send_packet(request).await.unwrap();
        assert!(!answer.success);
        answer.error.unwrap()
    };
    let no_time = SendPacketRequest {
        ttl: Some(0),
        ..packet(nodes.far_id(), None, b"x")
    };
    assert!(refused(no_time).await.contains("ttl = 0"));
    let long_id = "x".repeat(MAX_PROTOCOL_ID_BYTES + 1);
    let long_id = packet(nodes.far_id(), Some(&long_id), b"x");
    assert!(refused(long_id).await.contains("protocol_id"));
    let too_large = packet(nodes.far_id(), None, &vec![7; blvm_mesh::MAX_PAYLOAD_LEN]);
    assert!(refused(too_large).await.contains("bytes of payload"));
    assert!(
        !refused(packet(nodes.near_id(), None, b"x"))
            .await
            .is_empty()
    );
    assert!(!refused(packet([0; 32], None, b"x")).await.is_empty());

    for (amount_msats, expiry_seconds) in [(0, None), (1_000, Some(0))] {
        let request = HopInvoiceRequest {
            destination: nodes.far_id(),
            amount_msats,
            expiry_seconds,
        };
        let error = nodes.near_api.request_hop_invoice(request).await;
        assert!(matches!(error, Err(ApiError::Refused(_))), "{error:?}");
    }
    assert_eq!(nodes.paid(), Msat::ZERO);
    nodes.stop().await;
}

#[tokio::test]
async fn no_more_calls_wait_at_once_than_may() {
    let nodes = TwoNodes::start(ENOUGH).await;
    let mut calls = JoinSet::new();
    for seed in 0..MAX_CALLS + 6 {
        let api = std::sync::Arc::clone(&nodes.near_api);
        let request = DiscoverRouteRequest {
            destination: [u8::try_from(seed).unwrap(); 32],
            max_hops: None,
            timeout_seconds: Some(2),
        };
        calls.spawn(async move { api.discover_route(request).await });
    }
    let answers = calls.join_all().await;
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused, vec![ApiError::TooManyCalls; 6]);
    // The places are free again.
    assert!(nodes.near_api.route_stats().await.is_ok());
    nodes.stop().await;
}

#[tokio::test]
async fn a_mesh_that_has_stopped_says_so_and_is_not_kept() {
    let nodes = TwoNodes::start(ENOUGH).await;
    let api = std::sync::Arc::clone(&nodes.near_api);
    let destination = nodes.far_id();
    nodes.stop().await;
    let answer = api.send_packet(packet(destination, None, b"x")).await;
    assert_eq!(answer, Err(ApiError::Stopped));
    assert_eq!(api.peer_list(), Err(ApiError::Stopped));
}

#[test]
fn arbitrary_requests_are_answered_or_refused() {
    let runtime = Runtime::new().unwrap();
    let api = runtime.block_on(async {
        let nodes = TwoNodes::start(ENOUGH).await;
        let api = std::sync::Arc::clone(&nodes.near_api);
        nodes.stop().await;
        api
    });
    proptest!(|(method in 0..METHODS.len(), params in vec(any::<u8>(), 0..120))| {
        let method = METHODS.get(method).unwrap();
        // What can be read goes to a mesh that is no more.
        let answer = runtime.block_on(api.handle(method, &params, "any"));
        prop_assert!(answer.is_err());
    });
}
