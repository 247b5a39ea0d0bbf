//! Attempts to get credit without paying this node; docs/threats.md has the list.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod issuer;

use issuer::{AMOUNT, Draft, LIFETIME, NOW, Node, PAYER, hash_of};
use lightning_invoice::{Currency, ExpiryTime, PayeePubKey, Sha256, SiPrefix, TaggedField};
use mesh_payment::{InvoiceError, QuoteError, QuoteKey, Verifier, VerifyError};
use mesh_types::{Msat, Network, NodeId, PaymentProof, to_hex};

const THIEF: NodeId = NodeId::from_bytes([0x66; 32]);

fn refusal(proof: &PaymentProof) -> VerifyError {
    Node::ours().verifier().verify(proof, NOW).unwrap_err()
}

/// An invoice of the attacker's own making, under our quote.
fn self_made() -> Draft {
    let node = Node::ours();
    let mut draft = node.draft_with_foreign_preimage(&node.quote_for(THIEF, AMOUNT));
    draft.signer = Node::theirs().wallet;
    draft
}

#[test]
fn an_invoice_that_the_sender_issued_to_himself_buys_nothing() {
    let fake_tag = Node::theirs().quote().request.description;
    assert_eq!(refusal(&self_made().proof()), VerifyError::NotIssuedHere);
    assert!(matches!(
        refusal(&self_made().with_description(&fake_tag).proof()),
        VerifyError::QuoteOfAnotherNode { .. }
    ));
    assert_eq!(
        refusal(&self_made().with_description("coffee").proof()),
        VerifyError::Quote(QuoteError::Shape)
    );
}

#[test]
fn an_invoice_that_only_names_our_wallet_buys_nothing() {
    let ours = TaggedField::PayeePubKey(PayeePubKey(Node::ours().payee_key()));
    assert_eq!(
        refusal(&self_made().push(ours).proof()),
        VerifyError::NotIssuedHere
    );
}

#[test]
fn a_strangers_paid_invoice_and_its_leaked_preimage_buy_nothing() {
    let stranger = Node::theirs();
    let plain = stranger
        .draft(&stranger.quote())
        .with_description("1 cup of coffee");
    assert_eq!(
        refusal(&plain.proof()),
        VerifyError::Quote(QuoteError::Shape)
    );
    // The same payment hash and preimage, in an invoice that carries our quote.
    let dressed_up = plain.with_description(&Node::ours().quote().request.description);
    assert_eq!(refusal(&dressed_up.proof()), VerifyError::NotIssuedHere);
}

#[test]
fn a_payment_of_ours_for_something_else_buys_nothing() {
    // Our own wallet sold a coffee; its buyer knows the preimage and gets a quote, too.
    let node = Node::ours();
    let coffee = node
        .draft_with_foreign_preimage(&node.quote())
        .with_description("1 cup of coffee");
    assert_eq!(
        refusal(&coffee.proof()),
        VerifyError::Quote(QuoteError::Shape)
    );
    let mut dressed_up = coffee.with_description(&node.quote().request.description);
    dressed_up.signer = Node::theirs().wallet;
    assert_eq!(refusal(&dressed_up.proof()), VerifyError::NotIssuedHere);
}

#[test]
fn a_proof_for_another_relay_buys_nothing_here() {
    let expected = VerifyError::QuoteOfAnotherNode {
        payee: Node::theirs().id,
    };
    assert_eq!(refusal(&Node::theirs().paid()), expected);
}

#[test]
fn a_proof_for_another_relay_that_shares_our_wallet_buys_nothing_here() {
    let mut neighbour = Node::theirs();
    neighbour.wallet = Node::ours().wallet;
    let expected = VerifyError::QuoteOfAnotherNode {
        payee: neighbour.id,
    };
    assert_eq!(refusal(&neighbour.paid()), expected);
    let signature_alone = Node::ours().signature_verifier();
    assert_eq!(
        signature_alone.verify(&neighbour.paid(), NOW),
        Err(expected)
    );
}

#[test]
fn a_stolen_proof_credits_the_payer_whom_its_quote_names() {
    let payment = Node::ours()
        .verifier()
        .verify(&Node::ours().paid(), NOW)
        .unwrap();
    assert_eq!(payment.payer(), PAYER);
}

#[test]
fn a_stolen_proof_rewritten_for_the_thief_is_refused() {
    let node = Node::ours();
    let stolen = node.draft(&node.quote());
    // A quote of the thief's own has another preimage; one made from the victim's has no tag.
    let own_quote = node.quote_for(THIEF, AMOUNT).request.description;
    let mut rewritten = stolen.clone().with_description(&own_quote);
    rewritten.signer = Node::theirs().wallet;
    assert_eq!(refusal(&rewritten.proof()), VerifyError::NotIssuedHere);
    let text = node.quote().request.description;
    let renamed = text.replacen(&PAYER.to_string(), &THIEF.to_string(), 1);
    assert_ne!(renamed, text);
    assert_eq!(
        refusal(&stolen.with_description(&renamed).proof()),
        VerifyError::ForgedQuote
    );
}

