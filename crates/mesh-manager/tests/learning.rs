//! Meshes that learn: real announcements, signed and verified, over queues instead of sockets.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::{
    Draft, Engine, ForgetfulStore, LearningStatus, MeshManager, Refusal, RefusalReason,
    SendOptions, Step, TriedEnd,
};
use mesh_protocol::{ControlMessage, PacketView};
use mesh_routing::GossipCounts;
use mesh_types::*;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use support::{learning::*, *};

/// A neighbour whom no manager runs for: the test says what it says.
const LIAR: u8 = 66;

/// So many nodes, each of another price, that know nobody.
async fn strangers(count: u8) -> Chain {
    let prices = (1..=count).map(|seed| gated(price_of(seed)));
    Chain::unlinked(prices.collect(), || Arc::new(ForgetfulStore::default())).await
}

fn price_of(seed: u8) -> Msat {
    Msat::from_msat(1_000 * u64::from(seed))
}

async fn line(count: u8) -> (Chain, Hurry) {
    let chain = strangers(count).await;
    for seed in 1..count {
        link(&chain, seed, seed + 1);
    }
    let hurry = Hurry::on(&chain.clock);
    (chain, hurry)
}

async fn all_know_all(chain: &Chain) {
    let count = chain.nodes.len() as u8;
    let is_known = |from, to| from == to || knows_way(chain, from, to);
    until("all know a way to all", || {
        (1..=count).all(|from| (1..=count).all(|to| is_known(from, to)))
    })
    .await;
}

fn options() -> SendOptions {
    SendOptions {
        timeout: PATIENCE,
        packets_ahead: 1,
        tops_up: false,
        ..SendOptions::default()
    }
}

/// A packet with a message between meshes, as the engine of a test makes it.
fn message(source: &Engine, seeds: &[u8], message: &ControlMessage, now: UnixTime) -> Vec<u8> {
    let draft = Draft {
        kind: PacketKind::Control,
        ..data(seeds, &message.encode().unwrap(), Msat::ZERO)
    };
    compose(source, draft, now).bytes
}

fn gossip(source: &Engine, seeds: &[u8], said: GossipMessage, now: UnixTime) -> Vec<u8> {
    message(source, seeds, &ControlMessage::Gossip(said), now)
}

/// What a liar is sent by the node 1, and says to it.
struct Liar {
    engine: Engine,
    chain: Chain,
    heard: tokio::sync::mpsc::UnboundedReceiver<(NodeId, Vec<u8>)>,
    _hurry: Hurry,
}

impl Liar {
    async fn beside(chain: Chain, hurry: Hurry) -> Self {
        let heard = chain.wires.listen(LIAR);
        node(&chain, 1).hears_that_linked(LIAR);
        Self {
            engine: engine(LIAR, open(), &[1]),
            chain,
            heard,
            _hurry: hurry,
        }
    }

    async fn say(&self, said: GossipMessage) -> Result<(), Refusal> {
        let bytes = gossip(&self.engine, &[LIAR, 1], said, self.chain.clock.now());
        self.chain.mesh(0).receive(id(LIAR), bytes).await
    }

