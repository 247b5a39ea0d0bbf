use mesh_types::{Clock, UnixTime};
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's wall clock: the only place where the mesh reads one.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        #[expect(clippy::disallowed_methods, reason = "this is the one clock file")]
        let now = SystemTime::now();
        // A clock before 1970 reads as 1970: everything is then out of time, and refused.
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}
