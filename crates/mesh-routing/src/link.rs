use crate::PAYLOAD_STEP;

/// How long a packet takes over a link of which nobody has said, in milliseconds.
///
/// 50, because that is about what two nodes on one continent see: a link that was measured to be good is preferred to an
/// unknown one, and an unknown one to a bad one.
pub const DEFAULT_LINK_LATENCY_MS: u32 = 50;

/// The most that a link's latency counts, in milliseconds.
///
/// A minute, because nobody waits longer for an answer, and because a route's latency then fits in 20 bits.
pub const MAX_LINK_LATENCY_MS: u32 = 60_000;

/// What one end knows of a link: 8 bytes, because a mesh of 50,000 links has 100,000 of them, and a search reads most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    to: u16,
    latency_ms: u16,
    pub(crate) room: Room,
    pub(crate) closed: Closed,
}

impl Link {
    /// `to` is an index of a node, of which there are fewer than 65,536.
    pub(crate) fn new(to: u32) -> Self {
        let mut link = Self {
            to: u16::try_from(to).unwrap_or(u16::MAX),
            latency_ms: 0,
            room: Room::UNBOUNDED,
            closed: Closed::default(),
        };
        link.set_latency_ms(DEFAULT_LINK_LATENCY_MS);
        link
    }

    pub(crate) fn to(&self) -> u32 {
        u32::from(self.to)
    }

    pub(crate) fn latency_ms(&self) -> u32 {
        u32::from(self.latency_ms)
    }

    pub(crate) fn set_latency_ms(&mut self, latency_ms: u32) {
        self.latency_ms = u16::try_from(latency_ms.min(MAX_LINK_LATENCY_MS)).unwrap_or(u16::MAX);
    }
}

/// How large a payload something takes, or how large one is, in steps of [`PAYLOAD_STEP`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Room(u16);

impl Room {
    /// Takes any payload.
    pub(crate) const UNBOUNDED: Self = Self(u16::MAX);

    /// The room that `max_payload_bytes` give, rounded down to a step.
    pub(crate) fn up_to(max_payload_bytes: usize) -> Self {
        Self::steps(max_payload_bytes / PAYLOAD_STEP)
    }

    /// The room of so many steps; beyond 16 MB, where no packet is, all are alike.
    pub(crate) fn steps(steps: usize) -> Self {
        Self(u16::try_from(steps).unwrap_or(u16::MAX))
    }

    pub(crate) const fn holds(self, payload: Self) -> bool {
        payload.0 <= self.0
    }
}

/// Why something carries nothing now; open when for no reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Closed(u8);

impl Closed {
    /// Nothing keeps it from carrying.
    pub(crate) const OPEN: Self = Self(0);
    /// It is without room for a while.
    pub(crate) const FULL: Self = Self(1);
    /// Its score has fallen, or the link is in doubt.
    pub(crate) const FALLEN: Self = Self(2);

    pub(crate) const fn is_open(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn has(self, reason: Self) -> bool {
        self.0 & reason.0 != 0
    }

    pub(crate) const fn with(self, reason: Self, is_on: bool) -> Self {
        if is_on {
            Self(self.0 | reason.0)
        } else {
            Self(self.0 & !reason.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_takes_8_bytes_and_keeps_what_it_was_told() {
        assert_eq!(size_of::<Link>(), 8);
        let mut link = Link::new(16_383);
        assert_eq!((link.to(), link.latency_ms()), (16_383, 50));
        link.set_latency_ms(u32::MAX);
        assert_eq!(link.latency_ms(), MAX_LINK_LATENCY_MS);
    }

    #[test]
    fn room_is_rounded_down_and_payloads_up() {
        let room = Room::up_to(1_300);
        assert!(room.holds(Room::steps(5)) && !room.holds(Room::steps(6)));
        assert!(Room::up_to(0).holds(Room::steps(0)));
        assert!(Room::UNBOUNDED.holds(Room::steps(usize::MAX)));
    }

    #[test]
    fn what_is_closed_for_two_reasons_opens_when_both_are_gone() {
        let full = Closed::default().with(Closed::FULL, true);
        let both = full.with(Closed::FALLEN, true);
        assert!(both.has(Closed::FULL) && both.has(Closed::FALLEN));
        assert!(!both.with(Closed::FULL, false).is_open());
        assert!(full.with(Closed::FULL, false).is_open());
    }
}
