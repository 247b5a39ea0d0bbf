use super::NetworkError;
use crate::clock::instant;
use std::{thread::sleep, time::Duration};

/// How long anything here is waited for: half a minute, because what takes that long on this machine alone hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The time between two looks.
const INTERVAL: Duration = Duration::from_millis(20);

/// Looks again and again until a condition is met, for [`PATIENCE`] at most.
///
/// - `what`: what is waited for, for the error.
///
/// # Errors
/// [`NetworkError::TimedOut`], and what the condition itself says.
pub fn wait_until(
    what: &str,
    is_met: impl FnMut() -> Result<bool, NetworkError>,
) -> Result<(), NetworkError> {
    if comes_true(PATIENCE, is_met)? {
        Ok(())
    } else {
        Err(NetworkError::TimedOut(what.to_owned()))
    }
}

/// Looks again and again, and says whether the condition was met in time.
pub(super) fn comes_true(
    patience: Duration,
    mut is_met: impl FnMut() -> Result<bool, NetworkError>,
) -> Result<bool, NetworkError> {
    let start = instant();
    while !is_met()? {
        if start.elapsed() >= patience {
            return Ok(false);
        }
        sleep(INTERVAL);
    }
    Ok(true)
}
