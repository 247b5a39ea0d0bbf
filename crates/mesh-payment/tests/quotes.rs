//! Quotes: what they ask, what stands in their text, and what follows from them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod issuer;
#[path = "harness/quote.rs"]
mod quote_text;

use issuer::{AMOUNT, LIFETIME, NOW, Node, PAYER};
use mesh_payment::{IssuedQuote, MAX_QUOTE, Quote, QuoteError, QuoteKey, Quoter, QuoterError};
use mesh_types::{HexError, Msat, Network, NodeId, UnixTime, from_hex, to_hex};
use proptest::prelude::*;
use serde_json::Value;
use std::{collections::HashSet, time::Duration};

const TEXT: &str = concat!(
    "mesh-quote:1:",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "0101010101010101010101010101010101010101010101010101010101010101",
    "00000000004c4b40",
    "000000006ab13dd8",
    "00000007",
    "09090909090909090909090909090909",
    "a716ba3bdd72a9cdb850447e235253a7",
);

/// The vectors of one kind, as tests/vectors/generate.py made them.
fn vectors(kind: &str) -> Vec<Value> {
    let json: Value = serde_json::from_str(include_str!("vectors/quotes.json")).unwrap();
    let vectors = json[kind].as_array().unwrap().clone();
    assert!(!vectors.is_empty());
    vectors
}

fn bytes<const N: usize>(hex: &Value) -> [u8; N] {
    from_hex(hex.as_str().unwrap()).unwrap()
}

fn asked(msat: u64) -> Result<IssuedQuote, QuoterError> {
    let amount = Msat::from_msat(msat);
    Node::ours().quoter.quote(PAYER, amount, [9; 16], NOW)
}

#[test]
fn quotes_tags_and_preimages_are_those_of_an_independent_implementation() {
    for vector in vectors("good") {
        let number = |key: &str| vector[key].as_u64().unwrap();
        let root = QuoteKey::derive(&bytes(&vector["secret"]));
        let network = vector["network"].as_str();
        let key = network.map_or(root.clone(), |network| root.on(network.parse().unwrap()));
        let quoter = Quoter {
            payee: NodeId::from_bytes(bytes(&vector["payee"])),
            key: key.clone(),
            lifetime: LIFETIME,
            price_epoch: u32::try_from(number("price_epoch")).unwrap(),
        };
        let payer = NodeId::from_bytes(bytes(&vector["payer"]));
        let amount = Msat::from_msat(number("amount_msat"));
        let now = UnixTime::from_secs(number("expires_at") - LIFETIME.as_secs());
        let issued = quoter
            .quote(payer, amount, bytes(&vector["nonce"]), now)
            .unwrap();
        assert_eq!(issued.quote.to_text(), vector["text"], "{vector}");
        let preimage: [u8; 32] = bytes(&vector["preimage"]);
        assert_eq!(issued.request.preimage, preimage, "{vector}");
        let read = Quote::from_text(vector["text"].as_str().unwrap()).unwrap();
        assert_eq!(read, issued.quote, "{vector}");
        assert!(key.recognises(&read), "{vector}");
    }
}

#[test]
fn texts_that_an_independent_implementation_calls_malformed_are_refused() {
    for vector in vectors("malformed") {
        let text = vector["text"].as_str().unwrap();
        assert!(Quote::from_text(text).is_err(), "{vector}");
    }
}

#[test]
fn a_quote_text_says_what_its_fields_are() {
    let quote = Quote::from_text(TEXT).unwrap();
    assert_eq!(quote.payer, PAYER);
    assert_eq!(quote.payee, Node::ours().id);
    assert_eq!(quote.amount, AMOUNT);
    assert_eq!(quote.expires_at, NOW.plus(LIFETIME));
    assert_eq!(quote.price_epoch, 7);
    assert_eq!(quote.nonce, [9; 16]);
    assert!(Node::ours().quoter.key.recognises(&quote));
}

