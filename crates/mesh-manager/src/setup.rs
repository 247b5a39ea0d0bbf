use mesh_payment::SettlementPolicy;
use mesh_protocol::IdentityKey;
use mesh_types::{LightningInfo, MeshConfig, MeshError, Network, NodeAPI};
use secp256k1::PublicKey;
use std::{fmt, ops::RangeInclusive};

/// The longest that a quote may be paid and shown: claims are remembered for a week, and a day is plenty.
const MAX_QUOTE_LIFETIME_SECS: u32 = 86_400;

/// The shortest: a payer stops paying a minute before the end.
const MIN_QUOTE_LIFETIME_SECS: u32 = 120;

/// How long debits may wait to be booked: a disk is no faster, and a crash forgets no more than ten seconds' earnings.
const DEBIT_INTERVALS_MS: RangeInclusive<u32> = 10..=10_000;

/// How long a quote may be paid on the chain: an hour is six blocks, and a week bounds what has to be remembered.
pub(crate) const ON_CHAIN_LIFETIMES_SECS: RangeInclusive<u32> = 3_600..=604_800;

/// How much of that each block takes which a payment has to be deep: twice what a block takes on average, because a payment
/// that is deep enough too late is lost to its payer.
pub(crate) const SECS_PER_BLOCK: u32 = 1_200;

/// Checks what neither the settings nor the node can know alone.
pub(crate) fn check(
    config: &MeshConfig,
    identity: &IdentityKey,
    node_api: &dyn NodeAPI,
) -> Result<(), MeshError> {
    if !config.enabled {
        return Err(wrong_setting("the mesh is disabled: set enabled = true"));
    }
    if !(MIN_QUOTE_LIFETIME_SECS..=MAX_QUOTE_LIFETIME_SECS).contains(&config.quote_lifetime_secs) {
        return Err(wrong_setting(format!(
            "quote_lifetime_secs = {}: expected {MIN_QUOTE_LIFETIME_SECS} to {MAX_QUOTE_LIFETIME_SECS}",
            config.quote_lifetime_secs
        )));
    }
    if !DEBIT_INTERVALS_MS.contains(&config.debit_interval_ms) {
        return Err(wrong_setting(format!(
            "debit_interval_ms = {}: expected {} to {}",
            config.debit_interval_ms,
            DEBIT_INTERVALS_MS.start(),
            DEBIT_INTERVALS_MS.end()
        )));
    }
    let (ours, theirs) = (identity.node_id(), node_api.get_node_id());
    if ours != theirs {
        return Err(wrong_setting(format!(
            "the identity key is of {ours}, the node's links prove {theirs}"
        )));
    }
    Ok(())
}

/// What is known of the wallet.
#[derive(Default)]
pub(crate) struct Wallet {
    /// The key that signs its invoices, where it does not take our preimages: where it does, an invoice with another preimage is
    /// none of ours, whoever has signed it.
    pub(crate) payee_key: Option<PublicKey>,
    /// Whether it has to say that an invoice is settled: others could have the same key sign invoices for quotes of theirs.
    pub(crate) is_shared: bool,
    /// Whether it does not answer now.
    pub(crate) is_away: bool,
}

impl Wallet {
    /// Reads what a wallet says of itself to a node on `network`.
    ///
    /// # Errors
    /// Why it is none for this node.
    pub(crate) fn read(info: &LightningInfo, network: Network) -> Result<Self, String> {
        if info.network != network {
            return Err(format!(
                "network = {:?}, but the Lightning back end is on {:?}",
                network.as_str(),
                info.network.as_str()
            ));
        }
        let key = PublicKey::from_slice(&info.payee_key).map_err(|error| error.to_string())?;
        Ok(Self {
            payee_key: (!info.takes_preimages).then_some(key),
            is_shared: info.is_shared,
            is_away: false,
        })
    }
}

/// Asks the Lightning back end who it is. One that cannot be reached now is no reason not to start: this node's own quotes
/// are recognised without it, and others are not given.
pub(crate) async fn wallet(
    config: &MeshConfig,
    node_api: &dyn NodeAPI,
) -> Result<Wallet, MeshError> {
    let Some(lightning) = node_api.lightning() else {
        return Ok(Wallet::default());
    };
    match lightning.info().await {
        Ok(info) => Wallet::read(&info, config.network).map_err(wrong_setting),
        Err(error) => {
            tracing::warn!(%error, "starting without the Lightning back end");
            Ok(Wallet {
                is_away: true,
                ..Wallet::default()
            })
        }
    }
}

/// Which payments on the chain count.
pub(crate) fn settlement(
    config: &MeshConfig,
    node_api: &dyn NodeAPI,
) -> Result<SettlementPolicy, MeshError> {
    let on_chain = &config.on_chain;
    if !ON_CHAIN_LIFETIMES_SECS.contains(&on_chain.quote_lifetime_secs) {
        return Err(wrong_setting(format!(
            "on_chain.quote_lifetime_secs = {}: expected {} to {}",
            on_chain.quote_lifetime_secs,
            ON_CHAIN_LIFETIMES_SECS.start(),
            ON_CHAIN_LIFETIMES_SECS.end()
        )));
    }
    let least_secs = on_chain.least_depth.get().saturating_mul(SECS_PER_BLOCK);
    if on_chain.quote_lifetime_secs < least_secs {
        return Err(wrong_setting(format!(
            "on_chain.quote_lifetime_secs = {}: expected at least {least_secs}, so that {} blocks can come in that time",
            on_chain.quote_lifetime_secs, on_chain.least_depth
        )));
    }
    if on_chain.final_depth < on_chain.least_depth {
        return Err(wrong_setting(format!(
            "on_chain.final_depth = {}: expected no less than least_depth, {}",
            on_chain.final_depth, on_chain.least_depth
        )));
    }
    if !on_chain.addresses.is_empty() && node_api.chain().is_none() {
        return Err(wrong_setting(
            "on_chain.addresses: this node has no chain to ask about payments; leave them out",
        ));
    }
    if !on_chain.addresses.is_empty() && node_api.store().is_none() {
        return Err(wrong_setting(
            "on_chain.addresses: without a store a restart forgets which payments were claimed; leave them out",
        ));
    }
    SettlementPolicy::from_config(on_chain, config.network).map_err(wrong_setting)
}

pub(crate) fn wrong_setting(error: impl fmt::Display) -> MeshError {
    MeshError::ConfigError(error.to_string())
}
