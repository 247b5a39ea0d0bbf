use crate::{
    CovenantKind, CovenantLevel, LeastLevel, ProofField, Quote, Verifier, VerifyError,
    tagged::tagged,
};
use bitcoin::{
    Address, AddressType, Script, ScriptBuf, Transaction, TxOut,
    address::{NetworkUnchecked, ParseError},
    consensus::deserialize,
    hashes::{Hash as _, HashEngine as _, sha256},
};
use mesh_types::{ChainTransaction, Msat, Network, OnChainConfig, TxHash, UnixTime};
use std::num::NonZeroU32;
use thiserror::Error;

/// The least that a quote asks for which is paid on the chain.
///
/// 1,000 satoshi, because an output of less is hardly worth what it costs to spend it, and each payment is watched until it
/// is deep.
pub const LEAST_ON_CHAIN: Msat = Msat::from_msat(1_000_000);

/// What a payment on the chain to this node looks like.
///
/// The default is closed: no script is ours, and covenants are enforced nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementPolicy {
    /// The scripts that pay this node. Without one, nothing on the chain is a payment.
    pub scripts: Vec<ScriptBuf>,
    /// How deep a payment's transaction has to be: blocks from the one that holds it to the tip, both counted.
    pub least_depth: NonZeroU32,
    /// What a covenant has to be.
    pub least_level: LeastLevel,
    /// The networks that enforce BIP-119. Elsewhere anybody can spend such a covenant.
    pub ctv_on: Vec<Network>,
    /// The networks that enforce BIP-446. Elsewhere anybody can spend such a covenant.
    pub template_hash_on: Vec<Network>,
}

impl Default for SettlementPolicy {
    fn default() -> Self {
        Self {
            scripts: Vec::new(),
            least_depth: NonZeroU32::MIN,
            least_level: LeastLevel::Confirmed,
            ctv_on: Vec::new(),
            template_hash_on: Vec::new(),
        }
    }
}

/// Why a configuration is no policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// An address that is none.
    #[error("{address:?} is no Bitcoin address: {reason}")]
    Address {
        /// The text.
        address: String,
        /// What the library says.
        reason: String,
    },
    /// An address of another network.
    #[error("{address:?} is no address of {network}")]
    Network {
        /// The text.
        address: String,
        /// This node's network.
        network: Network,
    },
}

impl SettlementPolicy {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`PolicyError`] names the address that is none on `network`.
    pub fn from_config(config: &OnChainConfig, network: Network) -> Result<Self, PolicyError> {
        let scripts = config.addresses.iter().map(|text| script(text, network));
        Ok(Self {
            scripts: scripts.collect::<Result<_, _>>()?,
            least_depth: config.least_depth,
            least_level: LeastLevel::Confirmed,
            ctv_on: config.ctv_on.clone(),
            template_hash_on: config.template_hash_on.clone(),
        })
    }

    /// Whether `network` enforces covenants of this kind.
    pub(crate) fn is_enforced(&self, kind: &CovenantKind, network: Network) -> bool {
        let networks = match kind {
            CovenantKind::CtvBare
            | CovenantKind::CtvWitnessScript
            | CovenantKind::CtvLeaf { .. } => &self.ctv_on,
            CovenantKind::TemplateHashLeaf { .. } => &self.template_hash_on,
        };
        networks.contains(&network)
    }
}

/// Why a payment on the chain, or the promise of one, does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettlementError {
    /// The network does not enforce the covenant (P-18).
    #[error("{network} does not enforce {opcode}: anybody can spend such an output there")]
    NotEnforced {
        /// The opcode that the covenant hangs on.
        opcode: &'static str,
        /// The network.
        network: Network,
    },
    /// The covenant's coin is bound to something else than its template (P-21).
    #[error("the output is not bound to this template")]
    NotCommitted,
    /// The covenant's coin holds less than its template pays out (P-21).
    #[error("the template pays out {out_sats} sat of {in_sats}")]
    MoreOutThanIn {
        /// What the template pays out.
        out_sats: u64,
        /// What the coin holds.
        in_sats: u64,
    },
    /// The covenant is not, or not yet, what counts here (P-21).
    #[error("the covenant does not count: it is {0}")]
    Level(CovenantLevel),
    /// The output that is to pay is not there (P-16).
    #[error("the transaction has {outputs} outputs, and none of index {index}")]
    NoSuchOutput {
        /// The index that the proof names.
        index: u32,
        /// How many there are.
        outputs: usize,
    },
    /// The output, or every output, pays somebody else (P-16).
    #[error("it pays no script of this node")]
    NotOurScript,
    /// More than one output pays us, so the proof does not say which it means (P-22).
    #[error("{outputs} outputs pay this node, not one")]
    SeveralOutputs {
        /// How many.
        outputs: usize,
    },
    /// The quote asks for less than is taken on the chain (P-15).
    #[error("a quote for {quoted} is not paid on the chain, where {LEAST_ON_CHAIN} is the least")]
    TooSmall {
        /// What it asks for.
        quoted: Msat,
    },
    /// It pays less than the quote asks for (P-16).
    #[error("it pays {paid}, its quote asks for {quoted}")]
    TooLittle {
        /// What it pays.
        paid: Msat,
        /// What was asked for.
        quoted: Msat,
    },
    /// The amounts add up to more than there is.
    #[error("its amounts are more than there is")]
    Amounts,
    /// It does not say which quote it pays, or says it more than once (P-17).
    #[error("one OP_RETURN output has to name the quote, and it has {found} of them")]
    Unnamed {
        /// OP_RETURN outputs, whatever they hold.
        found: usize,
    },
    /// It names another quote, or another kind of payment (P-17).
    #[error("its OP_RETURN output does not name this quote")]
    OtherQuote,
    /// Neither the chain nor the mempool has the transaction (P-22).
    #[error("the chain does not have the transaction")]
    NotOnChain,
    /// The node answered with something else than was asked for, or the transaction is none.
    #[error("the chain answered with another transaction")]
    OtherTransaction,
    /// It makes new coins, which cannot be spent for a hundred blocks (P-22).
    #[error("it is a coinbase transaction")]
    Coinbase,
    /// Its transaction is not deep enough yet; later it may be (P-22).
    #[error("its transaction is {depth} blocks deep, and {least} are asked for")]
    TooShallow {
        /// How deep it is.
        depth: u32,
        /// How deep it has to be.
        least: u32,
    },
}