#[test]
fn a_text_in_another_form_is_no_quote() {
    let upper_case = TEXT.to_uppercase().replacen("MESH-QUOTE", "mesh-quote", 1);
    assert_eq!(
        Quote::from_text(&upper_case),
        Err(QuoteError::Hex(HexError::Character { at: 0 }))
    );
    let digit = TEXT.replacen("00000000004c4b40", "0000000000_c4b40", 1);
    assert!(matches!(
        Quote::from_text(&digit),
        Err(QuoteError::Hex(HexError::Character { .. }))
    ));
    assert_eq!(Quote::from_text(&TEXT[1..]), Err(QuoteError::Shape));
    let length = (TEXT.len() - "mesh-quote:1:".len()).to_string();
    assert!(QuoteError::Shape.to_string().contains(&length));
    assert_eq!(
        Quote::from_text(&format!(" {TEXT}")),
        Err(QuoteError::Shape)
    );
    assert!(matches!(
        Quote::from_text(&TEXT[..TEXT.len() - 1]),
        Err(QuoteError::Hex(HexError::Length { .. }))
    ));
}

#[test]
fn an_expiry_beyond_any_clock_is_no_quote() {
    let last = u64::MAX / 1_000;
    let with_expiry = |secs: u64| {
        let hex = to_hex(&secs.to_be_bytes());
        Quote::from_text(&TEXT.replacen("000000006ab13dd8", &hex, 1)).map(|quote| quote.expires_at)
    };
    assert_eq!(with_expiry(last), Ok(UnixTime::from_secs(last)));
    assert_eq!(with_expiry(last + 1), Err(QuoteError::Shape));
    assert_eq!(with_expiry(u64::MAX), Err(QuoteError::Shape));
}

#[test]
fn a_quote_asks_for_whole_satoshi_rounded_up() {
    for (wanted, quoted) in [(1, 1_000), (999, 1_000), (1_000, 1_000), (1_001, 2_000)] {
        let issued = asked(wanted).unwrap();
        assert_eq!(issued.quote.amount, Msat::from_msat(quoted));
        assert_eq!(issued.request.amount, Msat::from_msat(quoted));
    }
}

#[test]
fn a_quote_for_nothing_or_too_much_is_not_made() {
    let most = MAX_QUOTE.to_msat();
    assert_eq!(asked(0), Err(QuoterError::Nothing));
    assert_eq!(asked(most).unwrap().quote.amount, MAX_QUOTE);
    assert_eq!(asked(most - 999).unwrap().quote.amount, MAX_QUOTE);
    for wanted in [most + 1, u64::MAX - 1, u64::MAX] {
        let amount = Msat::from_msat(wanted);
        assert_eq!(asked(wanted), Err(QuoterError::TooMuch { amount }));
    }
}

#[test]
fn a_quote_ends_in_the_whole_second_of_its_lifetimes_end() {
    let late = UnixTime::from_millis(NOW.to_millis() + 999);
    let issued = Node::ours()
        .quoter
        .quote(PAYER, AMOUNT, [9; 16], late)
        .unwrap();
    assert_eq!(issued.quote.expires_at, NOW.plus(LIFETIME));
    assert_eq!(issued.request.expiry, LIFETIME);
}

#[test]
fn a_quote_that_would_never_end_ends_with_the_clock() {
    let endless = Quoter {
        lifetime: Duration::MAX,
        ..Node::ours().quoter
    };
    let quote = endless.quote(PAYER, AMOUNT, [9; 16], NOW).unwrap().quote;
    assert_eq!(
        quote.expires_at,
        UnixTime::from_secs(UnixTime::from_millis(u64::MAX).to_secs())
    );
    assert_eq!(Quote::from_text(&quote.to_text()), Ok(quote));
}

#[test]
fn the_invoice_to_issue_carries_the_quote_and_its_preimage() {
    let issued = Node::ours().quote();
    assert_eq!(issued.request.description, issued.quote.to_text());
    let preimage = Node::ours().quoter.key.preimage(&issued.quote);
    assert_eq!(issued.request.preimage, preimage);
}

