//! What a client is told of a chain on which things happen.

use super::{
    scene::Scene,
    support::{Key, sats, spend},
};
use bitcoin::{Amount, Transaction, consensus::encode::serialize, hashes::Hash as _};
use mesh_chain::BitcoinRpc;
use mesh_types::{ChainNode as _, ChainOutput, OutPoint, TxHash};
use serde_json::json;

/// What a coin holds, what is paid of it, and what is paid of it at a higher fee, or of that in turn.
const FUNDS: Amount = sats(12_345_678);
const PAID: Amount = sats(12_344_000);
const LESS: Amount = sats(12_340_000);

/// An output that nobody has made.
pub(crate) const UNKNOWN: OutPoint = OutPoint {
    tx_hash: TxHash::from_bytes([7; 32]),
    index: 0,
};

pub(crate) async fn unknown_output_is_missing(client: &BitcoinRpc) {
    assert_eq!(client.output(UNKNOWN).await, Ok(ChainOutput::Missing));
}

pub(crate) async fn an_output_is_seen_in_the_mempool_and_grows_deep(scene: Scene) {
    let key = Key::new(1);
    let outpoint = named(&scene.chain.fund(key.script(), FUNDS).unwrap());
    for depth in 0..3 {
        let expected = ChainOutput::Unspent {
            script_pubkey: key.script().into_bytes(),
            value_sats: FUNDS.to_sat(),
            depth,
            is_coinbase: false,
        };
        assert_eq!(scene.client.output(outpoint).await, Ok(expected));
        scene.chain.mine(1).unwrap();
    }
}

pub(crate) async fn a_spent_output_is_not_there_to_be_spent(scene: Scene) {
    let (outpoint, payment) = payment(&scene);
    scene.chain.submit(&payment).unwrap();
    let found = scene.client.output(named(&outpoint)).await;
    assert_eq!(found, Ok(ChainOutput::Spent), "in the mempool");
    scene.chain.mine(1).unwrap();
    let found = scene.client.output(named(&outpoint)).await;
    assert_eq!(found, Ok(ChainOutput::Missing), "in the chain");
}

pub(crate) async fn what_nobody_has_made_is_not_there(scene: Scene) {
    unknown_output_is_missing(&scene.client).await;
    let outpoint = scene.chain.fund(Key::new(1).script(), FUNDS).unwrap();
    let beyond = OutPoint {
        index: u32::MAX,
        ..named(&outpoint)
    };
    assert_eq!(scene.client.output(beyond).await, Ok(ChainOutput::Missing));
    if scene.has_index() {
        assert_eq!(scene.transaction(UNKNOWN.tx_hash).await, None);
    } else {
        scene.client.transaction(UNKNOWN.tx_hash).await.unwrap_err();
    }
}

pub(crate) async fn new_coins_are_told_from_others(scene: Scene) {
    let access = scene.chain.access();
    let tip = scene.chain.tip().unwrap();
    let block = access.ask("getblock", &json!([tip])).unwrap();
    let coinbase: bitcoin::Txid = block["tx"][0].as_str().unwrap().parse().unwrap();
    let outpoint = OutPoint {
        tx_hash: hash(coinbase),
        index: 0,
    };
    let found = scene.client.output(outpoint).await.unwrap();
    let ChainOutput::Unspent {
        value_sats,
        depth,
        is_coinbase,
        ..
    } = found
    else {
        panic!("{found:?}");
    };
    assert_eq!((value_sats, depth, is_coinbase), (5_000_000_000, 1, true));
}

pub(crate) async fn a_transaction_grows_deep_and_loses_that_with_its_block(scene: Scene) {
    let (_, payment) = payment(&scene);
    let tx_hash = hash(scene.chain.submit(&payment).unwrap());
    for depth in 0..4 {
        let found = scene.transaction(tx_hash).await.unwrap();
        assert_eq!((found.bytes, found.depth), (serialize(&payment), depth));
        scene.chain.mine(1).unwrap();
    }
    let height = scene.chain.height().unwrap();
    let access = scene.chain.access();
    let block = access.ask("getblockhash", &json!([height - 3])).unwrap();
    let block = block.as_str().unwrap().parse().unwrap();
    scene.chain.invalidate(&block).unwrap();
    let found = scene.transaction(tx_hash).await.unwrap();
    assert_eq!(found.depth, 0, "it waits in the mempool again");
    scene.chain.mine(1).unwrap();
    assert_eq!(scene.transaction(tx_hash).await.unwrap().depth, 1);
}

