#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

use mesh_types::Msat;

/// Who gets what of a packet's fee; destination, source and all relays together get the whole of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// The destination's share, the remainders included.
    pub destination: Msat,
    /// The share of each relay.
    pub per_relay: Msat,
    /// How many relays there are.
    pub relays: usize,
    /// The source's share.
    pub source: Msat,
}

/// Splits a fee: 60 % for the destination, 30 % for the relays in equal parts, 10 % for the source.
///
/// What does not divide goes to the destination, and so do the 30 % where there is no relay.
pub fn split(total: Msat, relays: usize) -> Split {
    let shares = Shares::of(total.to_msat(), relays);
    Split {
        destination: Msat::from_msat(shares.destination),
        per_relay: Msat::from_msat(shares.per_relay),
        relays,
        source: Msat::from_msat(shares.source),
    }
}

impl Split {
    /// The share of the node at `position` of the route, the source being 0; nothing beyond the destination.
    pub fn share_at(&self, position: usize) -> Msat {
        match position.checked_sub(1) {
            None => self.source,
            Some(before) if before < self.relays => self.per_relay,
            Some(before) if before == self.relays => self.destination,
            Some(_) => Msat::ZERO,
        }
    }
}

/// The split of whole numbers, whatever their unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shares {
    pub(crate) destination: u64,
    pub(crate) per_relay: u64,
    pub(crate) source: u64,
}

impl Shares {
    pub(crate) fn of(total: u64, relays: usize) -> Self {
        let relays = u64::try_from(relays).unwrap_or(u64::MAX);
        let source = tenths(total, 1);
        let per_relay = tenths(total, 3).checked_div(relays).unwrap_or(0);
        // Neither product nor differences reach their bounds: relays and source together have at most four tenths.
        let all_relays = per_relay.saturating_mul(relays);
        let destination = total.saturating_sub(source).saturating_sub(all_relays);
        Self {
            destination,
            per_relay,
            source,
        }
    }
}

/// `count` tenths of `total`, rounded down, without a product that could overflow while `count` is at most 10.
fn tenths(total: u64, count: u64) -> u64 {
    let of_tens = (total / 10).saturating_mul(count);
    let of_rest = (total % 10).saturating_mul(count) / 10;
    of_tens.saturating_add(of_rest)
}
