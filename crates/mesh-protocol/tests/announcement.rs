//! Announcements: who can have made one, and how long one is.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

use mesh_protocol::{
    ControlMessage, IdentityKey, MAX_ANNOUNCEMENT_LEN, MAX_PAYLOAD_LEN, NotSigned,
    encode_announcement, verify_announcement,
};
use mesh_types::{
    AnnouncedLink, Announcement, CarryLimits, Comparison, GossipMessage, Held, HeldRange,
    MAX_ANNOUNCED_ADDRESS_BYTES, MAX_ANNOUNCED_ADDRESSES, MAX_ANNOUNCED_LINKS, MAX_LISTED,
    MAX_NAMED, MAX_RANGES, NodeId, Price, RangeContent, SignedAnnouncement,
};
use std::sync::Arc;

fn id(number: u16) -> NodeId {
    let mut bytes = [9; 32];
    for (to, from) in bytes.iter_mut().zip(number.to_be_bytes()) {
        *to = from;
    }
    NodeId::from_bytes(bytes)
}

fn longest(key: &IdentityKey) -> SignedAnnouncement {
    let links = (0..).take(MAX_ANNOUNCED_LINKS);
    let announcement = Announcement {
        node_id: key.node_id(),
        sequence: 1,
        made_at: 2,
        price: Price::FREE,
        limits: CarryLimits::default(),
        addresses: vec!["a".repeat(MAX_ANNOUNCED_ADDRESS_BYTES); MAX_ANNOUNCED_ADDRESSES],
        links: links
            .map(|number| AnnouncedLink {
                node_id: id(number),
                latency_ms: u32::MAX,
            })
            .collect(),
    };
    key.sign_announcement(announcement).unwrap()
}

#[test]
fn the_longest_announcement_has_the_bytes_of_its_bound_and_five_fill_a_packet() {
    let item = longest(&IdentityKey::from_secret_bytes([1; 32]).unwrap());
    assert_eq!(
        encode_announcement(&item).unwrap().len(),
        MAX_ANNOUNCEMENT_LEN
    );
    let item = Arc::new(item);
    let items = |count| {
        let items = std::iter::repeat_n(Arc::clone(&item), count).collect();
        ControlMessage::Gossip(GossipMessage::Items(items))
    };
    assert!(items(5).encode().is_ok());
    assert!(items(6).encode().is_err());
}

#[test]
fn the_longest_message_of_each_kind_fits_a_packet() {
    let held = |number| Held {
        node_id: id(number),
        sequence: 1,
    };
    let named = (0..).take(MAX_NAMED).map(held);
    let range = |first: u16| HeldRange {
        first: id(first),
        last: id(first + 99),
        content: RangeContent::List((first..).take(MAX_LISTED).map(held).collect()),
    };
    let ranges = (0..).step_by(100).take(MAX_RANGES).map(range);
    let longest = [
        GossipMessage::Have(named.clone().collect()),
        GossipMessage::Want(named.map(|held| held.node_id).collect()),
        GossipMessage::Compare(Comparison {
            key: [7; 16],
            ranges: ranges.collect(),
        }),
    ];
    for message in longest {
        let message = ControlMessage::Gossip(message);
        let bytes = message.encode().unwrap();
        assert!(bytes.len() <= MAX_PAYLOAD_LEN);
        assert_eq!(ControlMessage::decode(&bytes), Ok(message));
    }
}

#[test]
fn nobody_can_speak_for_another_node_or_change_what_it_said() {
    let [honest, liar] = [1, 2].map(|byte| IdentityKey::from_secret_bytes([byte; 32]).unwrap());
    let good = longest(&honest);
    assert_eq!(verify_announcement(&good), Ok(()));

    let mut under_another_name = longest(&liar);
    under_another_name.announcement.node_id = honest.node_id();
    assert_eq!(verify_announcement(&under_another_name), Err(NotSigned));

    let changes: [fn(&mut SignedAnnouncement); 6] = [
        |signed| signed.announcement.sequence += 1,
        |signed| signed.announcement.made_at += 1,
        |signed| signed.announcement.limits.max_payload_bytes += 1,
        |signed| signed.announcement.addresses.truncate(3),
        |signed| signed.announcement.links.truncate(255),
        |signed| signed.signature[63] ^= 1,
    ];
    for change in changes {
        let mut changed = good.clone();
        change(&mut changed);
        assert_eq!(verify_announcement(&changed), Err(NotSigned));
    }
}
