//! The decision about one packet, without any shell round it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::{Engine, Halfway, PendingClaim, Refusal, RefusalReason, Refused, Step};
use mesh_payment::{NONCE_LEN, QuoteKey, Quoter};
use mesh_protocol::{ControlMessage, MAX_PAYLOAD_LEN};
use mesh_types::*;
use proptest::prelude::*;
use std::time::Duration;
use support::*;

const SOURCE: u8 = 1;
const RELAY: u8 = 2;
const DESTINATION: u8 = 3;
const WAY: [u8; 3] = [SOURCE, RELAY, DESTINATION];
/// 30 % of it are the relay's price.
const FEE: Msat = Msat::from_msat(10_000);
const SECRET: &[u8] = b"pay me";

fn source() -> Engine {
    engine(SOURCE, open(), &[RELAY])
}

fn relay() -> Engine {
    engine(RELAY, gated(RELAY_PRICE), &[SOURCE, DESTINATION])
}

fn refusal(outcome: Result<Step<'_>, Refused>) -> Refusal {
    outcome.expect_err("the packet should be refused").refusal
}

/// A good proof of a payment to the node `payee` for the credit of `payer`.
fn paid_proof(payer: NodeId, payee: u8, amount: Msat, nonce: u8) -> PaymentProof {
    let quoter = Quoter {
        payee: id(payee),
        key: QuoteKey::derive(&identity(payee).secret_bytes()).on(Network::Regtest),
        lifetime: Duration::from_secs(600),
        price_epoch: 0,
    };
    let issued = quoter
        .quote(payer, amount, [nonce; NONCE_LEN], START)
        .unwrap();
    let invoice = TableWallet::new(payee).issue(&issued.request, START);
    proof(&invoice, issued.request.preimage)
}

fn claim(outcome: Result<Step<'_>, Refused>) -> PendingClaim {
    match outcome.expect("the packet should lead to a claim") {
        Step::Claim(claim) => claim,
        other => panic!("expected a claim, got {other:?}"),
    }
}

/// Gives `payer` credit in the hands of `at`.
fn fund(at: &Engine, payer: u8, amount: Msat) {
    at.accounts().put_in(id(payer), amount).unwrap();
}

/// Decides about a packet at a node whose store has no more credit than what is in hand.
fn receive<'e>(
    at: &'e Engine,
    from: &NodeId,
    bytes: &[u8],
    now: UnixTime,
) -> Result<Step<'e>, Refused> {
    without_more(at, at.receive(from, bytes, now)?, bytes, now)
}

fn resume<'e>(
    at: &'e Engine,
    bytes: &[u8],
    halfway: Halfway,
    now: UnixTime,
) -> Result<Step<'e>, Refused> {
    without_more(at, at.resume(bytes, halfway, now)?, bytes, now)
}

fn without_more<'e>(
    at: &'e Engine,
    step: Step<'e>,
    bytes: &[u8],
    now: UnixTime,
) -> Result<Step<'e>, Refused> {
    match step {
        Step::Draw(pending) => {
            let halfway = at.drawn(pending, Msat::ZERO).unwrap();
            at.resume(bytes, halfway, now)
        }
        step => Ok(step),
    }
}

#[test]
fn a_packet_without_credit_is_refused_with_its_price_and_what_is_missing() {
    let (source, relay) = (source(), relay());
    let packet = compose(&source, data(&WAY, SECRET, FEE), START);
    let refused = receive(&relay, &id(SOURCE), &packet.bytes, START).unwrap_err();
    assert_eq!(
        refused.refusal,
        Refusal::PaymentRequired {
            price: RELAY_PRICE,
            missing: RELAY_PRICE
        }
    );
    let tell = refused.tell.expect("an authenticated source is told");
    assert_eq!(*tell.back, [id(RELAY), id(SOURCE)]);
    assert_eq!(tell.sequence, packet.sequence);
}

