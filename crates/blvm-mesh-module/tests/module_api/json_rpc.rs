use crate::two_nodes::{ENOUGH, TwoNodes};
use blvm_mesh::to_hex;
use blvm_mesh_module::api::{MeshApi, RPC_METHODS, SendPacketRequest, encode};
use serde_json::{Value, json};

fn request_hex(destination: [u8; 32], protocol_id: &str) -> String {
    let request = SendPacketRequest {
        destination,
        payload: b"hi".to_vec(),
        payment_proof: None,
        protocol_id: Some(protocol_id.to_owned()),
        ttl: None,
    };
    to_hex(&encode(&request).unwrap())
}

#[tokio::test]
async fn the_four_names_answer_in_the_shapes_that_callers_know() {
    let nodes = TwoNodes::start(ENOUGH).await;
    let (near, far) = (&nodes.near_api, &nodes.far_api);
    let far_hex = to_hex(&nodes.far_id());

    let params = json!({ "request_hex": request_hex(nodes.far_id(), "app") });
    let sent = near.call("meshsendpacket", params).await.unwrap();
    let packet_id = sent["packet_id"].as_str().unwrap().to_owned();
    assert_eq!(packet_id.len(), 64);
    let expected = json!({
        "success": true,
        "packet_id": packet_id,
        "route_length": 2,
        "estimated_cost_sats": 10,
        "error": null,
    });
    assert_eq!(sent, expected);

    let params = json!([{ "protocol_id": "app", "max_packets": 5 }]);
    let arrived = far.call("meshpollreceived", params).await.unwrap();
    let packet = json!({
        "protocol_id": "app",
        "payload_hex": "6869",
        "source_hex": to_hex(&nodes.near_id()),
    });
    assert_eq!(arrived, json!({ "packets": [packet] }));
    for nothing in [json!({}), json!([]), json!(null)] {
        let arrived = far.call("meshpollreceived", nothing).await.unwrap();
        assert_eq!(arrived, json!({ "packets": [] }));
    }

    let params = json!({ "destination_hex": far_hex });
    let quoted = near.call("meshquoteroute", params).await.unwrap();
    assert_eq!(quoted, json!({ "fee_sats": 10 }));

    let params = json!({ "destination_hex": far_hex, "amount_msats": 5_000, "expiry_seconds": 60 });
    let quoted = near.call("meshrequesthopinvoice", params).await.unwrap();
    assert_eq!(quoted["amount_msats"], 5_000);
    assert!(quoted["invoice"].as_str().unwrap().starts_with("lnbcrt"));
    assert!(quoted["expires_at"].is_u64());
    assert_eq!(quoted.as_object().unwrap().len(), 3);
    nodes.stop().await;
}

async fn refused(api: &MeshApi, method: &str, params: Value) -> (i32, String) {
    let error = api.call(method, params).await.unwrap_err();
    (error.code.code(), error.message)
}

#[tokio::test]
async fn what_is_unknown_or_of_another_type_is_an_error_that_says_what_was_expected() {
    let nodes = TwoNodes::start(ENOUGH).await;
    let api = &nodes.near_api;
    let id = to_hex(&nodes.far_id());
    let (code, said) = refused(api, "meshdance", json!({})).await;
    assert_eq!(code, -32_601);
    for method in RPC_METHODS {
        assert!(said.contains(method), "{said}");
        for params in [json!("x"), json!([1]), json!([{}, {}]), json!(7)] {
            let (code, said) = refused(api, method, params).await;
            assert_eq!(code, -32_602);
            assert!(said.contains("one object"), "{said}");
        }
        let (code, said) = refused(api, method, json!({ "destiny": 1 })).await;
        assert_eq!(code, -32_602);
        assert!(said.contains("unknown field `destiny`"), "{said}");
    }
    let long = "ab".repeat(200_000);
    for (method, params, part) in [
        ("meshsendpacket", json!({}), "request_hex"),
        ("meshsendpacket", json!({ "request_hex": 1 }), "a string"),
        (
            "meshsendpacket",
            json!({ "request_hex": "0" }),
            "request_hex",
        ),
        (
            "meshsendpacket",
            json!({ "request_hex": "zz" }),
            "request_hex",
        ),
        ("meshsendpacket", json!({ "request_hex": "00" }), "bincode"),
        ("meshsendpacket", json!({ "request_hex": long }), "at most"),
        ("meshpollreceived", json!({ "max_packets": -1 }), "u64"),
        (
            "meshpollreceived",
            json!({ "max_packets": long }),
            "invalid type",
        ),
        ("meshpollreceived", json!({ "protocol_id": 1 }), "a string"),
        (
            "meshquoteroute",
            json!({ "destination_hex": "ab" }),
            "destination_hex",
        ),
        (
            "meshquoteroute",
            json!({ "destination_hex": id, "base_fee_sats": 0.5 }),
            "u64",
        ),
        (
            "meshrequesthopinvoice",
            json!({ "destination_hex": id }),
            "amount_msats",
        ),
        (
            "meshrequesthopinvoice",
            json!({ "destination_hex": id, "amount_msats": 0 }),
            "amount_msats",
        ),
    ] {
        let (code, said) = refused(api, method, params).await;
        assert_eq!(code, -32_602, "{said}");
        assert!(said.contains(part) && said.len() < 500, "{said}");
    }
    let unknown = json!({ "destination_hex": "09".repeat(32) });
    let (code, said) = refused(api, "meshquoteroute", unknown).await;
    assert_eq!(code, -32_000, "{said}");
    nodes.stop().await;
}
