//! Control messages: one encoding each, and nothing else decodes.

use mesh_protocol::{
    ControlError, ControlMessage, MAX_CONTROL_LEN, MAX_INVOICE_LEN, MAX_PAYLOAD_LEN,
    MAX_REQUEST_ID_LEN, MAX_SCRIPT_LEN, MAX_SEQUENCE, RefusalCode,
};
use mesh_types::{GossipMessage, Msat, Network, NodeId, Price};
use proptest::{collection::vec, option, prelude::*, sample};
use std::num::NonZeroU32;

const SEQUENCE: u64 = 1_795_000_000_000_000;

const NETWORKS: [Network; 5] = [
    Network::Bitcoin,
    Network::Testnet,
    Network::Testnet4,
    Network::Signet,
    Network::Regtest,
];

/// One message of each kind, the optional parts absent and present.
fn samples() -> Vec<ControlMessage> {
    let invoice = Some("lnbcrt1u1sample".to_owned());
    let payment_required = |invoice| ControlMessage::PaymentRequired {
        sequence: SEQUENCE,
        price: Msat::from_msat(250),
        missing: Msat::from_msat(50),
        invoice,
    };
    let quote = |invoice| ControlMessage::Quote {
        sequence: SEQUENCE,
        price: Price {
            per_packet: Msat::from_msat(100),
            per_kib: Msat::from_msat(7),
        },
        credit: Msat::from_msat(900),
        invoice,
    };
    vec![
        ControlMessage::Refused {
            sequence: SEQUENCE,
            code: RefusalCode::NoRoute,
        },
        payment_required(None),
        payment_required(invoice.clone()),
        ControlMessage::QuoteRequest { amount: Msat::ZERO },
        quote(None),
        quote(invoice),
        ControlMessage::Deposit,
        ControlMessage::Credited {
            sequence: SEQUENCE,
            credit: Msat::MAX,
        },
        ControlMessage::Delivered { sequence: SEQUENCE },
        ControlMessage::RefundRequest {
            invoice: "lnbcrt1u1sample".to_owned(),
        },
        ControlMessage::Refunded {
            sequence: SEQUENCE,
            amount: Msat::from_msat(800),
            fee: Msat::from_msat(1),
            credit: Msat::from_msat(99),
        },
        ControlMessage::OnChainQuoteRequest { amount: Msat::MAX },
        on_chain_quote(SEQUENCE, &[0x51; 34], "mesh-quote:1:sample"),
    ]
}

fn on_chain_quote(sequence: u64, script_pubkey: &[u8], id: &str) -> ControlMessage {
    ControlMessage::OnChainQuote {
        sequence,
        network: Network::Signet,
        least_depth: NonZeroU32::MIN,
        script_pubkey: script_pubkey.to_owned(),
        payment_request_id: id.to_owned(),
    }
}

fn required(sequence: u64, invoice: &str) -> ControlMessage {
    ControlMessage::PaymentRequired {
        sequence,
        price: Msat::MAX,
        missing: Msat::MAX,
        invoice: Some(invoice.to_owned()),
    }
}

fn quote(sequence: u64, invoice: &str) -> ControlMessage {
    ControlMessage::Quote {
        sequence,
        price: Price::FREE,
        credit: Msat::MAX,
        invoice: Some(invoice.to_owned()),
    }
}

#[test]
fn every_message_comes_back_as_it_went_in() {
    for message in samples() {
        let bytes = message.encode().unwrap();
        assert_eq!(ControlMessage::decode(&bytes), Ok(message));
    }
}

#[test]
fn attack_17_no_truncation_of_a_message_decodes_to_it() {
    for message in samples() {
        let bytes = message.encode().unwrap();
        for len in 0..bytes.len() {
            // A shorter invoice or id is another message, and so is no invoice; all else is an error.
            let Ok(shorter) = ControlMessage::decode(&bytes[..len]) else {
                continue;
            };
            assert_ne!(shorter, message);
            assert_eq!(shorter.encode().unwrap(), &bytes[..len]);
        }
    }
}

#[test]
fn attack_17_no_truncation_of_the_fixed_fields_decodes() {
    let without_invoice = samples().into_iter().filter(|message| {
        let bytes = message.encode().unwrap();
        !bytes.ends_with(b"sample")
    });
    for message in without_invoice {
        let bytes = message.encode().unwrap();
        for len in 0..bytes.len() {
            let error = ControlMessage::decode(&bytes[..len]);
            assert_eq!(error, Err(ControlError::Truncated));
        }
    }
}

