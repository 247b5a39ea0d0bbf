//! What a source sends more than once, over whatever routes, is delivered once.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::{Composed, Delivery, Engine, MessageId, RefusalReason, Step};
use mesh_types::*;
use std::time::Duration;
use support::*;

const SOURCE: u8 = 1;
const DESTINATION: u8 = 3;
const PRICE: Msat = Msat::from_msat(6_000);
/// 60 % of it are the destination's price.
const FEE: Msat = Msat::from_msat(10_000);

fn source() -> Engine {
    engine(SOURCE, open(), &[2, 4])
}

fn destination() -> Engine {
    let destination = engine(DESTINATION, gated(PRICE), &[2, 4]);
    let plenty = Msat::from_msat(100_000);
    destination.accounts().put_in(id(SOURCE), plenty).unwrap();
    destination
}

/// What the source sends over the node `relay`: `message` once more, or something new.
fn over(source: &Engine, relay: u8, message: Option<MessageId>) -> Composed {
    let draft = mesh_manager::Draft {
        is_sealed: true,
        ..data(&[SOURCE, relay, DESTINATION], b"once", FEE)
    };
    source.compose_copy(draft, message, [7; 24], START).unwrap()
}

/// Lets the packet arrive from `relay`, and be delivered where it is not refused.
fn arrive(at: &Engine, relay: u8, packet: &Composed) -> Result<Delivery, RefusalReason> {
    match at.receive(&id(relay), &packet.bytes, START) {
        Ok(Step::Deliver { delivery, ticket }) => {
            ticket.carried();
            Ok(delivery)
        }
        Ok(step) => panic!("neither delivered nor refused: {step:?}"),
        Err(refused) => Err(refused.refusal.reason()),
    }
}

#[test]
fn a_copy_over_another_route_is_not_delivered_again_and_costs_nothing_there() {
    let (source, destination) = (source(), destination());
    let first = over(&source, 2, None);
    let copy = over(&source, 4, Some(first.message));
    assert_eq!(copy.message, first.message);
    let delivered = arrive(&destination, 2, &first).unwrap();
    assert_eq!(delivered.payload, b"once");
    assert_eq!(
        arrive(&destination, 4, &copy),
        Err(RefusalReason::Duplicate)
    );
    assert_eq!(destination.accounts().totals().earned, 6_000);
}

#[test]
fn an_original_that_a_relay_held_back_is_not_delivered_behind_its_copy() {
    let (source, destination) = (source(), destination());
    let first = over(&source, 2, None);
    let copy = over(&source, 4, Some(first.message));
    let delivered = arrive(&destination, 4, &copy).unwrap();
    assert_eq!(delivered.message, first.sequence);
    assert_eq!(delivered.sequence, copy.sequence);
    assert_eq!(
        arrive(&destination, 2, &first),
        Err(RefusalReason::Duplicate)
    );
    assert_eq!(destination.accounts().totals().earned, 6_000);
}

#[test]
fn of_two_copies_one_is_delivered() {
    let (source, destination) = (source(), destination());
    let first = over(&source, 2, None);
    let copies = [2, 4].map(|relay| (relay, over(&source, relay, Some(first.message))));
    let arrived = copies.map(|(relay, copy)| arrive(&destination, relay, &copy).is_ok());
    assert_eq!(arrived, [true, false]);
}

#[test]
fn a_copy_that_was_not_taken_leaves_room_for_the_next() {
    let (source, destination) = (source(), destination());
    let first = over(&source, 2, None);
    for _ in 0..2 {
        let copy = over(&source, 4, Some(first.message));
        let step = destination.receive(&id(4), &copy.bytes, START);
        // The inbox was full, say: the ticket is dropped.
        assert!(matches!(step, Ok(Step::Deliver { .. })));
    }
    assert!(arrive(&destination, 2, &first).is_ok());
}

#[test]
fn a_destination_that_was_started_meanwhile_delivers_no_copy_of_what_it_may_have_delivered() {
    let source = source();
    let first = over(&source, 2, None);
    let later = START.plus(Duration::from_secs(5));
    let draft = data(&[SOURCE, 4, DESTINATION], b"once", FEE);
    let copy = source.compose_copy(draft, Some(first.message), [7; 24], later);
    let setup = mesh_manager::EngineSetup {
        identity: identity(DESTINATION),
        config: open(),
        payee_key: None,
        settlement: mesh_payment::SettlementPolicy::default(),
        sequences: SequenceBlock {
            next: 1,
            end: 2,
            good_for: None,
        },
    };
    let destination = Engine::new(setup, START.plus(Duration::from_secs(3)));
    let refused = destination
        .receive(&id(4), &copy.unwrap().bytes, later)
        .unwrap_err();
    assert_eq!(refused.refusal.reason(), RefusalReason::OutOfTime);
}

#[test]
fn a_copy_of_what_fell_out_of_the_window_is_not_delivered() {
    let (source, destination) = (source(), destination());
    let first = over(&source, 2, None);
    for _ in 0..mesh_replay::WINDOW_WIDTH {
        let _ = over(&source, 2, None);
    }
    let newest = over(&source, 2, None);
    arrive(&destination, 2, &newest).unwrap();
    let copy = over(&source, 4, Some(first.message));
    assert_eq!(arrive(&destination, 4, &copy), Err(RefusalReason::Sequence));
}

#[test]
fn nobody_is_told_that_a_message_has_arrived_which_the_inbox_may_still_refuse() {
    let (source, destination) = (source(), destination());
    let first = over(&source, 2, None);
    let copy = over(&source, 4, Some(first.message));
    let Ok(Step::Deliver { ticket, .. }) = destination.receive(&id(2), &first.bytes, START) else {
        panic!("it is not delivered");
    };
    let refused = destination.receive(&id(4), &copy.bytes, START).unwrap_err();
    assert_eq!(refused.tell, None);
    drop(ticket);
    assert!(arrive(&destination, 4, &copy).is_ok());
}

#[test]
fn a_relay_that_repeats_a_packet_while_it_waits_cannot_have_it_refused_behind_its_delivery() {
    let (source, destination) = (source(), engine(DESTINATION, gated(PRICE), &[2, 4]));
    // Both wait for credit to be drawn, of which there is enough for one, or for both.
    for drawn in [PRICE, Msat::from_msat(2 * PRICE.to_msat())] {
        let first = over(&source, 2, None);
        let waiting = [(); 2].map(
            |()| match destination.receive(&id(2), &first.bytes, START) {
                Ok(Step::Draw(pending)) => pending,
                step => panic!("{step:?}"),
            },
        );
        let [one, other] = waiting;
        let one = destination.drawn(one, drawn).unwrap();
        match destination.resume(&first.bytes, one, START) {
            Ok(Step::Deliver { ticket, .. }) => ticket.carried(),
            step => panic!("{step:?}"),
        }
        let other = destination.drawn(other, Msat::ZERO).unwrap();
        let refused = destination.resume(&first.bytes, other, START).unwrap_err();
        assert_eq!(refused.refusal.reason(), RefusalReason::Duplicate);
        assert_eq!(refused.tell, None);
        let _ = destination.accounts().take_back(&id(SOURCE));
    }
}