#[test]
fn every_form_of_one_payment_has_one_claim() {
    let node = Node::ours();
    let draft = node.draft(&node.quote());
    let mut resigned = draft.clone();
    resigned.signer = Node::theirs().wallet;
    let mut upper_case = draft.proof();
    if let PaymentProof::Lightning { invoice, .. } = &mut upper_case {
        *invoice = invoice.to_uppercase();
    }
    let shorter = draft
        .clone()
        .with(TaggedField::ExpiryTime(ExpiryTime::from_seconds(60)));
    let mut other_unit = draft.clone();
    other_unit.raw.hrp.raw_amount = Some(AMOUNT.to_msat() / 100);
    other_unit.raw.hrp.si_prefix = Some(SiPrefix::Nano);
    let claim = node.verifier().verify(&draft.proof(), NOW).unwrap().claim();
    let forms = [
        resigned.proof(),
        upper_case,
        shorter.proof(),
        other_unit.proof(),
        draft.proof_of(&draft.signed_high_s()),
    ];
    for form in forms {
        assert_ne!(form, draft.proof());
        assert_eq!(node.verifier().verify(&form, NOW).unwrap().claim(), claim);
    }
}

#[test]
fn an_amount_overstated_in_proof_and_invoice_alike_is_refused() {
    let node = Node::ours();
    let mut draft = node.draft(&node.quote());
    draft.signer = Node::theirs().wallet;
    draft.raw.hrp.raw_amount = Some(16_777_215);
    draft.raw.hrp.si_prefix = Some(SiPrefix::Micro);
    let expected = VerifyError::QuoteAmount {
        quoted: AMOUNT,
        invoiced: Msat::from_sats(1_677_721_500).unwrap(),
    };
    assert_eq!(refusal(&draft.proof()), expected);
}

#[test]
fn an_amountless_invoice_under_our_quote_is_refused() {
    let node = Node::ours();
    let mut draft = node.draft(&node.quote());
    draft.raw.hrp.raw_amount = None;
    draft.raw.hrp.si_prefix = None;
    let mut proof = draft.proof();
    if let PaymentProof::Lightning { amount_msats, .. } = &mut proof {
        *amount_msats = AMOUNT.to_msat();
    }
    assert_eq!(refusal(&proof), VerifyError::Amountless);
}

#[test]
fn a_proof_that_puts_its_expiry_far_away_is_refused() {
    let mut proof = Node::ours().paid();
    if let PaymentProof::Lightning { expires_at, .. } = &mut proof {
        *expires_at = u64::MAX;
    }
    let after_the_end = NOW.plus(LIFETIME);
    for now in [NOW, after_the_end] {
        let refusal = Node::ours().verifier().verify(&proof, now).unwrap_err();
        assert!(matches!(refusal, VerifyError::FieldMismatch { .. }));
    }
}

#[test]
fn a_quote_paid_with_coins_of_a_test_network_is_none_on_another() {
    // The same identity on regtest and on mainnet: the regtest payment is real, its invoice is written anew.
    let on_regtest = Node::ours();
    let mut rewritten = on_regtest.draft(&on_regtest.quote());
    rewritten.raw.hrp.currency = Currency::Bitcoin;
    rewritten.signer = Node::theirs().wallet;
    let root = QuoteKey::derive(&[1; 32]);
    let on_mainnet = |key| Verifier {
        network: Network::Bitcoin,
        quote_key: Some(key),
        ..on_regtest.strict_verifier()
    };
    let refused = on_mainnet(root.on(Network::Bitcoin)).verify(&rewritten.proof(), NOW);
    assert_eq!(refused, Err(VerifyError::ForgedQuote));
    // What the attack would be worth with one key for both.
    let careless = on_mainnet(root.on(Network::Regtest)).verify(&rewritten.proof(), NOW);
    assert!(careless.is_ok());
}

#[test]
fn the_tag_in_a_quote_says_nothing_about_its_preimage() {
    let issued = Node::ours().quote();
    let preimage = to_hex(&issued.request.preimage);
    let text = issued.request.description;
    assert!(!text.contains(&preimage[..32]) && !text.contains(&preimage[32..]));
    let hash = to_hex(&hash_of(&issued.request.preimage));
    assert!(!text.contains(&hash[..32]));
}

#[test]
fn an_invoice_that_calls_itself_endless_is_refused() {
    let node = Node::ours();
    let endless = TaggedField::ExpiryTime(ExpiryTime::from_seconds(u64::MAX));
    let draft = node.draft(&node.quote()).with(endless);
    assert_eq!(
        refusal(&draft.proof()),
        VerifyError::Invoice(InvoiceError::Expiry)
    );
}

#[test]
fn a_payment_for_a_quote_that_has_ended_does_not_pay_the_next_one() {
    let node = Node::ours();
    let first = node.quote();
    let later = NOW.plus(LIFETIME);
    // Equal in all but its end, and so with another preimage.
    let second = node
        .quoter
        .quote(PAYER, AMOUNT, first.quote.nonce, later)
        .unwrap();
    let paid_hash = to_hex(&hash_of(&first.request.preimage));
    let mut reused = node
        .draft(&second)
        .with(TaggedField::PaymentHash(Sha256(paid_hash.parse().unwrap())));
    reused.preimage = first.request.preimage;
    reused.signer = Node::theirs().wallet;
    let verdict = node.verifier().verify(&reused.proof(), later);
    assert_eq!(verdict, Err(VerifyError::NotIssuedHere));
}
