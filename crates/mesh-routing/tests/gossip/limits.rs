//! What peers can make a node do and keep: each bound at its edge.

use crate::mesh::{START, StandIn, announcement, engine, id, signed, teach};
use mesh_routing::{
    ANSWER_ALL_WITHIN, ANSWER_WITHIN, Gossip, LIFETIME, MAX_DIRECT_PEERS, MAX_IN_FLIGHT, MAX_NEWS,
    MAX_OFFERS, MAX_PLACES, MAX_RANGES_IN_ANSWER, MAX_UNANSWERED, PLACES_FREED, RoutingError,
};
use mesh_types::{
    Comparison, Fingerprint, GossipMessage, Held, HeldRange, MAX_ITEMS, MAX_NAMED, MAX_RANGES,
    NodeId, RangeContent, SignedAnnouncement, UnixTime,
};
use proptest::{collection::vec, prelude::*};
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn with_peers(count: u32) -> Gossip<StandIn> {
    let mut gossip = engine(0, START);
    for number in 1..=count {
        gossip.peer_up(id(number), 10, START).unwrap();
    }
    gossip.take_messages();
    gossip
}

fn wanted(gossip: &mut Gossip<StandIn>) -> Vec<(NodeId, NodeId)> {
    let messages = gossip.take_messages().into_iter();
    let wants = messages.filter_map(|(to, message)| match message {
        GossipMessage::Want(ids) => Some(ids.into_iter().map(move |id| (to, id))),
        _ => None,
    });
    wants.flatten().collect()
}

fn have(numbers: impl Iterator<Item = u32>) -> GossipMessage {
    let held = numbers.map(|number| Held {
        node_id: id(number),
        sequence: START.to_millis(),
    });
    GossipMessage::Have(held.collect())
}

#[test]
fn there_are_256_peers_and_the_local_node_is_none() {
    let mut gossip = with_peers(MAX_DIRECT_PEERS as u32);
    assert_eq!(
        gossip.peer_up(id(999), 1, START),
        Err(RoutingError::PeersFull)
    );
    assert_eq!(gossip.peer_up(id(0), 1, START), Err(RoutingError::Local));
    assert_eq!(gossip.peer_up(id(7), 1, START), Ok(()));
    gossip.peer_down(&id(7), START);
    assert_eq!(gossip.peer_up(id(999), 1, START), Ok(()));
}

#[test]
fn a_peer_is_asked_for_so_much_at_a_time_and_remembered_for_so_much() {
    let mut gossip = with_peers(1);
    let mut now = START;
    for part in 0..8 {
        let first = 1_000 + part * MAX_NAMED as u32;
        gossip.message(id(1), have(first..first + MAX_NAMED as u32), now);
    }
    assert_eq!(wanted(&mut gossip).len(), MAX_IN_FLIGHT);
    // Nothing comes, until it is asked for one at a time.
    let mut asked = Vec::new();
    for _ in 0..10 {
        now = now.plus(ANSWER_WITHIN + SECOND);
        gossip.tick(now);
        asked.push(wanted(&mut gossip).len());
    }
    assert_eq!(asked, [1; 10]);
    assert_eq!(gossip.counts().unanswered, MAX_IN_FLIGHT as u64 + 9);
    assert!(MAX_IN_FLIGHT as u32 > MAX_UNANSWERED);
    // What was beyond the bound was not kept: in flight were 128 of the offers, before the rest came.
    let rest = 2 * 3_600;
    for _ in 0..rest {
        now = now.plus(ANSWER_WITHIN + SECOND);
        gossip.tick(now);
    }
    let asked_for_in_all = gossip.counts().unanswered as usize;
    assert_eq!(asked_for_in_all, MAX_OFFERS + MAX_IN_FLIGHT);
}

