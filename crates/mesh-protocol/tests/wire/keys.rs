use crate::sample::{identity, node, pair};
use mesh_protocol::{IdentityKey, KeyError};
use mesh_types::{NodeId, to_hex};

#[test]
fn both_ends_of_a_pair_derive_the_same_keys_with_the_directions_swapped() {
    let (header, digest) = ([1; 40], [2; 32]);
    let (alice, bob) = (pair(0, 1), pair(1, 0));
    let mac = alice.outgoing_mac.mac(&header, &digest);
    assert_eq!(mac, bob.incoming_mac.mac(&header, &digest));
    let back = bob.outgoing_mac.mac(&header, &digest);
    assert_eq!(back, alice.incoming_mac.mac(&header, &digest));
    assert_ne!(mac, back);
}

#[test]
fn every_pair_has_keys_of_its_own() {
    let (header, digest) = ([1; 40], [2; 32]);
    let mac = |ours, peer| pair(ours, peer).outgoing_mac.mac(&header, &digest);
    let macs = [
        mac(0, 1),
        mac(0, 2),
        mac(1, 0),
        mac(1, 2),
        mac(2, 0),
        mac(2, 1),
    ];
    for (index, mac) in macs.iter().enumerate() {
        assert!(!macs[..index].contains(mac));
    }
}

#[test]
fn a_node_shares_no_keys_with_itself() {
    let node = node(0);
    let error = identity(0).pair_with(&node).unwrap_err();
    assert_eq!(error, KeyError::OwnId { node });
}

#[test]
fn a_node_id_that_is_no_point_of_the_curve_has_no_keys() {
    let none = [0; 32];
    let field_prime = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";
    let five_is_no_x = format!("{:064x}", 5);
    let from_text = |text: &str| text.parse::<NodeId>().unwrap();
    let ids = [
        NodeId::from_bytes(none),
        from_text(field_prime),
        from_text(&five_is_no_x),
    ];
    for node in ids {
        let error = identity(0).pair_with(&node).unwrap_err();
        assert_eq!(error, KeyError::NotAPoint { node });
    }
}

#[test]
fn zero_and_what_is_not_below_the_order_are_no_secrets() {
    for secret in [[0; 32], [0xff; 32]] {
        let error = IdentityKey::from_secret_bytes(secret).unwrap_err();
        assert_eq!(error, KeyError::Secret);
    }
}

#[test]
fn a_secret_comes_back_as_it_went_in() {
    assert_eq!(*identity(4).secret_bytes(), [5; 32]);
}

#[test]
fn no_secret_shows_in_a_log() {
    let identity = identity(0);
    let pair = pair(0, 1);
    let shown = format!("{identity:?} {pair:?}");
    assert!(shown.contains(&identity.node_id().to_string()));
    assert!(!shown.contains(&to_hex(&[1; 32])));
    assert!(!shown.contains("[1, 1"));
    assert_eq!(shown.matches("redacted").count(), 5, "{shown}");
}
