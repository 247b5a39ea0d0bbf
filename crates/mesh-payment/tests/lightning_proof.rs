//! The rules of docs/payment.md for Lightning proofs: each test breaks one of them in an otherwise good proof.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod issuer;

use bech32::Fe32;
use issuer::{AMOUNT, Draft, LIFETIME, NOW, Node, PAYER, description, hash_of};
use lightning_invoice::{
    Currency, ExpiryTime, PayeePubKey, PaymentSecret, PositiveTimestamp, RawTaggedField, SiPrefix,
    TaggedField,
};
use mesh_payment::{
    Invoice, InvoiceError, MAX_CLOCK_SKEW, ProofField, ProofKind, QuoteError, Verifier, VerifyError,
};
use mesh_types::{
    Claim, ClaimKey, HexError, Incoming, MeshError, Msat, Network, NodeId, PaymentProof, UnixTime,
    from_hex, to_hex,
};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use std::{collections::HashSet, time::Duration};

fn draft() -> Draft {
    let node = Node::ours();
    node.draft(&node.quote())
}

fn refusal(proof: &PaymentProof) -> VerifyError {
    refusal_at(proof, NOW)
}

fn refusal_at(proof: &PaymentProof, now: UnixTime) -> VerifyError {
    Node::ours().verifier().verify(proof, now).unwrap_err()
}

fn field_count(field: &'static str, found: usize) -> VerifyError {
    VerifyError::Invoice(InvoiceError::FieldCount { field, found })
}

/// Changes amount, timestamp or expiry of a good proof.
fn altered(change: impl Fn(&mut u64, &mut u64, &mut u64)) -> PaymentProof {
    let mut proof = Node::ours().paid();
    if let PaymentProof::Lightning {
        amount_msats,
        timestamp,
        expires_at,
        ..
    } = &mut proof
    {
        change(amount_msats, timestamp, expires_at);
    }
    proof
}

#[test]
fn a_paid_quote_is_verified_for_its_payer_and_amount() {
    let node = Node::ours();
    let issued = node.quote();
    let payment = node.verifier().verify(&node.paid(), NOW).unwrap();
    let expected = Claim {
        key: ClaimKey::from_payment_hash(hash_of(&issued.request.preimage)),
        payer: PAYER,
        amount: AMOUNT,
        expires_at: issued.quote.expires_at,
        on_chain: None,
    };
    assert_eq!(payment.claim(), expected);
}

#[test]
fn p1_a_text_that_is_no_invoice_is_refused() {
    for text in [
        "",
        "lnbcrt",
        "mesh-quote:1:",
        "lnbcrt50u1pabcdef",
        "\u{1f980}",
    ] {
        let mut proof = Node::ours().paid();
        if let PaymentProof::Lightning { invoice, .. } = &mut proof {
            *invoice = text.to_owned();
        }
        let refusal = refusal(&proof);
        assert!(
            matches!(refusal, VerifyError::Invoice(InvoiceError::Parse(_))),
            "{text:?}: {refusal}"
        );
    }
}

#[test]
fn p1_an_invoice_without_exactly_one_payment_hash_is_refused() {
    let other =
        TaggedField::PaymentHash(lightning_invoice::Sha256(to_hex(&[3; 32]).parse().unwrap()));
    assert_eq!(refusal(&draft().push(other).proof()), field_count("p", 2));
    let none = draft().without(|field| matches!(field, TaggedField::PaymentHash(_)));
    assert_eq!(refusal(&none.proof()), field_count("p", 0));
}

#[test]
fn p1_an_invoice_without_exactly_one_description_is_refused() {
    let other = description("something else");
    assert_eq!(
        refusal(&draft().push(other).proof()),
        field_count("d or h", 2)
    );
    let hash =
        TaggedField::DescriptionHash(lightning_invoice::Sha256(to_hex(&[3; 32]).parse().unwrap()));
    assert_eq!(
        refusal(&draft().push(hash).proof()),
        field_count("d or h", 2)
    );
    let none = draft().without(|field| matches!(field, TaggedField::Description(_)));
    assert_eq!(refusal(&none.proof()), field_count("d or h", 0));
}

