use crate::{
    on_chain::{
        PENDING, count_at_depth, is_pending, mine, our_script, paid_on_chain, settle_on_chain,
    },
    payer::{PAID, Payer, WhyNot},
    program,
    wallet::{Wallet, address, broadcast},
};
use blvm_mesh::{
    CovenantKind, CovenantProof, PaymentProof, Quote, RefusalCode,
    bitcoin::{
        Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness,
        absolute::LockTime, transaction::Version,
    },
};
use blvm_mesh_module::regtest::RealNode;

const COIN: Amount = Amount::from_sat(3_000);

/// A covenant that pays a quote, and the transaction that makes its coin.
struct Covenant {
    covenant: CovenantProof,
    funding: Transaction,
}

impl Covenant {
    fn paying(quote: Quote, wallet: &mut Wallet) -> Self {
        let output = |sats, script_pubkey| TxOut {
            value: Amount::from_sat(sats),
            script_pubkey,
        };
        let template = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::default(),
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            }],
            output: vec![
                output(0, quote.named_in_covenant()),
                output(quote.amount.to_sats_floor(), our_script()),
            ],
        };
        let kind = CovenantKind::CtvWitnessScript;
        let coin = TxOut {
            value: COIN,
            script_pubkey: kind.script(&template).unwrap(),
        };
        let funding = wallet.pay(&[coin]);
        let mut covenant = CovenantProof {
            kind,
            quote,
            template,
        };
        covenant.template.input[0].previous_output = OutPoint {
            txid: funding.compute_txid(),
            vout: 0,
        };
        Self { covenant, funding }
    }

    fn proof(&self) -> PaymentProof {
        PaymentProof::InstantSettlement {
            covenant_proof: self.covenant.to_bytes(),
            output_index: 1,
            merkle_proof: Vec::new(),
            amount_sats: PAID.to_sats_floor(),
            timestamp: self.covenant.quote.expires_at.to_secs(),
        }
    }

    /// What nobody could do where the covenant is enforced: it sends the coin elsewhere.
    fn stolen(&self) -> Transaction {
        let mut transaction = self.covenant.spend();
        transaction.output = vec![TxOut {
            value: Amount::from_sat(1_000),
            script_pubkey: address().script_pubkey(),
        }];
        transaction
    }
}

const CTV: &str = "ctv_on = [\"regtest\"]";

#[tokio::test]
async fn a_covenant_is_credit_once_its_coin_is_deep_enough_and_to_a_node_that_catches_up_as_well() {
    let root = tempfile::tempdir().unwrap();
    let home = paid_on_chain(&root, "paid", None, CTV);
    let node = RealNode::start(program(), &home).await.unwrap();
    let mut wallet = Wallet::mined_on(&node).await;
    let payer = Payer::of(&home).await;
    let covenant = Covenant::paying(payer.quote(&home), &mut wallet);
    let proof = covenant.proof();
    is_pending(&payer, &proof, "not even in the mempool").await;
    count_at_depth(&node, &payer, &covenant.funding, &proof).await;
    assert_eq!(
        node.status().await.unwrap().money.deposited_msat,
        PAID.to_msat()
    );
    let again = payer.send(Some(&proof)).await;
    assert_eq!(again, Err(WhyNot::Refused(RefusalCode::ProofReplayed)));

    let home = paid_on_chain(&root, "late", None, CTV);
    let mut late = RealNode::start(program(), &home).await.unwrap();
    let payer = Payer::of(&home).await;
    let covenant = Covenant::paying(payer.quote(&home), &mut wallet);
    broadcast(&node, &covenant.funding).await.unwrap();
    mine(&node, 2).await;
    late.connect(&node).await.unwrap();
    let proof = covenant.proof();
    let is_credited = async |_: &RealNode| match payer.send(Some(&proof)).await {
        Ok(()) => Ok(true),
        Err(refused) => {
            assert_eq!(refused, PENDING, "it has no blocks yet");
            Ok(false)
        }
    };
    late.until("the credit", is_credited).await.unwrap();
    let money = late.status().await.unwrap().money;
    assert_eq!(
        (money.deposited_msat, money.frozen_msat),
        (PAID.to_msat(), 0)
    );
}

#[tokio::test]
async fn a_covenant_whose_coin_is_spent_or_that_nothing_enforces_is_no_payment() {
    let root = tempfile::tempdir().unwrap();
    let home = paid_on_chain(&root, "paid", None, "");
    let node = RealNode::start(program(), &home).await.unwrap();
    let mut wallet = Wallet::mined_on(&node).await;
    let payer = Payer::of(&home).await;
    let covenant = Covenant::paying(payer.quote(&home), &mut wallet);
    let proof = covenant.proof();
    broadcast(&node, &covenant.funding).await.unwrap();
    mine(&node, 2).await;
    let not_enforced = payer.send(Some(&proof)).await;
    assert_eq!(
        not_enforced,
        Err(WhyNot::Refused(RefusalCode::ProofInvalid))
    );

    assert_eq!(node.stop().await.unwrap(), Some(0));
    settle_on_chain(&home, None, CTV);
    let node = RealNode::start(program(), &home).await.unwrap();
    let payer = Payer::of(&home).await;
    broadcast(&node, &covenant.stolen()).await.unwrap();
    assert!(
        payer.send(Some(&proof)).await.is_err(),
        "spent in the mempool"
    );
    mine(&node, 2).await;
    assert!(
        payer.send(Some(&proof)).await.is_err(),
        "spent in the chain"
    );
    assert_eq!(node.status().await.unwrap().money.deposited_msat, 0);
}
