use crate::{
    ChainConfig, MAX_SECRET_LEN, OpenError,
    answer::{ChainInfo, Coin, Header, Index, Indices, Raw},
    error::CallError,
    places::{Place, Places},
    rpc::{Rpc, code},
};
use async_trait::async_trait;
use bitcoin::BlockHash;
use mesh_types::{
    ChainError, ChainNode, ChainOutput, ChainTransaction, Network, OutPoint, TxHash, to_hex,
};
use parking_lot::Mutex;
use serde_json::json;
use std::fmt;

/// Blocks that a node may be behind the headers that it knows: one, which is on its way to it.
pub const MAX_BEHIND: u32 = 1;

/// Outputs by which a transaction is looked for that no index names: sixteen, because a payment to a mesh has two or three,
/// and each costs a question.
pub const MAX_LOOKED_AT: u32 = 16;

/// A Bitcoin node that is asked over JSON-RPC.
///
/// Before each answer it has to say that it is on the right network and at the tip of its chain. What it says is believed: it
/// has to be one's own.
pub struct BitcoinRpc {
    rpc: Rpc,
    network: Network,
    places: Mutex<Places>,
}

impl BitcoinRpc {
    /// Makes ready to ask a node; nothing is asked yet.
    ///
    /// # Errors
    /// [`OpenError`], when the settings cannot be used.
    pub fn new(config: &ChainConfig, network: Network) -> Result<Self, OpenError> {
        if let Some(password) = &config.password {
            password.read(MAX_SECRET_LEN)?;
        }
        Ok(Self {
            rpc: Rpc::new(config)?,
            network,
            places: Mutex::default(),
        })
    }

    /// Makes ready to ask a node, and asks it who it is; answers with what its operator should know, too.
    ///
    /// A node that is away is no error: it is asked again with each question.
    ///
    /// # Errors
    /// [`OpenError`], in one sentence for its operator.
    pub async fn open(
        config: &ChainConfig,
        network: Network,
    ) -> Result<(Self, Vec<String>), OpenError> {
        let node = Self::new(config, network)?;
        let mut warnings = Vec::new();
        if !node.rpc.http().is_here() {
            warnings.push(format!(
                "the password for {node} travels unencrypted: keep it on a network of your own"
            ));
        }
        match node.info().await {
            Ok(info) if info.chain != word(network) => {
                return Err(OpenError::WrongNetwork {
                    address: node.rpc.http().address().to_owned(),
                    expected: network,
                    found: info.chain.chars().take(MAX_WORD).collect(),
                });
            }
            Ok(_) => {
                if let Ok(None) = node.index().await {
                    warnings.push(format!(
                        "{node} has no index of transactions (-txindex): a payment whose outputs are all spent cannot be told \
                         from one that has left the chain after a restart of this program"
                    ));
                }
            }
            Err(CallError::Away(why)) => {
                warnings.push(format!("starting without the chain: {why}"))
            }
            Err(CallError::Denied(why)) => return Err(OpenError::Denied(why)),
            Err(CallError::Strange(why)) => return Err(OpenError::Strange(why)),
            Err(CallError::Refused { message, .. }) => return Err(OpenError::Strange(message)),
        }
        Ok((node, warnings))
    }

    async fn info(&self) -> Result<ChainInfo, CallError> {
        self.rpc.needed("getblockchaininfo", json!([])).await
    }

