//! What is read of a node's answers.

use bitcoin::{Amount, BlockHash, hex::FromHex as _};
use mesh_types::{ChainOutput, ChainTransaction};
use serde::Deserialize;

/// Of `getblockchaininfo`.
#[derive(Deserialize)]
pub(crate) struct ChainInfo {
    pub(crate) chain: String,
    pub(crate) blocks: u32,
    pub(crate) headers: u32,
    #[serde(rename = "bestblockhash")]
    pub(crate) tip: BlockHash,
    #[serde(rename = "initialblockdownload")]
    pub(crate) is_loading: bool,
}

/// Of `getindexinfo`.
#[derive(Deserialize)]
pub(crate) struct Indices {
    pub(crate) txindex: Option<Index>,
}

#[derive(Deserialize)]
pub(crate) struct Index {
    #[serde(rename = "synced")]
    pub(crate) is_complete: bool,
    #[serde(rename = "best_block_height")]
    pub(crate) height: u32,
}

/// Of `getblockheader`.
#[derive(Deserialize)]
pub(crate) struct Header {
    pub(crate) height: u32,
}

/// Of `getmempoolentry`: that there is one.
#[derive(Deserialize)]
pub(crate) struct Waiting {}

/// Of `gettxout`.
#[derive(Deserialize)]
pub(crate) struct Coin {
    #[serde(rename = "bestblock")]
    pub(crate) tip: BlockHash,
    #[serde(rename = "confirmations")]
    pub(crate) depth: u32,
    value: f64,
    #[serde(rename = "scriptPubKey")]
    script: Script,
    coinbase: bool,
}

#[derive(Deserialize)]
struct Script {
    hex: String,
}

/// Of `getrawtransaction`.
#[derive(Deserialize)]
pub(crate) struct Raw {
    hex: String,
    blockhash: Option<BlockHash>,
    confirmations: Option<i64>,
    in_active_chain: Option<bool>,
}

impl Coin {
    /// `None` when it is strange.
    pub(crate) fn unspent(&self) -> Option<ChainOutput> {
        Some(ChainOutput::Unspent {
            script_pubkey: Vec::from_hex(&self.script.hex).ok()?,
            // Exact: all the satoshi that there can be fit into the 53 bits of a number.
            value_sats: Amount::from_btc(self.value).ok()?.to_sat(),
            depth: self.depth,
            is_coinbase: self.coinbase,
        })
    }
}

impl Raw {
    /// How deep it is, where the answer says so.
    pub(crate) fn depth(&self) -> Option<u32> {
        let confirmations = self.confirmations.filter(|_| self.blockhash.is_some());
        confirmations.and_then(|confirmations| u32::try_from(confirmations).ok())
    }

    /// Whether it is from a block that was undone.
    pub(crate) fn is_undone(&self) -> bool {
        let is_unconfirmed = self.confirmations.is_some_and(|depth| depth <= 0);
        let is_beside = self.in_active_chain == Some(false);
        self.blockhash.is_some() && (is_unconfirmed || is_beside)
    }

    /// `None` when it is strange.
    pub(crate) fn at_depth(&self, depth: u32) -> Option<ChainTransaction> {
        let bytes = Vec::from_hex(&self.hex).ok()?;
        Some(ChainTransaction { bytes, depth })
    }
}
