use crate::{
    AskError, Bitcoind, BitcoindError, Chain, ChainError, FIRST_BLOCKS, RpcAccess, RpcServer,
};
use bitcoin::{
    Amount, BlockHash, OutPoint, ScriptBuf, Transaction, TxIn, TxOut, Txid, absolute::LockTime,
    consensus::encode::serialize_hex, transaction::Version,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{env, ffi::OsString, io, path::Path};
use thiserror::Error;

/// The environment variable that names a bitcoind to be used instead of the chain of this crate.
pub const BITCOIND: &str = "BITCOIND";

/// What a payment of a bitcoind's wallet costs a virtual byte, in satoshi: as at our own miner.
const FEE_RATE: u64 = 2;

/// What a bitcoind's wallet mines to and pays its change to: as our own miner.
const KIND_OF_ADDRESS: &str = "bech32";

/// A regtest chain that whoever asks a bitcoind can ask, with a miner who has coins: [`Chain`] in this process, or a real
/// bitcoind.
#[derive(Debug)]
pub struct Regtest(Kind);

#[derive(Debug)]
enum Kind {
    Here { chain: Chain, rpc: RpcServer },
    There(Bitcoind),
}

/// Why a chain did not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RegtestError {
    /// The chain in this process.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Its server has no port or no thread.
    #[error("the machine refused: {0}")]
    Io(#[from] io::Error),
    /// The bitcoind.
    #[error(transparent)]
    Bitcoind(#[from] BitcoindError),
    /// A call.
    #[error("{method}: {source}")]
    Asked {
        /// Its method.
        method: &'static str,
        /// What became of it.
        source: AskError,
    },
    /// A call answers otherwise than it should.
    #[error("{method} does not answer as it should")]
    Garbled {
        /// Its method.
        method: &'static str,
    },
}

impl Regtest {
    /// Starts the bitcoind that the environment variable [`BITCOIND`] names, or else a chain in this process.
    ///
    /// # Errors
    /// [`RegtestError`]
    pub fn start() -> Result<Self, RegtestError> {
        match named() {
            Some(program) => Self::bitcoind(Path::new(&program), &["-txindex"]),
            None => Self::here(),
        }
    }

    /// Starts a chain in this process.
    ///
    /// # Errors
    /// [`RegtestError`]
    pub fn here() -> Result<Self, RegtestError> {
        let chain = Chain::new()?;
        let rpc = RpcServer::start(chain.clone())?;
        Ok(Self(Kind::Here { chain, rpc }))
    }

    /// Starts a chain in this process whose transactions no index names, as at a bitcoind without `-txindex`.
    ///
    /// # Errors
    /// [`RegtestError`]
    pub fn here_without_index() -> Result<Self, RegtestError> {
        let chain = Chain::new()?;
        let rpc = RpcServer::start_without_index(chain.clone())?;
        Ok(Self(Kind::Here { chain, rpc }))
    }

    /// Starts a bitcoind, with a wallet that has mined [`FIRST_BLOCKS`].
    ///
    /// # Errors
    /// [`RegtestError`]
    pub fn bitcoind(program: &Path, arguments: &[&str]) -> Result<Self, RegtestError> {
        let arguments = [&["-chain=regtest"], arguments].concat();
        let node = Bitcoind::start(program, &arguments)?;
        let wallet = json!({ "wallet_name": "miner", "load_on_startup": true });
        node.ask("createwallet", &wallet)
            .map_err(failed("createwallet"))?;
        let chain = Self(Kind::There(node));
        chain.mine(FIRST_BLOCKS)?;
        Ok(chain)
    }

    /// Where it is asked, and with which user and password.
    pub fn access(&self) -> RpcAccess {
        match &self.0 {
            Kind::Here { rpc, .. } => rpc.access().clone(),
            Kind::There(node) => node.access(),
        }
    }

    /// The bitcoind, where it is one.
    pub const fn node(&self) -> Option<&Bitcoind> {
        match &self.0 {
            Kind::Here { .. } => None,
            Kind::There(node) => Some(node),
        }
    }

    /// The height of the newest block.
    ///
    /// # Errors
    /// [`RegtestError`]
    pub fn height(&self) -> Result<u32, RegtestError> {
        self.call("getblockcount", &json!([]))
    }

    /// The newest block.
    ///
    /// # Errors
    /// [`RegtestError`]
    pub fn tip(&self) -> Result<BlockHash, RegtestError> {
        self.call("getbestblockhash", &json!([]))
    }

    /// The transactions that wait for a block.
    ///
    /// # Errors
    /// [`RegtestError`]
    pub fn mempool(&self) -> Result<Vec<Txid>, RegtestError> {
        self.call("getrawmempool", &json!([]))
    }

    /// Mines blocks with what the mempool has, whose new coins the miner keeps.
    ///
    /// # Errors
    /// [`RegtestError`]
    pub fn mine(&self, blocks: u32) -> Result<(), RegtestError> {
        match &self.0 {
            Kind::Here { chain, .. } => drop(chain.mine(blocks)?),
            Kind::There(_) => {
                // A new one each time: otherwise a block may be the very one that was undone, which is refused.
                let miner = self.ask("getnewaddress", &json!(["", KIND_OF_ADDRESS]))?;
                self.ask("generatetoaddress", &json!([blocks, miner]))?;
            }
        }
        Ok(())
    }

    /// Pays an amount of the miner's coins to a script; the payment waits in the mempool for the next block.
    ///
    /// # Errors
    /// [`RegtestError`]
    pub fn fund(
        &self,
        script: impl Into<ScriptBuf>,
        amount: Amount,
    ) -> Result<OutPoint, RegtestError> {
        let script = script.into();
        match &self.0 {
            Kind::Here { chain, .. } => Ok(chain.fund(script, amount)?),
            Kind::There(_) => self.pay(script, amount),
        }
    }

    /// Takes a transaction into the mempool.
    ///
    /// # Errors
    /// [`RegtestError`]
    pub fn submit(&self, transaction: &Transaction) -> Result<Txid, RegtestError> {
        self.call("sendrawtransaction", &json!([serialize_hex(transaction)]))
    }

    /// Undoes a block and all after it.
    ///
    /// # Errors
    /// [`RegtestError`]
    pub fn invalidate(&self, block: &BlockHash) -> Result<(), RegtestError> {
        self.ask("invalidateblock", &json!([block]))?;
        Ok(())
    }

    /// Pays from a bitcoind's wallet, in the first output.
    fn pay(&self, script_pubkey: ScriptBuf, value: Amount) -> Result<OutPoint, RegtestError> {
        let output = TxOut {
            value,
            script_pubkey,
        };
        let options =
            json!({ "changePosition": 1, "change_type": KIND_OF_ADDRESS, "fee_rate": FEE_RATE });
        let funding = json!([without_inputs(output), options, false]);
        let funded = self.hex("fundrawtransaction", &funding)?;
        let signed = self.hex("signrawtransactionwithwallet", &json!([funded]))?;
        let txid = self.call("sendrawtransaction", &json!([signed]))?;
        Ok(OutPoint { txid, vout: 0 })
    }

    fn hex(&self, method: &'static str, params: &Value) -> Result<String, RegtestError> {
        let answer = self.ask(method, params)?;
        let hex = answer.get("hex").and_then(Value::as_str);
        hex.map(str::to_owned)
            .ok_or(RegtestError::Garbled { method })
    }

    fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &Value,
    ) -> Result<T, RegtestError> {
        read(method, self.ask(method, params)?)
    }

    fn ask(&self, method: &'static str, params: &Value) -> Result<Value, RegtestError> {
        self.access().ask(method, params).map_err(failed(method))
    }
}

/// The bitcoind that the environment names.
fn named() -> Option<OsString> {
    env::var_os(BITCOIND).filter(|program| !program.is_empty())
}

/// A transaction that pays, in hex, without inputs and without the mark of a witness, which bitcoind would not read then.
fn without_inputs(output: TxOut) -> String {
    let inputs: Vec<TxIn> = Vec::new();
    [
        serialize_hex(&Version::TWO),
        serialize_hex(&inputs),
        serialize_hex(&vec![output]),
        serialize_hex(&LockTime::ZERO),
    ]
    .concat()
}

fn failed(method: &'static str) -> impl Fn(AskError) -> RegtestError {
    move |source| RegtestError::Asked { method, source }
}

fn read<T: DeserializeOwned>(method: &'static str, answer: Value) -> Result<T, RegtestError> {
    serde_json::from_value(answer).map_err(|_| RegtestError::Garbled { method })
}
