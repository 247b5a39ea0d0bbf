//! The rules for payments on the chain, P-15 to P-23: each is broken alone.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

mod chain;
mod issuer;

use bitcoin::{
    Amount, ScriptBuf, Sequence, Transaction, TxOut,
    absolute::LockTime,
    consensus::serialize,
    key::{Keypair, Secp256k1, XOnlyPublicKey},
    taproot::{LeafVersion, TapNodeHash},
    transaction::Version,
};
use chain::{
    AMOUNT_SATS, Covenant, FORMS, Form, OnChain, WrittenChain, input, our_script, output, policy,
    quote, quote_for, their_script, verifier, with_policy,
};
use issuer::{AMOUNT, LIFETIME, NOW, Node, PAYER};
use mesh_payment::{
    CovenantError, CovenantKind, CovenantLevel, KindError, LeastLevel, PolicyError, ProofField,
    ProofKind, QuoteError, SettlementError, SettlementPolicy, TemplateError, VerifiedPayment,
    Verifier, VerifyError, ctv, op_template_hash,
};
use mesh_types::{
    ChainOutput, ChainTransaction, ClaimKey, Msat, Network, NodeId, OnChainConfig, PaymentProof,
};
use sha2::{Digest, Sha256};
use std::num::NonZeroU32;

fn refusal(verdict: Result<VerifiedPayment, VerifyError>) -> VerifyError {
    verdict.unwrap_err()
}

fn settlement(verdict: Result<VerifiedPayment, VerifyError>) -> SettlementError {
    match refusal(verdict) {
        VerifyError::Settlement(error) => error,
        other => panic!("{other:?}"),
    }
}

