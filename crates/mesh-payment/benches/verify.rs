//! Verifying proofs, beside what any reader of the same invoice has to do.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench that cannot set up its work has nothing to measure"
)]

#[path = "../tests/issuer/mod.rs"]
mod issuer;

use criterion::{Criterion, criterion_group, criterion_main};
use issuer::{NOW, Node};
use lightning_invoice::{Bolt11Invoice, PayeePubKey, SignedRawBolt11Invoice, TaggedField};
use mesh_payment::Verifier;
use mesh_types::PaymentProof;
use secp256k1::{Message, Secp256k1};
use std::hint::black_box;

fn text(proof: &PaymentProof) -> &str {
    match proof {
        PaymentProof::Lightning { invoice, .. } => invoice,
        other => panic!("{other:?}"),
    }
}

fn read(text: &str) -> SignedRawBolt11Invoice {
    text.parse().unwrap()
}

fn good(verifier: &Verifier, proof: &PaymentProof) {
    let payment = verifier.verify(black_box(proof), NOW);
    assert!(black_box(payment).is_ok());
}

/// Owed: at most twice the floor, and five times as fast as one recovery.
fn own_quote(c: &mut Criterion) {
    let node = Node::ours();
    let proof = node.paid();
    let mut group = c.benchmark_group("own quote");
    group.bench_function("floor: parse, no signature", |b| {
        b.iter(|| read(black_box(text(&proof))))
    });
    let verifier = node.verifier();
    group.bench_function("verify", |b| b.iter(|| good(&verifier, &proof)));
    let invoice = read(text(&proof));
    let secp = Secp256k1::new();
    let digest = Message::from_digest(*invoice.signable_hash());
    group.bench_function("for comparison: one ECDSA recovery", |b| {
        b.iter(|| secp.recover_ecdsa(black_box(&digest), &invoice.signature().0))
    });
    group.finish();
}

/// Owed: at most 1.15 times the floor.
fn foreign_preimage(c: &mut Criterion) {
    let node = Node::ours();
    let proof = node.draft_with_foreign_preimage(&node.quote()).proof();
    let mut group = c.benchmark_group("foreign preimage");
    let secp = Secp256k1::new();
    group.bench_function("floor: parse and one ECDSA recovery", |b| {
        b.iter(|| {
            let invoice = read(black_box(text(&proof)));
            let digest = Message::from_digest(*invoice.signable_hash());
            secp.recover_ecdsa(&digest, &invoice.signature().0)
        })
    });
    let verifier = node.signature_verifier();
    group.bench_function("verify", |b| b.iter(|| good(&verifier, &proof)));
    group.bench_function("for comparison: Bolt11Invoice and its payee", |b| {
        b.iter(|| {
            let invoice: Bolt11Invoice = black_box(text(&proof)).parse().unwrap();
            invoice.get_payee_pub_key()
        })
    });
    group.finish();
}

/// What a proof costs that is made to cost: as many points of the curve as an invoice holds.
fn worst(c: &mut Criterion) {
    let node = Node::ours();
    let payee = || TaggedField::PayeePubKey(PayeePubKey(node.payee_key()));
    let draft = (0..112).fold(node.draft(&node.quote()), |draft, _| draft.push(payee()));
    let proof = draft.proof();
    let verifier = node.verifier();
    let title = format!("refuse {} characters of keys", text(&proof).len());
    c.bench_function(&title, |b| {
        b.iter(|| assert!(verifier.verify(black_box(&proof), NOW).is_err()))
    });
}

criterion_group!(benches, own_quote, foreign_preimage, worst);
criterion_main!(benches);
