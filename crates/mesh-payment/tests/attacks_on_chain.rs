//! Attempts to get credit on the chain without paying this node there; docs/threats.md has the list.
#![expect(
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

mod chain;
mod issuer;

use bitcoin::{ScriptBuf, Transaction, consensus::serialize, hashes::Hash as _};
use chain::{
    AMOUNT_SATS, Covenant, FORMS, Form, OnChain, WrittenChain, input, our_script, output, policy,
    quote, quote_for, their_script, verifier, with_policy,
};
use issuer::{AMOUNT, NOW, Node, PAYER};
use mesh_payment::{
    CovenantError, CovenantLevel, SettlementError, SettlementPolicy, TemplateError, Verifier,
    VerifyError,
};
use mesh_types::{ChainOutput, ChainTransaction, Network, NodeId, PaymentProof, TxHash};
use std::collections::HashSet;

const THIEF: NodeId = NodeId::from_bytes([0x66; 32]);

fn settlement(error: VerifyError) -> SettlementError {
    match error {
        VerifyError::Settlement(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_covenant_that_was_never_funded_buys_nothing() {
    for form in FORMS {
        let refused = Covenant::good(form).judge_by(&verifier(), &ChainOutput::Missing);
        let expected = SettlementError::Level(CovenantLevel::CommitmentOnly);
        assert_eq!(settlement(refused.unwrap_err()), expected);
    }
}

#[test]
fn a_covenant_whose_coin_is_spent_buys_nothing() {
    for form in FORMS {
        let refused = Covenant::good(form).judge_by(&verifier(), &ChainOutput::Spent);
        let expected = SettlementError::Level(CovenantLevel::Spent);
        assert_eq!(settlement(refused.unwrap_err()), expected);
    }
}

#[test]
fn a_relay_that_sends_the_template_ahead_of_its_proof_takes_nothing_from_the_payer() {
    for form in FORMS {
        let covenant = Covenant::good(form);
        let sent = covenant.judge_spent(&verifier(), Some(&covenant.spend(1)));
        let sent = sent.unwrap();
        assert_eq!(sent.payer(), PAYER);
        assert_eq!(
            sent.key(),
            covenant.judge().unwrap().key(),
            "and it is claimed once"
        );
    }
}

#[test]
fn a_covenant_where_anybody_could_spend_it_buys_nothing() {
    let everywhere = [
        Network::Bitcoin,
        Network::Testnet,
        Network::Testnet4,
        Network::Signet,
        Network::Regtest,
    ];
    for network in everywhere {
        // As an operator has it who configures nothing but his address.
        let settlement_policy = SettlementPolicy {
            scripts: policy().scripts,
            ..SettlementPolicy::default()
        };
        let key = mesh_payment::QuoteKey::derive(&[1; 32]).on(network);
        let mut quoter = Node::ours().quoter;
        quoter.key = key.clone();
        let quote = quoter.offer(PAYER, AMOUNT, [9; 16], NOW).unwrap();
        let verifier = Verifier {
            network,
            quote_key: Some(key),
            ..with_policy(settlement_policy)
        };
        for form in FORMS {
            let covenant = Covenant::paying(quote, form);
            let refused = covenant.judge_by(&verifier, &covenant.coin(100));
            assert!(matches!(
                settlement(refused.unwrap_err()),
                SettlementError::NotEnforced { .. }
            ));
        }
    }
}

#[test]
fn a_covenant_that_pays_another_script_buys_nothing() {
    let mut covenant = Covenant::good(Form::Bare);
    covenant.template.output[1].script_pubkey = their_script();
    let refused = covenant.judge().unwrap_err();
    assert_eq!(settlement(refused), SettlementError::NotOurScript);
}

#[test]
fn an_output_swapped_after_the_coin_was_made_is_noticed() {
    // The coin commits to a template that pays the payer himself; the one that is shown pays us.
    let shown = Covenant::good(Form::WitnessScript);
    let mut committed = shown.clone();
    committed.template.output[1].script_pubkey = their_script();
    let refused = shown.judge_by(&verifier(), &committed.coin(6));
    let refused = settlement(refused.unwrap_err());
    assert_eq!(refused, SettlementError::NotCommitted);
}

#[test]
fn another_index_than_the_one_that_pays_buys_nothing() {
    for index in [0, 2, 3, u32::MAX] {
        let mut covenant = Covenant::good(Form::CtvLeaf);
        covenant.output_index = index;
        assert!(covenant.judge().is_err());
    }
}

#[test]
fn a_covenant_for_another_quote_buys_nothing() {
    let mut covenant = Covenant::good(Form::Bare);
    covenant.quote = quote_for(THIEF);
    let refused = covenant.judge().unwrap_err();
    assert_eq!(settlement(refused), SettlementError::OtherQuote);
}

#[test]
fn a_strangers_payment_to_our_address_buys_nothing() {
    // Somebody bought a coffee; whoever sees the transaction has a quote too.
    let mut coffee = OnChain::good();
    coffee.quote = quote_for(THIEF);
    let outputs = &mut coffee.transaction.output;
    outputs.retain(|it| !it.script_pubkey.is_op_return());
    let refused = coffee.judge().unwrap_err();
    let expected = SettlementError::Unnamed { found: 0 };
    assert_eq!(settlement(refused), expected);
}

#[test]
fn a_proof_on_the_chain_taken_from_a_packet_credits_the_payer_in_its_quote() {
    let stolen = Covenant::good(Form::TemplateHashLeaf).judge().unwrap();
    assert_eq!(stolen.payer(), PAYER);
    assert_eq!(OnChain::good().judge().unwrap().payer(), PAYER);
    let mut renamed = OnChain::good();
    renamed.quote.payer = THIEF;
    assert_eq!(renamed.judge(), Err(VerifyError::ForgedQuote));
}

#[test]
fn a_quote_written_on_by_its_payer_is_refused() {
    let mut cheaper = quote();
    cheaper.amount = mesh_types::Msat::from_msat(1_000);
    let mut longer = quote();
    longer.expires_at = mesh_types::UnixTime::from_secs(u64::from(u32::MAX));
    for quote in [cheaper, longer] {
        let refused = OnChain::paying(quote).judge();
        assert_eq!(refused, Err(VerifyError::ForgedQuote));
        let refused = Covenant::paying(quote, Form::Bare).judge();
        assert_eq!(refused, Err(VerifyError::ForgedQuote));
    }
}

/// The transaction that spends the covenant's coin, as the chain has it once somebody has sent it.
fn spent_in(covenant: &Covenant) -> OnChain {
    OnChain {
        quote: covenant.quote,
        transaction: covenant.template.clone(),
    }
}

#[test]
fn one_payment_shown_as_two_kinds_is_credited_as_one() {
    for form in FORMS {
        let covenant = Covenant::good(form);
        assert!(covenant.judge().is_ok());
        // The covenant's own spend, in the chain, is no payment of the request.
        let refused = spent_in(&covenant).judge().unwrap_err();
        assert_eq!(settlement(refused), SettlementError::OtherQuote);
        // A template that names the quote as the other kind too is neither.
        let mut both = covenant.clone();
        let mark = output(0, both.quote.named_on_chain());
        both.template.output.push(mark);
        let expected = SettlementError::Unnamed { found: 2 };
        assert_eq!(settlement(both.judge().unwrap_err()), expected);
        let spent = spent_in(&both).judge().unwrap_err();
        assert_eq!(settlement(spent), expected);
    }
    // The same quote paid by invoice, covenant and transaction is three payments, under three names.
    let lightning = Node::ours().verifier().verify(&Node::ours().paid(), NOW);
    let keys = HashSet::from([
        lightning.unwrap().key(),
        Covenant::good(Form::Bare).judge().unwrap().key(),
        OnChain::good().judge().unwrap().key(),
    ]);
    assert_eq!(keys.len(), 3);
}

#[test]
fn two_covenants_that_share_one_transaction_are_not_paid_twice_by_it() {
    // Two coins, each bound to its own input of one template: spent together they pay us once.
    let mut shared = Covenant::good(Form::Bare);
    shared.template.input.push(input(9));
    let Err(VerifyError::Covenant(refused)) = shared.judge() else {
        panic!("it was accepted");
    };
    let inputs = TemplateError::Inputs { found: 2 };
    assert_eq!(refused, CovenantError::Unminable(inputs));
}

#[test]
fn a_coin_is_claimed_once_whatever_form_its_proof_takes() {
    // Not one and the same coin, but what would be claimed if one were shown in each form.
    let keys = FORMS.map(|form| Covenant::good(form).judge().unwrap().key());
    assert_eq!(HashSet::from(keys).len(), 1);
}

#[test]
fn a_proof_shown_with_another_time_or_another_form_of_its_request_is_none() {
    let good = OnChain::good();
    let written = WrittenChain::with(&Covenant::good(Form::Bare), &good, 1);
    let forms: [fn(&mut String, &mut u64); 4] = [
        |request, _| *request = request.to_uppercase(),
        |request, _| request.push(' '),
        |request, _| request.insert(0, ' '),
        |_, timestamp| *timestamp += 1,
    ];
    for change in forms {
        let mut proof = good.proof();
        if let PaymentProof::OnChainSettlement {
            payment_request_id,
            timestamp,
            ..
        } = &mut proof
        {
            change(payment_request_id, timestamp);
        }
        assert!(written.judge(&verifier(), &proof, NOW).is_err());
    }
}

#[test]
fn a_transaction_in_the_mempool_buys_nothing_however_deep_it_is_said_to_be() {
    // The depth is the chain's word; a proof has no place for one.
    let good = OnChain::good();
    let refused = good.judge_by(&verifier(), Some(&good.found(0)));
    let expected = SettlementError::TooShallow { depth: 0, least: 1 };
    assert_eq!(settlement(refused.unwrap_err()), expected);
}

#[test]
fn a_coin_of_a_covenant_that_only_looks_like_it_buys_nothing() {
    // The right hash with something behind it that anybody can satisfy, and a hash that is longer.
    let good = Covenant::good(Form::Bare);
    let script = good.bound().1;
    let with_more = |more: &[u8]| [script.as_bytes(), more].concat();
    for script_pubkey in [
        with_more(&[0x75, 0x51]),
        with_more(&[0x51]),
        script.as_bytes()[..33].to_vec(),
        ScriptBuf::new_op_return([1; 32]).into_bytes(),
    ] {
        let coin = ChainOutput::Unspent {
            script_pubkey,
            value_sats: u64::MAX,
            depth: u32::MAX,
            is_coinbase: false,
        };
        let refused = good.judge_by(&verifier(), &coin).unwrap_err();
        assert_eq!(settlement(refused), SettlementError::NotCommitted);
    }
}

fn shown(covenant_proof: Vec<u8>) -> PaymentProof {
    Covenant::good(Form::Bare).proof_with(covenant_proof)
}

#[test]
fn enormous_nested_and_truncated_covenants_are_refused_at_once() {
    let good = Covenant::good(Form::CtvLeaf).covenant_proof().to_bytes();
    let head = &good[..118];
    // Counts that promise more than there is, at each place where a count stands.
    let lying = [
        [head, &[0xff; 200]].concat(),
        [
            &head[..1],
            &[0],
            &head[2..],
            &[2, 0, 0, 0, 0xff],
            &[0xff; 8],
        ]
        .concat(),
        [
            &head[..1],
            &[0],
            &head[2..],
            &[2, 0, 0, 0, 1],
            &[0; 36],
            &[0xfe, 0xff, 0xff, 0xff, 0xff],
        ]
        .concat(),
    ];
    for bytes in lying {
        assert!(matches!(
            verifier().verify(&shown(bytes), NOW),
            Err(VerifyError::Covenant(_))
        ));
    }
    let mut large = Covenant::good(Form::Bare);
    let change = output(1_000, their_script());
    large.template.output.extend(vec![change; 20_000]);
    assert!(matches!(large.judge(), Err(VerifyError::Covenant(_))));
    let longest = [0xab; 100_000].to_vec();
    assert!(verifier().verify(&shown(longest), NOW).is_err());
}

#[test]
fn a_transaction_that_hashes_otherwise_than_it_was_named_is_no_answer() {
    let good = OnChain::good();
    let other: Transaction = {
        let mut other = good.transaction.clone();
        other.output[2] = output(AMOUNT_SATS + 1, our_script());
        other
    };
    let found = ChainTransaction {
        bytes: serialize(&other),
        depth: 9,
    };
    let refused = good.judge_by(&verifier(), Some(&found)).unwrap_err();
    assert_eq!(settlement(refused), SettlementError::OtherTransaction);
    let named = TxHash::from_bytes(other.compute_txid().to_byte_array());
    assert_ne!(named, good.tx_hash());
}
