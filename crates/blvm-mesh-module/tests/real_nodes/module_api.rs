use crate::program;
use blvm_mesh_module::{
    FullNodeConfig,
    api::{
        LocalDeliveries, LocalDelivery, MeshApi, PollRequest, SendPacketRequest,
        SendPacketResponse, decode_answer, encode,
    },
    regtest::{DEADLINE, Line, RealHome, RealNode, RegtestError},
};
use blvm_mesh_node::{Brought, Service, Unwatched};
use std::{fs, sync::Arc};
use tokio::time::timeout;

/// The mesh of a home in this process, with the API that modules call.
async fn start(home: &RealHome) -> (Service, MeshApi) {
    let config = FullNodeConfig::load(&home.config()).unwrap();
    let service = Service::start(&config.mesh, Arc::new(Unwatched), Brought::default());
    let service = service.await.unwrap();
    let api = MeshApi::new(service.node(), config.callers);
    (service, api)
}

#[tokio::test]
async fn a_packet_of_another_module_crosses_a_real_node_and_is_polled_behind_it() {
    let root = tempfile::tempdir().unwrap();
    let line = Line::new(root.path()).unwrap();
    let mut middle = RealNode::start(program(), &line.middle).await.unwrap();
    let (near, near_api) = start(&line.near).await;
    let (far, far_api) = start(&line.far).await;
    let linked = async |middle: &RealNode| {
        let is_near = near_api.peer_list().is_ok_and(|peers| !peers.0.is_empty());
        Ok(is_near && middle.status().await?.peers.len() == 2)
    };
    middle.until("the links", linked).await.unwrap();

    let request = SendPacketRequest {
        destination: line.far.id().to_bytes(),
        payload: b"hello".to_vec(),
        payment_proof: None,
        protocol_id: Some("app-ukm-v1".to_owned()),
        ttl: Some(3_600),
    };
    let request = encode(&request).unwrap();
    let sending = near_api.handle("send_packet", &request, "app");
    let answer = timeout(DEADLINE, sending).await.unwrap().unwrap();
    let sent: SendPacketResponse = decode_answer(&answer).unwrap();
    assert_eq!((sent.success, sent.error), (true, None));
    assert_eq!((sent.route_length, sent.estimated_cost_sats), (3, 10));
    let money = middle.status().await.unwrap().money;
    assert_eq!(money.earned_msat, Line::MIDDLE_MSAT);

    let request = PollRequest {
        protocol_id: Some("app-ukm-v1".to_owned()),
        max_packets: None,
    };
    let request = encode(&request).unwrap();
    let answer = far_api.handle("poll_local_deliveries", &request, "app");
    let arrived: LocalDeliveries = decode_answer(&answer.await.unwrap()).unwrap();
    let expected = LocalDelivery {
        protocol_id: "app-ukm-v1".to_owned(),
        payload: b"hello".to_vec(),
        source: line.near.id().to_bytes(),
    };
    assert_eq!(arrived.0, [expected]);

    // The node in the middle takes no module API of what runs inside it; that is told once, and nothing else suffers.
    let log = line.middle.config().with_file_name("log");
    let told = || {
        fs::read_to_string(&log)
            .unwrap()
            .matches("cannot call the mesh")
            .count()
    };
    middle
        .until("the word about modules", async |_| {
            Ok::<_, RegtestError>(told() > 0)
        })
        .await
        .unwrap();
    assert_eq!(told(), 1);
    near.stop().await;
    far.stop().await;
    assert_eq!(middle.stop().await.unwrap(), Some(0));
}
