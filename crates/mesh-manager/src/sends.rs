use std::sync::atomic::{AtomicU64, Ordering};

/// The messages that this node sends at one time.
#[derive(Debug, Default)]
pub(crate) struct Sends {
    begun: AtomicU64,
    under_way: AtomicU64,
}

/// A message that is being sent.
#[derive(Debug)]
pub(crate) struct SendUnderWay<'s> {
    sends: &'s Sends,
    number: u64,
    was_alone: bool,
}

impl Sends {
    pub(crate) fn begin(&self) -> SendUnderWay<'_> {
        let was_alone = self.under_way.fetch_add(1, Ordering::SeqCst) == 0;
        SendUnderWay {
            sends: self,
            number: self.begun.fetch_add(1, Ordering::SeqCst),
            was_alone,
        }
    }

    /// Whether several messages are being sent now.
    pub(crate) fn are_several(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) > 1
    }
}

impl SendUnderWay<'_> {
    /// Whether no other message has been sent meanwhile, which could have used the credit that was bought for this one.
    pub(crate) fn is_alone(&self) -> bool {
        let begun = self.sends.begun.load(Ordering::SeqCst);
        self.was_alone && begun == self.number.wrapping_add(1)
    }
}

impl Drop for SendUnderWay<'_> {
    fn drop(&mut self) {
        self.sends.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_met_another_is_not_alone_any_more() {
        let sends = Sends::default();
        let first = sends.begin();
        assert!(first.is_alone());
        let second = sends.begin();
        assert!(!first.is_alone() && !second.is_alone());
        drop(second);
        assert!(!first.is_alone());
        drop(first);
        assert!(sends.begin().is_alone());
    }
}