    /// Waits until the node asks for an announcement of `wanted`.
    async fn is_asked_for(&mut self, wanted: NodeId) {
        let asked = async {
            loop {
                let (_, bytes) = self.heard.recv().await.unwrap();
                let packet = PacketView::parse(&bytes).unwrap();
                if let Ok(ControlMessage::Gossip(GossipMessage::Want(ids))) =
                    ControlMessage::decode(packet.payload())
                    && ids.contains(&wanted)
                {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap();
    }

    /// Offers an announcement, and hands it over once it is asked for.
    async fn hand_on(&mut self, item: SignedAnnouncement) {
        let held = Held {
            node_id: item.announcement.node_id,
            sequence: item.announcement.sequence,
        };
        self.say(GossipMessage::Have(vec![held])).await.unwrap();
        self.is_asked_for(held.node_id).await;
        let items = GossipMessage::Items(vec![Arc::new(item)]);
        self.say(items).await.unwrap();
    }

    /// Asks for so much for every packet, and quotes no invoice.
    async fn ask_for(&mut self, per_packet: Msat) {
        let price = Price {
            per_packet,
            per_kib: Msat::ZERO,
        };
        loop {
            let (_, bytes) = self.heard.recv().await.unwrap();
            let packet = PacketView::parse(&bytes).unwrap();
            let sequence = packet.sequence();
            let is_question = matches!(
                ControlMessage::decode(packet.payload()),
                Ok(ControlMessage::QuoteRequest { .. })
            );
            let answer = match packet.kind() {
                PacketKind::Control if is_question => ControlMessage::Quote {
                    sequence,
                    price,
                    credit: Msat::ZERO,
                    invoice: None,
                },
                PacketKind::Control => continue,
                PacketKind::Data => ControlMessage::PaymentRequired {
                    sequence,
                    price: per_packet,
                    missing: per_packet,
                    invoice: None,
                },
            };
            let now = self.chain.clock.now();
            let bytes = message(&self.engine, &[LIAR, 1], &answer, now);
            // Some are answers that nobody waits for any more.
            let _ = self.chain.mesh(0).receive(id(LIAR), bytes).await;
        }
    }

    async fn counts(&self) -> GossipCounts {
        counts(self.chain.mesh(0)).await
    }
}

async fn until_learned(mesh: &MeshManager, holds: impl Fn(&LearningStatus) -> bool) {
    let waiting = async {
        while !holds(&mesh.status().await.learning.unwrap()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

async fn counts(mesh: &MeshManager) -> GossipCounts {
    mesh.status().await.learning.unwrap().counts
}

fn refused(mesh: &MeshManager, reason: RefusalReason) -> u64 {
    let counts = mesh.engine().refusals();
    counts.get(&reason).copied().unwrap_or(0)
}

/// What a node says of itself, to be signed or forged.
fn words(node: u8, links: &[u8], now: UnixTime) -> Announcement {
    let mut links: Vec<_> = links.iter().map(|seed| id(*seed)).collect();
    links.sort_unstable();
    let linked = |node_id| AnnouncedLink {
        node_id,
        latency_ms: 10,
    };
    Announcement {
        node_id: id(node),
        sequence: now.to_millis() + 1_000_000,
        made_at: now.to_secs(),
        price: Price::FREE,
        limits: CarryLimits::default(),
        addresses: Vec::new(),
        links: links.into_iter().map(linked).collect(),
    }
}

#[tokio::test]
async fn a_line_of_five_learns_all_ways_and_prices_and_pays_its_way() {
    let (chain, _hurry) = line(5).await;
    all_know_all(&chain).await;
    for node in &chain.nodes {
        let learned = node.mesh.status().await.learning.unwrap();
        assert_eq!((learned.known_nodes, learned.counts.forged), (5, 0));
    }
    for (from, to, way) in [(1, 5, [1, 2, 3, 4, 5]), (5, 1, [5, 4, 3, 2, 1])] {
        let routes = node(&chain, from).mesh.engine().routes();
        until("prices are known", || {
            let prices = (2..=4).chain([to]).map(|seed| routes.price(&id(seed)));
            let expected = (2..=4).chain([to]).map(price_of);
            prices.eq(expected.map(|per_packet| {
                Some(Price {
                    per_packet,
                    ..Price::FREE
                })
            }))
        })
        .await;
        let mesh = &node(&chain, from).mesh;
        let sent = mesh.send(id(to), b"far".to_vec(), options()).await.unwrap();
        assert_eq!(sent.route, route(&way));
        let delivery = node(&chain, to).mesh.next_delivery().await;
        assert_eq!(delivery.payload, b"far");
    }
    // The third node was a relay twice, and was paid its price or more each time.
    let earned = money(chain.mesh(2)).await.earned;
    assert!(earned >= Msat::from_msat(6_000), "{earned}");
}

#[tokio::test]
async fn a_node_that_is_gone_is_gone_for_all_and_back_for_all() {
    let (chain, _hurry) = line(4).await;
    all_know_all(&chain).await;
    node(&chain, 3).hears_that_gone(4);
    node(&chain, 4).hears_that_gone(3);
    until("the way is gone", || !knows_way(&chain, 1, 4)).await;
    link(&chain, 3, 4);
    all_know_all(&chain).await;
}

#[tokio::test]
async fn the_latency_of_links_is_measured_and_counts_in_routes() {
    let chain = strangers(2).await;
    link(&chain, 1, 2);
    let latency = || chain.mesh(0).engine().routes().find_routes(&id(2), 0, 1);
    assert_eq!(latency().first().map(|route| route.latency_ms), Some(50));
    assert_eq!(
        chain.mesh(0).peers().await.first().unwrap().latency_ms,
        None
    );
    // The clock stands while the neighbour answers.
    chain.clock.advance(Duration::from_millis(200));
    until("it is measured", || {
        latency().first().map(|route| route.latency_ms) == Some(0)
    })
    .await;
    let peers = chain.mesh(0).peers().await;
    assert_eq!(peers.first().unwrap().latency_ms, Some(0));
}

#[tokio::test]
async fn a_destination_that_becomes_known_while_it_is_asked_for_is_sent_to() {
    let (chain, _hurry) = line(3).await;
    let sending = chain.mesh(0).send(id(3), b"soon".to_vec(), options());
    let (sent, ()) = tokio::join!(sending, async {
        let delivery = chain.mesh(2).next_delivery().await;
        assert_eq!(delivery.payload, b"soon");
    });
    assert_eq!(sent.unwrap().route, route(&[1, 2, 3]));
}

#[tokio::test]
async fn a_destination_that_nobody_knows_is_asked_for_among_neighbours_and_given_up() {
    let (chain, _hurry) = line(2).await;
    let patience = Duration::from_millis(300);
    let error = chain.mesh(0).route_within(&id(99), 0, patience).await;
    assert!(
        matches!(error, Err(MeshError::RoutingError(_))),
        "{error:?}"
    );
    let is_find = |bytes: &[u8]| {
        let packet = PacketView::parse(bytes).unwrap();
        let message = ControlMessage::decode(packet.payload());
        matches!(message, Ok(ControlMessage::Gossip(GossipMessage::Find { target, .. })) if target == id(99))
    };
    let log = chain.wires.log.lock().unwrap();
    assert!(
        log.iter()
            .any(|(from, _, bytes)| *from == id(1) && is_find(bytes))
    );
    let events = node(&chain, 1).api.events.lock().unwrap();
    let failed = |event: &&MeshEvent| matches!(event, MeshEvent::RouteFailed { .. });
    assert_eq!(events.iter().filter(failed).count(), 1);
}

#[tokio::test]
async fn what_the_settings_say_of_a_node_holds_whatever_is_announced() {
    let known = KnownNode {
        node_id: id(4),
        price_per_packet_msat: 77,
        price_per_kib_msat: 0,
        linked_with: vec![id(3)],
    };
    let mut configs: Vec<_> = (1..=5).map(|seed| gated(price_of(seed))).collect();
    configs.first_mut().unwrap().known_nodes = vec![known];
    let chain = Chain::unlinked(configs, || Arc::new(ForgetfulStore::default())).await;
    for (a, b) in [(1, 2), (2, 3), (3, 4), (3, 5)] {
        link(&chain, a, b);
    }
    let _hurry = Hurry::on(&chain.clock);
    all_know_all(&chain).await;
    let routes = chain.mesh(0).engine().routes();
    let asked = |seed| routes.price(&id(seed)).map(|price| price.per_packet);
    until("prices are learned", || asked(5) == Some(price_of(5))).await;
    assert_eq!(asked(4), Some(Msat::from_msat(77)));
    // One announcement takes both links back.
    node(&chain, 3).hears_that_gone(4);
    node(&chain, 3).hears_that_gone(5);
    until("it has come here", || !knows_way(&chain, 1, 5)).await;
    assert!(knows_way(&chain, 1, 4));
    assert!(
        !knows_way(&chain, 2, 4),
        "it is no setting of the second node"
    );
}

#[tokio::test]
async fn forged_announcements_change_nothing_and_the_third_mutes_their_bearer() {
    let (chain, hurry) = line(3).await;
    all_know_all(&chain).await;
    let mut liar = Liar::beside(chain, hurry).await;
    for (count, victim) in [(1, 3), (2, 2), (3, 1)] {
        // Signed by the liar, in the name of another.
        let mut item = identity(LIAR)
            .sign_announcement(words(LIAR, &[1], liar.chain.clock.now()))
            .unwrap();
        item.announcement = words(victim, &[LIAR], liar.chain.clock.now());
        liar.hand_on(item).await;
        assert_eq!(liar.counts().await.forged, count);
    }
    let peers = liar.chain.mesh(0).peers().await;
    let muted: Vec<_> = peers.iter().filter(|peer| peer.is_muted).collect();
    assert!(matches!(muted[..], [peer] if peer.node_id == id(LIAR)));
    for (from, to) in [(1, 3), (3, 1)] {
        assert!(knows_way(&liar.chain, from, to));
    }
    let routes = liar.chain.mesh(0).engine().routes();
    assert_eq!(routes.price(&id(3)).unwrap().per_packet, price_of(3));
}

#[tokio::test]
async fn who_announces_that_it_asks_nothing_and_then_asks_is_dearer_than_announced() {
    let (chain, hurry) = line(1).await;
    let mut liar = Liar::beside(chain, hurry).await;
    let said = words(LIAR, &[1], liar.chain.clock.now());
    assert_eq!(said.price, Price::FREE);
    liar.hand_on(identity(LIAR).sign_announcement(said).unwrap())
        .await;
    let sender = liar.chain.mesh(0).clone();
    let sending = sender.send(id(LIAR), b"free?".to_vec(), options());
    let error = tokio::select! {
        sent = sending => sent.unwrap_err(),
        () = liar.ask_for(price_of(5)) => unreachable!("it asks for ever"),
    };
    let dearer = TriedEnd::Dearer { by: id(LIAR) };
    assert_eq!(error.tries.first().unwrap().end, dearer);
    assert_eq!(error.tries.first().unwrap().deposited, Msat::ZERO);
}

#[tokio::test]
async fn a_link_that_one_end_alone_announces_leads_nowhere() {
    let (chain, hurry) = line(3).await;
    all_know_all(&chain).await;
    let mut liar = Liar::beside(chain, hurry).await;
    // Properly signed: of itself, with links to two who do not announce it, and to one that does.
    let now = liar.chain.clock.now();
    let item = identity(LIAR).sign_announcement(words(LIAR, &[1, 2, 3], now));
    liar.hand_on(item.unwrap()).await;
    assert_eq!(liar.counts().await.forged, 0);
    until("the third node has heard of it", || {
        knows_way(&liar.chain, 3, LIAR)
    })
    .await;
    let routes = node(&liar.chain, 3).mesh.engine().routes();
    let way = routes.find_route(&id(LIAR)).unwrap();
    assert_eq!(way, *route(&[3, 2, 1, LIAR]));
}

#[tokio::test]
async fn announcements_are_talked_about_with_neighbours_only() {
    let (chain, hurry) = line(3).await;
    let now = chain.clock.now();
    let find = || GossipMessage::Find {
        target: id(9),
        hops: 1,
    };
    let mesh = chain.mesh(1);
    // Over a relay, from a node that is no neighbour of where it goes.
    let first = engine(1, open(), &[2]);
    let far = gossip(&first, &[1, 2, 3], find(), now);
    let at_relay = mesh.receive(id(1), far).await;
    assert_eq!(at_relay, Err(Refusal::NotNeighbour));
    // From a node with which there is no link.
    let stranger = engine(LIAR, open(), &[2]);
    let bytes = gossip(&stranger, &[LIAR, 2], find(), now);
    let from_stranger = mesh.receive(id(LIAR), bytes).await;
    assert_eq!(from_stranger, Err(Refusal::NotNeighbour));
    // From a far node, at the end of its way: a relay that handed it on after all.
    let bytes = gossip(&stranger, &[LIAR, 1, 2], find(), now);
    let from_far = mesh.receive(id(1), bytes).await;
    assert_eq!(from_far, Err(Refusal::NotNeighbour));
    assert_eq!(refused(mesh, RefusalReason::NotNeighbour), 3);
    drop(hurry);
}

#[tokio::test]
async fn bytes_that_are_no_message_are_counted_and_answered_by_nobody() {
    let (chain, hurry) = line(2).await;
    let mut liar = Liar::beside(chain, hurry).await;
    let good = ControlMessage::Gossip(GossipMessage::Want(vec![id(2)]));
    let mut payload = good.encode().unwrap();
    payload.pop();
    let draft = Draft {
        kind: PacketKind::Control,
        ..data(&[LIAR, 1], &payload, Msat::ZERO)
    };
    let bytes = compose(&liar.engine, draft, liar.chain.clock.now()).bytes;
    let mesh = liar.chain.mesh(0).clone();
    let answer = mesh.receive(id(LIAR), bytes).await;
    assert!(matches!(answer, Err(Refusal::ControlMalformed(_))));
    assert_eq!(refused(&mesh, RefusalReason::ControlMalformed), 1);
    while let Ok((_, bytes)) = liar.heard.try_recv() {
        let packet = PacketView::parse(&bytes).unwrap();
        let said = ControlMessage::decode(packet.payload()).unwrap();
        assert!(!matches!(said, ControlMessage::Refused { .. }), "{said:?}");
    }
}

#[test]
fn a_neighbour_that_floods_spends_its_own_lane_and_nobody_elses() {
    let node = engine(1, gated(RELAY_PRICE), &[2, 3]);
    let [flooder, other] = [2, 3].map(|seed| engine(seed, open(), &[1]));
    let ids = (0..MAX_NAMED).map(|n| {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        NodeId::from_bytes(bytes)
    });
    let want = GossipMessage::Want(ids.collect());
    let mut read = 0;
    let mut until_full = |now| {
        read = 0;
        loop {
            let bytes = gossip(&flooder, &[2, 1], want.clone(), now);
            match node.receive(&id(2), &bytes, now) {
                Ok(Step::Answer(_)) => read += bytes.len(),
                refused => {
                    let refusal = refused.unwrap_err().refusal;
                    assert_eq!(refusal.reason(), RefusalReason::FreeLaneSpent);
                    return read;
                }
            }
        }
    };
    let at_once = until_full(START);
    assert!((15 << 20..=16 << 20).contains(&at_once), "{at_once}");
    let later = START.plus(Duration::from_secs(1));
    let in_a_second = until_full(later);
    // And what was left of the burst, less than one packet.
    assert!((150_000..=220_000).contains(&in_a_second), "{in_a_second}");
    // What others say, and what the flooder asks about money, is heard.
    let bytes = gossip(&other, &[3, 1], want, later);
    assert!(matches!(
        node.receive(&id(3), &bytes, later),
        Ok(Step::Answer(_))
    ));
    let question = ControlMessage::QuoteRequest { amount: Msat::ZERO };
    let bytes = message(&flooder, &[2, 1], &question, later);
    assert!(matches!(
        node.receive(&id(2), &bytes, later),
        Ok(Step::Answer(_))
    ));
}

#[tokio::test]
async fn a_neighbour_that_comes_back_again_and_again_is_not_sent_everything_again_and_again() {
    let chain = strangers(1).await;
    let (first, liar) = (node(&chain, 1), engine(LIAR, open(), &[1]));
    let _heard = chain.wires.listen(LIAR);
    // A long announcement: two hundred links, with nodes that are not there.
    let others = (20..=250_u8).filter(|seed| *seed != LIAR);
    others.for_each(|seed| first.hears_that_linked(seed));
    chain.clock.advance(Duration::from_secs(1));
    until_learned(&first.mesh, |learning| learning.known_nodes == 1).await;
    // It may be sent eight MiB at once, over all links; and it asks for more over each.
    for _ in 0..4 {
        first.hears_that_gone(LIAR);
        first.hears_that_linked(LIAR);
        for _ in 0..3 {
            let want = GossipMessage::Want(vec![id(1); MAX_NAMED]);
            let bytes = gossip(&liar, &[LIAR, 1], want, chain.clock.now());
            first.mesh.receive(id(LIAR), bytes).await.unwrap();
            until_learned(&first.mesh, |learning| learning.waiting == 0).await;
        }
    }
    let log = chain.wires.log.lock().unwrap();
    let to_liar = log
        .iter()
        .filter(|(_, to, _)| *to == format!("node-{LIAR}"));
    let sent: usize = to_liar.map(|(_, _, bytes)| bytes.len()).sum();
    assert!((8_000_000..9_000_000).contains(&sent), "{sent}");
}

#[tokio::test]
async fn a_node_that_carries_bitcoin_alone_neither_tells_nor_hears() {
    let config = MeshConfig {
        mode: MeshMode::BitcoinOnly,
        ..gated(RELAY_PRICE)
    };
    let chain = Chain::unlinked(vec![gated(RELAY_PRICE), config, gated(RELAY_PRICE)], || {
        Arc::new(ForgetfulStore::default())
    })
    .await;
    link(&chain, 1, 2);
    link(&chain, 2, 3);
    let _hurry = Hurry::on(&chain.clock);
    until("the others have tried", || {
        refused(chain.mesh(1), RefusalReason::Denied) > 2
    })
    .await;
    assert_eq!(chain.mesh(1).status().await.learning, None);
    assert!(!knows_way(&chain, 1, 3));
    let log = chain.wires.log.lock().unwrap();
    let said = log.iter().filter(|(from, _, _)| *from == id(2));
    for (_, _, bytes) in said {
        let packet = PacketView::parse(bytes).unwrap();
        assert!(!ControlMessage::is_gossip(packet.payload()));
    }
}

#[tokio::test]
async fn an_address_to_be_announced_has_to_be_one_and_is_told_to_all() {
    for wrong in ["nowhere", ":8334", "host:0", "host:port", "ho st:1"] {
        let config = MeshConfig {
            announce_addresses: vec![wrong.to_owned()],
            ..open()
        };
        let started = start_alone(config).await;
        assert!(matches!(started, Err(MeshError::ConfigError(_))), "{wrong}");
    }
    let mut configs = vec![open(), open()];
    let address = "relay.example:8334".to_owned();
    configs.last_mut().unwrap().announce_addresses = vec![address.clone()];
    let chain = Chain::unlinked(configs, || Arc::new(ForgetfulStore::default())).await;
    link(&chain, 1, 2);
    let _hurry = Hurry::on(&chain.clock);
    let told = async {
        loop {
            let peers = chain.mesh(0).peers().await;
            if peers
                .first()
                .is_some_and(|peer| peer.announced == [address.as_str()])
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
}

async fn start_alone(config: MeshConfig) -> Result<MeshManager, MeshError> {
    let api = WiredNode {
        id: id(1),
        wires: Wires::default(),
        clock: ManualClock::start(),
        wallet: None,
        store: Arc::new(ForgetfulStore::default()),
        blocks: Arc::default(),
        events: Default::default(),
    };
    MeshManager::start(config, identity(1), Arc::new(api)).await
}

#[tokio::test]
async fn links_that_take_nothing_lose_messages_and_the_mesh_finds_together_all_the_same() {
    let chain = strangers(3).await;
    chain.wires.are_full.store(true, Ordering::SeqCst);
    link(&chain, 1, 2);
    link(&chain, 2, 3);
    let _hurry = Hurry::on(&chain.clock);
    until_learned(chain.mesh(1), |learning| learning.lost > 0).await;
    chain.wires.are_full.store(false, Ordering::SeqCst);
    all_know_all(&chain).await;
}
