use super::{
    check::{differs, same},
    error::Cause,
    narrator::Narrator,
    opening::{PAYLOAD, Way},
    payment::{Paid, doing, expect_claim},
    stage::{Actor, Books, DESTINATION_PRICE, PATIENCE, RELAY_PRICE, Stage},
    witness::Seen,
};
use crate::text::{ends, msat, payload, thousands};
use blvm_mesh::{
    Attempt, Delivery, Msat, NodeId, PacketKind, PacketView, Refusal, RefusalCode, RefusalReason,
    Reply, to_hex,
};
use std::io::Write;
use tokio::time::timeout;

/// The packet that was carried, as it passed the relay.
#[derive(Debug)]
pub(super) struct Carried {
    sequence: u64,
    bytes: Vec<u8>,
}

/// The packet again, with the proof in it: claimed, debited, forwarded, delivered.
pub(super) async fn with_proof(
    stage: &mut Stage,
    way: &Way,
    paid: &Paid,
    narrator: &mut Narrator<impl Write>,
) -> Result<Carried, Cause> {
    narrator.step("The packet again, with the relay's proof in it");
    stage.forget();
    let sequence = deliver(stage, with(way, paid)).await?;
    let bytes = at_the_relay(stage, paid, sequence, narrator).await?;
    at_the_destination(stage, sequence, narrator).await?;
    narrator.show("source", "has the destination's receipt");
    Ok(Carried { sequence, bytes })
}

