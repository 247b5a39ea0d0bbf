//! What passes free, what has to pay and what does not pass, in each mode.

use mesh_protocol::RoutingPolicyEngine;
use mesh_types::{DetectedProtocol, MeshMode, RoutingPolicy};

use DetectedProtocol::{BitcoinP2P, CommonsGovernance, MeshPacket, StratumV2, Unknown};
use RoutingPolicy::{Denied, Free, PaymentRequired};

const PROTOCOLS: [DetectedProtocol; 5] = [
    BitcoinP2P,
    CommonsGovernance,
    StratumV2,
    MeshPacket,
    Unknown,
];

fn policies(mode: MeshMode) -> [RoutingPolicy; 5] {
    let engine = RoutingPolicyEngine::new(mode);
    assert_eq!(engine.mode(), mode);
    PROTOCOLS.map(|protocol| engine.determine_policy(protocol))
}

#[test]
fn bitcoin_only_lets_bitcoin_pass_and_denies_the_rest() {
    assert_eq!(
        policies(MeshMode::BitcoinOnly),
        [Free, Denied, Denied, Denied, Denied]
    );
}

#[test]
fn payment_gated_lets_bitcoin_governance_and_stratum_pass_and_asks_payment_for_the_rest() {
    assert_eq!(
        policies(MeshMode::PaymentGated),
        [Free, Free, Free, PaymentRequired, PaymentRequired]
    );
}

#[test]
fn open_lets_all_pass() {
    assert_eq!(policies(MeshMode::Open), [Free; 5]);
}

#[test]
fn bytes_that_nobody_knows_pass_free_only_where_everything_does() {
    for mode in [
        MeshMode::BitcoinOnly,
        MeshMode::PaymentGated,
        MeshMode::Open,
    ] {
        let engine = RoutingPolicyEngine::new(mode);
        let policy = engine.determine_policy(engine.detect_protocol(b"anything else"));
        assert_eq!(policy == Free, mode == MeshMode::Open);
    }
}

#[test]
fn the_mode_plays_no_part_in_what_bytes_are() {
    let mesh = b"MESH\x01 and so on";
    for mode in [
        MeshMode::BitcoinOnly,
        MeshMode::PaymentGated,
        MeshMode::Open,
    ] {
        let engine = RoutingPolicyEngine::new(mode);
        assert_eq!(engine.detect_protocol(mesh), MeshPacket);
    }
}