#[test]
fn attack_17_no_byte_may_follow_a_message_that_ends_without_a_text() {
    let mut refused = 0;
    for message in samples() {
        let mut bytes = message.encode().unwrap();
        bytes.push(0xff);
        let error = ControlMessage::decode(&bytes).unwrap_err();
        match message {
            ControlMessage::PaymentRequired { .. }
            | ControlMessage::Quote { .. }
            | ControlMessage::RefundRequest { .. } => assert_eq!(error, ControlError::InvoiceText),
            ControlMessage::OnChainQuote { .. } => assert_eq!(error, ControlError::RequestIdText),
            _ => {
                assert_eq!(error, ControlError::Trailing { extra: 1 });
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 7);
}

#[test]
fn unknown_messages_and_refusal_codes_are_errors() {
    for found in (0..=u8::MAX).filter(|tag| !(1..=16).contains(tag)) {
        let bytes = [&[found], [0; 40].as_slice()].concat();
        let error = ControlError::Tag { found };
        assert_eq!(ControlMessage::decode(&bytes), Err(error));
    }
    for found in (0..=u8::MAX).filter(|code| !(1..=15).contains(code)) {
        let bytes = [1, 0, 0, 0, 0, 0, 0, 0, 5, found];
        let error = ControlError::Code { found };
        assert_eq!(ControlMessage::decode(&bytes), Err(error));
    }
}

#[test]
fn every_refusal_code_has_its_byte_and_its_sentence() {
    let mut sentences: Vec<String> = Vec::new();
    for (index, code) in RefusalCode::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(u8::from(code)), index + 1);
        assert_eq!(RefusalCode::try_from(u8::from(code)), Ok(code));
        let sentence = code.to_string();
        assert!(sentence.starts_with("the "), "{sentence}");
        assert!(!sentences.contains(&sentence), "{sentence}");
        sentences.push(sentence);
    }
}

#[test]
fn an_empty_invoice_is_not_the_same_as_none() {
    let error = ControlError::InvoiceLength { found: 0 };
    let refund = ControlMessage::RefundRequest {
        invoice: String::new(),
    };
    for message in [required(1, ""), quote(1, ""), refund] {
        assert_eq!(message.encode(), Err(error));
    }
}

#[test]
fn an_invoice_is_ascii() {
    for message in [required(1, "lnbcä"), quote(1, "lnbcä")] {
        assert_eq!(message.encode(), Err(ControlError::InvoiceText));
    }
}

#[test]
fn the_longest_message_has_the_longest_invoice_and_fits_a_payload() {
    let longest = "l".repeat(MAX_INVOICE_LEN);
    let bytes = quote(MAX_SEQUENCE, &longest).encode().unwrap();
    assert_eq!(bytes.len(), 33 + MAX_INVOICE_LEN);
    assert!(bytes.len() <= MAX_CONTROL_LEN);
    assert_eq!(MAX_CONTROL_LEN, MAX_PAYLOAD_LEN);
    assert!(required(MAX_SEQUENCE, &longest).encode().unwrap().len() <= MAX_CONTROL_LEN);

    let longer = "l".repeat(MAX_INVOICE_LEN + 1);
    let error = ControlError::InvoiceLength { found: 7_090 };
    for message in [required(1, &longer), quote(1, &longer)] {
        assert_eq!(message.encode(), Err(error));
    }
    let bytes = [bytes, b"l".to_vec()].concat();
    assert_eq!(ControlMessage::decode(&bytes), Err(error));
}

#[test]
fn a_script_that_no_address_stands_for_and_an_id_that_no_proof_carries_are_refused() {
    let longest_id = "ä".repeat(MAX_REQUEST_ID_LEN / 2);
    let longest = on_chain_quote(1, &[1; MAX_SCRIPT_LEN], &longest_id);
    let bytes = longest.encode().unwrap();
    assert_eq!(bytes.len(), 1 + 8 + 1 + 4 + 1 + 42 + 256);
    assert_eq!(ControlMessage::decode(&bytes), Ok(longest));
    let too_long = [bytes.as_slice(), b"l"].concat();
    let error = ControlError::RequestIdLength { found: 257 };
    assert_eq!(ControlMessage::decode(&too_long), Err(error));
    for found in [0, MAX_SCRIPT_LEN + 1, 256] {
        let message = on_chain_quote(1, &vec![1; found], "id");
        let error = ControlError::ScriptLength { found };
        assert_eq!(message.encode(), Err(error));
    }
    for found in [0, MAX_REQUEST_ID_LEN + 1] {
        let message = on_chain_quote(1, &[1], &"l".repeat(found));
        let error = ControlError::RequestIdLength { found };
        assert_eq!(message.encode(), Err(error));
    }
    let fields = |network, depth, script: &[u8]| {
        let head = [16, 0, 0, 0, 0, 0, 0, 0, 1, network, 0, 0, 0, depth];
        [head.as_slice(), script, b"id"].concat()
    };
    let decoded = |bytes: Vec<u8>| ControlMessage::decode(&bytes);
    assert!(decoded(fields(4, 1, &[1, 7])).is_ok());
    let found = ControlError::Network { found: 5 };
    assert_eq!(decoded(fields(5, 1, &[1, 7])), Err(found));
    assert_eq!(decoded(fields(4, 0, &[1, 7])), Err(ControlError::Depth));
    for found in [0, 43, 255] {
        let script = [&[found], [7; 255].as_slice()].concat();
        let error = ControlError::ScriptLength {
            found: found.into(),
        };
        assert_eq!(decoded(fields(4, 1, &script)), Err(error));
    }
}

