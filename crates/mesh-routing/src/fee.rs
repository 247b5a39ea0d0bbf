#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

use crate::split::Shares;

/// Who gets what of a fee, in whole satoshi.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeDistribution {
    /// The fee; the other parts sum to it.
    pub total_sats: u64,
    /// The destination's part, the remainders included.
    pub destination_sats: u64,
    /// Each relay's part, in route order.
    pub relay_sats: Vec<u64>,
    /// The source's part.
    pub source_sats: u64,
}

impl FeeDistribution {
    /// Splits over a route of `nodes` nodes; where it leads nowhere, all stays with the source.
    pub(crate) fn over(nodes: usize, total_sats: u64) -> Self {
        let Some(relays) = nodes.checked_sub(2) else {
            return Self {
                total_sats,
                destination_sats: 0,
                relay_sats: Vec::new(),
                source_sats: total_sats,
            };
        };
        let shares = Shares::of(total_sats, relays);
        Self {
            total_sats,
            destination_sats: shares.destination,
            relay_sats: vec![shares.per_relay; relays],
            source_sats: shares.source,
        }
    }
}
