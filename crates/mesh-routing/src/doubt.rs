use crate::SCORE_HALF_LIFE;
use mesh_types::UnixTime;

/// How many packets in a row that went over a link and were not answered put it aside.
///
/// Three, because two can be chance, and because each costs the source its fee.
pub const DOUBTED_AFTER: u32 = 3;

/// The doubt that puts a link aside: a bit less than [`DOUBTED_AFTER`] packets, as doubt fades between them.
const ASIDE_FROM: f64 = DOUBTED_AFTER as f64 - 0.5;

/// The doubt below which a link is used again: half, so it is aside for [`SCORE_HALF_LIFE`] or longer.
const BACK_BELOW: f64 = ASIDE_FROM / 2.0;

/// How much a link is in doubt, in packets that were not answered since one was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doubt {
    weight: f64,
    at: UnixTime,
    pub(crate) is_aside: bool,
}

impl Doubt {
    pub(crate) const fn new(now: UnixTime) -> Self {
        Self {
            weight: 0.0,
            at: now,
            is_aside: false,
        }
    }

    pub(crate) const fn weight(&self) -> f64 {
        self.weight
    }

    pub(crate) fn rise(&mut self, now: UnixTime) {
        self.fade(now);
        self.weight += 1.0;
    }

    /// Puts the link aside for what it is known to lack: longer each time.
    pub(crate) fn rise_at_once(&mut self, now: UnixTime) {
        self.fade(now);
        self.weight += ASIDE_FROM;
        self.is_aside = true;
    }

    /// Says whether the link is put aside now.
    pub(crate) fn put_aside(&mut self) -> bool {
        let is_new = !self.is_aside && self.weight >= ASIDE_FROM;
        self.is_aside |= is_new;
        is_new
    }

    /// Lets time pass, and says whether the link is used again.
    pub(crate) fn judge(&mut self, now: UnixTime) -> bool {
        self.fade(now);
        let is_back = self.is_aside && self.weight < BACK_BELOW;
        self.is_aside &= !is_back;
        is_back
    }

    pub(crate) fn fade(&mut self, now: UnixTime) {
        let half_lives = now.since(self.at).as_secs_f64() / SCORE_HALF_LIFE.as_secs_f64();
        self.at = self.at.max(now);
        self.weight *= 0.5_f64.powf(half_lives);
    }
}