pub(crate) async fn a_transaction_that_another_has_replaced_is_gone(scene: Scene) {
    let (outpoint, first) = payment(&scene);
    let tx_hash = hash(scene.chain.submit(&first).unwrap());
    scene.chain.mine(1).unwrap();
    assert_eq!(scene.transaction(tx_hash).await.unwrap().depth, 1);
    let block = scene.chain.tip().unwrap();
    scene.chain.invalidate(&block).unwrap();
    let key = Key::new(1);
    let dearer = spend(&[outpoint], Key::new(3).script(), LESS);
    let second = key.sign(dearer, &[FUNDS]);
    scene.chain.submit(&second).unwrap();
    scene.chain.mine(2).unwrap();
    assert_eq!(scene.transaction(tx_hash).await, None);
    let second = hash(second.compute_txid());
    assert_eq!(scene.transaction(second).await.unwrap().depth, 2);
}

pub(crate) async fn a_transaction_whose_outputs_are_spent_is_still_told_as_far_as_it_can_be(
    scene: Scene,
) {
    let (_, first) = payment(&scene);
    let tx_hash = hash(scene.chain.submit(&first).unwrap());
    scene.chain.mine(1).unwrap();
    let (stranger, _folder) = scene.stranger().await;
    assert_eq!(scene.transaction(tx_hash).await.unwrap().depth, 1);
    let outpoint = bitcoin::OutPoint {
        txid: first.compute_txid(),
        vout: 0,
    };
    let next = spend(&[outpoint], Key::new(3).script(), LESS);
    let next = Key::new(2).sign(next, &[PAID]);
    scene.chain.submit(&next).unwrap();
    scene.chain.mine(1).unwrap();
    assert_eq!(scene.transaction(tx_hash).await.unwrap().depth, 2);
    let told = stranger.transaction(tx_hash).await;
    if scene.has_index() {
        assert_eq!(told.unwrap().unwrap().depth, 2);
    } else {
        let said = told.unwrap_err().to_string();
        assert!(said.contains("-txindex"), "{said}");
    }
}

pub(crate) async fn a_transaction_is_sent_once_however_often_it_is_sent(scene: Scene) {
    let (_, payment) = payment(&scene);
    let bytes = serialize(&payment);
    let mut unsigned = payment.clone();
    unsigned.input[0].witness.clear();
    for wrong in [serialize(&unsigned), vec![1, 2, 3], Vec::new()] {
        scene.client.submit(wrong).await.unwrap_err();
    }
    for _ in 0..2 {
        assert_eq!(scene.client.submit(bytes.clone()).await, Ok(()));
        assert_eq!(scene.chain.mempool().unwrap(), [payment.compute_txid()]);
    }
    scene.chain.mine(1).unwrap();
    assert_eq!(scene.client.submit(bytes).await, Ok(()), "in the chain");
}

/// A coin of the first key's in the newest block, and a payment of it to the second's.
fn payment(scene: &Scene) -> (bitcoin::OutPoint, Transaction) {
    let key = Key::new(1);
    let outpoint = scene.chain.fund(key.script(), FUNDS).unwrap();
    scene.chain.mine(1).unwrap();
    let paid = spend(&[outpoint], Key::new(2).script(), PAID);
    (outpoint, key.sign(paid, &[FUNDS]))
}

fn hash(txid: bitcoin::Txid) -> TxHash {
    TxHash::from_bytes(txid.to_byte_array())
}

fn named(outpoint: &bitcoin::OutPoint) -> OutPoint {
    OutPoint {
        tx_hash: hash(outpoint.txid),
        index: outpoint.vout,
    }
}