#[test]
fn what_one_peer_does_not_send_another_is_asked_for() {
    let mut gossip = with_peers(2);
    gossip.message(id(1), have(50..60), START);
    gossip.message(id(2), have(50..60), START);
    assert!(wanted(&mut gossip).iter().all(|(to, _)| *to == id(1)));
    let later = START.plus(ANSWER_WITHIN + SECOND);
    gossip.tick(later);
    let again = wanted(&mut gossip);
    assert_eq!(again.len(), 10);
    assert!(again.iter().all(|(to, _)| *to == id(2)));
    // And when it goes away, who offers it next.
    gossip.message(id(1), have(50..60), later);
    assert_eq!(wanted(&mut gossip), []);
    gossip.peer_down(&id(2), later);
    gossip.tick(later.plus(SECOND));
    assert_eq!(wanted(&mut gossip).len(), 1);
}

#[test]
fn a_slow_peer_is_waited_for_while_it_sends_and_not_for_ever() {
    let mut gossip = with_peers(2);
    gossip.message(id(1), have(50..150), START);
    gossip.message(id(2), have(50..150), START);
    wanted(&mut gossip);
    let mut now = START;
    for number in 50.. {
        now = now.plus(ANSWER_WITHIN - SECOND);
        let item = signed(announcement(id(number), [], START));
        gossip.message(id(1), GossipMessage::Items(vec![Arc::new(item)]), now);
        gossip.tick(now);
        if now >= START.plus(ANSWER_ALL_WITHIN) {
            break;
        }
        assert_eq!(wanted(&mut gossip), []);
    }
    let rest = wanted(&mut gossip);
    assert_eq!(rest.len(), 100 - 7);
    assert!(rest.iter().all(|(to, _)| *to == id(2)));
}

#[test]
fn signatures_are_looked_at_only_of_what_was_asked_for_and_not_faster_than_agreed() {
    let mut gossip = with_peers(1);
    let item = |number: u32| signed(announcement(id(number), [], START));
    for number in 0..2_000 {
        let items = vec![Arc::new(item(10_000 + number))];
        gossip.message(id(1), GossipMessage::Items(items), START);
    }
    assert_eq!(gossip.counts().signatures, 0);
    assert_eq!(gossip.counts().unasked, 2_000);

    // All that a peer offers in one moment, sent at once.
    for round in 0..40 {
        let first = 20_000 + round * 128;
        gossip.message(id(1), have(first..first + 128), START);
        for (_, node) in wanted(&mut gossip) {
            let number = u32::from_be_bytes(node.to_bytes()[28..].try_into().unwrap());
            let items = vec![Arc::new(item(number))];
            gossip.message(id(1), GossipMessage::Items(items), START);
        }
    }
    assert_eq!(gossip.counts().signatures, 1_024);
    let later = START.plus(SECOND);
    gossip.tick(later);
    assert!(wanted(&mut gossip).len() <= MAX_IN_FLIGHT);
}

#[test]
fn an_origin_that_says_too_much_is_not_asked_for_more() {
    let mut gossip = with_peers(1);
    let mut now = START;
    for round in 0..30_u32 {
        let at = START.plus(round * SECOND);
        let item = signed(announcement(id(50), [id(1)], at));
        now = now.max(at);
        teach(&mut gossip, id(1), &[item], &mut now);
    }
    let spent = now.since(START).as_secs() / 10;
    let taken = gossip.counts().taken;
    assert!(
        (8..=8 + spent + 1).contains(&taken),
        "{taken} in {spent}0 s"
    );
}

#[test]
fn what_is_sent_to_a_peer_is_bounded() {
    let mut gossip = with_peers(2);
    let mut now = START;
    let links: Vec<NodeId> = (1_000..1_256).map(id).collect();
    let items: Vec<SignedAnnouncement> = (100..200)
        .map(|number| signed(announcement(id(number), links.clone(), now)))
        .collect();
    teach(&mut gossip, id(1), &items, &mut now);
    gossip.take_messages();
    let ids: Vec<NodeId> = (100..200).map(id).collect();
    let mut bytes = 0;
    for _ in 0..100 {
        gossip.message(id(2), GossipMessage::Want(ids.clone()), now);
        for (to, message) in gossip.take_messages() {
            let len = crate::mesh::len(&message);
            assert_eq!(to, id(2));
            assert!(len <= 56_320);
            bytes += len;
        }
    }
    assert!((8_000_000..8_500_000).contains(&bytes), "{bytes}");
}

