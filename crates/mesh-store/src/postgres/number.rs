use mesh_types::{Msat, UnixTime};

/// Writes a count or time; beyond what a `bigint` holds it becomes its end. Amounts are checked before.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Reads a count; the schema allows none below zero.
pub(super) fn unsigned(number: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(number).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

pub(super) fn time(millis: i64) -> Result<UnixTime, sqlx::Error> {
    unsigned(millis).map(UnixTime::from_millis)
}

pub(super) fn msat(amount: i64) -> Result<Msat, sqlx::Error> {
    unsigned(amount).map(Msat::from_msat)
}