    /// The index of transactions; `None` where there is none.
    async fn index(&self) -> Result<Option<Index>, CallError> {
        let indices: Result<Indices, _> = self.rpc.needed("getindexinfo", json!([])).await;
        match indices {
            Ok(indices) => Ok(indices.txindex),
            Err(CallError::Refused { code, .. }) if code == code::NO_SUCH_METHOD => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The tip of the chain, when the node is there and on the right network.
    async fn tip(&self) -> Result<ChainInfo, ChainError> {
        let info = self.info().await?;
        let network = word(self.network);
        if info.chain != network {
            return Err(ChainError(format!("{self} is not on {network} any more")));
        }
        let is_behind = info.headers.saturating_sub(info.blocks) > MAX_BEHIND;
        if info.is_loading || is_behind {
            let (blocks, headers) = (info.blocks, info.headers);
            return Err(ChainError(format!(
                "{self} is still loading the chain: it is at block {blocks} of {headers}"
            )));
        }
        Ok(info)
    }

    async fn coin(
        &self,
        tx_hash: &TxHash,
        index: u32,
        with_mempool: bool,
    ) -> Result<Option<Coin>, CallError> {
        let params = json!([tx_hash.to_string(), index, with_mempool]);
        self.rpc.call("gettxout", params).await
    }

    /// The first of a transaction's outputs that nothing has spent.
    async fn coin_of(
        &self,
        tx_hash: &TxHash,
        with_mempool: bool,
    ) -> Result<Option<Coin>, CallError> {
        for index in 0..MAX_LOOKED_AT {
            if let Some(coin) = self.coin(tx_hash, index, with_mempool).await? {
                return Ok(Some(coin));
            }
        }
        Ok(None)
    }

    /// A transaction of the mempool, or of the chain where there is an index. That names a block that was undone until
    /// another has the transaction.
    async fn raw(&self, tx_hash: &TxHash) -> Result<Option<Raw>, CallError> {
        let params = json!([tx_hash.to_string(), true]);
        let raw: Option<Raw> = self.rpc.found("getrawtransaction", params).await?;
        Ok(raw.filter(|raw| !raw.is_undone()))
    }

    /// Finds out how deep a transaction is of which the node did not say it.
    async fn weigh(
        &self,
        tx_hash: &TxHash,
        raw: &Raw,
        tip: &ChainInfo,
    ) -> Result<Option<ChainTransaction>, ChainError> {
        // In the mempool it is not deep, and blvm-node never says how deep anything is.
        if let Some(coin) = self.coin_of(tx_hash, true).await? {
            if coin.depth > 0 {
                self.note(tx_hash, &coin).await?;
            }
            return self.told(raw, coin.depth).map(Some);
        }
        if self.rpc.is_waiting(tx_hash).await? {
            return self.told(raw, 0).map(Some);
        }
        match self.remember(tx_hash, tip).await? {
            Memory::Deep { depth, .. } => self.told(raw, depth).map(Some),
            Memory::Undone => Ok(None),
            Memory::Never => Err(ChainError(format!(
                "{self} does not say how deep transaction {tx_hash} is, whose outputs are spent"
            ))),
        }
    }

    /// Makes sure that neither the chain nor the mempool has a transaction, though both may change meanwhile.
    ///
    /// The index was complete before the node was asked again, and the chain is the same behind that: so what it would have
    /// named was there to be named.
    async fn look_again(
        &self,
        tx_hash: &TxHash,
        tip: &ChainInfo,
        index: &Index,
    ) -> Result<Option<ChainTransaction>, ChainError> {
        if let Some(raw) = self.raw(tx_hash).await? {
            return self.judge(tx_hash, &raw, tip).await;
        }
        if !index.is_complete {
            return Err(ChainError(format!(
                "the index of transactions of {self} is not complete yet"
            )));
        }
        let is_same = index.height == tip.blocks && self.tip().await?.tip == tip.tip;
        is_same.then_some(None).ok_or_else(|| self.moving())
    }

    async fn judge(
        &self,
        tx_hash: &TxHash,
        raw: &Raw,
        tip: &ChainInfo,
    ) -> Result<Option<ChainTransaction>, ChainError> {
        match raw.depth() {
            Some(depth) => self.told(raw, depth).map(Some),
            None => self.weigh(tx_hash, raw, tip).await,
        }
    }

    /// Finds a transaction in the chain of a node without an index: by its outputs, or where it was before.
    async fn search(
        &self,
        tx_hash: &TxHash,
        tip: &ChainInfo,
    ) -> Result<Option<ChainTransaction>, ChainError> {
        let (block, depth) = match self.coin_of(tx_hash, false).await? {
            Some(coin) => (self.note(tx_hash, &coin).await?, coin.depth),
            None => match self.remember(tx_hash, tip).await? {
                Memory::Deep { block, depth } => (block, depth),
                Memory::Undone => return Ok(None),
                Memory::Never => {
                    return Err(ChainError(format!(
                        "{self} has no index of transactions (-txindex), and no unspent output of transaction {tx_hash}"
                    )));
                }
            },
        };
        let params = json!([tx_hash.to_string(), true, block]);
        let raw: Option<Raw> = self.rpc.found("getrawtransaction", params).await?;
        let raw = raw.filter(|raw| !raw.is_undone());
        self.told(&raw.ok_or_else(|| self.moving())?, depth)
            .map(Some)
    }

    /// Notes in which block a transaction is, and gives it.
    async fn note(&self, tx_hash: &TxHash, coin: &Coin) -> Result<BlockHash, ChainError> {
        let header: Header = self.rpc.needed("getblockheader", json!([coin.tip])).await?;
        let height = header.height.saturating_add(1).checked_sub(coin.depth);
        let height = height.ok_or_else(|| self.moving())?;
        let block = self.rpc.needed("getblockhash", json!([height])).await?;
        self.places.lock().note(*tx_hash, Place { height, block });
        Ok(block)
    }

    /// Says what is left of the block in which a transaction was seen.
    async fn remember(&self, tx_hash: &TxHash, tip: &ChainInfo) -> Result<Memory, ChainError> {
        let Some(Place { height, block }) = self.places.lock().of(tx_hash) else {
            return Ok(Memory::Never);
        };
        let Some(below) = tip.blocks.checked_sub(height) else {
            return Ok(Memory::Undone);
        };
        let now: BlockHash = self.rpc.needed("getblockhash", json!([height])).await?;
        Ok(if now == block {
            let depth = below.saturating_add(1);
            Memory::Deep { block, depth }
        } else {
            Memory::Undone
        })
    }

    fn unspent(&self, coin: &Coin) -> Result<ChainOutput, ChainError> {
        let strange = || {
            self.rpc
                .strange("gettxout", "its amount or its script does not read")
        };
        Ok(coin.unspent().ok_or_else(strange)?)
    }

    fn told(&self, raw: &Raw, depth: u32) -> Result<ChainTransaction, ChainError> {
        let strange = || self.rpc.strange("getrawtransaction", "it is no hex");
        Ok(raw.at_depth(depth).ok_or_else(strange)?)
    }

    fn moving(&self) -> ChainError {
        ChainError(format!("the chain of {self} is changing: ask again"))
    }
}

#[async_trait]
impl ChainNode for BitcoinRpc {
    async fn output(&self, outpoint: OutPoint) -> Result<ChainOutput, ChainError> {
        self.tip().await?;
        let OutPoint { tx_hash, index } = outpoint;
        if let Some(coin) = self.coin(&tx_hash, index, true).await? {
            return self.unspent(&coin);
        }
        // What only the mempool has spent, the chain has still.
        if self.coin(&tx_hash, index, false).await?.is_none() {
            return Ok(ChainOutput::Missing);
        }
        // Or a block has brought it between the two questions.
        match self.coin(&tx_hash, index, true).await? {
            Some(coin) => self.unspent(&coin),
            None => Ok(ChainOutput::Spent),
        }
    }

    async fn transaction(&self, tx_hash: TxHash) -> Result<Option<ChainTransaction>, ChainError> {
        let tip = self.tip().await?;
        if let Some(raw) = self.raw(&tx_hash).await? {
            return self.judge(&tx_hash, &raw, &tip).await;
        }
        match self.index().await? {
            Some(index) => self.look_again(&tx_hash, &tip, &index).await,
            None => self.search(&tx_hash, &tip).await,
        }
    }

    async fn submit(&self, transaction: Vec<u8>) -> Result<(), ChainError> {
        self.tip().await?;
        let sent = self
            .rpc
            .needed("sendrawtransaction", json!([to_hex(&transaction)]));
        let sent: Result<String, _> = sent.await;
        match sent {
            Ok(_) => Ok(()),
            Err(CallError::Refused { code, .. }) if code == code::ALREADY_THERE => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What is known of a transaction that no output tells of.
enum Memory {
    /// It was not seen in a block.
    Never,
    /// Its block is in the chain no more.
    Undone,
    /// Its block is in the chain.
    Deep { block: BlockHash, depth: u32 },
}

/// The most of a network's name that a message repeats.
const MAX_WORD: usize = 20;

/// A network, as nodes name it.
const fn word(network: Network) -> &'static str {
    match network {
        Network::Bitcoin => "main",
        Network::Testnet => "test",
        Network::Testnet4 => "testnet4",
        Network::Signet => "signet",
        Network::Regtest => "regtest",
    }
}

impl fmt::Display for BitcoinRpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the Bitcoin node at {}", self.rpc.http().address())
    }
}

impl fmt::Debug for BitcoinRpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BitcoinRpc")
            .field("address", &self.rpc.http().address())
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}