#[test]
fn p1_an_invoice_without_exactly_one_payment_secret_is_refused() {
    let other = TaggedField::PaymentSecret(PaymentSecret([4; 32]));
    assert_eq!(refusal(&draft().push(other).proof()), field_count("s", 2));
    let none = draft().without(|field| matches!(field, TaggedField::PaymentSecret(_)));
    assert_eq!(refusal(&none.proof()), field_count("s", 0));
}

#[test]
fn p1_an_invoice_that_names_two_payees_or_two_expiries_is_refused() {
    let payee = || TaggedField::PayeePubKey(PayeePubKey(Node::ours().payee_key()));
    let two_payees = draft().push(payee()).push(payee());
    assert_eq!(refusal(&two_payees.proof()), field_count("n", 2));
    let other = TaggedField::ExpiryTime(ExpiryTime::from_seconds(60));
    assert_eq!(refusal(&draft().push(other).proof()), field_count("x", 2));
}

#[test]
fn p1_an_invoice_that_requires_unknown_features_is_refused() {
    let mut features = draft().raw.features().cloned().unwrap();
    features.set_required_custom_bit(1_000).unwrap();
    let strange = draft().with(TaggedField::Features(features));
    assert_eq!(
        refusal(&strange.proof()),
        VerifyError::Invoice(InvoiceError::Features)
    );
}

#[test]
fn p1_an_invoice_without_the_payment_secret_feature_is_refused() {
    let none = draft().without(|field| matches!(field, TaggedField::Features(_)));
    assert_eq!(refusal(&none.proof()), field_count("9", 0));
    let mut features = draft().raw.features().cloned().unwrap();
    features.clear_payment_secret();
    let without = draft().with(TaggedField::Features(features));
    assert_eq!(
        refusal(&without.proof()),
        VerifyError::Invoice(InvoiceError::Features)
    );
}

#[test]
fn p1_an_amount_finer_than_a_millisatoshi_or_beyond_any_is_refused() {
    let amounts = [
        (50_000_001, Some(SiPrefix::Pico)),
        (u64::MAX, Some(SiPrefix::Pico)),
        (18_446_745, None),
    ];
    for (amount, prefix) in amounts {
        let mut draft = draft();
        draft.raw.hrp.raw_amount = Some(amount);
        draft.raw.hrp.si_prefix = prefix;
        assert_eq!(
            refusal(&draft.proof()),
            VerifyError::Invoice(InvoiceError::Amount),
            "{amount} {prefix:?}"
        );
    }
}

#[test]
fn p1_an_expiry_beyond_any_clock_is_refused() {
    for secs in [u64::MAX, u64::MAX / 1_000] {
        let endless = draft().with(TaggedField::ExpiryTime(ExpiryTime::from_seconds(secs)));
        assert_eq!(
            refusal(&endless.proof()),
            VerifyError::Invoice(InvoiceError::Expiry),
            "{secs}"
        );
    }
}

/// An invoice of as many characters, filled up with fields of a kind that nobody knows.
fn invoice_of(characters: usize) -> String {
    let mut long = draft();
    let mut missing = characters - long.text().len();
    while missing > 0 {
        // A field has a letter, two characters of length, and at most 1,023 of data; none has to be a rest too short.
        let field_len = if missing > 1_026 {
            1_000.min(missing - 3)
        } else {
            missing
        };
        let data_len = field_len - 3;
        let digit = |value: usize| Fe32::try_from(u8::try_from(value).unwrap()).unwrap();
        let mut field = vec![Fe32::T, digit(data_len / 32), digit(data_len % 32)];
        field.resize(field_len, Fe32::Q);
        let tagged_fields = &mut long.raw.data.tagged_fields;
        tagged_fields.push(RawTaggedField::UnknownSemantics(field));
        missing -= field_len;
    }
    long.text()
}

