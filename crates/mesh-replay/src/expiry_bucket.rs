use mesh_types::UnixTime;

/// How long a bucket is, in milliseconds.
///
/// 64 seconds, because a claim that is kept up to a minute too long costs nothing, and seven days of such buckets cost
/// a shard at most 0.3 MB.
const BUCKET_MILLIS: u64 = 64_000;

/// A span of time in which claims expire, named by its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExpiryBucket(u32);

impl ExpiryBucket {
    /// The bucket of a claim: rounded up, so that the claim never goes early. `None` some 8,700 years after the epoch.
    pub(crate) fn of(expires_at: UnixTime) -> Option<Self> {
        u32::try_from(expires_at.to_millis().div_ceil(BUCKET_MILLIS))
            .ok()
            .map(Self)
    }

    /// Says whether every claim of the bucket has expired.
    pub(crate) const fn is_over_at(self, now: UnixTime) -> bool {
        self.0 as u64 <= now.to_millis() / BUCKET_MILLIS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bucket_is_never_over_while_one_of_its_claims_lives_and_always_64_seconds_later(
            millis in 0..u64::from(u32::MAX) * BUCKET_MILLIS,
            apart in 0..200_000_u64,
        ) {
            let expires_at = UnixTime::from_millis(millis);
            let bucket = ExpiryBucket::of(expires_at).unwrap();
            prop_assert!(!bucket.is_over_at(UnixTime::from_millis(millis.saturating_sub(apart + 1))) || millis == 0);
            prop_assert!(bucket.is_over_at(UnixTime::from_millis(millis + BUCKET_MILLIS)));
        }
    }

    #[test]
    fn a_time_beyond_the_last_bucket_has_none() {
        assert_eq!(ExpiryBucket::of(UnixTime::from_millis(u64::MAX)), None);
    }
}