#[test]
fn a_paid_packet_is_debited_when_it_was_carried_and_not_before() {
    let (source, relay) = (source(), relay());
    fund(&relay, SOURCE, Msat::from_msat(5_000));
    let packet = compose(&source, data(&WAY, SECRET, FEE), START);
    let Ok(Step::Forward { next, ticket }) = receive(&relay, &id(SOURCE), &packet.bytes, START)
    else {
        panic!("a funded packet is forwarded")
    };
    assert_eq!(next, id(DESTINATION));
    assert_eq!(relay.accounts().totals().earned, 0);
    assert_eq!(relay.accounts().totals().reserved, 3_000);
    ticket.carried();
    assert_eq!(relay.accounts().totals().earned, 3_000);
    assert_eq!(relay.accounts().credit(&id(SOURCE)), Msat::from_msat(2_000));
}

#[test]
fn a_packet_that_could_not_be_handed_on_costs_nothing_and_may_come_again() {
    let (source, relay) = (source(), relay());
    fund(&relay, SOURCE, Msat::from_msat(3_000));
    let packet = compose(&source, data(&WAY, SECRET, FEE), START);
    for _ in 0..3 {
        let step = receive(&relay, &id(SOURCE), &packet.bytes, START).unwrap();
        assert!(matches!(step, Step::Forward { .. }));
        drop(step);
        assert_eq!(relay.accounts().credit(&id(SOURCE)), Msat::from_msat(3_000));
    }
}

#[test]
fn a_packet_that_was_carried_is_refused_when_it_comes_again() {
    let (source, relay) = (source(), relay());
    fund(&relay, SOURCE, Msat::from_msat(100_000));
    let packet = compose(&source, data(&WAY, SECRET, FEE), START);
    let Ok(Step::Forward { ticket, .. }) = receive(&relay, &id(SOURCE), &packet.bytes, START)
    else {
        panic!("a funded packet is forwarded")
    };
    // While the first copy is on its way out, a second one does not get past it.
    let second = refusal(receive(&relay, &id(SOURCE), &packet.bytes, START));
    assert_eq!(second.reason(), RefusalReason::Duplicate);
    ticket.carried();
    let third = refusal(receive(&relay, &id(SOURCE), &packet.bytes, START));
    assert_eq!(third.reason(), RefusalReason::Duplicate);
    assert_eq!(relay.accounts().totals().earned, 3_000);
}

#[test]
fn a_share_below_the_price_is_refused_even_with_credit() {
    let (source, relay) = (source(), relay());
    fund(&relay, SOURCE, Msat::from_msat(100_000));
    let packet = compose(&source, data(&WAY, SECRET, Msat::from_msat(9_999)), START);
    let refused = refusal(receive(&relay, &id(SOURCE), &packet.bytes, START));
    assert_eq!(
        refused,
        Refusal::PaymentRequired {
            price: RELAY_PRICE,
            missing: Msat::ZERO
        }
    );
}

#[test]
fn a_fee_of_all_the_money_there_is_buys_nothing_without_credit() {
    let (source, relay) = (source(), relay());
    let packet = compose(&source, data(&WAY, SECRET, Msat::MAX), START);
    let refused = refusal(receive(&relay, &id(SOURCE), &packet.bytes, START));
    assert_eq!(refused.reason(), RefusalReason::PaymentRequired);
}

#[test]
fn a_proof_in_the_packet_is_claimed_first_and_then_pays_it() {
    let (source, relay) = (source(), relay());
    let proof = paid_proof(id(SOURCE), RELAY, Msat::from_msat(4_000), 1);
    let draft = mesh_manager::Draft {
        proof: Some(ProofForHop { hop: 1, proof }),
        ..data(&WAY, SECRET, FEE)
    };
    let bytes = compose(&source, draft, START).bytes;
    let pending = claim(receive(&relay, &id(SOURCE), &bytes, START));
    assert_eq!(pending.payment.amount(), Msat::from_msat(4_000));
    let halfway = relay.claimed(pending);
    // The claim has credited it where the store is; from there it is drawn.
    let Ok(Step::Draw(draw)) = relay.resume(&bytes, halfway, START) else {
        panic!("a packet whose credit is not in hand has it drawn")
    };
    assert_eq!((draw.payer, draw.wanted), (id(SOURCE), RELAY_PRICE));
    let halfway = relay.drawn(draw, Msat::from_msat(4_000)).unwrap();
    let Ok(Step::Forward { ticket, .. }) = relay.resume(&bytes, halfway, START) else {
        panic!("a packet that pays is forwarded")
    };
    ticket.carried();
    assert_eq!(relay.accounts().credit(&id(SOURCE)), Msat::from_msat(1_000));
}