#[test]
fn p1_an_invoice_has_at_most_7089_characters() {
    let longest = invoice_of(7_089);
    assert_eq!(longest.len(), 7_089);
    let invoice = Invoice::parse(&longest).unwrap();
    assert!(invoice.is_signed_by(&Node::ours().payee_key()));
    let one_more = invoice_of(7_090);
    assert_eq!(one_more.len(), 7_090);
    assert!(matches!(
        Invoice::parse(&one_more),
        Err(InvoiceError::Parse(_))
    ));
}

#[test]
fn p2_an_invoice_is_good_on_its_own_network_only() {
    let networks = [
        (Network::Bitcoin, Currency::Bitcoin),
        (Network::Testnet, Currency::BitcoinTestnet),
        (Network::Testnet4, Currency::BitcoinTestnet),
        (Network::Signet, Currency::Signet),
        (Network::Regtest, Currency::Regtest),
    ];
    let prefixes = [
        Currency::Bitcoin,
        Currency::BitcoinTestnet,
        Currency::Signet,
        Currency::Regtest,
        Currency::Simnet,
    ];
    for (network, own) in networks {
        let verifier = Verifier {
            network,
            ..Node::ours().verifier()
        };
        for prefix in &prefixes {
            let mut draft = draft();
            draft.raw.hrp.currency = prefix.clone();
            let verdict = verifier.verify(&draft.proof(), NOW).map(drop);
            let expected = if *prefix == own {
                Ok(())
            } else {
                Err(VerifyError::WrongNetwork { expected: network })
            };
            assert_eq!(verdict, expected, "{prefix} on {network}");
        }
    }
}

#[test]
fn p3_an_invoice_that_names_no_amount_is_refused() {
    let mut draft = draft();
    draft.raw.hrp.raw_amount = None;
    draft.raw.hrp.si_prefix = None;
    assert_eq!(refusal(&draft.proof()), VerifyError::Amountless);
}

#[test]
fn p3_an_invoice_for_nothing_is_refused() {
    let mut draft = draft();
    draft.raw.hrp.raw_amount = Some(0);
    assert_eq!(refusal(&draft.proof()), VerifyError::Amountless);
}

#[test]
fn p4_a_preimage_of_another_hash_is_refused() {
    for bit in 0..256 {
        let mut wrong = draft();
        wrong.preimage[bit / 8] ^= 1 << (bit % 8);
        let refusal = refusal(&wrong.proof());
        assert_eq!(refusal, VerifyError::WrongPreimage, "bit {bit}");
    }
}

#[test]
fn p5_a_proof_that_overstates_or_understates_its_amount_is_refused() {
    let actual = AMOUNT.to_msat();
    for claimed in [actual + 1, actual - 1, actual * 1_000, 0, u64::MAX] {
        let wrong = altered(|amount, _, _| *amount = claimed);
        let expected = VerifyError::FieldMismatch {
            field: ProofField::Amount,
            claimed,
            actual,
        };
        assert_eq!(refusal(&wrong), expected);
    }
}

#[test]
fn p5_a_proof_with_another_timestamp_than_its_invoice_is_refused() {
    let actual = NOW.to_secs();
    for claimed in [actual + 1, actual - 1, 0, u64::MAX] {
        let wrong = altered(|_, timestamp, _| *timestamp = claimed);
        let expected = VerifyError::FieldMismatch {
            field: ProofField::Timestamp,
            claimed,
            actual,
        };
        assert_eq!(refusal(&wrong), expected);
    }
}