#[test]
fn a_peer_that_comes_back_has_what_it_had_left_and_no_more() {
    let mut gossip = with_peers(2);
    let mut now = START;
    let forged = |number: u32| {
        let mut item = signed(announcement(id(number), [], START));
        item.signature[0] ^= 1;
        item
    };
    let come_back = |gossip: &mut Gossip<StandIn>, peer: u32, now: UnixTime| {
        gossip.peer_down(&id(peer), now);
        gossip.peer_up(id(peer), 10, now).unwrap();
        // Also where it was not noticed that the link was down.
        gossip.peer_up(id(peer), 10, now).unwrap();
        gossip.take_messages();
    };

    // Requests for nodes: eight at once, over however many links.
    for number in 0..16 {
        let find = GossipMessage::Find {
            target: id(900 + number),
            hops: 1,
        };
        gossip.message(id(2), find, now);
        come_back(&mut gossip, 2, now);
    }
    assert_eq!(gossip.counts().unheard, 8);

    // Forgeries: the third mutes, and coming back is no excuse.
    for number in 100..110 {
        teach(&mut gossip, id(1), &[forged(number)], &mut now);
        come_back(&mut gossip, 1, now);
    }
    assert_eq!(gossip.counts().forged, 3);
    assert!(gossip.is_muted(&id(1), now));
    assert!(!gossip.is_muted(&id(2), now));

    // An hour later it is heard again, though gone for all of it, and muted by the next one.
    gossip.peer_down(&id(1), now);
    now = now.plus(3_700 * SECOND);
    gossip.tick(now);
    gossip.peer_up(id(1), 10, now).unwrap();
    assert!(!gossip.is_muted(&id(1), now));
    let mut late = signed(announcement(id(200), [], now));
    late.signature[0] ^= 1;
    teach(&mut gossip, id(1), &[late], &mut now);
    assert_eq!(gossip.counts().forged, 4);
    assert!(gossip.is_muted(&id(1), now));
}

#[test]
fn announcements_of_the_past_and_the_future_are_not_looked_at() {
    let mut gossip = with_peers(1);
    let mut now = UnixTime::from_secs(START.to_secs() + 10_000);
    gossip.tick(now);
    let old = signed(announcement(id(50), [], START));
    let ahead = signed(announcement(id(51), [], now.plus(600 * SECOND)));
    teach(&mut gossip, id(1), &[old, ahead], &mut now);
    assert_eq!(gossip.counts().signatures, 0);
    assert_eq!(gossip.counts().out_of_time, 2);
}

#[test]
fn a_comparison_is_answered_in_so_many_ranges_and_so_many_news_and_not_too_often() {
    let mut gossip = with_peers(2);
    let mut now = START;
    let items: Vec<SignedAnnouncement> = (1_000..9_000)
        .map(|number| signed(announcement(id(number), [], now)))
        .collect();
    teach(&mut gossip, id(1), &items, &mut now);
    assert_eq!(gossip.known_nodes(), 8_001);
    gossip.take_messages();

    let ranges = |content: RangeContent| {
        let width = (256 / MAX_RANGES) as u8;
        let range = |part: u8| HeldRange {
            first: NodeId::from_bytes(std::array::from_fn(|at| match at {
                0 => part * width,
                _ => 0,
            })),
            last: NodeId::from_bytes(std::array::from_fn(|at| match at {
                0 => part * width + (width - 1),
                _ => 0xff,
            })),
            content: content.clone(),
        };
        GossipMessage::Compare(Comparison {
            key: [3; 16],
            ranges: (0..MAX_RANGES as u8).map(range).collect(),
        })
    };
    let other = RangeContent::Fingerprint(Fingerprint { count: 9, sum: 9 });
    gossip.message(id(2), ranges(other), now);
    let answers = gossip.take_messages();
    let count = answers.iter().map(|(_, answer)| match answer {
        GossipMessage::Compare(comparison) => {
            assert!(comparison.is_well_formed());
            comparison.ranges.len()
        }
        other => unreachable!("{other:?}"),
    });
    let count: usize = count.sum();
    assert!((MAX_RANGES_IN_ANSWER - 16..=MAX_RANGES_IN_ANSWER).contains(&count));

    now = now.plus(60 * SECOND);
    gossip.message(id(2), ranges(RangeContent::List(Vec::new())), now);
    gossip.take_messages();
    gossip.tick(now.plus(SECOND));
    let told = gossip
        .take_messages()
        .into_iter()
        .map(|(_, told)| match told {
            GossipMessage::Have(held) => held.len(),
            _ => 0,
        });
    assert_eq!(told.sum::<usize>(), MAX_NEWS);

    let before = gossip.counts().unheard;
    for _ in 0..100 {
        gossip.message(id(2), ranges(RangeContent::List(Vec::new())), now);
    }
    assert!(gossip.counts().unheard - before >= 36);
}

