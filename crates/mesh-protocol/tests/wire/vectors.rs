//! The crate against the vectors of `tests/vectors/generate.py`, which shares no code with it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a vector that cannot be read fails the test"
)]

use mesh_protocol::{
    ControlMessage, IdentityKey, KeyError, MacKey, NotSigned, PacketView, RefusalCode, SealContext,
    SealKey, decode_announcement, decode_proof, emit, emit_authenticated, encode_announcement,
    encode_proof, verify_announcement,
};
use mesh_types::{
    AnnouncedLink, Announcement, CarryLimits, Comparison, Fingerprint, GossipMessage, Held,
    HeldRange, MeshPacket, Msat, NodeId, PacketKind, PaymentProof, Price, ProofForHop,
    RangeContent, Route, from_hex, to_hex,
};
use serde_json::Value;
use std::{fmt::Debug, fs, path::Path, sync::Arc};

#[test]
fn pair_keys_are_those_of_the_other_implementation() {
    let (authenticated, digest) = ([9; 104], [8; 32]);
    for pair in list(&load("keys"), "pairs") {
        let identity = IdentityKey::from_secret_bytes(array(pair, "secret")).unwrap();
        assert_eq!(identity.node_id(), node(pair, "node_id"));
        let keys = identity.pair_with(&node(pair, "peer_id")).unwrap();
        for (mac_key, name) in [
            (keys.outgoing_mac, "outgoing_mac"),
            (keys.incoming_mac, "incoming_mac"),
        ] {
            let expected = MacKey::from_bytes(&array(pair, name));
            let mac = mac_key.mac(&authenticated, &digest);
            assert_eq!(mac, expected.mac(&authenticated, &digest), "{name}");
        }
        let context = SealContext {
            kind: PacketKind::Data,
            source: identity.node_id(),
            destination: node(pair, "peer_id"),
            sequence: 1,
            timestamp: 2,
        };
        for (seal_key, name) in [
            (keys.outgoing_seal, "outgoing_seal"),
            (keys.incoming_seal, "incoming_seal"),
        ] {
            let expected = SealKey::from_bytes(&array(pair, name));
            let sealed = seal_key.seal(b"same", &context, [3; 24]).unwrap();
            assert_eq!(
                sealed,
                expected.seal(b"same", &context, [3; 24]).unwrap(),
                "{name}"
            );
        }
    }
}

#[test]
fn what_is_no_key_for_the_other_implementation_is_none_here() {
    let keys = load("keys");
    for secret in list(&keys, "not_secrets") {
        let secret = from_hex(secret.as_str().unwrap()).unwrap();
        assert_eq!(
            IdentityKey::from_secret_bytes(secret).unwrap_err(),
            KeyError::Secret
        );
    }
    let identity = IdentityKey::from_secret_bytes([1; 32]).unwrap();
    for point in list(&keys, "not_points") {
        let node = point.as_str().unwrap().parse().unwrap();
        assert_eq!(
            identity.pair_with(&node).unwrap_err(),
            KeyError::NotAPoint { node }
        );
    }
}

#[test]
fn packets_of_the_other_implementation_parse_to_its_fields_and_are_emitted_as_its_bytes() {
    let vectors = load("packets");
    for vector in list(&vectors, "good") {
        let name = text(vector, "name");
        let expected = packet(vector);
        let bytes = bytes(vector, "bytes");
        let view = PacketView::parse(&bytes).expect(name);
        assert_eq!(view.to_packet().expect(name), expected, "{name}");
        assert_eq!(emit(&expected).expect(name), bytes, "{name}");

        let source = IdentityKey::from_secret_bytes(array(vector, "secret")).unwrap();
        let pair = |hop| source.pair_with(hop).unwrap().outgoing_mac;
        let mac_keys: Vec<_> = expected.route.iter().skip(1).map(pair).collect();
        assert_eq!(
            emit_authenticated(&expected, &mac_keys).unwrap(),
            bytes,
            "{name}"
        );
        for (position, key) in mac_keys.iter().enumerate() {
            assert_eq!(key.verify(&view, position + 1), Ok(()), "{name}");
        }
    }
}