#[test]
fn p5_a_proof_with_another_expiry_than_its_invoice_is_refused() {
    let actual = NOW.plus(LIFETIME).to_secs();
    for claimed in [actual + 1, actual - 1, 0, u64::MAX] {
        let wrong = altered(|_, _, expires_at| *expires_at = claimed);
        let expected = VerifyError::FieldMismatch {
            field: ProofField::Expiry,
            claimed,
            actual,
        };
        assert_eq!(refusal(&wrong), expected);
    }
}

#[test]
fn an_invoice_that_names_no_expiry_lives_for_an_hour() {
    let bare = draft().without(|field| matches!(field, TaggedField::ExpiryTime(_)));
    let invoice = Invoice::parse(&bare.text()).unwrap();
    assert_eq!(invoice.expires_at(), NOW.plus(Duration::from_secs(3_600)));
    assert!(Node::ours().verifier().verify(&bare.proof(), NOW).is_ok());
}

#[test]
fn p6_an_invoice_with_the_hash_of_a_description_carries_no_quote() {
    let hash =
        TaggedField::DescriptionHash(lightning_invoice::Sha256(to_hex(&[3; 32]).parse().unwrap()));
    let hashed = draft()
        .without(|field| matches!(field, TaggedField::Description(_)))
        .push(hash);
    assert_eq!(refusal(&hashed.proof()), VerifyError::NoQuote);
}

#[test]
fn p6_a_description_that_is_no_quote_is_refused() {
    let text = Node::ours().quote().request.description;
    let next_version = text.replacen(":1:", ":2:", 1);
    for wrong in ["", "1 cup of coffee", next_version.as_str()] {
        let draft = draft().with_description(wrong);
        assert_eq!(
            refusal(&draft.proof()),
            VerifyError::Quote(QuoteError::Shape),
            "{wrong:?}"
        );
    }
    for wrong in [
        format!("{text} "),
        format!("{text}00"),
        text[..200].to_owned(),
    ] {
        let refusal = refusal(&draft().with_description(&wrong).proof());
        let is_length = matches!(
            refusal,
            VerifyError::Quote(QuoteError::Hex(HexError::Length { .. }))
        );
        assert!(is_length, "{wrong:?}: {refusal}");
    }
}

#[test]
fn p7_a_quote_by_another_node_is_refused() {
    let quote = Node::theirs().quote();
    let draft = draft().with_description(&quote.request.description);
    let expected = VerifyError::QuoteOfAnotherNode {
        payee: Node::theirs().id,
    };
    assert_eq!(refusal(&draft.proof()), expected);
}

#[test]
fn p8_a_quote_with_any_one_bit_flipped_is_refused() {
    let text = Node::ours().quote().request.description;
    let (prefix, hex) = text.split_at(text.len() - 2 * 116);
    let bytes: [u8; 116] = from_hex(hex).unwrap();
    let verifier = Node::ours().verifier();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 0x80 >> (bit % 8);
        let draft = draft().with_description(&format!("{prefix}{}", to_hex(&flipped)));
        let refusal = verifier.verify(&draft.proof(), NOW).unwrap_err();
        let expected = match bit / 8 {
            32..64 => VerifyError::QuoteOfAnotherNode {
                payee: NodeId::from_bytes(flipped[32..64].try_into().unwrap()),
            },
            // The nine highest bits of the expiry are beyond the range of any clock.
            72..80 if bit < 72 * 8 + 9 => VerifyError::Quote(QuoteError::Shape),
            _ => VerifyError::ForgedQuote,
        };
        assert_eq!(refusal, expected, "bit {bit}");
    }
}

#[test]
fn p8_a_quote_stamped_with_another_key_is_refused() {
    let node = Node::ours();
    let mut forger = Node::theirs();
    forger.quoter.payee = node.id;
    let mut draft = forger.draft(&forger.quote());
    draft.signer = node.wallet;
    assert_eq!(refusal(&draft.proof()), VerifyError::ForgedQuote);
}

