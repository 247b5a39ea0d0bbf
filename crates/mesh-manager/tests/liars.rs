//! Relays that lie about money and links: what that costs a source, and what it makes of them.
//!
//! Time is virtual: it moves on when everybody waits.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::{Draft, TriedEnd};
use mesh_protocol::{ControlMessage, PacketView, RefusalCode};
use mesh_routing::SCORE_HALF_LIFE;
use mesh_types::*;
use support::{
    store::{Denial, Stores},
    two_ways::*,
    *,
};

/// Sends to both destinations in turn until the first way that is tried is the one that delivers; answers with how the others
/// ended that were tried first.
async fn until_passed_by(chain: &Chain) -> Vec<TriedEnd> {
    let mut failed = Vec::new();
    for round in 0..12 {
        let destination = [DESTINATION, ANOTHER][round % 2];
        let sent = send_to(chain, destination).await.unwrap();
        assert_eq!(sent.route, route(&[SOURCE, DEAR, destination]));
        assert_eq!(deliveries(chain, destination), 1);
        for honest in [DEAR, DESTINATION, ANOTHER] {
            assert!(!standing(chain, honest).is_fallen);
        }
        let before = failed.len();
        failed.extend(sent.tries.into_iter().map(|tried| tried.end));
        assert_eq!(failed.pop(), Some(TriedEnd::Delivered));
        if failed.len() == before && round % 2 == 1 {
            return failed;
        }
    }
    unreachable!("it is tried for ever: {failed:?}")
}

/// What the relay has taken.
async fn taken(chain: &Chain) -> Msat {
    money(chain.mesh(1)).await.deposited
}

/// Has the relay refuse each deposit with `code`, and do all else as it should.
fn refuse_deposits(chain: &Chain, code: RefusalCode) {
    let mut arrivals = chain.wires.listen(CHEAP);
    let (mesh, api) = (chain.mesh(1).clone(), chain.nodes[1].api.clone());
    let voice = engine(CHEAP, open(), &[SOURCE]);
    let next = START.to_millis() * 1_000 + 500;
    let numbers = SequenceBlock {
        next,
        end: next + 100,
        good_for: None,
    };
    voice.go_on_with(numbers, START);
    tokio::spawn(async move {
        while let Some((from, bytes)) = arrivals.recv().await {
            let packet = PacketView::parse(&bytes).unwrap();
            let message = ControlMessage::decode(packet.payload());
            if !matches!(message, Ok(ControlMessage::Deposit)) {
                let mesh = mesh.clone();
                tokio::spawn(async move { mesh.receive(from, bytes).await });
                continue;
            }
            let sequence = packet.sequence();
            let refusal = ControlMessage::Refused { sequence, code };
            let draft = Draft {
                kind: PacketKind::Control,
                ..data(&[CHEAP, SOURCE], &refusal.encode().unwrap(), Msat::ZERO)
            };
            let bytes = compose(&voice, draft, api.clock.now()).bytes;
            let sent = api.send_mesh_packet_to_peer(format!("node-{SOURCE}"), bytes);
            sent.await.unwrap();
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_takes_deposits_and_denies_them_gets_one_a_try_and_falls_at_this_source_alone()
{
    for denial in [Denial::Credit, Denial::Payment] {
        let stores = Stores::of(5);
        let chain = two_ways_over(open(), stores.each()).await;
        *stores.at(1).denial.lock().unwrap() = Some(denial);
        let failed = until_passed_by(&chain).await;
        let still_asking = TriedEnd::StillAsking { by: id(CHEAP) };
        assert!(failed.iter().all(|end| *end == still_asking), "{failed:?}");
        assert!(standing(&chain, CHEAP).is_fallen);
        let deposits = RELAY_PRICE.to_msat() * failed.len() as u64;
        assert_eq!(taken(&chain).await.to_msat(), deposits);
        assert!(failed.len() <= 4, "{failed:?}");
        for other in &chain.nodes[1..] {
            let told = other.mesh.engine().routes();
            assert!(told.standings(chain.clock.now()).is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_refuses_what_it_was_paid_gets_one_deposit_and_falls() {
    for code in [RefusalCode::Denied, RefusalCode::NoRoute] {
        let chain = two_ways().await;
        refuse_deposits(&chain, code);
        let failed = until_passed_by(&chain).await;
        let refused = TriedEnd::Refused {
            by: id(CHEAP),
            code,
        };
        assert!(failed.iter().all(|end| *end == refused), "{failed:?}");
        assert!(standing(&chain, CHEAP).is_fallen);
        let paid = chain.nodes[0].wallet.paid.lock().unwrap();
        let to_cheap = paid.iter().filter(|text| is_of(text, CHEAP)).count();
        assert_eq!(to_cheap, 1, "what was paid is shown again, not paid again");
    }
}

/// Whether the wallet of that node issued the invoice.
fn is_of(invoice: &str, node: u8) -> bool {
    let invoice: lightning_invoice::Bolt11Invoice = invoice.parse().unwrap();
    let key = secp256k1::SecretKey::from_slice(&[100 + node; 32]).unwrap();
    let key = key.public_key(&secp256k1::Secp256k1::new());
    invoice.recover_payee_pub_key() == key
}

#[tokio::test(start_paused = true)]
async fn what_a_thief_gets_on_the_only_way_is_bounded_by_the_limit_of_a_day() {
    let a_day = 10 * RELAY_PRICE.to_msat();
    let mut source = open();
    source.spending.per_peer_per_day_msat = a_day;
    let stores = Stores::of(5);
    let chain = two_ways_over(source, stores.each()).await;
    *stores.at(1).denial.lock().unwrap() = Some(Denial::Credit);
    let routes = chain.mesh(0).engine().routes();
    routes.remove_direct_peer(&id(DEAR));
    let mut is_at_limit = false;
    // Trusted again each time, and each time it takes what it is paid.
    for _ in 0..13 {
        let error = send_to(&chain, DESTINATION).await.unwrap_err();
        is_at_limit |= matches!(error.reason, MeshError::SpendingLimit(_));
        chain.clock.advance(SCORE_HALF_LIFE * 4);
        routes.refresh(chain.clock.now());
    }
    assert!(is_at_limit);
    let taken = taken(&chain).await.to_msat();
    assert!(taken > 0 && taken <= a_day, "{taken}");
    assert_eq!(deliveries(&chain, DESTINATION), 0);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_announces_links_it_does_not_have_gets_nothing_and_is_passed_by() {
    let chain = two_ways().await;
    for destination in [DESTINATION, ANOTHER] {
        let routes = chain.mesh(1).engine().routes();
        routes.remove_direct_peer(&id(destination));
    }
    let failed = until_passed_by(&chain).await;
    let no_route = TriedEnd::Refused {
        by: id(CHEAP),
        code: RefusalCode::NoRoute,
    };
    assert_eq!(failed, [no_route.clone(), no_route]);
    assert_eq!(taken(&chain).await, Msat::ZERO);
    assert_eq!(earned(&chain, CHEAP).await, 0);
}
