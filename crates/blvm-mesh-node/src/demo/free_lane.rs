use super::{
    check::{differs, same},
    error::Cause,
    journey::{arrived, deliver},
    narrator::Narrator,
    opening::Way,
    payment::doing,
    stage::{RELAY_PRICE, Stage},
};
use crate::text::msat;
use bitcoin::{
    consensus::serialize,
    p2p::{
        Magic,
        message::{NetworkMessage, RawNetworkMessage},
    },
};
use blvm_mesh::{DetectedProtocol, MeshMode, Msat, Reply, RoutingPolicyEngine, to_hex};
use std::io::Write;

/// What the ping carries, to be sent back by a pong.
const PING_NONCE: u64 = 0x6d65_7368_2d64_656d;

/// A Bitcoin ping rides free.
pub(super) async fn ping(
    stage: &mut Stage,
    way: &Way,
    narrator: &mut Narrator<impl Write>,
) -> Result<(), Cause> {
    narrator.step("A Bitcoin ping rides free");
    let message = RawNetworkMessage::new(Magic::REGTEST, NetworkMessage::Ping(PING_NONCE));
    let ping = serialize(&message);
    let before = stage.books().await?;
    narrator.show("bytes", &to_hex(&ping));
    same(
        "what it is detected as",
        detected(&ping),
        DetectedProtocol::BitcoinP2P,
    )?;
    deliver(stage, way.attempt(&ping, Msat::ZERO, false)).await?;
    let delivery = arrived(&stage.destination).await?;
    same("what was delivered", &delivery.payload, &ping)?;
    same("the books", stage.books().await?, before)?;
    narrator.show(
        "",
        &format!(
            "{} bytes: magic, \"ping\", length, checksum and a nonce",
            ping.len()
        ),
    );
    narrator.show("destination", "delivered; no node debited anything for it");
    Ok(())
}

/// Bytes that only begin like Bitcoin have to pay.
pub(super) async fn junk(
    stage: &mut Stage,
    way: &Way,
    narrator: &mut Narrator<impl Write>,
) -> Result<(), Cause> {
    narrator.step("Bytes that only begin like a Bitcoin message have to pay");
    let mut junk = Magic::REGTEST.to_bytes().to_vec();
    junk.extend_from_slice(b"ping, but not really a ping!");
    narrator.show("bytes", &to_hex(&junk));
    same(
        "what it is detected as",
        detected(&junk),
        DetectedProtocol::Unknown,
    )?;
    let attempt = way.attempt(&junk, Msat::ZERO, false);
    let answered = stage.source.mesh().attempt(attempt).await;
    let (_, reply) = answered.map_err(doing("sending junk"))?;
    let Reply::PaymentRequired {
        by, price, missing, ..
    } = reply
    else {
        return Err(differs("the answer", "payment required", reply));
    };
    same("who asks for payment", by, stage.relay.id())?;
    same(
        "its price, and what is missing",
        (price, missing),
        (RELAY_PRICE, RELAY_PRICE),
    )?;
    narrator.show(
        "relay",
        &format!(
            "payment required: the price is {}, whatever it looks like",
            msat(price)
        ),
    );
    Ok(())
}

fn detected(bytes: &[u8]) -> DetectedProtocol {
    RoutingPolicyEngine::new(MeshMode::PaymentGated).detect_protocol(bytes)
}