/// What the relay did with the packet; answers with the packet as it came there.
async fn at_the_relay(
    stage: &mut Stage,
    paid: &Paid,
    sequence: u64,
    narrator: &mut Narrator<impl Write>,
) -> Result<Vec<u8>, Cause> {
    let (source, relay) = (stage.source.id(), &mut stage.relay);
    let bytes = packet_of(source, sequence);
    let bytes = relay.expect("the packet", bytes).await?;
    expect_claim(relay, source, paid.payment_hash, RELAY_PRICE).await?;
    let decided = decision_of(source, sequence);
    let decided = relay.expect("its decision", decided).await?;
    same("the relay's decision", decided, Ok(()))?;
    let books = Books {
        deposited: RELAY_PRICE,
        credit: Msat::ZERO,
        earned: RELAY_PRICE,
    };
    same("the relay's books", relay.books().await?, books)?;
    let packet = PacketView::parse(&bytes).map_err(|error| differs("the packet", "one", error))?;
    same("whether the packet is sealed", packet.is_sealed(), true)?;
    let reads_it = bytes.windows(PAYLOAD.len()).any(|part| part == PAYLOAD);
    same("whether the relay can read it", reads_it, false)?;
    let (hash, price) = (ends(&to_hex(&paid.payment_hash)), msat(RELAY_PRICE));
    narrator.show(
        relay.name,
        &format!("claimed payment {hash}: {price} of credit for the source"),
    );
    let len = thousands(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    narrator.show(
        relay.name,
        &format!("debited {price}, forwarded {len} bytes, sealed: it cannot read them"),
    );
    Ok(bytes)
}

/// What arrived at the destination.
async fn at_the_destination(
    stage: &Stage,
    sequence: u64,
    narrator: &mut Narrator<impl Write>,
) -> Result<(), Cause> {
    let destination = &stage.destination;
    let delivery = arrived(destination).await?;
    same("what was delivered", delivery.payload.as_slice(), PAYLOAD)?;
    same("who sent it", delivery.source, stage.source.id())?;
    same("which packet it is", delivery.sequence, sequence)?;
    let Books { credit, earned, .. } = destination.books().await?;
    same("what the destination earned", earned, DESTINATION_PRICE)?;
    let (price, credit) = (msat(DESTINATION_PRICE), msat(credit));
    narrator.show(
        destination.name,
        &format!("debited {price} (credit left: {credit}), delivered:"),
    );
    narrator.show("", &payload(&delivery.payload, 80));
    Ok(())
}

/// The same proof in a new packet is refused.
pub(super) async fn same_proof(
    stage: &mut Stage,
    way: &Way,
    paid: &Paid,
    narrator: &mut Narrator<impl Write>,
) -> Result<(), Cause> {
    narrator.step("The same proof in a new packet is refused");
    let before = stage.books().await?;
    let answered = stage.source.mesh().attempt(with(way, paid)).await;
    let (_, reply) = answered.map_err(doing("showing the same proof again"))?;
    let Reply::Refused { by, code } = reply else {
        return Err(differs("the answer", "a refusal", reply));
    };
    same("who refuses", by, stage.relay.id())?;
    same("why", code, RefusalCode::ProofReplayed)?;
    same(
        "replayed proofs",
        stage.relay.refusals(RefusalReason::ProofReplayed),
        1,
    )?;
    same("the books", stage.books().await?, before)?;
    narrator.show(
        "relay",
        &format!("refused as replayed: {code} (nothing debited)"),
    );
    Ok(())
}

/// The very same packet is refused.
pub(super) async fn same_packet(
    stage: &mut Stage,
    carried: &Carried,
    narrator: &mut Narrator<impl Write>,
) -> Result<(), Cause> {
    narrator.step("The same packet once more is refused");
    stage.forget();
    let before = stage.books().await?;
    let (source, relay) = (stage.source.id(), stage.relay.id());
    let sent = stage
        .source
        .node
        .links()
        .try_send(&relay, carried.bytes.clone());
    same("handing the packet to the link", sent, Ok(()))?;
    let decided = decision_of(source, carried.sequence);
    let decided = stage
        .relay
        .expect("the decision about the second copy", decided)
        .await?;
    let refusal = decided
        .err()
        .ok_or_else(|| differs("the relay", "a refusal", "none"))?;
    same("why", refusal.reason(), RefusalReason::Duplicate)?;
    same("the books", stage.books().await?, before)?;
    same(
        "deliveries",
        stage.destination.mesh().poll_deliveries(1),
        Vec::new(),
    )?;
    narrator.show(
        "relay",
        &format!("refused as duplicate: {refusal} (not delivered twice)"),
    );
    Ok(())
}

/// Sends a packet that has to be delivered; answers with its number.
pub(super) async fn deliver(stage: &Stage, attempt: Attempt) -> Result<u64, Cause> {
    let answered = stage.source.mesh().attempt(attempt).await;
    let (sequence, reply) = answered.map_err(doing("sending the packet"))?;
    same("the answer", reply, Reply::Delivered)?;
    Ok(sequence)
}

/// Takes what has arrived at a node.
pub(super) async fn arrived(actor: &Actor) -> Result<Delivery, Cause> {
    let next = timeout(PATIENCE, actor.mesh().next_delivery()).await;
    next.map_err(|_| Cause::Unseen {
        who: actor.name,
        what: "a delivery",
        within: PATIENCE,
    })
}

fn with(way: &Way, paid: &Paid) -> Attempt {
    Attempt {
        proof: Some(paid.proof.clone()),
        ..way.attempt(PAYLOAD, way.quote.total, true)
    }
}

fn packet_of(source: NodeId, sequence: u64) -> impl FnMut(&Seen) -> Option<Vec<u8>> {
    move |seen| match seen {
        Seen::Packet(bytes) => {
            let packet = PacketView::parse(bytes).ok()?;
            let is_meant = packet.source() == source && packet.sequence() == sequence;
            is_meant.then(|| bytes.clone())
        }
        _ => None,
    }
}

fn decision_of(source: NodeId, sequence: u64) -> impl FnMut(&Seen) -> Option<Result<(), Refusal>> {
    move |seen| match seen {
        Seen::Decided(passage, outcome) => {
            let header = passage.header?;
            let is_meant = header.kind == PacketKind::Data
                && header.source == source
                && header.sequence == sequence;
            is_meant.then(|| outcome.clone())
        }
        _ => None,
    }
}
