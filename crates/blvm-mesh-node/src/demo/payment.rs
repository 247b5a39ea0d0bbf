use super::{
    check::{differs, same},
    error::Cause,
    narrator::Narrator,
    opening::{PAYLOAD, Way},
    stage::{Actor, Books, DESTINATION_PRICE, Money, PATIENCE, RELAY_PRICE, Stage},
    witness::Seen,
};
use crate::text::{ends, msat, payload, short};
use bitcoin::hashes::{Hash, sha256};
use blvm_mesh::{
    MeshError, MeshEvent, Msat, NodeId, PaidQuote, PaymentProof, ProofForHop, Quote, RefusalReason,
    Reply, to_hex,
};
use lightning_invoice::{Bolt11Invoice, Currency};
use std::io::Write;

/// The relay's payment: what it asked for, and what shows that it got it.
#[derive(Debug)]
pub(super) struct Paid {
    pub(super) proof: ProofForHop,
    pub(super) payment_hash: [u8; 32],
}

/// What an LDK node asks for a payment that it forwards, by its defaults.
const ROUTING_FEE: Msat = Msat::from_msat(1_000);

/// The packets that the destination is paid for at once: this one and another.
const PACKETS_AHEAD: u64 = 2;

/// A packet without payment is refused, with an invoice.
pub(super) async fn refusal(
    stage: &mut Stage,
    way: &Way,
    narrator: &mut Narrator<impl Write>,
) -> Result<String, Cause> {
    narrator.step("A packet without payment is refused");
    narrator.show(
        "payload",
        &format!("{} ({} bytes)", payload(PAYLOAD, 80), PAYLOAD.len()),
    );
    let attempt = way.attempt(PAYLOAD, way.quote.total, true);
    let answered = stage.source.mesh().attempt(attempt).await;
    let (_, reply) = answered.map_err(doing("sending without payment"))?;
    let Reply::PaymentRequired {
        by,
        price,
        missing,
        invoice: Some(invoice),
    } = reply
    else {
        return Err(differs(
            "the answer",
            "payment required, with an invoice",
            reply,
        ));
    };
    same("who asks for payment", by, stage.relay.id())?;
    same("its price", price, RELAY_PRICE)?;
    same("what is missing", missing, RELAY_PRICE)?;
    same(
        "packets refused as unpaid",
        stage.relay.refusals(RefusalReason::PaymentRequired),
        1,
    )?;
    same(
        "what the relay earned",
        stage.relay.books().await?.earned,
        Msat::ZERO,
    )?;
    narrator.show(
        "relay",
        &format!(
            "payment required: the price is {}, {} are missing",
            msat(price),
            msat(missing)
        ),
    );
    let wallet = stage.money.wallet();
    narrator.show(
        "invoice",
        &format!("BOLT11, signed by the relay's {wallet}:"),
    );
    narrator.quote(&invoice);
    show_invoice(
        &stage.relay,
        stage.source.id(),
        RELAY_PRICE,
        &invoice,
        narrator,
    )
    .await?;
    Ok(invoice)
}

/// The source's wallet pays the relay's invoice.
pub(super) async fn relay(
    stage: &mut Stage,
    invoice: String,
    narrator: &mut Narrator<impl Write>,
) -> Result<Paid, Cause> {
    narrator.step(match stage.money {
        Money::Sandbox => "The source's sandbox wallet pays the invoice",
        Money::Lightning => "The source's Lightning node pays the invoice",
    });
    let (paid, payment_hash) = pay(stage, stage.relay.id(), &invoice).await?;
    same("what was paid", paid.amount, RELAY_PRICE)?;
    same(
        "what the relay's wallet received",
        stage.relay.received(RELAY_PRICE).await?,
        RELAY_PRICE,
    )?;
    narrator.show(
        "paid",
        &format!(
            "{} to the relay's {} (no real money)",
            msat(paid.amount),
            stage.money.wallet()
        ),
    );
    show_routing(stage, payment_hash, Msat::ZERO, narrator).await?;
    narrator.show(
        "proof",
        "the invoice and its preimage, whose SHA-256 is the payment hash",
    );
    let proof = ProofForHop {
        hop: 1,
        proof: paid.proof,
    };
    Ok(Paid {
        proof,
        payment_hash,
    })
}