#[test]
fn the_example_of_the_document_is_the_first_vector() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/wire-format.md");
    let document = fs::read_to_string(document).unwrap();
    let (_, block) = document.split_once("```\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let is_byte = |word: &&str| word.len() == 2 && u8::from_str_radix(word, 16).is_ok();
    let hex = block
        .lines()
        .flat_map(|line| line.split(' ').take_while(is_byte));
    let vectors = load("packets");
    let first = &list(&vectors, "good")[0];
    assert_eq!(hex.collect::<String>(), text(first, "bytes"));
}

#[test]
fn malformed_packets_fail_with_the_error_that_the_vector_names() {
    for vector in list(&load("packets"), "malformed") {
        let bytes = bytes(vector, "bytes");
        let result = PacketView::parse(&bytes).and_then(|view| view.to_packet());
        assert_fails(vector, result);
    }
}

#[test]
fn proofs_of_the_other_implementation_decode_and_encode() {
    let vectors = load("proofs");
    for vector in list(&vectors, "good") {
        let name = text(vector, "name");
        let expected = proof(&vector["proof"]);
        let bytes = bytes(vector, "bytes");
        assert_eq!(decode_proof(&bytes).expect(name), expected, "{name}");
        assert_eq!(encode_proof(&expected).expect(name), bytes, "{name}");
    }
    for vector in list(&vectors, "malformed") {
        assert_fails(vector, decode_proof(&bytes(vector, "bytes")));
    }
}

#[test]
fn payloads_sealed_by_the_other_implementation_open_and_are_sealed_as_its_bytes() {
    let vectors = load("seals");
    for vector in list(&vectors, "good") {
        let key = SealKey::from_bytes(&array(vector, "key"));
        let context = seal_context(vector);
        let (plain, sealed) = (bytes(vector, "plain"), bytes(vector, "sealed"));
        assert_eq!(
            key.seal(&plain, &context, array(vector, "nonce")).unwrap(),
            sealed
        );
        assert_eq!(key.open(&sealed, &context).unwrap(), plain);
    }
    for vector in list(&vectors, "malformed") {
        let key = SealKey::from_bytes(&array(vector, "key"));
        assert_fails(
            vector,
            key.open(&bytes(vector, "sealed"), &seal_context(vector)),
        );
    }
}

#[test]
fn control_messages_of_the_other_implementation_decode_and_encode() {
    let vectors = load("control");
    for vector in list(&vectors, "good") {
        let expected = control(&vector["message"]);
        let bytes = bytes(vector, "bytes");
        assert_eq!(ControlMessage::decode(&bytes).as_ref(), Ok(&expected));
        assert_eq!(expected.encode().unwrap(), bytes);
    }
    for vector in list(&vectors, "malformed") {
        assert_fails(vector, ControlMessage::decode(&bytes(vector, "bytes")));
    }
}

#[test]
fn announcements_of_the_other_implementation_decode_verify_and_are_signed_as_its_bytes() {
    let vectors = load("announcements");
    for vector in list(&vectors, "good") {
        let name = text(vector, "name");
        let (said, bytes) = (announcement(&vector["said"]), bytes(vector, "bytes"));
        let key = IdentityKey::from_secret_bytes(array(vector, "secret")).unwrap();
        let signed = key.sign_announcement(said).expect(name);
        assert_eq!(encode_announcement(&signed).expect(name), bytes, "{name}");
        assert_eq!(signed.encoded_len(), bytes.len(), "{name}");
        assert_eq!(decode_announcement(&bytes).as_ref(), Ok(&signed), "{name}");
        assert_eq!(verify_announcement(&signed), Ok(()), "{name}");
    }
    for vector in list(&vectors, "malformed") {
        assert_fails(vector, decode_announcement(&bytes(vector, "bytes")));
    }
    for vector in list(&vectors, "unsigned") {
        let name = text(vector, "name");
        let signed = decode_announcement(&bytes(vector, "bytes")).expect(name);
        assert_eq!(verify_announcement(&signed), Err(NotSigned), "{name}");
    }
}

fn assert_fails<T: Debug, E: Debug>(vector: &Value, result: Result<T, E>) {
    let name = text(vector, "name");
    let error = result.expect_err(name);
    assert_eq!(error_name(&error), text(vector, "error"), "{name}");
}

