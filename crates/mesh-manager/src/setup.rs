use mesh_protocol::IdentityKey;
use mesh_types::{MeshConfig, MeshError, NodeAPI};
use secp256k1::PublicKey;
use std::{fmt, ops::RangeInclusive};

/// The longest that a quote may be paid and shown: claims are remembered for a week, and a day is plenty.
const MAX_QUOTE_LIFETIME_SECS: u32 = 86_400;

/// The shortest: a payer stops paying a minute before the end.
const MIN_QUOTE_LIFETIME_SECS: u32 = 120;

/// How long debits may wait to be booked: a disk is no faster, and a crash forgets no more than ten seconds' earnings.
const DEBIT_INTERVALS_MS: RangeInclusive<u32> = 10..=10_000;

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

/// Asks the Lightning back end for the key that signs its invoices. One that cannot be reached now is no reason not to
/// start: this node's own quotes are recognised without it.
pub(crate) async fn payee_key(
    config: &MeshConfig,
    node_api: &dyn NodeAPI,
) -> Result<Option<PublicKey>, MeshError> {
    let Some(lightning) = node_api.lightning() else {
        return Ok(None);
    };
    let info = match lightning.info().await {
        Ok(info) => info,
        Err(error) => {
            tracing::warn!(%error, "starting without the Lightning back end");
            return Ok(None);
        }
    };
    if info.network != config.network {
        return Err(wrong_setting(format!(
            "network = {:?}, but the Lightning back end is on {:?}",
            config.network.as_str(),
            info.network.as_str()
        )));
    }
    PublicKey::from_slice(&info.payee_key)
        .map(Some)
        .map_err(wrong_setting)
}

pub(crate) fn wrong_setting(error: impl fmt::Display) -> MeshError {
    MeshError::ConfigError(error.to_string())
}
