#[cfg(feature = "lightning")]
use std::time::Instant;
use std::time::SystemTime;

/// Seconds since 1970, as blocks and invoices carry them.
pub(crate) fn now() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "blocks and invoices carry the wall clock, and this is the one file here that reads it"
    )]
    let now = SystemTime::now();
    now.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A point in time, to measure from.
#[cfg(feature = "lightning")]
pub(crate) fn instant() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "what is waited for may itself take long, and this is the one file here that reads a clock"
    )]
    Instant::now()
}