/// The names of an error's variants, outermost first, without their data: `Route.Length`.
fn error_name(error: &impl Debug) -> String {
    let shown = format!("{error:?}");
    let names = shown.split([' ', ')']).next().unwrap_or_default();
    names.replace('(', ".")
}

fn load(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let text = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let list = value[name].as_array().expect(name);
    assert!(!list.is_empty());
    list
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect(name)
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().expect(name)
}

fn array<const N: usize>(value: &Value, name: &str) -> [u8; N] {
    from_hex(text(value, name)).expect(name)
}

fn node(value: &Value, name: &str) -> NodeId {
    NodeId::from_bytes(array(value, name))
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    hex_bytes(text(value, name))
}

fn hex_bytes(hex: &str) -> Vec<u8> {
    let bytes: Vec<u8> = hex
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    assert_eq!(to_hex(&bytes), hex);
    bytes
}

fn kind(value: &Value) -> PacketKind {
    match text(value, "kind") {
        "data" => PacketKind::Data,
        "control" => PacketKind::Control,
        other => panic!("unknown kind {other}"),
    }
}

fn packet(value: &Value) -> MeshPacket {
    let route = list(value, "route").iter();
    let route = route.map(|node| node.as_str().unwrap().parse().unwrap());
    let macs = list(value, "macs").iter();
    let macs = macs.map(|mac| from_hex(mac.as_str().unwrap()).unwrap());
    let flag = |name: &str| value[name].as_bool().expect(name);
    let hop = u8::try_from(number(value, "proof_hop")).unwrap();
    MeshPacket {
        kind: kind(value),
        sealed: flag("sealed"),
        receipt: flag("receipt"),
        route: Route::new(route.collect()).unwrap(),
        sequence: number(value, "sequence"),
        copy_of: value.get("copy_of").map(|it| it.as_u64().unwrap()),
        timestamp: number(value, "timestamp"),
        fee_msat: number(value, "fee_msat"),
        proof: (!value["proof"].is_null()).then(|| ProofForHop {
            hop,
            proof: proof(&value["proof"]),
        }),
        payload: bytes(value, "payload"),
        macs: macs.collect(),
    }
}

fn proof(value: &Value) -> PaymentProof {
    match text(value, "type") {
        "lightning" => PaymentProof::Lightning {
            invoice: text(value, "invoice").to_owned(),
            preimage: array(value, "preimage"),
            amount_msats: number(value, "amount_msats"),
            timestamp: number(value, "timestamp"),
            expires_at: number(value, "expires_at"),
        },
        "on_chain" => PaymentProof::OnChainSettlement {
            payment_request_id: text(value, "payment_request_id").to_owned(),
            tx_hash: array(value, "tx_hash"),
            amount_sats: number(value, "amount_sats"),
            timestamp: number(value, "timestamp"),
        },
        "instant" => PaymentProof::InstantSettlement {
            covenant_proof: bytes(value, "covenant_proof"),
            output_index: u32::try_from(number(value, "output_index")).unwrap(),
            merkle_proof: value["merkle_proof"]
                .as_array()
                .unwrap()
                .iter()
                .map(|node| from_hex(node.as_str().unwrap()).unwrap())
                .collect(),
            amount_sats: number(value, "amount_sats"),
            timestamp: number(value, "timestamp"),
        },
        other => panic!("unknown proof {other}"),
    }
}

fn seal_context(value: &Value) -> SealContext {
    SealContext {
        kind: kind(value),
        source: node(value, "source"),
        destination: node(value, "destination"),
        sequence: number(value, "sequence"),
        timestamp: number(value, "timestamp"),
    }
}

