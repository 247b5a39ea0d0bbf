/// What became of the announcements that peers sent, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GossipCounts {
    /// Taken.
    pub taken: u64,
    /// How many signatures were looked at.
    pub signatures: u64,
    /// Whose signature did not hold.
    pub forged: u64,
    /// That nobody had asked the peer for.
    pub unasked: u64,
    /// That were not newer than what was held.
    pub old: u64,
    /// That had ended, or were made in the future.
    pub out_of_time: u64,
    /// Of origins that say too much.
    pub too_many_of_origin: u64,
    /// For which there was no place.
    pub without_place: u64,
    /// That were given up for others.
    pub gone: u64,
    /// That ended.
    pub ended: u64,
    /// That peers were asked for and did not send.
    pub unanswered: u64,
    /// Messages that were not looked at, because the peer had sent too many or is not heard any more.
    pub unheard: u64,
}