#[test]
fn a_stolen_proof_becomes_the_credit_of_the_payer_in_its_quote_not_of_the_thief() {
    const THIEF: u8 = 9;
    let relay = engine(RELAY, gated(RELAY_PRICE), &[SOURCE, DESTINATION, THIEF]);
    let thief = engine(THIEF, open(), &[RELAY]);
    let proof = paid_proof(id(SOURCE), RELAY, Msat::from_msat(4_000), 1);
    let draft = mesh_manager::Draft {
        proof: Some(ProofForHop { hop: 1, proof }),
        ..data(&[THIEF, RELAY, DESTINATION], SECRET, FEE)
    };
    let bytes = compose(&thief, draft, START).bytes;
    let pending = claim(receive(&relay, &id(THIEF), &bytes, START));
    assert_eq!(pending.payment.payer(), id(SOURCE));
    let halfway = relay.claimed(pending);
    let refused = refusal(resume(&relay, &bytes, halfway, START));
    assert_eq!(refused.reason(), RefusalReason::PaymentRequired);
}

#[test]
fn a_proof_for_another_hop_is_not_taken_for_ours() {
    let (source, relay) = (source(), relay());
    let proof = paid_proof(id(SOURCE), RELAY, Msat::from_msat(4_000), 1);
    let draft = mesh_manager::Draft {
        proof: Some(ProofForHop { hop: 2, proof }),
        ..data(&WAY, SECRET, FEE)
    };
    let bytes = compose(&source, draft, START).bytes;
    let refused = refusal(receive(&relay, &id(SOURCE), &bytes, START));
    assert_eq!(refused.reason(), RefusalReason::PaymentRequired);
}

#[test]
fn a_proof_is_not_touched_when_the_packet_cannot_be_carried_anyway() {
    let source = source();
    let relay = engine(RELAY, gated(RELAY_PRICE), &[SOURCE]);
    let proof = paid_proof(id(SOURCE), RELAY, Msat::from_msat(4_000), 1);
    let draft = mesh_manager::Draft {
        proof: Some(ProofForHop { hop: 1, proof }),
        ..data(&WAY, SECRET, FEE)
    };
    let bytes = compose(&source, draft, START).bytes;
    let refused = refusal(receive(&relay, &id(SOURCE), &bytes, START));
    assert_eq!(
        refused,
        Refusal::NoRoute {
            next: id(DESTINATION)
        }
    );
}

#[test]
fn a_packet_that_claims_another_source_is_refused_and_nobody_is_told() {
    const IMPOSTOR: u8 = 9;
    let relay = engine(RELAY, gated(RELAY_PRICE), &[SOURCE, DESTINATION]);
    fund(&relay, SOURCE, Msat::from_msat(100_000));
    let impostor = engine(IMPOSTOR, open(), &[RELAY]);
    let mut bytes = compose(
        &impostor,
        data(&[IMPOSTOR, RELAY, DESTINATION], SECRET, FEE),
        START,
    )
    .bytes;
    // The source is the first node of the route, right behind the 40 bytes of the fixed header.
    bytes[40..72].copy_from_slice(id(SOURCE).as_bytes());
    let refused = receive(&relay, &id(SOURCE), &bytes, START).unwrap_err();
    assert_eq!(refused.refusal.reason(), RefusalReason::NotAuthentic);
    assert_eq!(refused.tell, None);
    assert_eq!(
        relay.accounts().credit(&id(SOURCE)),
        Msat::from_msat(100_000)
    );
}

#[test]
fn a_spoofed_sequence_number_does_not_lock_the_source_out() {
    let (source, relay) = (source(), relay());
    fund(&relay, SOURCE, Msat::from_msat(100_000));
    let honest = compose(&source, data(&WAY, SECRET, FEE), START).bytes;
    let mut spoofed = honest.clone();
    spoofed[8..16].copy_from_slice(&(i64::MAX as u64).to_be_bytes());
    let refused = refusal(receive(&relay, &id(SOURCE), &spoofed, START));
    assert!(
        matches!(
            refused.reason(),
            RefusalReason::NotAuthentic | RefusalReason::Sequence
        ),
        "{refused:?}"
    );
    assert!(matches!(
        receive(&relay, &id(SOURCE), &honest, START),
        Ok(Step::Forward { .. })
    ));
}