/// The script that an address of `network` stands for.
fn script(text: &str, network: Network) -> Result<ScriptBuf, PolicyError> {
    let address: Address<NetworkUnchecked> =
        text.parse()
            .map_err(|error: ParseError| PolicyError::Address {
                address: text.to_owned(),
                reason: error.to_string(),
            })?;
    let address = address.require_network(bitcoin_network(network));
    let address = address.map_err(|_| PolicyError::Network {
        address: text.to_owned(),
        network,
    })?;
    Ok(address.script_pubkey())
}

/// The address by which wallets on `network` pay to `script`; `None` where they would not know whom they pay: a script that
/// has no address, that anybody can spend, or of a version that is not defined yet.
pub fn payable_address(script: &Script, network: Network) -> Option<Address> {
    let address = Address::from_script(script, bitcoin_network(network)).ok()?;
    let is_known = matches!(
        address.address_type()?,
        AddressType::P2pkh
            | AddressType::P2sh
            | AddressType::P2wpkh
            | AddressType::P2wsh
            | AddressType::P2tr
    );
    is_known.then_some(address)
}

const fn bitcoin_network(network: Network) -> bitcoin::Network {
    match network {
        Network::Bitcoin => bitcoin::Network::Bitcoin,
        Network::Testnet => bitcoin::Network::Testnet,
        Network::Testnet4 => bitcoin::Network::Testnet4,
        Network::Signet => bitcoin::Network::Signet,
        Network::Regtest => bitcoin::Network::Regtest,
    }
}

/// What an OP_RETURN output has to hold in order to name a quote, one label for each kind of payment: so no transaction
/// can ever be shown as two kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    ByCovenant,
    ByTransaction,
}

impl Named {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::ByCovenant => b"blvm-mesh/1/covenant",
            Self::ByTransaction => b"blvm-mesh/1/on-chain",
        }
    }

    pub(crate) fn name_of(self, quote: &Quote) -> [u8; 32] {
        let mut engine = tagged(self.label());
        engine.input(&quote.to_bytes());
        sha256::Hash::from_engine(engine).to_byte_array()
    }
}

/// Checks what is asked of every quote that is paid on the chain: it is ours, by its tag, and not over; and the proof's
/// `timestamp` is its end (P-15).
pub(crate) fn check_quote(
    verifier: &Verifier,
    quote: &Quote,
    timestamp: u64,
    now: UnixTime,
) -> Result<(), VerifyError> {
    if quote.payee != verifier.node_id {
        return Err(VerifyError::QuoteOfAnotherNode { payee: quote.payee });
    }
    let key = verifier.quote_key.as_ref();
    if !key.is_some_and(|key| key.recognises(quote)) {
        return Err(VerifyError::ForgedQuote);
    }
    if !quote.expires_at.is_alive_at(now) {
        return Err(VerifyError::Expired {
            expired_at: quote.expires_at,
        });
    }
    if quote.amount < LEAST_ON_CHAIN {
        return Err(SettlementError::TooSmall {
            quoted: quote.amount,
        }
        .into());
    }
    ProofField::Timestamp.expect(timestamp, quote.expires_at.to_secs())
}

/// The transaction that was asked for.
pub(crate) fn read(
    found: &ChainTransaction,
    tx_hash: TxHash,
) -> Result<Transaction, SettlementError> {
    let transaction: Transaction =
        deserialize(&found.bytes).map_err(|_| SettlementError::OtherTransaction)?;
    if transaction.compute_txid().as_byte_array() != tx_hash.as_bytes() {
        return Err(SettlementError::OtherTransaction);
    }
    Ok(transaction)
}

/// Checks that a transaction is as deep as it has to be (P-22).
pub(crate) fn check_depth(
    found: &ChainTransaction,
    least_depth: NonZeroU32,
) -> Result<(), SettlementError> {
    let least = least_depth.get();
    if found.depth < least {
        return Err(SettlementError::TooShallow {
            depth: found.depth,
            least,
        });
    }
    Ok(())
}

/// So many satoshi, when they cover the quote (P-16).
pub(crate) fn covering(sats: u64, quoted: Msat) -> Result<Msat, SettlementError> {
    let paid = Msat::from_sats(sats).ok_or(SettlementError::Amounts)?;
    if paid < quoted {
        return Err(SettlementError::TooLittle { paid, quoted });
    }
    Ok(paid)
}

/// Checks that the transaction names the quote, and nothing else (P-17).
pub(crate) fn check_name(outputs: &[TxOut], name: &ScriptBuf) -> Result<(), SettlementError> {
    let marks = || outputs.iter().filter(|it| it.script_pubkey.is_op_return());
    let found = marks().count();
    match marks().next() {
        Some(mark) if found == 1 => {
            if mark.script_pubkey == *name {
                Ok(())
            } else {
                Err(SettlementError::OtherQuote)
            }
        }
        _ => Err(SettlementError::Unnamed { found }),
    }
}