fn covenant(verdict: Result<VerifiedPayment, VerifyError>) -> CovenantError {
    match refusal(verdict) {
        VerifyError::Covenant(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_covenant_of_every_form_is_the_payers_credit() {
    for form in FORMS {
        let good = Covenant::good(form);
        let payment = good.judge().unwrap();
        assert_eq!(payment.payer(), PAYER);
        assert_eq!(payment.amount(), AMOUNT);
        assert_eq!(payment.expires_at(), NOW.plus(LIFETIME));
        let on_chain = payment.claim().on_chain;
        assert_eq!(on_chain, Some(good.outpoint().tx_hash));
    }
}

#[test]
fn a_transaction_that_pays_a_request_is_the_payers_credit() {
    let good = OnChain::good();
    let payment = good.judge().unwrap();
    assert_eq!(payment.payer(), PAYER);
    assert_eq!(payment.amount(), AMOUNT);
    assert_eq!(payment.expires_at(), NOW.plus(LIFETIME));
    assert_eq!(payment.claim().on_chain, Some(good.tx_hash()));
}

#[test]
fn what_is_paid_beyond_the_quote_is_credit_too() {
    let mut covenant = Covenant::good(Form::Bare);
    covenant.template.output[1].value = Amount::from_sat(AMOUNT_SATS + 1);
    let paid = Msat::from_sats(AMOUNT_SATS + 1).unwrap();
    assert_eq!(covenant.judge().unwrap().amount(), paid);
    let mut on_chain = OnChain::good();
    on_chain.transaction.output[2].value = Amount::from_sat(AMOUNT_SATS + 1);
    assert_eq!(on_chain.judge().unwrap().amount(), paid);
}

#[test]
fn p12_without_a_script_of_its_own_a_node_takes_nothing_on_the_chain() {
    let closed = with_policy(SettlementPolicy {
        scripts: Vec::new(),
        ..policy()
    });
    for (proof, kind) in [
        (OnChain::good().proof(), ProofKind::OnChainSettlement),
        (
            Covenant::good(Form::Bare).proof(),
            ProofKind::InstantSettlement,
        ),
    ] {
        let expected = Err(VerifyError::NotEnabled(kind));
        assert_eq!(closed.verify(&proof, NOW), expected);
        assert_eq!(Node::ours().verifier().verify(&proof, NOW), expected);
        // Nor does anybody who has no chain to ask.
        assert_eq!(verifier().verify(&proof, NOW), expected);
    }
}

#[test]
fn p15_the_quote_has_to_be_this_nodes_and_alive() {
    let theirs = Node::theirs();
    let foreign = theirs.quoter.offer(PAYER, AMOUNT, [9; 16], NOW).unwrap();
    let mut renamed = foreign;
    renamed.payee = Node::ours().id;
    let without_key = Verifier {
        quote_key: None,
        ..verifier()
    };
    let late = quote().expires_at;
    let judge = |verifier: &Verifier, quote, now| {
        let covenant = Covenant::paying(quote, Form::WitnessScript);
        let on_chain = OnChain::paying(quote);
        let written = WrittenChain::with(&covenant, &on_chain, 1);
        let proofs = [covenant.proof(), on_chain.proof()];
        let [one, other] = proofs.map(|proof| written.judge(verifier, &proof, now));
        assert_eq!(one.is_ok(), other.is_ok());
        one.err().zip(other.err()).map(|(one, other)| {
            assert_eq!(one, other);
            one
        })
    };
    assert_eq!(judge(&verifier(), quote(), NOW), None);
    let of_another = VerifyError::QuoteOfAnotherNode { payee: theirs.id };
    assert_eq!(judge(&verifier(), foreign, NOW), Some(of_another));
    let forged = Some(VerifyError::ForgedQuote);
    assert_eq!(judge(&verifier(), renamed, NOW), forged);
    assert_eq!(judge(&without_key, quote(), NOW), forged);
    let over = Some(VerifyError::Expired { expired_at: late });
    assert_eq!(judge(&verifier(), quote(), late), over);
    let just_before = mesh_types::UnixTime::from_millis(late.to_millis() - 1);
    assert_eq!(judge(&verifier(), quote(), just_before), None);
}

#[test]
fn p15_a_request_that_is_no_quote_is_refused() {
    let mut proof = OnChain::good().proof();
    if let PaymentProof::OnChainSettlement {
        payment_request_id, ..
    } = &mut proof
    {
        *payment_request_id = "invoice 17".to_owned();
    }
    let refused = verifier().verify(&proof, NOW);
    assert_eq!(refused, Err(VerifyError::Quote(QuoteError::Shape)));
}

#[test]
fn p15_a_quote_for_next_to_nothing_is_not_paid_on_the_chain() {
    let offer = |sats| {
        let amount = Msat::from_sats(sats).unwrap();
        let quoter = Node::ours().quoter;
        quoter.offer(PAYER, amount, [9; 16], NOW).unwrap()
    };
    assert!(OnChain::paying(offer(1_000)).judge().is_ok());
    let small = offer(999);
    let expected = SettlementError::TooSmall {
        quoted: small.amount,
    };
    assert_eq!(settlement(OnChain::paying(small).judge()), expected);
    let covenant = Covenant::paying(small, Form::Bare);
    assert_eq!(settlement(covenant.judge()), expected);
}

#[test]
fn p15_what_a_proof_says_of_itself_has_to_be_so() {
    let (covenant, on_chain) = (Covenant::good(Form::Bare), OnChain::good());
    let written = WrittenChain::with(&covenant, &on_chain, 1);
    for good in [covenant.proof(), on_chain.proof()] {
        for (by_amount, by_time) in [(1, 0), (0, 1), (1 << 40, 0), (0, u64::MAX)] {
            let mut proof = good.clone();
            if let PaymentProof::OnChainSettlement {
                amount_sats,
                timestamp,
                ..
            }
            | PaymentProof::InstantSettlement {
                amount_sats,
                timestamp,
                ..
            } = &mut proof
            {
                *amount_sats = amount_sats.wrapping_add(by_amount);
                *timestamp = timestamp.wrapping_add(by_time);
            }
            let expected = if by_time == 0 {
                ProofField::AmountSats
            } else {
                ProofField::Timestamp
            };
            match written.judge(&verifier(), &proof, NOW) {
                Err(VerifyError::FieldMismatch { field, .. }) => assert_eq!(field, expected),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn p16_an_output_that_is_not_there_pays_nothing() {
    let mut covenant = Covenant::good(Form::Bare);
    for index in [3, u32::MAX] {
        covenant.output_index = index;
        let expected = SettlementError::NoSuchOutput { index, outputs: 3 };
        assert_eq!(settlement(covenant.judge()), expected);
    }
}

#[test]
fn p16_an_output_to_somebody_else_pays_nothing() {
    let mut covenant = Covenant::good(Form::CtvLeaf);
    for index in [0, 2] {
        covenant.output_index = index;
        assert_eq!(settlement(covenant.judge()), SettlementError::NotOurScript);
    }
    let mut on_chain = OnChain::good();
    on_chain.transaction.output[2].script_pubkey = their_script();
    assert_eq!(settlement(on_chain.judge()), SettlementError::NotOurScript);
}

#[test]
fn p16_one_satoshi_less_than_the_quote_is_too_little() {
    let expected = SettlementError::TooLittle {
        paid: Msat::from_sats(AMOUNT_SATS - 1).unwrap(),
        quoted: AMOUNT,
    };
    let mut covenant = Covenant::good(Form::WitnessScript);
    covenant.template.output[1].value = Amount::from_sat(AMOUNT_SATS - 1);
    assert_eq!(settlement(covenant.judge()), expected);
    let mut on_chain = OnChain::good();
    on_chain.transaction.output[2].value = Amount::from_sat(AMOUNT_SATS - 1);
    assert_eq!(settlement(on_chain.judge()), expected);
}

fn judge_outputs(change: impl Fn(&mut Vec<TxOut>, TxOut)) -> [SettlementError; 2] {
    let mut covenant = Covenant::good(Form::Bare);
    let other = output(0, covenant.quote.named_on_chain());
    change(&mut covenant.template.output, other);
    let mut on_chain = OnChain::good();
    let other = output(0, on_chain.quote.named_in_covenant());
    change(&mut on_chain.transaction.output, other);
    [settlement(covenant.judge()), settlement(on_chain.judge())]
}

#[test]
fn p17_a_transaction_has_to_name_its_quote_once_and_nothing_else() {
    let unnamed = |found| [SettlementError::Unnamed { found }; 2];
    let without = judge_outputs(|outputs, _| outputs.retain(|it| !it.script_pubkey.is_op_return()));
    assert_eq!(without, unnamed(0));
    // Also named as the other kind of payment, so that it could be shown as both.
    let as_both = judge_outputs(|outputs, other| outputs.push(other));
    assert_eq!(as_both, unnamed(2));
    let as_other = judge_outputs(|outputs, other| {
        outputs.retain(|it| !it.script_pubkey.is_op_return());
        outputs.push(other);
    });
    assert_eq!(as_other, [SettlementError::OtherQuote; 2]);
}

#[test]
fn p17_a_payment_for_another_quote_is_none_for_this() {
    let stranger = NodeId::from_bytes([0xbb; 32]);
    let mut covenant = Covenant::good(Form::TemplateHashLeaf);
    covenant.quote = quote_for(stranger);
    assert_eq!(settlement(covenant.judge()), SettlementError::OtherQuote);
    let mut on_chain = OnChain::good();
    on_chain.quote = quote_for(stranger);
    assert_eq!(settlement(on_chain.judge()), SettlementError::OtherQuote);
}

#[test]
fn p18_covenants_are_enforced_only_where_the_operator_says_so() {
    let closed = SettlementPolicy::default();
    assert!(closed.ctv_on.is_empty() && closed.template_hash_on.is_empty());
    for form in FORMS {
        let covenant = Covenant::good(form);
        let on = vec![Network::Regtest];
        let (name, ctv_on, template_hash_on) = match form {
            Form::TemplateHashLeaf => ("OP_TEMPLATEHASH", on, Vec::new()),
            _ => ("OP_CHECKTEMPLATEVERIFY", Vec::new(), on),
        };
        let other_only = with_policy(SettlementPolicy {
            ctv_on,
            template_hash_on,
            ..policy()
        });
        let refused = settlement(covenant.judge_by(&other_only, &covenant.coin(100)));
        let SettlementError::NotEnforced { opcode, network } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(network, Network::Regtest);
        assert_eq!(opcode, name);
        assert!(refused.to_string().contains("anybody can spend"));
    }
}

#[test]
fn p19_a_covenant_has_one_encoding() {
    for form in FORMS {
        let good = Covenant::good(form);
        let bytes = good.covenant_proof().to_bytes();
        let read = mesh_payment::CovenantProof::from_bytes(&bytes).unwrap();
        assert_eq!(read, good.covenant_proof());
        let judge = |bytes| covenant(verifier().verify(&good.proof_with(bytes), NOW));
        for len in 0..bytes.len() {
            judge(bytes[..len].to_vec());
        }
        assert_eq!(judge(bytes[..100].to_vec()), CovenantError::Truncated);
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(judge(longer), CovenantError::Template);
        let mut other = bytes.clone();
        other[0] = 2;
        assert_eq!(judge(other), CovenantError::Version { found: 2 });
        let mut other = bytes.clone();
        other[1] = 4;
        assert_eq!(judge(other), CovenantError::Kind { found: 4 });
    }
}

#[test]
fn p19_a_template_with_a_witness_is_refused() {
    let mut with_witness = Covenant::good(Form::Bare);
    with_witness.template.input[0].witness.push([1]);
    assert_eq!(covenant(with_witness.judge()), CovenantError::Template);
    // The same transaction in the form that has room for witnesses, with none in it.
    let good = Covenant::good(Form::Bare);
    let plain = serialize(&good.template);
    let (version, rest) = plain.split_at(4);
    let (body, lock_time) = rest.split_at(rest.len() - 4);
    let segwit = [version, &[0, 1], body, &[0], lock_time].concat();
    let bytes = good.covenant_proof().to_bytes();
    let head = &bytes[..bytes.len() - plain.len()];
    let proof = good.proof_with([head, &segwit].concat());
    let refused = covenant(verifier().verify(&proof, NOW));
    assert_eq!(refused, CovenantError::Template);
}

#[test]
fn p19_a_path_to_a_block_is_not_taken_instead_of_the_chain() {
    let mut proof = Covenant::good(Form::Bare).proof();
    if let PaymentProof::InstantSettlement { merkle_proof, .. } = &mut proof {
        merkle_proof.push([5; 32]);
    }
    let refused = covenant(verifier().verify(&proof, NOW));
    assert_eq!(refused, CovenantError::MerklePath);
}

fn unminable(change: impl Fn(&mut Transaction)) -> TemplateError {
    let mut changed = Covenant::good(Form::WitnessScript);
    change(&mut changed.template);
    match covenant(changed.judge()) {
        CovenantError::Unminable(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn p20_a_template_can_be_mined_at_once_and_by_itself() {
    let found = |found| TemplateError::Inputs { found };
    assert_eq!(unminable(|tx| tx.input.push(input(1))), found(2));
    let script_sig = |tx: &mut Transaction| tx.input[0].script_sig = our_script();
    assert_eq!(unminable(script_sig), TemplateError::ScriptSig);
    let locked = |tx: &mut Transaction| {
        tx.input[0].sequence = Sequence::ENABLE_RBF_NO_LOCKTIME;
        tx.lock_time = LockTime::from_consensus(1_000);
    };
    let until = TemplateError::Locked { lock_time: 1_000 };
    assert_eq!(unminable(locked), until);
    let relative = |tx: &mut Transaction| tx.input[0].sequence = Sequence::from_height(144);
    let sequence = TemplateError::RelativeLock { sequence: 144 };
    assert_eq!(unminable(relative), sequence);
    let by_time = Sequence::from_512_second_intervals(1);
    let sequence = TemplateError::RelativeLock {
        sequence: by_time.to_consensus_u32(),
    };
    assert_eq!(unminable(|tx| tx.input[0].sequence = by_time), sequence);
}

#[test]
fn p20_locks_that_lock_nothing_are_none() {
    for change in [
        // A final input makes the lock time void.
        |tx: &mut Transaction| tx.lock_time = LockTime::from_consensus(1_000),
        |tx: &mut Transaction| tx.input[0].sequence = Sequence::ENABLE_RBF_NO_LOCKTIME,
        |tx: &mut Transaction| tx.input[0].sequence = Sequence::ZERO,
        // Before version 2 there are no relative locks.
        |tx: &mut Transaction| {
            tx.version = Version::ONE;
            tx.input[0].sequence = Sequence::from_height(144);
        },
    ] {
        let mut covenant = Covenant::good(Form::Bare);
        change(&mut covenant.template);
        assert!(covenant.judge().is_ok(), "{:?}", covenant.template);
    }
}

#[test]
fn p20_a_negative_version_does_not_hide_a_relative_lock() {
    for found in [i32::MIN, -1, 0, 4, i32::MAX] {
        let refused = unminable(|tx| {
            tx.version = Version(found);
            tx.input[0].sequence = Sequence::from_height(65_535);
        });
        assert_eq!(refused, TemplateError::Version { found });
    }
}

#[test]
fn p20_a_template_that_no_node_relays_is_refused() {
    let costly = vec![0xae; 1_001];
    let with_costly = |tx: &mut Transaction| {
        let script = bitcoin::ScriptBuf::from(costly.clone());
        tx.output.push(output(10_000, script));
    };
    assert_eq!(unminable(with_costly), TemplateError::TooLarge);
    let many = |tx: &mut Transaction| tx.output.extend(vec![output(1_000, their_script()); 4_000]);
    assert_eq!(unminable(many), TemplateError::TooLarge);
    let dust = TemplateError::Dust { index: 0 };
    let change = |tx: &mut Transaction| tx.output[0].value = Amount::from_sat(1);
    assert_eq!(unminable(change), dust);
    let burnt = TemplateError::Dust { index: 2 };
    let burning = |tx: &mut Transaction| tx.output[2].value = Amount::from_sat(1_000);
    assert_eq!(unminable(burning), burnt);
}

#[test]
fn p20_a_template_may_be_as_large_and_as_costly_as_nodes_relay_and_no_more() {
    let largest = {
        let mut template = Covenant::good(Form::WitnessScript).template;
        template.output.push(output(0, vec![0x51; 70_000].into()));
        // A byte weighs four.
        70_000 + (400_000 - template.weight().to_wu()) / 4
    };
    let largest = usize::try_from(largest).unwrap();
    // OP_CHECKMULTISIG outside of a witness costs 80.
    for (script, most) in [(0x51, largest), (0xae, 200)] {
        let with = |len: usize| {
            move |tx: &mut Transaction| {
                let script = vec![script; len].into();
                tx.output.push(output(1_000_000, script));
            }
        };
        let mut at_most = Covenant::good(Form::WitnessScript);
        with(most)(&mut at_most.template);
        assert!(at_most.judge().is_ok(), "{most}");
        assert_eq!(unminable(with(most + 1)), TemplateError::TooLarge);
    }
}

#[test]
fn p20_amounts_beyond_all_bitcoin_are_refused() {
    for value in [Amount::MAX_MONEY, Amount::from_sat(u64::MAX)] {
        let amounts = unminable(|tx| tx.output[0].value = value);
        assert_eq!(amounts, TemplateError::Amounts);
    }
}

#[test]
fn p21_a_coin_that_is_bound_to_something_else_is_none() {
    for form in FORMS {
        let good = Covenant::good(form);
        let mut other = good.clone();
        other.template.output[0].value = Amount::from_sat(39_999);
        for script in [other.bound().1, our_script()] {
            let coin = ChainOutput::Unspent {
                script_pubkey: script.into_bytes(),
                value_sats: 1_000_000,
                depth: 9,
                is_coinbase: false,
            };
            let refused = settlement(good.judge_by(&verifier(), &coin));
            assert_eq!(refused, SettlementError::NotCommitted);
        }
    }
    let bare = Covenant::good(Form::Bare);
    let as_hash = Covenant::good(Form::WitnessScript).coin(1);
    let refused = settlement(bare.judge_by(&verifier(), &as_hash));
    assert_eq!(refused, SettlementError::NotCommitted);
}

#[test]
fn p21_a_template_pays_out_no_more_than_its_coin_holds() {
    let mut covenant = Covenant::good(Form::CtvLeaf);
    covenant.fee_sats = 0;
    assert!(covenant.judge().is_ok());
    let (out_sats, in_sats) = (covenant.out_sats(), covenant.out_sats() - 1);
    let coin = ChainOutput::Unspent {
        script_pubkey: covenant.bound().1.into_bytes(),
        value_sats: in_sats,
        depth: 9,
        is_coinbase: false,
    };
    let refused = settlement(covenant.judge_by(&verifier(), &coin));
    assert_eq!(
        refused,
        SettlementError::MoreOutThanIn { out_sats, in_sats }
    );
}

#[test]
fn p21_only_the_levels_that_the_policy_names_count() {
    let covenant = Covenant::good(Form::WitnessScript);
    let deeper = with_policy(SettlementPolicy {
        least_depth: NonZeroU32::new(3).unwrap(),
        ..policy()
    });
    let eager = with_policy(SettlementPolicy {
        least_level: LeastLevel::Funded,
        ..policy()
    });
    let level = |verifier: &Verifier, coin: &ChainOutput| {
        let verdict = covenant.judge_by(verifier, coin);
        verdict.err().map(|error| match error {
            VerifyError::Settlement(SettlementError::Level(level)) => level,
            other => panic!("{other:?}"),
        })
    };
    let funded = |depth| Some(CovenantLevel::Funded { depth });
    assert_eq!(level(&verifier(), &covenant.coin(0)), funded(0));
    assert_eq!(level(&verifier(), &covenant.coin(1)), None);
    assert_eq!(level(&deeper, &covenant.coin(2)), funded(2));
    assert_eq!(level(&deeper, &covenant.coin(3)), None);
    assert_eq!(level(&eager, &covenant.coin(0)), None);
    for verifier in [verifier(), deeper, eager] {
        let missing = level(&verifier, &ChainOutput::Missing);
        assert_eq!(missing, Some(CovenantLevel::CommitmentOnly));
        let spent = level(&verifier, &ChainOutput::Spent);
        assert_eq!(spent, Some(CovenantLevel::Spent));
    }
}

#[test]
fn whoever_spends_a_covenant_shows_what_its_coin_is_bound_to() {
    for form in FORMS {
        let covenant = Covenant::good(form);
        let (kind, coin) = covenant.bound();
        let spend = covenant.covenant_proof().spend();
        assert_eq!(spend.compute_txid(), covenant.template.compute_txid());
        let shown = spend.input[0].witness.to_vec();
        match kind {
            CovenantKind::CtvBare => assert!(shown.is_empty()),
            CovenantKind::CtvWitnessScript => {
                let [script] = <[_; 1]>::try_from(shown).unwrap();
                assert_eq!(ScriptBuf::from(script).to_p2wsh(), coin);
            }
            CovenantKind::CtvLeaf { control } | CovenantKind::TemplateHashLeaf { control } => {
                let [script, shown] = <[_; 2]>::try_from(shown).unwrap();
                assert_eq!(shown, control.serialize());
                let key = XOnlyPublicKey::from_slice(&coin.as_bytes()[2..]).unwrap();
                let is_bound = control.verify_taproot_commitment(
                    &Secp256k1::verification_only(),
                    key,
                    &ScriptBuf::from(script),
                );
                assert!(is_bound);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_refusal_is_pending_exactly_when_more_blocks_can_change_it() {
    let settlement = |error: SettlementError| VerifyError::from(error);
    for pending in [
        VerifyError::Unsettled,
        settlement(SettlementError::NotOnChain),
        settlement(SettlementError::TooShallow { depth: 1, least: 6 }),
        settlement(SettlementError::Level(CovenantLevel::CommitmentOnly)),
        settlement(SettlementError::Level(CovenantLevel::Funded { depth: 0 })),
    ] {
        assert!(pending.is_pending(), "{pending}");
    }
    for refused in [
        VerifyError::ForgedQuote,
        VerifyError::Expired { expired_at: NOW },
        settlement(SettlementError::NotOurScript),
        settlement(SettlementError::OtherTransaction),
        settlement(SettlementError::Level(CovenantLevel::Spent)),
    ] {
        assert!(!refused.is_pending(), "{refused}");
    }
}

#[test]
fn a_refusal_says_in_words_what_is_not_so() {
    let level = |level| SettlementError::Level(level).to_string();
    let missing = level(CovenantLevel::CommitmentOnly);
    assert_eq!(missing, "the covenant does not count: it is not funded");
    assert!(level(CovenantLevel::Funded { depth: 2 }).contains("2 blocks deep"));
    assert!(level(CovenantLevel::Spent).ends_with("it is spent"));
    for (field, name) in [
        (ProofField::Amount, "amount_msats"),
        (ProofField::AmountSats, "amount_sats"),
        (ProofField::Timestamp, "timestamp"),
        (ProofField::Expiry, "expires_at"),
    ] {
        let (claimed, actual) = (5, 7);
        let refusal = VerifyError::FieldMismatch {
            field,
            claimed,
            actual,
        };
        assert!(refusal.to_string().contains(&format!(" {name} is 5,")));
    }
}

fn bound_otherwise(form: Form, change: impl Fn(&mut CovenantKind)) -> KindError {
    let good = Covenant::good(form);
    let mut shown = good.covenant_proof();
    change(&mut shown.kind);
    let proof = good.proof_with(shown.to_bytes());
    match covenant(verifier().verify(&proof, NOW)) {
        CovenantError::Bound(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn p21_a_coin_spent_by_its_own_template_has_paid() {
    for form in FORMS {
        let covenant = Covenant::good(form);
        let paid = covenant.judge_spent(&verifier(), Some(&covenant.spend(1)));
        assert_eq!(paid, covenant.judge(), "it is the same payment");
        let early = covenant.judge_spent(&verifier(), Some(&covenant.spend(0)));
        let expected = SettlementError::TooShallow { depth: 0, least: 1 };
        assert_eq!(settlement(early), expected);
        let unknown = settlement(covenant.judge_spent(&verifier(), None));
        assert_eq!(unknown, SettlementError::Level(CovenantLevel::Spent));
        let other = OnChain::good().found(9);
        let other = settlement(covenant.judge_spent(&verifier(), Some(&other)));
        assert_eq!(other, SettlementError::OtherTransaction);
    }
}

#[test]
fn p21_a_coin_that_is_new_coins_is_none() {
    let covenant = Covenant::good(Form::Bare);
    let mut coin = covenant.coin(99);
    if let ChainOutput::Unspent { is_coinbase, .. } = &mut coin {
        *is_coinbase = true;
    }
    let refused = settlement(covenant.judge_by(&verifier(), &coin));
    assert_eq!(refused, SettlementError::Coinbase);
}

#[test]
fn p21_a_taproot_coin_that_could_be_spent_otherwise_is_none() {
    for form in [Form::CtvLeaf, Form::TemplateHashLeaf] {
        let bound = |change: fn(&mut bitcoin::taproot::ControlBlock)| {
            bound_otherwise(form, |kind| match kind {
                CovenantKind::CtvLeaf { control } | CovenantKind::TemplateHashLeaf { control } => {
                    change(control);
                }
                other => panic!("{other:?}"),
            })
        };
        let somebodys = bound(|control| {
            let keys = Keypair::from_seckey_slice(&Secp256k1::new(), &[3; 32]).unwrap();
            control.internal_key = keys.x_only_public_key().0;
        });
        assert_eq!(somebodys, KindError::InternalKey);
        let with_sibling = bound(|control| {
            let other = TapNodeHash::from_script(&our_script(), LeafVersion::TapScript);
            control.merkle_branch = [other].into();
        });
        assert_eq!(with_sibling, KindError::Siblings { siblings: 1 });
        let other_leaf = bound(|control| {
            control.leaf_version = LeafVersion::from_consensus(0xc2).unwrap();
        });
        assert_eq!(other_leaf, KindError::LeafVersion);
        let other_parity = bound(|control| {
            control.output_key_parity = control.output_key_parity ^ bitcoin::key::Parity::Odd;
        });
        assert_eq!(other_parity, KindError::Parity);
    }
}

#[test]
fn p22_an_unconfirmed_transaction_is_never_enough() {
    let good = OnChain::good();
    let eager = with_policy(SettlementPolicy {
        least_level: LeastLevel::Funded,
        ..policy()
    });
    let refused = settlement(good.judge_by(&eager, Some(&good.found(0))));
    let expected = SettlementError::TooShallow { depth: 0, least: 1 };
    assert_eq!(refused, expected);
    let deeper = with_policy(SettlementPolicy {
        least_depth: NonZeroU32::new(6).unwrap(),
        ..policy()
    });
    let refused = settlement(good.judge_by(&deeper, Some(&good.found(5))));
    let expected = SettlementError::TooShallow { depth: 5, least: 6 };
    assert_eq!(refused, expected);
    assert!(good.judge_by(&deeper, Some(&good.found(6))).is_ok());
}

#[test]
fn p22_a_transaction_that_the_chain_does_not_have_pays_nothing() {
    let good = OnChain::good();
    let refused = settlement(good.judge_by(&verifier(), None));
    assert_eq!(refused, SettlementError::NotOnChain);
}

#[test]
fn p22_another_transaction_than_was_asked_for_is_no_answer() {
    let good = OnChain::good();
    let mut other = good.clone();
    other.transaction.input = vec![input(9)];
    let broken = ChainTransaction {
        bytes: vec![1, 2, 3],
        depth: 9,
    };
    for answer in [other.found(9), broken] {
        let refused = settlement(good.judge_by(&verifier(), Some(&answer)));
        assert_eq!(refused, SettlementError::OtherTransaction);
    }
}

#[test]
fn p22_new_coins_are_no_payment() {
    let mut good = OnChain::good();
    good.transaction.input = vec![input(0)];
    good.transaction.input[0].previous_output = bitcoin::OutPoint::null();
    assert_eq!(settlement(good.judge()), SettlementError::Coinbase);
}

#[test]
fn p22_two_outputs_to_us_do_not_say_which_is_meant() {
    let several = SettlementError::SeveralOutputs { outputs: 2 };
    let mut on_chain = OnChain::good();
    let outputs = &mut on_chain.transaction.output;
    outputs.push(output(1_000, our_script()));
    assert_eq!(settlement(on_chain.judge()), several);
    let mut covenant = Covenant::good(Form::Bare);
    let outputs = &mut covenant.template.output;
    outputs.push(output(1_000, our_script()));
    assert_eq!(settlement(covenant.judge()), several);
}

#[test]
fn p23_a_claim_is_named_by_what_was_paid_and_by_nothing_else() {
    let key = |covenant: &Covenant| covenant.judge().unwrap().key();
    let one = Covenant::good(Form::WitnessScript);
    let mut moved = one.clone();
    moved.template.output.swap(0, 1);
    moved.output_index = 0;
    assert_ne!(key(&moved), key(&one), "another output is another payment");
    let mut other_coin = one.clone();
    other_coin.template.input = vec![input(6)];
    assert_ne!(key(&other_coin), key(&one), "so is another coin");
    // The same coin, whatever its template pays besides: it can be spent only once.
    let mut other_template = one.clone();
    other_template.template.output[0].value = Amount::from_sat(1_000);
    assert_eq!(key(&other_template), key(&one));
    // Another witness makes no other transaction.
    let paid = OnChain::good();
    let mut other_witness = paid.clone();
    other_witness.transaction.input[0].witness.push([2; 64]);
    let keys = [paid, other_witness].map(|it| it.judge().unwrap().key());
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], key(&one));
}

/// The hash of bytes in a row.
fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

/// BIP-340's hash under a tag.
fn tagged(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let tag = sha256(&[tag.as_bytes()]);
    sha256(&[&tag, &tag, &parts.concat()])
}

#[test]
fn the_hashes_of_a_template_are_those_that_the_bips_write_out() {
    let mut tx = Covenant::good(Form::Bare).template;
    tx.version = Version::ONE;
    tx.lock_time = LockTime::from_consensus(0x0102_0304);
    tx.input = vec![input(1), input(2)];
    tx.input[1].sequence = Sequence::from_consensus(0x0506_0708);
    // Around where a script's length takes more than one byte.
    tx.output
        .extend([0xfc, 0xfd, 0x100].map(|len| output(1, vec![0x51; len].into())));
    let outputs: Vec<u8> = tx.output.iter().flat_map(serialize).collect();
    let outputs = sha256(&[&outputs]);
    let sequences = sha256(&[&[0xff; 4], &[8, 7, 6, 5]]);
    let begin = [1, 0, 0, 0, 4, 3, 2, 1];
    let counted = [&[2, 0, 0, 0], &sequences[..], &[6, 0, 0, 0], &outputs].concat();
    let index = [0x0c, 0x0b, 0x0a, 0];
    let by_ctv = |tx: &Transaction| {
        let hash = ctv::template_hash(tx, 0x000a_0b0c);
        assert_eq!(ctv::Template::of(tx).hash(0x000a_0b0c), hash);
        hash
    };
    assert_eq!(by_ctv(&tx), sha256(&[&begin, &counted, &index]));
    let by_template_hash = |annex| op_template_hash::template_hash(&tx, 0x000a_0b0c, annex);
    let common = [&begin, &sequences[..], &outputs].concat();
    let expected = tagged("TemplateHash", &[&common, &[0], &index]);
    assert_eq!(by_template_hash(None), expected);
    let annex = [0x50, 9, 9];
    let expected = [&[1], &index[..], &sha256(&[&[3], &annex])].concat();
    let expected = tagged("TemplateHash", &[&common, &expected]);
    assert_eq!(by_template_hash(Some(&annex)), expected);
    // BIP-119 has the scriptSigs in it, as soon as there is one.
    tx.input[0].script_sig = our_script();
    let script_sigs = sha256(&[&[22], our_script().as_bytes(), &[0]]);
    assert_eq!(
        by_ctv(&tx),
        sha256(&[&begin, &script_sigs, &counted, &index])
    );
}

#[test]
fn p17_what_names_a_quote_is_its_hash_under_the_tag_of_its_kind() {
    let quote = quote();
    let text = quote.to_text();
    let hex = text.strip_prefix("mesh-quote:1:").unwrap();
    let bytes: [u8; 116] = mesh_types::from_hex(hex).unwrap();
    let name = |tag| [&[0x6a, 32], tagged(tag, &[&bytes]).as_slice()].concat();
    let by_transaction = name("blvm-mesh/1/on-chain");
    assert_eq!(quote.named_on_chain().into_bytes(), by_transaction);
    let by_covenant = name("blvm-mesh/1/covenant");
    assert_eq!(quote.named_in_covenant().into_bytes(), by_covenant);
}

// A store keeps claims for longer than one version of this program runs.
#[test]
fn p23_a_claim_has_the_same_name_in_every_version() {
    let paid = OnChain::good();
    let (tx_hash, index) = (paid.tx_hash(), [0, 0, 0, 2]);
    let expected = tagged("blvm-mesh/1/claim/on-chain", &[tx_hash.as_bytes(), &index]);
    let key = paid.judge().unwrap().key();
    assert_eq!(key, ClaimKey::from_tagged_hash(expected));
    let coin = [[7; 32].as_slice(), &[0, 0, 0, 3], &[0, 0, 0, 1]];
    let expected = tagged("blvm-mesh/1/claim/covenant", &coin);
    let key = Covenant::good(Form::Bare).judge().unwrap().key();
    assert_eq!(key, ClaimKey::from_tagged_hash(expected));
}

#[test]
fn a_policy_is_what_the_configuration_says_and_takes_addresses_of_its_own_network_only() {
    let config = |addresses: &[&str]| OnChainConfig {
        addresses: addresses.iter().map(|it| (*it).to_owned()).collect(),
        least_depth: NonZeroU32::new(6).unwrap(),
        ctv_on: vec![Network::Signet],
        template_hash_on: vec![Network::Regtest],
        ..OnChainConfig::default()
    };
    // BIP-173's example key, on each network.
    let ours = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    let main = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    let test = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx";
    let read = |config: &OnChainConfig, network| SettlementPolicy::from_config(config, network);
    let script = "0014751e76e8199196d454941c45d1b3a323f1433bd6";
    let script = mesh_types::from_hex::<22>(script).unwrap().to_vec();
    let expected = SettlementPolicy {
        scripts: vec![script.into()],
        least_depth: NonZeroU32::new(6).unwrap(),
        least_level: LeastLevel::Confirmed,
        ctv_on: vec![Network::Signet],
        template_hash_on: vec![Network::Regtest],
    };
    assert_eq!(read(&config(&[ours]), Network::Regtest), Ok(expected));
    for (address, networks) in [
        (ours, vec![Network::Regtest]),
        (main, vec![Network::Bitcoin]),
        (
            test,
            vec![Network::Testnet, Network::Testnet4, Network::Signet],
        ),
    ] {
        for network in [
            Network::Bitcoin,
            Network::Testnet,
            Network::Testnet4,
            Network::Signet,
            Network::Regtest,
        ] {
            let policy = read(&config(&[address]), network);
            assert_eq!(policy.is_ok(), networks.contains(&network), "{network}");
        }
    }
    let wrong = read(&config(&[ours, main]), Network::Regtest).unwrap_err();
    let expected = PolicyError::Network {
        address: main.to_owned(),
        network: Network::Regtest,
    };
    assert_eq!(wrong, expected);
    let none = read(&config(&["coffee"]), Network::Regtest).unwrap_err();
    assert!(matches!(none, PolicyError::Address { address, .. } if address == "coffee"));
}
