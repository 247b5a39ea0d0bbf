use mesh_types::{MAX_PACKET_AGE, UnixTime};
use std::sync::atomic::{AtomicU64, Ordering};

/// The messages that this node sends at one time.
#[derive(Debug, Default)]
pub(crate) struct Sends {
    begun: AtomicU64,
    under_way: AtomicU64,
    /// Until when a packet may turn up of which nothing was heard, in milliseconds.
    held_back_until: AtomicU64,
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

    /// Whether a packet may still turn up that a relay has held back, and use credit with the nodes behind that relay.
    pub(crate) fn is_one_held_back(&self, now: UnixTime) -> bool {
        let until = self.sends.held_back_until.load(Ordering::SeqCst);
        UnixTime::from_millis(until).is_alive_at(now)
    }

    /// Notes that a packet was not confirmed: nodes would still take it for a while.
    pub(crate) fn may_be_held_back(&self, now: UnixTime) {
        let until = now.plus(MAX_PACKET_AGE).to_millis();
        self.sends
            .held_back_until
            .fetch_max(until, Ordering::SeqCst);
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

    const NOW: UnixTime = UnixTime::from_secs(1_790_000_000);

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

    #[test]
    fn a_packet_that_was_not_confirmed_may_turn_up_while_nodes_take_it() {
        let sends = Sends::default();
        assert!(!sends.begin().is_one_held_back(NOW));
        sends.begin().may_be_held_back(NOW);
        let later = sends.begin();
        assert!(later.is_one_held_back(NOW.plus(MAX_PACKET_AGE / 2)));
        assert!(!later.is_one_held_back(NOW.plus(MAX_PACKET_AGE)));
    }
}