#[test]
fn a_packet_from_the_wrong_neighbour_or_off_the_route_is_refused() {
    let (source, relay) = (source(), relay());
    let bytes = compose(&source, data(&WAY, SECRET, FEE), START).bytes;
    let refused = refusal(receive(&relay, &id(DESTINATION), &bytes, START));
    assert_eq!(
        refused,
        Refusal::WrongPreviousHop {
            from: id(DESTINATION)
        }
    );
    let bystander = engine(8, open(), &[SOURCE]);
    assert_eq!(
        refusal(receive(&bystander, &id(SOURCE), &bytes, START)),
        Refusal::NotOnRoute
    );
    assert_eq!(
        refusal(receive(&source, &id(RELAY), &bytes, START)),
        Refusal::NotOnRoute
    );
}

#[test]
fn a_packet_out_of_time_is_refused_at_both_edges() {
    let (source, relay) = (source(), relay());
    fund(&relay, SOURCE, Msat::from_msat(100_000));
    let bytes = compose(&source, data(&WAY, SECRET, FEE), START).bytes;
    let late = START.plus(MAX_PACKET_AGE);
    assert!(matches!(
        receive(&relay, &id(SOURCE), &bytes, late),
        Ok(Step::Forward { .. })
    ));
    let too_late = late.plus(Duration::from_millis(1));
    let refused = refusal(receive(&relay, &id(SOURCE), &bytes, too_late));
    assert_eq!(
        refused,
        Refusal::OutOfTime {
            timestamp: START.to_secs()
        }
    );
    let future = START.plus(MAX_PACKET_AGE + Duration::from_secs(1));
    let early = compose(&source, data(&WAY, SECRET, FEE), future).bytes;
    assert_eq!(
        refusal(receive(&relay, &id(SOURCE), &early, START)).reason(),
        RefusalReason::OutOfTime
    );
}

#[test]
fn a_packet_made_before_a_restart_is_refused_since_its_number_was_forgotten() {
    let (source, restarted) = (source(), relay());
    let before = UnixTime::from_secs(START.to_secs() - 1);
    let bytes = compose(&source, data(&WAY, SECRET, FEE), before).bytes;
    let refused = refusal(receive(&restarted, &id(SOURCE), &bytes, START));
    assert_eq!(
        refused,
        Refusal::OutOfTime {
            timestamp: before.to_secs()
        }
    );
}

#[test]
fn a_bitcoin_message_rides_free_until_the_budget_of_its_source_is_spent() {
    let source = source();
    let free_lane = FreeLane {
        bytes_per_second_per_source: 100,
        burst_bytes_per_source: 500,
        ..FreeLane::default()
    };
    let relay = engine(
        RELAY,
        MeshConfig {
            free_lane,
            ..gated(RELAY_PRICE)
        },
        &[SOURCE, DESTINATION],
    );
    let mut carried = 0;
    let spent = loop {
        let bytes = compose(
            &source,
            data(&WAY, &bitcoin_ping(carried), Msat::ZERO),
            START,
        )
        .bytes;
        match receive(&relay, &id(SOURCE), &bytes, START) {
            Ok(Step::Forward { ticket, .. }) => ticket.carried(),
            other => break refusal(other),
        }
        carried += 1;
    };
    assert_eq!(carried, 2, "500 bytes hold two packets of about 200");
    assert_eq!(spent.reason(), RefusalReason::FreeLaneSpent);
    let later = START.plus(Duration::from_secs(3));
    let bytes = compose(&source, data(&WAY, &bitcoin_ping(9), Msat::ZERO), later).bytes;
    assert!(matches!(
        receive(&relay, &id(SOURCE), &bytes, later),
        Ok(Step::Forward { .. })
    ));
    assert_eq!(relay.accounts().totals(), mesh_payment::Totals::default());
}

