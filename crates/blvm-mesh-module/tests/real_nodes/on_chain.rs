use crate::{
    payer::{PAID, PRICE, Payer, WhyNot},
    program,
    wallet::{self, Wallet, broadcast, mine_with},
};
use blvm_mesh::{
    PaymentProof, Quote, RefusalCode,
    bitcoin::{
        Address, Amount, Network, ScriptBuf, Transaction, TxOut, WPubkeyHash, hashes::Hash as _,
    },
};
use blvm_mesh_module::regtest::{RealHome, RealNode, Settings};
use serde_json::json;
use tempfile::TempDir;

/// Where the real node is paid.
pub(crate) fn our_script() -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([4; 20]))
}

/// A home whose node is paid on the chain, two blocks deep.
///
/// - `more`: lines of `[mesh.on_chain]`.
pub(crate) fn paid_on_chain(
    root: &TempDir,
    name: &str,
    peer: Option<&RealHome>,
    more: &str,
) -> RealHome {
    let home = RealHome::new(root.path(), name).unwrap();
    settle_on_chain(&home, peer, more);
    home
}

pub(crate) fn settle_on_chain(home: &RealHome, peer: Option<&RealHome>, more: &str) {
    let mesh = settings_on_chain(more);
    let settings = Settings {
        peer,
        mesh: &mesh,
        wallet: None,
    };
    home.configure(settings).unwrap();
}

/// Lines of `[mesh]`.
pub(crate) fn settings_on_chain(more: &str) -> String {
    let address = Address::from_script(&our_script(), Network::Regtest).unwrap();
    format!(
        "price_per_packet_msat = {}\nprice_per_kib_msat = 0\n[mesh.on_chain]\naddresses = [\"{address}\"]\nleast_depth = 2\n{more}",
        PRICE.to_msat()
    )
}

/// A transaction that pays a quote, and the proof of it.
pub(crate) fn settle(wallet: &mut Wallet, quote: &Quote) -> (Transaction, PaymentProof) {
    let sats = quote.amount.to_sats_floor();
    let outputs = [
        TxOut {
            value: Amount::from_sat(sats),
            script_pubkey: our_script(),
        },
        TxOut {
            value: Amount::ZERO,
            script_pubkey: quote.named_on_chain(),
        },
    ];
    let transaction = wallet.pay(&outputs);
    let proof = PaymentProof::OnChainSettlement {
        payment_request_id: quote.to_text(),
        tx_hash: transaction.compute_txid().to_byte_array(),
        amount_sats: sats,
        timestamp: quote.expires_at.to_secs(),
    };
    (transaction, proof)
}

pub(crate) async fn mine(node: &RealNode, blocks: u32) {
    node.rpc
        .mine(blocks, &wallet::address().to_string())
        .await
        .unwrap();
}

/// Sends what pays, and sees that the proof of it counts when it is two blocks deep, and not before.
pub(crate) async fn count_at_depth(
    node: &RealNode,
    payer: &Payer,
    transaction: &Transaction,
    proof: &PaymentProof,
) {
    broadcast(node, transaction).await.unwrap();
    is_pending(payer, proof, "in the mempool").await;
    mine(node, 1).await;
    is_pending(payer, proof, "one block deep").await;
    mine(node, 1).await;
    assert_eq!(payer.send(Some(proof)).await, Ok(()));
}

/// Sees that a proof does not count yet.
pub(crate) async fn is_pending(payer: &Payer, proof: &PaymentProof, when: &str) {
    let sent = payer.send(Some(proof)).await;
    assert_eq!(sent, Err(PENDING), "{when}");
}

pub(crate) const PENDING: WhyNot = WhyNot::Refused(RefusalCode::ProofPending);

#[tokio::test]
async fn a_payment_on_the_chain_is_credit_at_depth_and_frozen_while_a_reorganisation_undoes_it() {
    let root = tempfile::tempdir().unwrap();
    let home = paid_on_chain(&root, "paid", None, "");
    let mut node = RealNode::start(program(), &home).await.unwrap();
    let mut wallet = Wallet::mined_on(&node).await;
    let payer = Payer::of(&home).await;
    let (transaction, proof) = settle(&mut wallet, &payer.quote(&home));
    is_pending(&payer, &proof, "not even in the mempool").await;
    count_at_depth(&node, &payer, &transaction, &proof).await;
    let money = node.status().await.unwrap().money;
    assert_eq!((money.deposited_msat, money.watched), (PAID.to_msat(), 1));
    assert_eq!(payer.send(None).await, Ok(()), "the credit carries");
    let again = payer.send(Some(&proof)).await;
    assert_eq!(again, Err(WhyNot::Refused(RefusalCode::ProofReplayed)));

    let hash = node.rpc.call("getblockhash", json!([102])).await.unwrap();
    node.rpc
        .call("invalidateblock", json!([hash]))
        .await
        .unwrap();
    assert_eq!(node.rpc.height().await.unwrap(), 101);
    let frozen = async |node: &RealNode| Ok(node.status().await?.money.frozen_msat > 0);
    node.until("the credit to freeze", frozen).await.unwrap();
    assert_eq!(payer.send(None).await, Err(WhyNot::Unpaid));

    // The node does not take the transaction again by itself, but it takes a block with it.
    mine_with(&node, &transaction).await;
    mine(&node, 1).await;
    let thawed = async |node: &RealNode| Ok(node.status().await?.money.frozen_msat == 0);
    node.until("the credit to thaw", thawed).await.unwrap();
    assert_eq!(payer.send(None).await, Ok(()));
}
