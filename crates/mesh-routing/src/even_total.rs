#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

use mesh_types::Msat;

/// The least total that pays everybody when nobody counts on remainders: the price that routes are compared by.
///
/// The destination gets its price out of the whole tenths, and the relays' three tenths hold `for_relays`, the number of
/// relays times the price of the dearest. So it rises with nothing but `for_relays`: neither a relay more nor a dearer one
/// ever makes it less, which [`least_total`](crate::least_total) does by up to [`MAX_CRUMBS_MSAT`], as a share that does
/// not divide goes to the destination. It is never below the least total. `None` when no amount is enough.
pub(crate) fn even_total(destination_price: u64, for_relays: u64) -> Option<u64> {
    let price = u128::from(destination_price);
    // The destination has 0.6 of the total, and up to 0.9 + 0.9 more where the others' parts are rounded down.
    let for_destination = price.saturating_sub(2).saturating_mul(10).div_euclid(6);
    let lowest = u128::from(for_relays)
        .saturating_mul(10)
        .div_ceil(3)
        .max(for_destination);
    let lowest = u64::try_from(lowest).ok()?;
    (lowest..=lowest.saturating_add(8)).find(|total| {
        destination_share(*total) >= price && u128::from(relays_share(*total)) >= for_relays.into()
    })
}

/// The most `for_relays` for which [`even_total`] is at most `total`, where that is one of its values.
pub(crate) fn relays_share(total: u64) -> u64 {
    u64::try_from(u128::from(total).saturating_mul(3).div_euclid(10)).unwrap_or(u64::MAX)
}

fn destination_share(total: u64) -> u128 {
    let relays = u128::from(relays_share(total));
    let total = u128::from(total);
    total
        .saturating_sub(total.div_euclid(10))
        .saturating_sub(relays)
}

/// By how much the price that routes are compared by may exceed the least total of a route, in millisatoshi.
///
/// 32: the remainder of the relays' part is below the number of relays, at most 13, and 1.7 times as much again makes up
/// for a destination's share that lacks it; the roundings of the tenths add less than 4.
pub const MAX_CRUMBS_MSAT: Msat = Msat::from_msat(32);

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "a test stops where something is not as it expects"
)]
mod tests {
    use super::*;
    use crate::least_total;
    use proptest::prelude::*;

    fn by_trying(price: u64, for_relays: u64) -> Option<u64> {
        (0..10_000).find(|total| {
            let (source, relays) = (total / 10, total * 3 / 10);
            relays >= for_relays && total - source - relays >= price
        })
    }

    #[test]
    fn it_is_what_trying_every_total_finds() {
        for price in 0..300 {
            for for_relays in 0..200 {
                assert_eq!(even_total(price, for_relays), by_trying(price, for_relays));
            }
        }
    }

    #[test]
    fn what_no_amount_can_pay_has_no_total() {
        assert_eq!(even_total(u64::MAX, 0), None);
        assert_eq!(even_total(0, u64::MAX), None);
        let most = u64::MAX / 10 * 3 + 1;
        assert!(even_total(0, most).is_some());
        assert_eq!(even_total(0, most + 1), None);
    }

    proptest! {
        #[test]
        fn it_rises_and_stays_within_the_crumbs_of_the_least_total(
            price in prop_oneof![0..100_u64, 0..1_000_000_u64, 0..u64::MAX / 2],
            relays in 1..=14_usize,
            dearest in prop_oneof![0..100_u64, 0..1_000_000_u64, 0..u64::MAX / 100],
        ) {
            let for_relays = relays as u64 * dearest;
            let even = even_total(price, for_relays);
            let least = least_total(Msat::from_msat(price), &vec![Msat::from_msat(dearest); relays]);
            prop_assert_eq!(even.is_some(), least.is_some());
            if let (Some(even), Some(least)) = (even, least) {
                prop_assert!(least.to_msat() <= even);
                prop_assert!(even - least.to_msat() <= MAX_CRUMBS_MSAT.to_msat());
                prop_assert!(even_total(price, relays_share(even)) == Some(even));
                prop_assert!(even_total(price, for_relays.saturating_sub(1)) <= Some(even));
                let beyond = even_total(price, relays_share(even) + 1);
                prop_assert!(beyond.is_none_or(|beyond| beyond > even));
            }
        }

        #[test]
        fn no_relays_are_never_dearer_than_some(price in prop_oneof![0..100_u64, 0..u64::MAX / 2]) {
            let direct = least_total(Msat::from_msat(price), &[]).map(Msat::to_msat);
            prop_assert!(even_total(price, 0).is_none_or(|even| direct.is_some_and(|direct| direct <= even)));
        }
    }
}