/// What two engines said to each other.
#[derive(Debug, Default)]
struct Said {
    messages: usize,
    bytes: usize,
    item_bytes: usize,
    items: usize,
}

/// Links two engines, and lets them talk for so long.
fn talk(engines: &mut [Gossip<StandIn>; 2], span: Duration, now: &mut UnixTime) -> Said {
    let [one, two] = engines;
    one.peer_up(id(2), 1, *now).unwrap();
    two.peer_up(id(1), 1, *now).unwrap();
    let mut said = Said::default();
    let end = now.plus(span);
    while *now < end {
        for (from, to, ours, theirs) in [(0, 1, id(1), id(2)), (1, 0, id(2), id(1))] {
            for (peer, message) in engines[from].take_messages() {
                assert_eq!(peer, theirs);
                let len = crate::mesh::len(&message);
                said.messages += 1;
                said.bytes += len;
                if let GossipMessage::Items(sent) = &message {
                    said.item_bytes += len;
                    said.items += sent.len();
                }
                engines[to].message(ours, message, *now);
            }
        }
        *now = now.plus(SECOND / 10);
        for engine in engines.iter_mut() {
            engine.tick(*now);
        }
    }
    said
}

/// An engine that knows those of ten thousand nodes that `is_known` names by their place.
fn knowing(number: u32, is_known: impl Fn(usize) -> bool, now: &mut UnixTime) -> Gossip<StandIn> {
    let mut gossip = engine(number, START);
    gossip.peer_up(id(500), 1, START).unwrap();
    let all = (1_000..11_000).enumerate();
    let known = all.filter(|(at, _)| is_known(*at));
    let items: Vec<SignedAnnouncement> = known
        .map(|(_, number)| signed(announcement(id(number), (0..10).map(id), START)))
        .collect();
    let mut at = START;
    teach(&mut gossip, id(500), &items, &mut at);
    gossip.peer_down(&id(500), at);
    gossip.take_messages();
    *now = at.max(*now);
    gossip
}

#[test]
fn two_that_differ_in_little_find_that_in_few_messages_and_bytes() {
    let mut now = START;
    // Each lacks another five of the ten thousand.
    let mut engines =
        [1, 2].map(|number| knowing(number, |at| at % 2_000 != number as usize, &mut now));
    let said = talk(&mut engines, 6 * SECOND, &mut now);
    println!("{said:?}");
    assert_eq!(engines.map(|engine| engine.known_nodes()), [10_002; 2]);
    assert!(said.items <= 10 + 2 * 2);
    assert!(said.bytes - said.item_bytes < 40_000);
    assert!(said.messages < 60);
}