#[test]
fn all_sources_together_share_one_cap_on_free_traffic() {
    let free_lane = FreeLane {
        bytes_per_second_total: 100,
        ..FreeLane::default()
    };
    let sources: Vec<u8> = (10..20).collect();
    let config = MeshConfig {
        free_lane,
        ..gated(RELAY_PRICE)
    };
    let mut peers = sources.clone();
    peers.push(DESTINATION);
    let relay = engine(RELAY, config, &peers);
    let refused = sources.iter().filter(|seed| {
        let source = engine(**seed, open(), &[RELAY]);
        let draft = data(&[**seed, RELAY, DESTINATION], &bitcoin_ping(1), Msat::ZERO);
        let bytes = compose(&source, draft, START).bytes;
        match receive(&relay, &id(**seed), &bytes, START) {
            Ok(Step::Forward { ticket, .. }) => {
                ticket.carried();
                false
            }
            other => refusal(other).reason() == RefusalReason::FreeLaneSpent,
        }
    });
    assert!(
        refused.count() > 0,
        "800 bytes are not enough for ten packets of 200"
    );
}

#[test]
fn bytes_that_only_start_like_bitcoin_have_to_pay() {
    let (source, relay) = (source(), relay());
    let mut junk = bitcoin_ping(1);
    junk.extend(b"and my own data behind it");
    let bytes = compose(&source, data(&WAY, &junk, FEE), START).bytes;
    let refused = refusal(receive(&relay, &id(SOURCE), &bytes, START));
    assert_eq!(refused.reason(), RefusalReason::PaymentRequired);
}

#[test]
fn a_sealed_payload_is_never_taken_for_a_free_protocol() {
    let (source, relay) = (source(), relay());
    let draft = mesh_manager::Draft {
        is_sealed: true,
        ..data(&WAY, &bitcoin_ping(1), FEE)
    };
    let bytes = compose(&source, draft, START).bytes;
    let refused = refusal(receive(&relay, &id(SOURCE), &bytes, START));
    assert_eq!(refused.reason(), RefusalReason::PaymentRequired);
}

#[test]
fn bitcoin_only_denies_and_open_carries_what_payment_gated_charges_for() {
    let source = source();
    let bytes = compose(&source, data(&WAY, SECRET, FEE), START).bytes;
    let strict = MeshConfig {
        mode: MeshMode::BitcoinOnly,
        ..gated(RELAY_PRICE)
    };
    let strict = engine(RELAY, strict, &[SOURCE, DESTINATION]);
    assert_eq!(
        refusal(receive(&strict, &id(SOURCE), &bytes, START)).reason(),
        RefusalReason::Denied
    );
    let open = engine(RELAY, open(), &[SOURCE, DESTINATION]);
    assert!(matches!(
        receive(&open, &id(SOURCE), &bytes, START),
        Ok(Step::Forward { .. })
    ));
}

#[test]
fn the_destination_opens_what_the_source_sealed() {
    let source = source();
    let destination = engine(DESTINATION, open(), &[RELAY]);
    let draft = mesh_manager::Draft {
        is_sealed: true,
        ..data(&WAY, SECRET, Msat::ZERO)
    };
    let bytes = compose(&source, draft, START).bytes;
    assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET));
    let Ok(Step::Deliver { delivery, .. }) = receive(&destination, &id(RELAY), &bytes, START)
    else {
        panic!("it is delivered")
    };
    assert_eq!(delivery.payload, SECRET);
    assert_eq!(delivery.source, id(SOURCE));
}

#[test]
fn a_peer_that_brings_a_flood_of_new_names_is_held_back_before_the_key_agreement() {
    const FAR: u8 = 4;
    let relay = relay();
    let far = engine(FAR, open(), &[SOURCE]);
    let way = [FAR, SOURCE, RELAY, DESTINATION];
    let honest = compose(&far, data(&way, SECRET, FEE), START).bytes;
    let mut reasons = std::collections::BTreeMap::<_, usize>::new();
    for name in 0..1_000_u16 {
        let mut bytes = honest.clone();
        bytes[42..44].copy_from_slice(&name.to_be_bytes());
        let refused = refusal(receive(&relay, &id(SOURCE), &bytes, START));
        *reasons.entry(refused.reason()).or_default() += 1;
    }
    // Some names are no points of the curve; each that is tried costs of the budget.
    assert_eq!(reasons[&RefusalReason::NewSources], 800);
    // A source that is known already is not held back.
    let known = compose(&source(), data(&WAY, SECRET, FEE), START).bytes;
    let before = receive(&relay, &id(SOURCE), &known, START).unwrap_err();
    assert_eq!(
        before.refusal.reason(),
        RefusalReason::NewSources,
        "the budget is the peer's"
    );
}

