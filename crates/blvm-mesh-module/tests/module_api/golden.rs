//! What goes over the line, byte for byte, written by hand from the layout: numbers little-endian, lengths of 8 bytes, the
//! tag of an `Option` 1 byte, that of an enum 4.

use blvm_mesh::PaymentProof;
use blvm_mesh_module::api::*;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// 32 bytes of each kind that the examples use.
const ONES: &str = "0101010101010101010101010101010101010101010101010101010101010101";
const TWOS: &str = "0202020202020202020202020202020202020202020202020202020202020202";

/// Each message, with the hex of its fields: what is checked for one is checked for all.
pub(crate) fn all(check: &mut impl Check) {
    check.message(
        "send_packet, all fields",
        &SendPacketRequest {
            destination: [1; 32],
            payload: b"hi".to_vec(),
            payment_proof: Some(Proof::Lightning {
                invoice: "ln".to_owned(),
                preimage: [2; 32],
                amount_msats: 1_000,
                timestamp: 1_790_000_000,
                expires_at: 1_790_000_600,
            }),
            protocol_id: Some("app-ukm-v1".to_owned()),
            ttl: Some(3_600),
        },
        &[
            ONES,                                       // destination
            "0200000000000000 6869",                    // payload: 2 bytes, "hi"
            "01 00000000",                              // payment_proof: there is one, Lightning
            "0200000000000000 6c6e",                    // invoice: 2 bytes, "ln"
            TWOS,                                       // preimage
            "e803000000000000",                         // amount_msats: 1,000
            "803bb16a00000000",                         // timestamp: 1,790,000,000
            "d83db16a00000000",                         // expires_at: 1,790,000,600
            "01 0a00000000000000 6170702d756b6d2d7631", // protocol_id: 10 bytes, "app-ukm-v1"
            "01 100e000000000000",                      // ttl: 3,600
        ],
    );
    check.message(
        "send_packet, what may be left out left out",
        &SendPacketRequest {
            destination: [1; 32],
            payload: Vec::new(),
            payment_proof: None,
            protocol_id: None,
            ttl: None,
        },
        &[
            ONES,               // destination
            "0000000000000000", // payload: no bytes
            "00",               // payment_proof: none
            "00",               // protocol_id: none
            "00",               // ttl: none
        ],
    );
    check.message(
        "a proof of a payment on the chain",
        &Proof::OnChainSettlement {
            payment_request_id: "id".to_owned(),
            tx_hash: [1; 32],
            amount_sats: 7,
            timestamp: 9,
        },
        &[
            "01000000",              // OnChainSettlement
            "0200000000000000 6964", // payment_request_id: 2 bytes, "id"
            ONES,                    // tx_hash
            "0700000000000000",      // amount_sats
            "0900000000000000",      // timestamp
        ],
    );
    check.message(
        "a proof of a covenant",
        &Proof::InstantSettlement {
            covenant_proof: vec![0xc0],
            output_index: 3,
            merkle_proof: vec![[1; 32], [2; 32]],
            amount_sats: 7,
            timestamp: 9,
        },
        &[
            "02000000",            // InstantSettlement
            "0100000000000000 c0", // covenant_proof: 1 byte
            "03000000",            // output_index
            "0200000000000000",    // merkle_proof: 2 hashes
            ONES,                  // the first
            TWOS,                  // the second
            "0700000000000000",    // amount_sats
            "0900000000000000",    // timestamp
        ],
    );
    check.message(
        "send_packet, confirmed",
        &SendPacketResponse {
            success: true,
            packet_id: [2; 32],
            route_length: 3,
            estimated_cost_sats: 10,
            error: None,
        },
        &[
            "01",               // success
            TWOS,               // packet_id
            "0300000000000000", // route_length
            "0a00000000000000", // estimated_cost_sats
            "00",               // error: none
        ],
    );
    check.message(
        "send_packet, not confirmed",
        &SendPacketResponse {
            success: false,
            packet_id: [0; 32],
            route_length: 0,
            estimated_cost_sats: 0,
            error: Some("no".to_owned()),
        },
        &[
            "00",                                                               // success: no
            "0000000000000000000000000000000000000000000000000000000000000000", // packet_id
            "0000000000000000",                                                 // route_length
            "0000000000000000",         // estimated_cost_sats
            "01 0200000000000000 6e6f", // error: 2 bytes, "no"
        ],
    );
    check.message(
        "discover_route",
        &DiscoverRouteRequest {
            destination: [1; 32],
            max_hops: Some(4),
            timeout_seconds: Some(3),
        },
        &[
            ONES,                  // destination
            "01 04",               // max_hops: 4, in 1 byte
            "01 0300000000000000", // timeout_seconds: 3
        ],
    );
    check.message(
        "discover_route, found",
        &DiscoverRouteResponse {
            route: Some(NodeList(vec![[1; 32], [2; 32]])),
            route_cost_sats: 5,
            discovery_time_ms: 256,
        },
        &[
            "01 0200000000000000", // route: there is one, of 2 nodes
            ONES,                  // this one
            TWOS,                  // the destination
            "0500000000000000",    // route_cost_sats
            "0001000000000000",    // discovery_time_ms: 256
        ],
    );
    check.message(
        "discover_route, none",
        &DiscoverRouteResponse {
            route: None,
            route_cost_sats: 0,
            discovery_time_ms: 0,
        },
        &[
            "00",               // route: none
            "0000000000000000", // route_cost_sats
            "0000000000000000", // discovery_time_ms
        ],
    );
    let routing = RouteStats {
        total_routes: 1,
        direct_peers: 2,
        cached_routes: 3,
        route_expiry_seconds: 3_600,
    };
    const ROUTING: [&str; 4] = [
        "0100000000000000", // total_routes
        "0200000000000000", // direct_peers
        "0300000000000000", // cached_routes
        "100e000000000000", // route_expiry_seconds: 3,600
    ];
    check.message("get_route_stats", &routing, &ROUTING);
    check.message(
        "get_routing_stats",
        &NetworkStats {
            enabled: true,
            mode: 1,
            routing,
            replay: ReplayStats {
                active_hashes: 4,
                tracked_peers: 5,
                expiry_seconds: 120,
            },
        },
        &[
            &["01", "01000000"][..], // enabled, mode: payment_gated
            &ROUTING,
            &[
                "0400000000000000", // active_hashes
                "0500000000000000", // tracked_peers
                "7800000000000000", // expiry_seconds: 120
            ],
        ]
        .concat(),
    );
    check.message(
        "get_peer_list",
        &PeerList(vec![PeerEntry {
            node_id_hex: "ab".to_owned(),
            address: "x:1".to_owned(),
        }]),
        &[
            "0100000000000000",        // 1 peer
            "0200000000000000 6162",   // node_id_hex: "ab"
            "0300000000000000 783a31", // address: "x:1"
        ],
    );
    check.message("get_node_id", &[1_u8; 32], &[ONES]);
    check.message(
        "handle_mesh_packet",
        &HandleMeshPacketRequest(b"MESH".to_vec(), "x:1".to_owned()),
        &[
            "0400000000000000 4d455348", // 4 bytes, "MESH"
            "0300000000000000 783a31",   // peer_addr: "x:1"
        ],
    );
    check.message(
        "quote_route_fee",
        &QuoteRouteFeeRequest {
            destination: [1; 32],
            base_fee_sats: 2,
        },
        &[
            ONES,               // destination
            "0200000000000000", // base_fee_sats
        ],
    );
    check.message(
        "request_hop_invoice",
        &HopInvoiceRequest {
            destination: [1; 32],
            amount_msats: 5_000,
            expiry_seconds: None,
        },
        &[
            ONES,               // destination
            "8813000000000000", // amount_msats: 5,000
            "00",               // expiry_seconds: none
        ],
    );
    check.message(
        "request_hop_invoice, answered",
        &HopInvoiceResponse {
            invoice: "ln".to_owned(),
            amount_msats: 5_000,
            expires_at: 1_790_000_600,
        },
        &[
            "0200000000000000 6c6e", // invoice: 2 bytes, "ln"
            "8813000000000000",      // amount_msats: 5,000
            "d83db16a00000000",      // expires_at: 1,790,000,600
        ],
    );
    check.message(
        "poll_local_deliveries",
        &PollRequest {
            protocol_id: Some("a".to_owned()),
            max_packets: Some(64),
        },
        &[
            "01 0100000000000000 61", // protocol_id: 1 byte, "a"
            "01 4000000000000000",    // max_packets: 64
        ],
    );
    check.message(
        "poll_local_deliveries, answered",
        &LocalDeliveries(vec![LocalDelivery {
            protocol_id: "a".to_owned(),
            payload: b"hi".to_vec(),
            source: [2; 32],
        }]),
        &[
            "0100000000000000",      // 1 packet
            "0100000000000000 61",   // protocol_id: 1 byte, "a"
            "0200000000000000 6869", // payload: 2 bytes, "hi"
            TWOS,                    // source
        ],
    );
}