#[test]
fn a_newcomer_learns_ten_thousand_nodes_of_one_peer_in_a_minute_each_once() {
    let mut now = START;
    let full = knowing(2, |_| true, &mut now);
    let mut engines = [engine(1, now), full];
    let said = talk(&mut engines, 60 * SECOND, &mut now);
    println!("{said:?}");
    assert_eq!(engines.map(|engine| engine.known_nodes()), [10_002; 2]);
    assert!(said.items <= 10_000 + 2 * 4, "{}", said.items);
    assert!((said.bytes - said.item_bytes) * 4 < said.item_bytes);
}

#[test]
fn what_has_ended_leaves_the_same_memory_each_time_under_the_same_seed() {
    let bytes: [usize; 4] = std::array::from_fn(|_| {
        let mut gossip = with_peers(1);
        let mut now = START;
        let said = (1_000..2_750).map(|number| signed(announcement(id(number), [], START)));
        teach(&mut gossip, id(1), &said.collect::<Vec<_>>(), &mut now);
        assert_eq!(gossip.known_nodes(), 1_751);
        gossip.tick(START.plus(LIFETIME + 60 * SECOND));
        assert_eq!(gossip.known_nodes(), 1);
        gossip.memory_bytes()
    });
    assert_eq!(bytes, [bytes[0]; 4]);
}

#[test]
fn a_mesh_of_ten_thousand_fits_in_its_memory() {
    let mut gossip = with_peers(1);
    let mut now = START;
    let items: Vec<SignedAnnouncement> = (1_000..11_000)
        .map(|number| {
            signed(announcement(
                id(number),
                (0..10).map(|n| id(number + n + 1)),
                now,
            ))
        })
        .collect();
    teach(&mut gossip, id(1), &items, &mut now);
    let bytes = gossip.memory_bytes();
    println!("{bytes} bytes for {} nodes", gossip.known_nodes());
    assert!(bytes < 10_000_000, "{bytes}");
    assert!(gossip.places() <= MAX_PLACES);
}

fn any_id() -> impl Strategy<Value = NodeId> {
    prop_oneof![
        (0_u32..30).prop_map(id),
        any::<[u8; 32]>().prop_map(NodeId::from_bytes)
    ]
}

fn any_held() -> impl Strategy<Value = Held> {
    let near = START.to_millis() - 5_000..START.to_millis() + 100_000;
    (any_id(), prop_oneof![near, any::<u64>()])
        .prop_map(|(node_id, sequence)| Held { node_id, sequence })
}

fn any_item() -> impl Strategy<Value = Arc<SignedAnnouncement>> {
    (
        any_id(),
        vec(any_id(), 0..20),
        0_u64..100_000_000,
        any::<bool>(),
    )
        .prop_map(|(node, links, at, is_forged)| {
            let at = UnixTime::from_millis(START.to_millis() - 50_000_000 + at);
            let mut item = signed(announcement(node, links, at));
            item.signature[0] ^= u8::from(is_forged);
            Arc::new(item)
        })
}