#[test]
fn p9_an_invoice_for_another_amount_than_its_quote_is_refused() {
    for sats in [4_999, 5_001, 1] {
        let mut draft = draft();
        draft.raw.hrp.raw_amount = Some(sats * 10);
        draft.raw.hrp.si_prefix = Some(SiPrefix::Nano);
        let expected = VerifyError::QuoteAmount {
            quoted: AMOUNT,
            invoiced: Msat::from_sats(sats).unwrap(),
        };
        assert_eq!(refusal(&draft.proof()), expected);
    }
}

#[test]
fn a_changed_price_does_not_break_a_quote_already_given() {
    let before = Node::ours().paid();
    let mut raised = Node::ours();
    raised.quoter.price_epoch += 1;
    assert_ne!(raised.paid(), before);
    for paid in [before, raised.paid()] {
        assert!(raised.verifier().verify(&paid, NOW).is_ok());
    }
}

#[test]
fn p10_a_payment_lives_until_just_before_its_end() {
    let node = Node::ours();
    let end = NOW.plus(LIFETIME);
    let last = UnixTime::from_millis(end.to_millis() - 1);
    assert!(node.verifier().verify(&node.paid(), last).is_ok());
    let expected = VerifyError::Expired { expired_at: end };
    assert_eq!(refusal_at(&node.paid(), end), expected);
    let forever = UnixTime::from_millis(u64::MAX);
    assert_eq!(refusal_at(&node.paid(), forever), expected);
}

#[test]
fn p10_an_invoice_rewritten_to_live_longer_does_not_revive_its_quote() {
    let day = TaggedField::ExpiryTime(ExpiryTime::from_seconds(86_400));
    let later = PositiveTimestamp::from_unix_timestamp(NOW.plus(LIFETIME).to_secs()).unwrap();
    let mut rewritten = draft().with(day);
    rewritten.raw.data.timestamp = later;
    let end = NOW.plus(LIFETIME);
    let expected = VerifyError::Expired { expired_at: end };
    assert_eq!(refusal_at(&rewritten.proof(), end), expected);
}

#[test]
fn p10_an_invoice_that_ends_before_its_quote_ends_the_payment_as_soon_as_no_clock_can_doubt_it() {
    let minute = TaggedField::ExpiryTime(ExpiryTime::from_seconds(60));
    let short = draft().with(minute);
    let end = NOW.plus(Duration::from_secs(60)).plus(MAX_CLOCK_SKEW);
    assert!(end < NOW.plus(LIFETIME));
    let last = UnixTime::from_millis(end.to_millis() - 1);
    assert!(Node::ours().verifier().verify(&short.proof(), last).is_ok());
    let expected = VerifyError::Expired { expired_at: end };
    assert_eq!(refusal_at(&short.proof(), end), expected);
}

#[test]
fn p10_an_invoice_from_further_in_the_future_than_clocks_differ_is_refused() {
    let judge = |made_at: UnixTime| {
        let mut ahead = draft();
        ahead.raw.data.timestamp =
            PositiveTimestamp::from_unix_timestamp(made_at.to_secs()).unwrap();
        Node::ours().verifier().verify(&ahead.proof(), NOW)
    };
    let most = NOW.plus(MAX_CLOCK_SKEW);
    assert!(judge(most).is_ok());
    let made_at = most.plus(Duration::from_secs(1));
    assert_eq!(judge(made_at), Err(VerifyError::FromTheFuture { made_at }));
}

#[test]
fn the_claim_lives_as_long_as_the_quote_however_short_its_invoice() {
    let node = Node::ours();
    let minute = TaggedField::ExpiryTime(ExpiryTime::from_seconds(60));
    let short = draft().with(minute).proof();
    let payment = node.verifier().verify(&short, NOW).unwrap();
    assert_eq!(payment.expires_at(), node.quote().quote.expires_at);
}

