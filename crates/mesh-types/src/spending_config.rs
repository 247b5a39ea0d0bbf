use crate::Msat;
use serde::{Deserialize, Serialize};

/// What this node may spend on others: the `[mesh.spending]` table of a configuration.
///
/// Every limit is on what is paid and what paying it may cost, Lightning fees included; a limit of 0 pays nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpendingConfig {
    /// The most that a packet of this node's own may offer in fees over its whole route, in millisatoshi.
    pub per_packet_msat: u64,
    /// The most that is paid to the nodes of one route because of one packet, in millisatoshi: deposits for the next packets
    /// are part of it. A payment by hand counts as one.
    pub per_route_msat: u64,
    /// The most that is paid to one node on one day, UTC, in millisatoshi.
    pub per_peer_per_day_msat: u64,
    /// The most that is paid to all nodes together on one day, UTC, in millisatoshi.
    pub per_day_msat: u64,
    /// The most that Lightning may ask for a payment, in thousandths of its amount.
    pub fee_share_permille: u32,
}

impl Default for SpendingConfig {
    /// What a node can lose whose operator has never looked here: 10,000 sat a day, a tenth of it at once, half of it to one
    /// node. A packet may cost 100 sat, which is a hundred times what the default prices ask of one with four relays.
    fn default() -> Self {
        Self {
            per_packet_msat: 100_000,
            per_route_msat: 1_000_000,
            per_peer_per_day_msat: 5_000_000,
            per_day_msat: 10_000_000,
            fee_share_permille: 20,
        }
    }
}

impl SpendingConfig {
    /// The most that Lightning may ask for a payment of `amount`, rounded down.
    pub fn most_fee(&self, amount: Msat) -> Msat {
        let share = u128::from(amount.to_msat()).saturating_mul(self.fee_share_permille.into());
        let share = share.checked_div(1_000).unwrap_or_default();
        Msat::from_msat(u64::try_from(share).unwrap_or(u64::MAX))
    }

    /// The least amount of which `fee` is no more than the share; `None` when nothing may be paid in fees.
    pub fn least_amount(&self, fee: Msat) -> Option<Msat> {
        if fee == Msat::ZERO {
            return Some(Msat::ZERO);
        }
        let share = u128::from(self.fee_share_permille);
        let least = u128::from(fee.to_msat()).saturating_mul(1_000);
        let least = least
            .checked_add(share.checked_sub(1)?)?
            .checked_div(share)?;
        u64::try_from(least).ok().map(Msat::from_msat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_amount_for_a_fee_is_the_least_that_allows_it() {
        for permille in [1, 3, 20, 999, 1_000] {
            let config = SpendingConfig {
                fee_share_permille: permille,
                ..SpendingConfig::default()
            };
            for fee in [1, 7, 999, 1_000, 1_000_001] {
                let least = config
                    .least_amount(Msat::from_msat(fee))
                    .unwrap_or_default();
                let below = least.saturating_sub(Msat::from_msat(1));
                assert!(config.most_fee(least).to_msat() >= fee, "{permille} {fee}");
                assert!(config.most_fee(below).to_msat() < fee, "{permille} {fee}");
            }
        }
        let none = SpendingConfig {
            fee_share_permille: 0,
            ..SpendingConfig::default()
        };
        assert_eq!(none.least_amount(Msat::from_msat(1)), None);
        assert_eq!(none.least_amount(Msat::ZERO), Some(Msat::ZERO));
        assert_eq!(none.most_fee(Msat::MAX), Msat::ZERO);
    }
}