/// The destination quotes over the relay, is paid, and takes a deposit.
pub(super) async fn destination(
    stage: &mut Stage,
    way: &Way,
    narrator: &mut Narrator<impl Write>,
) -> Result<(), Cause> {
    narrator.step("The destination is paid too, over the relay");
    stage.forget();
    let wanted = DESTINATION_PRICE.checked_mul(PACKETS_AHEAD);
    let wanted = wanted.unwrap_or(Msat::MAX);
    let invoice = quote_of_destination(stage, way, wanted).await?;
    let said = format!("{} for {PACKETS_AHEAD} packets", msat(wanted));
    narrator.show(
        "quote",
        &format!("{said}; asked and answered in control packets, free"),
    );
    let (paid, payment_hash) = pay(stage, stage.destination.id(), &invoice).await?;
    same("what was paid", paid.amount, wanted)?;
    let said = msat(paid.amount);
    narrator.show(
        "paid",
        &format!("{said} to the destination's {}", stage.money.wallet()),
    );
    show_routing(stage, payment_hash, ROUTING_FEE, narrator).await?;
    deposit(stage, way, paid, payment_hash).await?;
    let credit = msat(stage.destination.books().await?.credit);
    narrator.show(
        "deposited",
        &format!("the destination claimed the proof: the source has {credit} of credit there"),
    );
    Ok(())
}

/// Shows what Lightning took on top of a payment; the sandbox takes nothing.
async fn show_routing(
    stage: &Stage,
    payment_hash: [u8; 32],
    expected: Msat,
    narrator: &mut Narrator<impl Write>,
) -> Result<(), Cause> {
    if stage.money == Money::Sandbox {
        return Ok(());
    }
    let fee = stage.source.paid_for(payment_hash).await?.fee;
    same("the routing fee", fee, expected)?;
    let hash = ends(&to_hex(&payment_hash));
    let fee = match fee {
        Msat::ZERO => "no routing fee: the payee is at the other end of the channel".to_owned(),
        fee => format!("a routing fee of {} on top, for the relay", msat(fee)),
    };
    narrator.show("routed", &format!("payment {hash}, {fee}"));
    Ok(())
}

/// Asks the destination for an invoice.
async fn quote_of_destination(stage: &Stage, way: &Way, wanted: Msat) -> Result<String, Cause> {
    let mesh = stage.source.mesh();
    let quoted = mesh.request_quote(&way.route, 2, wanted, PATIENCE).await;
    let quoted = quoted.map_err(doing("asking the destination for a quote"))?;
    same("who quotes", quoted.by, stage.destination.id())?;
    let price = quoted.price.per_packet;
    same("the destination's price", price, DESTINATION_PRICE)?;
    let invoice = quoted.invoice;
    invoice.ok_or_else(|| differs("the destination's quote", "an invoice", "none"))
}

/// Shows the proof to the destination, and checks what it made of it.
async fn deposit(
    stage: &mut Stage,
    way: &Way,
    paid: PaidQuote,
    payment_hash: [u8; 32],
) -> Result<(), Cause> {
    let proof = ProofForHop {
        hop: 2,
        proof: paid.proof,
    };
    let mesh = stage.source.mesh();
    let credited = mesh.deposit(&way.route, proof, PATIENCE).await;
    let credited = credited.map_err(doing("depositing with the destination"))?;
    same("the credit that is confirmed", credited, paid.amount)?;
    let source = stage.source.id();
    expect_claim(&mut stage.destination, source, payment_hash, paid.amount).await?;
    let books = Books {
        deposited: paid.amount,
        credit: paid.amount,
        earned: Msat::ZERO,
    };
    same(
        "the destination's books",
        stage.destination.books().await?,
        books,
    )?;
    let relay_earned = stage.relay.books().await?.earned;
    same("what the relay earned by that", relay_earned, Msat::ZERO)
}