#[test]
fn a_reply_is_never_answered_with_a_refusal() {
    let (source, relay) = (source(), relay());
    let message = ControlMessage::Delivered { sequence: 1 }.encode().unwrap();
    let draft = mesh_manager::Draft {
        kind: PacketKind::Control,
        ..data(&[SOURCE, RELAY, 8], &message, Msat::ZERO)
    };
    let bytes = compose(&source, draft, START).bytes;
    let refused = receive(&relay, &id(SOURCE), &bytes, START).unwrap_err();
    assert_eq!(refused.refusal, Refusal::NoRoute { next: id(8) });
    assert_eq!(refused.tell, None);
}

#[test]
fn data_dressed_up_as_a_control_packet_does_not_ride_free() {
    let (source, relay) = (source(), relay());
    let draft = mesh_manager::Draft {
        kind: PacketKind::Control,
        ..data(&WAY, b"my own data", Msat::ZERO)
    };
    let bytes = compose(&source, draft, START).bytes;
    let refused = refusal(receive(&relay, &id(SOURCE), &bytes, START));
    assert_eq!(refused.reason(), RefusalReason::ControlMalformed);
}

#[test]
fn a_spent_lane_does_not_keep_a_good_deposit_out() {
    let source = source();
    let free_lane = FreeLane {
        bytes_per_second_total: 0,
        burst_bytes_per_source: 0,
        ..FreeLane::default()
    };
    let relay = engine(
        RELAY,
        MeshConfig {
            free_lane,
            ..gated(RELAY_PRICE)
        },
        &[SOURCE, DESTINATION],
    );
    let request = ControlMessage::QuoteRequest { amount: Msat::ZERO }
        .encode()
        .unwrap();
    let draft = mesh_manager::Draft {
        kind: PacketKind::Control,
        ..data(&[SOURCE, RELAY], &request, Msat::ZERO)
    };
    let bytes = compose(&source, draft, START).bytes;
    assert_eq!(
        refusal(receive(&relay, &id(SOURCE), &bytes, START)).reason(),
        RefusalReason::FreeLaneSpent
    );
    fund(&relay, SOURCE, Msat::from_msat(3_000));
    assert_eq!(relay.accounts().credit(&id(SOURCE)), Msat::from_msat(3_000));
}

#[test]
fn every_refusal_is_counted_under_its_reason() {
    let relay = relay();
    let packet = compose(&source(), data(&WAY, SECRET, FEE), START).bytes;
    let _ = refusal(receive(&relay, &id(SOURCE), &packet, START));
    let _ = refusal(receive(&relay, &id(SOURCE), b"MESH", START));
    let counts = relay.refusals();
    assert_eq!(counts[&RefusalReason::PaymentRequired], 1);
    assert_eq!(counts[&RefusalReason::Malformed], 1);
}

#[test]
fn the_largest_payload_is_carried() {
    let source = source();
    let relay = engine(RELAY, open(), &[SOURCE, DESTINATION]);
    let bytes = compose(
        &source,
        data(&WAY, &vec![0; MAX_PAYLOAD_LEN], Msat::ZERO),
        START,
    )
    .bytes;
    assert!(matches!(
        receive(&relay, &id(SOURCE), &bytes, START),
        Ok(Step::Forward { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_change_to_a_paid_packet_is_refused_and_costs_its_source_nothing(
        at in 0_usize..272, bit in 0_u8..8
    ) {
        let (source, relay) = (source(), relay());
        fund(&relay, SOURCE, Msat::from_msat(100_000));
        let packet = compose(&source, data(&WAY, SECRET, FEE), START).bytes;
        let mut changed = packet.clone();
        let at = at % changed.len();
        // The second MAC is the destination's business.
        prop_assume!(!(152..168).contains(&at));
        changed[at] ^= 1 << bit;
        let refused = receive(&relay, &id(SOURCE), &changed, START);
        prop_assert!(refused.is_err());
        prop_assert_eq!(relay.accounts().credit(&id(SOURCE)), Msat::from_msat(100_000));
        let honest = receive(&relay, &id(SOURCE), &packet, START);
        prop_assert!(honest.is_ok());
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_trace(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let relay = relay();
        prop_assert!(receive(&relay, &id(SOURCE), &bytes, START).is_err());
        prop_assert_eq!(relay.accounts().totals(), mesh_payment::Totals::default());
    }
}