#[test]
fn quotes_that_differ_in_any_field_differ_in_preimage() {
    let node = Node::ours();
    let quoter = |payee, lifetime, price_epoch| Quoter {
        payee,
        key: node.quoter.key.clone(),
        lifetime,
        price_epoch,
    };
    let usual = || quoter(node.id, LIFETIME, 7);
    let longer = LIFETIME + Duration::from_secs(1);
    let stranger = NodeId::from_bytes([5; 32]);
    let dearer = Msat::from_msat(AMOUNT.to_msat() + 1_000);
    let preimages: HashSet<[u8; 32]> = [
        usual().quote(PAYER, AMOUNT, [9; 16], NOW),
        usual().quote(stranger, AMOUNT, [9; 16], NOW),
        usual().quote(PAYER, dearer, [9; 16], NOW),
        usual().quote(PAYER, AMOUNT, [8; 16], NOW),
        quoter(stranger, LIFETIME, 7).quote(PAYER, AMOUNT, [9; 16], NOW),
        quoter(node.id, longer, 7).quote(PAYER, AMOUNT, [9; 16], NOW),
        quoter(node.id, LIFETIME, 8).quote(PAYER, AMOUNT, [9; 16], NOW),
    ]
    .map(|issued| issued.unwrap().request.preimage)
    .into();
    assert_eq!(preimages.len(), 7);
}

#[test]
fn keys_of_other_nodes_and_networks_neither_recognise_a_quote_nor_know_its_preimage() {
    let issued = Node::ours().quote();
    let ours = QuoteKey::derive(&[1; 32]);
    let others = [
        QuoteKey::derive(&[2; 32]).on(Network::Regtest),
        ours.on(Network::Bitcoin),
        ours.on(Network::Testnet),
        ours.on(Network::Testnet4),
        ours.on(Network::Signet),
        ours.on(Network::Regtest).on(Network::Regtest),
        ours,
    ];
    for key in others {
        assert!(!key.recognises(&issued.quote));
        assert_ne!(key.preimage(&issued.quote), issued.request.preimage);
    }
}

#[test]
fn what_is_printed_for_a_log_holds_no_secret() {
    let node = Node::ours();
    let issued = node.quote();
    let printed = format!("{issued:?} {:?} {:?}", node.quoter, node.verifier());
    let preimage = issued.request.preimage;
    assert!(!printed.contains(&to_hex(&preimage)));
    assert!(!printed.contains(&format!("{preimage:?}")));
    let root = [1u8; 32];
    assert!(!format!("{:?}", node.quoter.key).contains(&format!("{root:?}")));
    assert_eq!(format!("{:?}", node.quoter.key), "QuoteKey(secret)");
}

proptest! {
    #[test]
    fn every_quote_reads_back_from_its_text(
        payer: [u8; 32],
        msat in 1..=MAX_QUOTE.to_msat(),
        nonce: [u8; 16],
        millis: u64,
    ) {
        let (payer, amount) = (NodeId::from_bytes(payer), Msat::from_msat(msat));
        let now = UnixTime::from_millis(millis);
        let quote = Node::ours().quoter.quote(payer, amount, nonce, now).unwrap().quote;
        prop_assert_eq!(Quote::from_text(&quote.to_text()), Ok(quote));
        prop_assert!(quote.amount >= amount);
        prop_assert!(quote.amount.to_msat() - msat < 1_000);
    }

    #[test]
    fn bytes_make_a_quote_exactly_when_a_clock_can_tell_their_expiry(bytes: [[u8; 29]; 4]) {
        let bytes = bytes.as_flattened();
        let text = format!("mesh-quote:1:{}", to_hex(bytes));
        let expiry: [u8; 8] = from_hex(&to_hex(&bytes[72..80])).unwrap();
        let can_tell = u64::from_be_bytes(expiry) <= u64::MAX / 1_000;
        let read = Quote::from_text(&text).map(|quote| quote.to_text());
        prop_assert_eq!(read, if can_tell { Ok(text) } else { Err(QuoteError::Shape) });
    }

    #[test]
    fn a_quote_with_one_character_changed_is_another_or_none(at in 0..TEXT.len(), to: char) {
        let mut characters: Vec<char> = TEXT.chars().collect();
        prop_assume!(characters[at] != to);
        characters[at] = to;
        let changed: String = characters.into_iter().collect();
        quote_text::run(changed.as_bytes());
        if let Ok(quote) = Quote::from_text(&changed) {
            prop_assert!(!Node::ours().quoter.key.recognises(&quote));
        }
    }
}