#[test]
fn p11_a_derived_preimage_needs_no_signature_of_the_payee() {
    let mut resigned = draft();
    resigned.signer = Node::theirs().wallet;
    let verifier = Node::ours().strict_verifier();
    assert!(verifier.verify(&resigned.proof(), NOW).is_ok());
}

#[test]
fn p11_an_invoice_with_another_preimage_is_good_by_the_payees_signature() {
    let node = Node::ours();
    let draft = node.draft_with_foreign_preimage(&node.quote());
    for verifier in [node.verifier(), node.signature_verifier()] {
        assert!(verifier.verify(&draft.proof(), NOW).is_ok());
    }
    assert_eq!(
        node.strict_verifier().verify(&draft.proof(), NOW),
        Err(VerifyError::NotIssuedHere)
    );
}

#[test]
fn p11_an_invoice_with_another_preimage_and_another_signer_is_refused() {
    let node = Node::ours();
    let mut draft = node.draft_with_foreign_preimage(&node.quote());
    draft.signer = Node::theirs().wallet;
    assert_eq!(refusal(&draft.proof()), VerifyError::NotIssuedHere);
}

#[test]
fn p11_an_invoice_that_names_another_payee_is_not_signed_by_ours() {
    let node = Node::ours();
    let named = |key| TaggedField::PayeePubKey(PayeePubKey(key));
    let draft = node.draft_with_foreign_preimage(&node.quote());
    let right = draft.clone().push(named(node.payee_key()));
    assert!(node.verifier().verify(&right.proof(), NOW).is_ok());
    let wrong = draft.push(named(Node::theirs().payee_key()));
    assert_eq!(refusal(&wrong.proof()), VerifyError::NotIssuedHere);
}

#[test]
fn p11_a_high_s_signature_counts_where_the_key_would_be_recovered() {
    let node = Node::ours();
    let draft = node.draft_with_foreign_preimage(&node.quote());
    let unnamed = draft.proof_of(&draft.signed_high_s());
    assert!(node.verifier().verify(&unnamed, NOW).is_ok());
    let named = draft.push(TaggedField::PayeePubKey(PayeePubKey(node.payee_key())));
    let refused = named.proof_of(&named.signed_high_s());
    assert_eq!(refusal(&refused), VerifyError::NotIssuedHere);
}

/// What the group's order lacks to the field's size (SEC 2): no point has an x that is larger by that than the order.
const ORDER_TO_FIELD: &str = "000000000000000000000000000000014551231950b75fc4402da1722fc9baee";

#[test]
fn p1_a_recovery_id_that_no_point_can_have_is_refused() {
    let parsed = |r: [u8; 32], id| {
        let mut compact = [1; 64];
        compact[..32].copy_from_slice(&r);
        let id = RecoveryId::from_i32(id).unwrap();
        let signature = RecoverableSignature::from_compact(&compact, id).unwrap();
        let signed = draft().raw.sign(|_| Ok::<_, ()>(signature)).unwrap();
        Invoice::parse(&signed.to_string()).map(|invoice| invoice.timestamp())
    };
    let first: [u8; 32] = from_hex(ORDER_TO_FIELD).unwrap();
    let mut last = first;
    last[31] -= 1;
    for id in [0, 1] {
        assert_eq!(parsed(last, id), Ok(NOW));
        assert_eq!(parsed(first, id), Ok(NOW));
        assert_eq!(parsed([0x7f; 32], id), Ok(NOW));
    }
    for id in [2, 3] {
        assert_eq!(parsed(last, id), Ok(NOW));
        assert_eq!(parsed(first, id), Err(InvoiceError::Signature));
        assert_eq!(parsed([0x7f; 32], id), Err(InvoiceError::Signature));
    }
}