fn any_message() -> impl Strategy<Value = GossipMessage> {
    let content = prop_oneof![
        (any::<u32>(), any::<u64>())
            .prop_map(|(count, sum)| RangeContent::Fingerprint(Fingerprint { count, sum })),
        vec(any_held(), 0..20).prop_map(RangeContent::List),
    ];
    let range = (any_id(), any_id(), content).prop_map(|(first, last, content)| HeldRange {
        first,
        last,
        content,
    });
    prop_oneof![
        vec(any_held(), 0..20).prop_map(GossipMessage::Have),
        vec(any_id(), 0..20).prop_map(GossipMessage::Want),
        vec(any_item(), 0..5).prop_map(GossipMessage::Items),
        (any::<[u8; 16]>(), vec(range, 0..4))
            .prop_map(|(key, ranges)| GossipMessage::Compare(Comparison { key, ranges })),
        (any_id(), any::<u8>()).prop_map(|(target, hops)| GossipMessage::Find { target, hops }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_messages_in_any_order_break_an_engine(
        script in vec((1_u32..6, any_message(), 0_u64..3_000), 1..60),
    ) {
        let mut gossip = with_peers(4);
        let mut now = START;
        for (from, message, passed) in script {
            gossip.message(id(from), message, now);
            now = now.plus(Duration::from_millis(passed));
            gossip.tick(now);
            prop_assert!(gossip.wake_at() > now);
            prop_assert!(gossip.known_nodes() <= MAX_PLACES);
            for (to, message) in gossip.take_messages() {
                prop_assert!((1..=4).any(|peer| id(peer) == to));
                prop_assert!(crate::mesh::len(&message) <= 56_320);
                if let GossipMessage::Compare(comparison) = &message {
                    prop_assert!(comparison.is_well_formed());
                }
                if let GossipMessage::Items(items) = &message {
                    prop_assert!((1..=MAX_ITEMS).contains(&items.len()));
                }
            }
        }
    }
}

#[test]
fn an_announcement_that_takes_several_places_counts_as_so_many() {
    let mut gossip = with_peers(1);
    let links: Vec<NodeId> = (1_000..1_256).map(id).collect();
    let mut taken = 0;
    for round in 0..40 {
        let first = 20_000 + round * 128;
        gossip.message(id(1), have(first..first + 128), START);
        for (_, node) in wanted(&mut gossip) {
            let item = signed(announcement(node, links.clone(), START));
            gossip.message(id(1), GossipMessage::Items(vec![Arc::new(item)]), START);
            taken += 1;
        }
    }
    // Nine places each; those that were in flight when nothing was left are still taken.
    let most = 1_024 / 9 + MAX_IN_FLIGHT;
    assert!((113..=most).contains(&taken), "{taken}");
    assert_eq!(gossip.places(), taken * 9);
}

#[test]
fn all_places_taken_by_the_largest_that_fit_them_stay_within_their_bytes() {
    let mut gossip = with_peers(1);
    let mut now = START;
    let links: Vec<NodeId> = (1_000..1_031).map(id).collect();
    // Our own announcement has a place, too.
    let items: Vec<SignedAnnouncement> = (1..MAX_PLACES as u32)
        .map(|number| {
            let mut said = announcement(id(50_000 + number), links.clone(), now);
            said.addresses = vec!["a".repeat(259); 4];
            signed(said)
        })
        .collect();
    teach(&mut gossip, id(1), &items, &mut now);
    let bytes = gossip.memory_bytes();
    println!("{bytes} bytes, {} places", gossip.places());
    assert_eq!(gossip.places(), MAX_PLACES);
    assert!(bytes < 40_000_000, "{bytes}");

    // One more, and a thousand are free.
    let more = signed(announcement(id(49_000), [], now));
    teach(&mut gossip, id(1), &[more], &mut now);
    assert_eq!(gossip.places(), MAX_PLACES - PLACES_FREED);
}

#[test]
fn a_node_repeats_itself_after_20_minutes_give_or_take_a_tenth() {
    for number in 0..10 {
        let mut gossip = engine(number, START);
        gossip.tick(gossip.wake_at());
        let said = |gossip: &Gossip<StandIn>| {
            let own = gossip.announcement(&id(number)).unwrap();
            (own.announcement.made_at, own.announcement.sequence)
        };
        let first = said(&gossip);
        while said(&gossip) == first {
            gossip.tick(gossip.wake_at());
        }
        let after = said(&gossip).0 - first.0;
        assert!((1_080..=1_320).contains(&after), "{after} s");
    }
}

#[test]
fn comparisons_of_all_peers_together_are_bounded() {
    let mut gossip = with_peers(100);
    let whole = || {
        GossipMessage::Compare(Comparison {
            key: [3; 16],
            ranges: vec![HeldRange {
                first: id(0).min(id(1)),
                last: id(0).max(id(1)),
                content: RangeContent::List(Vec::new()),
            }],
        })
    };
    for peer in 1..=100 {
        for _ in 0..10 {
            gossip.message(id(peer), whole(), START);
        }
    }
    assert_eq!(gossip.counts().unheard, 1_000 - 512);
}
