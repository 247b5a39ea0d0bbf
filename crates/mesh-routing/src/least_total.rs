#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

use crate::split;
use mesh_types::Msat;

/// The least total whose [`split`] gives every party at least its own price; `None` when no amount does.
///
/// Only the dearest relay matters, because all relays get the same. Nothing asked by anybody is a total of zero.
pub fn least_total(destination_price: Msat, relay_prices: &[Msat]) -> Option<Msat> {
    let dearest = relay_prices.iter().copied().max().unwrap_or(Msat::ZERO);
    least_total_for(destination_price, relay_prices.len(), dearest)
}

/// As [`least_total`], for `relays` relays of which the dearest asks `dearest`.
///
/// The relays' share never falls as the total rises, so their bound is exact. The destination's does fall, by the
/// remainder of the relays' part, which is less than `relays`. With T the total, it has between 0.6 T (the remainder
/// left out) and 0.6 T + relays + 1 (the remainder at its greatest, and up to 0.9 from each rounding). So no total
/// below (price - relays - 1) / 0.6 is enough, every one from price / 0.6 up is, and the steps between the two are
/// fewer than 1.7 (relays + 1) + 2. Without relays it is 0.9 in place of 0.6.
pub(crate) fn least_total_for(
    destination_price: Msat,
    relays: usize,
    dearest: Msat,
) -> Option<Msat> {
    let count = u64::try_from(relays).ok()?;
    let for_relays = u128::from(dearest.to_msat())
        .saturating_mul(u128::from(count))
        .saturating_mul(10)
        .div_ceil(3);
    let ten_prices = u128::from(destination_price.to_msat())
        .saturating_sub(u128::from(count))
        .saturating_sub(1)
        .saturating_mul(10);
    let for_destination = if relays == 0 {
        ten_prices / 9
    } else {
        ten_prices / 6
    };
    let lowest = u64::try_from(for_relays.max(for_destination)).ok()?;
    let most_steps = count.saturating_mul(2).saturating_add(4);
    (lowest..=lowest.saturating_add(most_steps))
        .map(Msat::from_msat)
        .find(|total| {
            let shares = split(*total, relays);
            shares.destination >= destination_price && (relays == 0 || shares.per_relay >= dearest)
        })
}