#[test]
fn p11_a_signature_covers_invoices_of_any_length() {
    let node = Node::ours();
    let lengths: HashSet<usize> = (0..8)
        .map(|len| {
            let expiry = ExpiryTime::from_seconds(1 << (5 * len));
            let text = draft().with(TaggedField::ExpiryTime(expiry)).text();
            let invoice = Invoice::parse(&text).unwrap();
            assert!(invoice.is_signed_by(&node.payee_key()), "{text}");
            assert!(!invoice.is_signed_by(&Node::theirs().payee_key()));
            text.len() % 8
        })
        .collect();
    // All the ways in which five bits a character can end inside a byte.
    assert_eq!(lengths.len(), 8);
}

#[test]
fn an_invoice_is_recognised_by_our_preimage_or_our_payees_signature() {
    let node = Node::ours();
    let preimage = node.quote().request.preimage;
    let own = draft().text();
    let of_wallet = node.draft_with_foreign_preimage(&node.quote()).text();
    let (both, strict) = (node.verifier(), node.strict_verifier());
    assert!(both.would_recognise(&own, &preimage) && strict.would_recognise(&own, &preimage));
    assert!(both.would_recognise(&of_wallet, &preimage));
    assert!(!strict.would_recognise(&of_wallet, &preimage));
    assert!(!both.would_recognise("lnbc1", &preimage));
}

#[test]
fn p11_a_verifier_without_any_key_refuses_everything() {
    let node = Node::ours();
    let blind = Verifier {
        quote_key: None,
        payee_key: None,
        ..node.verifier()
    };
    assert_eq!(
        blind.verify(&node.paid(), NOW),
        Err(VerifyError::NotIssuedHere)
    );
}

#[test]
fn p25_the_wallet_has_to_have_what_the_proof_says() {
    let node = Node::ours();
    let payment = node.verifier().verify(&node.paid(), NOW).unwrap();
    let settled = |msat: u64| Incoming::Settled {
        amount: Msat::from_msat(msat),
    };
    let actual = AMOUNT.to_msat();
    for found in [settled(actual), settled(actual + 1)] {
        assert_eq!(payment.check_settled(found), Ok(()));
    }
    for found in [settled(actual - 1), Incoming::Unpaid, Incoming::Held] {
        let unsettled = Err(VerifyError::Unsettled);
        assert_eq!(payment.check_settled(found), unsettled);
    }
    let foreign = payment.check_settled(Incoming::NotOurs);
    assert_eq!(foreign, Err(VerifyError::NotIssuedHere));
}

#[test]
fn p12_proofs_that_are_not_lightning_are_not_enabled() {
    let on_chain = PaymentProof::OnChainSettlement {
        payment_request_id: "request".to_owned(),
        tx_hash: [1; 32],
        amount_sats: 1,
        timestamp: NOW.to_secs(),
    };
    let instant = PaymentProof::InstantSettlement {
        covenant_proof: vec![1, 2, 3],
        output_index: 0,
        merkle_proof: vec![[1; 32]],
        amount_sats: 1,
        timestamp: NOW.to_secs(),
    };
    for (proof, kind) in [
        (on_chain, ProofKind::OnChainSettlement),
        (instant, ProofKind::InstantSettlement),
    ] {
        assert_eq!(refusal(&proof), VerifyError::NotEnabled(kind));
    }
}

#[test]
fn a_refusal_says_nothing_that_would_steer_a_terminal() {
    for strange in ["\u{1b}[2J", "\n", "\u{0}", "\u{9b}"] {
        let mut proof = Node::ours().paid();
        if let PaymentProof::Lightning { invoice, .. } = &mut proof {
            invoice.push_str(strange);
        }
        let reason = refusal(&proof).to_string();
        assert!(!reason.contains(char::is_control), "{reason:?}");
    }
}

#[test]
fn a_refusal_says_its_reason_in_the_contracts_error() {
    let refusal = VerifyError::NotEnabled(ProofKind::OnChainSettlement);
    let expected = "on-chain settlement proofs are not enabled on this node".to_owned();
    assert_eq!(
        MeshError::from(refusal),
        MeshError::PaymentVerificationFailed(expected)
    );
}