#[test]
fn a_message_names_no_sequence_that_a_packet_cannot_have() {
    let found = MAX_SEQUENCE + 1;
    let error = ControlError::Sequence { found };
    let messages = [
        ControlMessage::Refused {
            sequence: found,
            code: RefusalCode::Busy,
        },
        required(found, "l"),
        quote(found, "l"),
        ControlMessage::Credited {
            sequence: found,
            credit: Msat::ZERO,
        },
        ControlMessage::Delivered { sequence: found },
        ControlMessage::Refunded {
            sequence: found,
            amount: Msat::ZERO,
            fee: Msat::ZERO,
            credit: Msat::ZERO,
        },
        on_chain_quote(found, &[1], "l"),
    ];
    for message in messages {
        assert_eq!(message.encode(), Err(error));
    }
    let tags_with_sequence = [1, 2, 4, 6, 7, 14, 16];
    for tag in tags_with_sequence {
        let bytes = [[tag].as_slice(), &found.to_be_bytes(), &[1; 24]].concat();
        assert_eq!(ControlMessage::decode(&bytes), Err(error));
    }
}

fn any_message() -> impl Strategy<Value = ControlMessage> {
    let sequence = 0..=MAX_SEQUENCE;
    let msat = || any::<u64>().prop_map(Msat::from_msat);
    let invoice = option::of("[ -~]{1,300}");
    prop_oneof![
        (sequence.clone(), sample::select(&RefusalCode::ALL[..]))
            .prop_map(|(sequence, code)| ControlMessage::Refused { sequence, code }),
        (sequence.clone(), msat(), msat(), invoice.clone()).prop_map(
            |(sequence, price, missing, invoice)| ControlMessage::PaymentRequired {
                sequence,
                price,
                missing,
                invoice,
            }
        ),
        msat().prop_map(|amount| ControlMessage::QuoteRequest { amount }),
        (sequence.clone(), msat(), msat(), msat(), invoice).prop_map(
            |(sequence, per_packet, per_kib, credit, invoice)| ControlMessage::Quote {
                sequence,
                price: Price {
                    per_packet,
                    per_kib
                },
                credit,
                invoice,
            }
        ),
        Just(ControlMessage::Deposit),
        (sequence.clone(), msat())
            .prop_map(|(sequence, credit)| ControlMessage::Credited { sequence, credit }),
        (sequence.clone(), msat(), msat(), msat()).prop_map(|(sequence, amount, fee, credit)| {
            ControlMessage::Refunded {
                sequence,
                amount,
                fee,
                credit,
            }
        }),
        "[ -~]{1,300}".prop_map(|invoice| ControlMessage::RefundRequest { invoice }),
        msat().prop_map(|amount| ControlMessage::OnChainQuoteRequest { amount }),
        any_on_chain_quote(),
        sequence.prop_map(|sequence| ControlMessage::Delivered { sequence }),
    ]
}

fn any_on_chain_quote() -> impl Strategy<Value = ControlMessage> {
    (
        0..=MAX_SEQUENCE,
        sample::select(NETWORKS.to_vec()),
        any::<NonZeroU32>(),
        vec(any::<u8>(), 1..=MAX_SCRIPT_LEN),
        "\\PC{1,64}",
    )
        .prop_map(|(sequence, network, least_depth, script_pubkey, id)| {
            ControlMessage::OnChainQuote {
                sequence,
                network,
                least_depth,
                script_pubkey,
                payment_request_id: id,
            }
        })
}

#[test]
fn a_message_about_announcements_is_told_by_its_first_byte() {
    let find = ControlMessage::Gossip(GossipMessage::Find {
        target: NodeId::from_bytes([7; 32]),
        hops: 1,
    });
    let want = ControlMessage::Gossip(GossipMessage::Want(vec![NodeId::from_bytes([7; 32])]));
    for message in samples().into_iter().chain([find, want]) {
        let bytes = message.encode().unwrap();
        let is_gossip = matches!(message, ControlMessage::Gossip(_));
        assert_eq!(ControlMessage::is_gossip(&bytes), is_gossip, "{message:?}");
    }
    assert!(!ControlMessage::is_gossip(&[]));
}

proptest! {
    #[test]
    fn any_message_comes_back_as_it_went_in(message in any_message()) {
        let bytes = message.encode().unwrap();
        prop_assert!(bytes.len() <= MAX_CONTROL_LEN);
        prop_assert_eq!(ControlMessage::decode(&bytes).unwrap(), message);
    }
}