/// Waits until the node has claimed a payment for the source, by the event that it publishes.
pub(super) async fn expect_claim(
    actor: &mut Actor,
    payer: NodeId,
    payment_hash: [u8; 32],
    amount: Msat,
) -> Result<(), Cause> {
    let claimed = MeshEvent::PaymentVerified {
        payment_id: to_hex(&payment_hash),
        payer,
        amount,
    };
    let published = |seen: &Seen| match seen {
        Seen::Published(event @ MeshEvent::PaymentVerified { .. }) => Some(event.clone()),
        _ => None,
    };
    let event = actor.expect("the claim of the payment", published).await?;
    same("the claim", event, claimed)
}

/// Shows what anybody can read in the invoice, by another reader than the mesh's own.
async fn show_invoice(
    payee: &Actor,
    payer: NodeId,
    amount: Msat,
    text: &str,
    narrator: &mut Narrator<impl Write>,
) -> Result<(), Cause> {
    let unreadable = |error: &dyn std::fmt::Debug| differs("the invoice", "BOLT11", error);
    let invoice: Bolt11Invoice = text.parse().map_err(|error| unreadable(&error))?;
    same(
        "the invoice's network",
        invoice.currency(),
        Currency::Regtest,
    )?;
    same(
        "the invoice's amount",
        invoice.amount_milli_satoshis(),
        Some(amount.to_msat()),
    )?;
    let signer = invoice.recover_payee_pub_key().serialize();
    same("who signed the invoice", signer, payee.payee_key().await?)?;
    let described = invoice.description().to_string();
    let quote = Quote::from_text(&described).map_err(|error| unreadable(&error))?;
    same(
        "whom the quote is for",
        (quote.payer, quote.payee),
        (payer, payee.id()),
    )?;
    same("the amount of the quote", quote.amount, amount)?;
    let lives = invoice.expiry_time().as_secs();
    let hash = to_hex(&invoice.payment_hash().to_byte_array());
    narrator.show(
        "it reads",
        &format!(
            "{} on regtest, within {lives} s, payment hash {}",
            msat(amount),
            ends(&hash)
        ),
    );
    narrator.show(
        "its quote",
        &format!(
            "{} of credit with {} ({}) for {} (source) alone",
            msat(quote.amount),
            short(&quote.payee),
            payee.name,
            short(&quote.payer)
        ),
    );
    Ok(())
}

/// Has the source's wallet pay, and checks the preimage; answers with the payment and its hash.
async fn pay(
    stage: &mut Stage,
    payee: NodeId,
    invoice: &str,
) -> Result<(PaidQuote, [u8; 32]), Cause> {
    let limit = Msat::from_msat(100_000);
    let paid = stage.source.mesh().pay(payee, invoice, limit).await;
    let paid = paid.map_err(doing("paying the invoice"))?;
    let PaymentProof::Lightning { preimage, .. } = &paid.proof else {
        return Err(differs("the proof", "a Lightning proof", &paid.proof));
    };
    let hash = sha256::Hash::hash(preimage).to_byte_array();
    let named = invoice
        .parse::<Bolt11Invoice>()
        .map(|read| read.payment_hash().to_byte_array());
    same("the hash of the preimage", Some(hash), named.ok())?;
    stage.source.payments.push((paid.amount, hash));
    Ok((paid, hash))
}

/// Says what was being done when the mesh failed.
pub(super) fn doing(doing: &'static str) -> impl FnOnce(MeshError) -> Cause {
    move |source| Cause::Mesh { doing, source }
}