fn control(value: &Value) -> ControlMessage {
    let sequence = || number(value, "sequence");
    let msat = |name| Msat::from_msat(number(value, name));
    let invoice = || value["invoice"].as_str().map(str::to_owned);
    match text(value, "type") {
        "refused" => ControlMessage::Refused {
            sequence: sequence(),
            code: RefusalCode::ALL
                .into_iter()
                .find(|code| format!("{code:?}") == text(value, "code"))
                .unwrap(),
        },
        "payment_required" => ControlMessage::PaymentRequired {
            sequence: sequence(),
            price: msat("price"),
            missing: msat("missing"),
            invoice: invoice(),
        },
        "quote_request" => ControlMessage::QuoteRequest {
            amount: msat("amount"),
        },
        "quote" => ControlMessage::Quote {
            sequence: sequence(),
            price: Price {
                per_packet: msat("per_packet"),
                per_kib: msat("per_kib"),
            },
            credit: msat("credit"),
            invoice: invoice(),
        },
        "deposit" => ControlMessage::Deposit,
        "credited" => ControlMessage::Credited {
            sequence: sequence(),
            credit: msat("credit"),
        },
        "delivered" => ControlMessage::Delivered {
            sequence: sequence(),
        },
        "have" | "want" | "items" | "compare" | "find" => ControlMessage::Gossip(gossip(value)),
        "refund_request" => ControlMessage::RefundRequest {
            invoice: text(value, "invoice").to_owned(),
        },
        "refunded" => ControlMessage::Refunded {
            sequence: sequence(),
            amount: msat("amount"),
            fee: msat("fee"),
            credit: msat("credit"),
        },
        "on_chain_quote_request" => ControlMessage::OnChainQuoteRequest {
            amount: msat("amount"),
        },
        "on_chain_quote" => ControlMessage::OnChainQuote {
            sequence: sequence(),
            network: text(value, "network").parse().unwrap(),
            least_depth: u32::try_from(number(value, "least_depth"))
                .unwrap()
                .try_into()
                .unwrap(),
            script_pubkey: bytes(value, "script_pubkey"),
            payment_request_id: text(value, "payment_request_id").to_owned(),
        },
        other => panic!("unknown message {other}"),
    }
}

fn announcement(value: &Value) -> Announcement {
    let msat = |name| Msat::from_msat(number(value, name));
    let small = |name| u32::try_from(number(value, name)).unwrap();
    let addresses = value["addresses"].as_array().unwrap().iter();
    let links = value["links"].as_array().unwrap().iter();
    Announcement {
        node_id: node(value, "node_id"),
        sequence: number(value, "sequence"),
        made_at: number(value, "made_at"),
        price: Price {
            per_packet: msat("per_packet"),
            per_kib: msat("per_kib"),
        },
        limits: CarryLimits {
            max_payload_bytes: small("max_payload_bytes"),
            free_bytes_per_second: small("free_bytes_per_second"),
        },
        addresses: addresses
            .map(|address| address.as_str().unwrap().to_owned())
            .collect(),
        links: links
            .map(|link| AnnouncedLink {
                node_id: node(link, "node_id"),
                latency_ms: u32::try_from(number(link, "latency_ms")).unwrap(),
            })
            .collect(),
    }
}

fn gossip(value: &Value) -> GossipMessage {
    match text(value, "type") {
        "have" => GossipMessage::Have(list(value, "held").iter().map(held).collect()),
        "want" => {
            let wanted = list(value, "wanted").iter();
            GossipMessage::Want(
                wanted
                    .map(|id| id.as_str().unwrap().parse().unwrap())
                    .collect(),
            )
        }
        "items" => {
            let items = list(value, "items").iter();
            let item = |hex: &Value| decode_announcement(&hex_bytes(hex.as_str().unwrap()));
            GossipMessage::Items(items.map(|hex| Arc::new(item(hex).unwrap())).collect())
        }
        "compare" => GossipMessage::Compare(Comparison {
            key: array(value, "key"),
            ranges: list(value, "ranges").iter().map(held_range).collect(),
        }),
        _ => GossipMessage::Find {
            target: node(value, "target"),
            hops: u8::try_from(number(value, "hops")).unwrap(),
        },
    }
}

fn held(value: &Value) -> Held {
    Held {
        node_id: node(value, "node_id"),
        sequence: number(value, "sequence"),
    }
}

fn held_range(value: &Value) -> HeldRange {
    let content = match value["list"].as_array() {
        Some(list) => RangeContent::List(list.iter().map(held).collect()),
        None => RangeContent::Fingerprint(Fingerprint {
            count: u32::try_from(number(value, "count")).unwrap(),
            sum: number(value, "sum"),
        }),
    };
    HeldRange {
        first: node(value, "first"),
        last: node(value, "last"),
        content,
    }
}