/// What is done with each message.
pub(crate) trait Check {
    fn message<T: Message>(&mut self, name: &str, value: &T, fields: &[&str]);
}

/// A message of the API.
pub(crate) trait Message: Serialize + DeserializeOwned + PartialEq + Debug {}

impl<T: Serialize + DeserializeOwned + PartialEq + Debug> Message for T {}

/// Reads the hex of fields, with or without spaces.
pub(crate) fn bytes(fields: &[&str]) -> Vec<u8> {
    let digits: String = fields.concat().replace(' ', "");
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn each_message_has_the_bytes_that_callers_know() {
    struct BothWays;
    impl Check for BothWays {
        fn message<T: Message>(&mut self, name: &str, value: &T, fields: &[&str]) {
            let bytes = bytes(fields);
            assert_eq!(encode(value).unwrap(), bytes, "{name}");
            assert_eq!(decode::<T>(&bytes).as_ref(), Ok(value), "{name}");
            assert_eq!(bincode::deserialize::<T>(&bytes).unwrap(), *value, "{name}");
        }
    }
    all(&mut BothWays);
}

#[test]
fn a_request_without_fields_is_no_bytes() {
    assert!(encode(&NoRequest).unwrap().is_empty());
    assert_eq!(decode(&[]), Ok(NoRequest));
    assert!(decode::<NoRequest>(&[0]).is_err());
}

#[test]
fn a_proof_of_a_caller_is_the_one_that_the_mesh_knows_in_the_same_bytes() {
    struct Proofs(usize);
    impl Check for Proofs {
        fn message<T: Message>(&mut self, name: &str, _: &T, fields: &[&str]) {
            if name.starts_with("a proof") {
                let bytes = bytes(fields);
                let known: PaymentProof = bincode::deserialize(&bytes).unwrap();
                assert_eq!(PaymentProof::from(decode::<Proof>(&bytes).unwrap()), known);
                self.0 += 1;
            }
        }
    }
    let mut proofs = Proofs(0);
    all(&mut proofs);
    assert_eq!(proofs.0, 2);
    let lightning = Proof::Lightning {
        invoice: "ln".to_owned(),
        preimage: [2; 32],
        amount_msats: 1,
        timestamp: 2,
        expires_at: 3,
    };
    let known: PaymentProof = bincode::deserialize(&encode(&lightning).unwrap()).unwrap();
    assert_eq!(PaymentProof::from(lightning), known);
}
