//! What a wallet says is paid becomes a payment without a proof (P-26): each test breaks one thing about an invoice that is.
mod issuer;

use issuer::{AMOUNT, NOW, Node, PAYER, hash_of};
use mesh_payment::VerifyError;
use mesh_types::{Claim, ClaimKey, Msat, SettledInvoice};

/// The invoice of a quote of `node`, as its wallet tells of it when it is paid.
fn settled(node: &Node) -> SettledInvoice {
    let issued = node.quote();
    SettledInvoice {
        payment_hash: hash_of(&issued.request.preimage),
        description: issued.request.description,
        amount: AMOUNT,
        place: 1,
    }
}

#[test]
fn a_paid_quote_becomes_the_very_claim_that_its_proof_becomes() {
    let node = Node::ours();
    let by_wallet = node.strict_verifier().settled(&settled(&node)).unwrap();
    let by_proof = node.verifier().verify(&node.paid(), NOW).unwrap();
    let claim = by_wallet.unwrap().claim();
    assert_eq!(claim, by_proof.claim());
    assert_eq!((claim.payer, claim.amount), (PAYER, AMOUNT));
}

#[test]
fn what_else_the_wallet_is_used_for_is_no_payment_here() {
    let node = Node::ours();
    for description in ["", "coffee", "mesh-quote:1:", "mesh-quote:2:00"] {
        let coffee = SettledInvoice {
            description: description.to_owned(),
            ..settled(&node)
        };
        assert_eq!(node.verifier().settled(&coffee), None);
    }
}

#[test]
fn more_than_was_asked_is_credited_as_what_was_asked_and_less_is_refused() {
    let node = Node::ours();
    let arrived = |amount| SettledInvoice {
        amount: Msat::from_msat(amount),
        ..settled(&node)
    };
    let more = arrived(AMOUNT.to_msat() + 1);
    let payment = node.verifier().settled(&more).unwrap().unwrap();
    assert_eq!(payment.amount(), AMOUNT);
    let less = arrived(AMOUNT.to_msat() - 1);
    let refused = node.verifier().settled(&less).unwrap();
    assert_eq!(refused, Err(VerifyError::Unsettled));
}

#[test]
fn a_quote_of_another_node_or_a_forged_one_is_refused() {
    let (ours, theirs) = (Node::ours(), Node::theirs());
    let refused = ours.verifier().settled(&settled(&theirs)).unwrap();
    assert_eq!(
        refused,
        Err(VerifyError::QuoteOfAnotherNode { payee: theirs.id })
    );
    // Our id with somebody else's key.
    let mut forger = Node::theirs();
    forger.quoter.payee = ours.id;
    let refused = ours.verifier().settled(&settled(&forger)).unwrap();
    assert_eq!(refused, Err(VerifyError::ForgedQuote));
    let refused = ours.signature_verifier().settled(&settled(&ours)).unwrap();
    assert_eq!(refused, Err(VerifyError::NotIssuedHere));
}

/// A shop that shares the wallet lets its customers write descriptions: one writes a quote of ours there and pays the shop.
#[test]
fn an_invoice_of_somebody_else_at_the_same_wallet_is_refused_where_preimages_are_ours() {
    let node = Node::ours();
    let shop = SettledInvoice {
        payment_hash: [5; 32],
        ..settled(&node)
    };
    let refused = node.strict_verifier().settled(&shop).unwrap();
    assert_eq!(refused, Err(VerifyError::NotIssuedHere));
    // A wallet that chooses its own preimages cannot tell: it has to be the mesh's alone.
    let payment = node.verifier().settled(&shop).unwrap().unwrap();
    let key = ClaimKey::from_payment_hash([5; 32]);
    assert!(matches!(payment.claim(), Claim { key: named, .. } if named == key));
}
