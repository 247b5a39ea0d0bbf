use crate::topology::PlannedLink;
use mesh_types::UnixTime;
use std::time::Duration;

/// How links treat what is put on them, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weather {
    lost: u32,
    doubled: u32,
    delayed: u32,
}

impl Weather {
    /// Nothing is lost, and all comes in order.
    pub(crate) const FAIR: Self = Self {
        lost: 0,
        doubled: 0,
        delayed: 0,
    };

    /// A bad radio link. Links of real nodes are TCP, which loses nothing; here nothing may depend on that.
    pub(crate) const FOUL: Self = Self {
        lost: 5,
        doubled: 10,
        delayed: 50,
    };
}

/// How many bytes a link takes in a millisecond, each way: 8 Mbit/s.
const BYTES_PER_MS: u64 = 1_000;

/// How far behind a link may be before it takes no more.
const QUEUE: Duration = Duration::from_secs(2);

/// How much longer a delayed message takes at most.
const DELAY_MS: u64 = 400;

/// A link between two nodes.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) ends: [u32; 2],
    pub(crate) latency_ms: u64,
    /// Whether it was cut; it is up when it is not, and both ends are there.
    pub(crate) is_cut: bool,
    pub(crate) is_up: bool,
    /// Which of its lives it is in: what was under way when it went down arrives in none.
    pub(crate) life: u32,
    /// When the last byte of all that was put on it is gone, each way, in microseconds.
    free_at_micros: [u64; 2],
}

/// What becomes of something that was put on a wire.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// There is no room for it.
    Full,
    /// It arrives at these times: once, not at all, or twice.
    Arrives([Option<UnixTime>; 2]),
}

impl Wire {
    pub(crate) fn new(planned: PlannedLink) -> Self {
        Self {
            ends: planned.ends,
            latency_ms: planned.latency_ms,
            is_cut: false,
            is_up: false,
            life: 0,
            free_at_micros: [0; 2],
        }
    }

    /// The other end.
    pub(crate) fn beyond(&self, node: u32) -> u32 {
        self.ends[usize::from(self.ends[0] == node)]
    }

    /// Puts `len` bytes on the wire at the end of `from`.
    pub(crate) fn take(
        &mut self,
        from: u32,
        len: usize,
        weather: Weather,
        chance: &mut fastrand::Rng,
        now: UnixTime,
    ) -> Taken {
        let now_micros = now.to_millis() * 1_000;
        let free_at = &mut self.free_at_micros[usize::from(self.ends[1] == from)];
        if *free_at > now_micros + QUEUE.as_micros() as u64 {
            return Taken::Full;
        }
        *free_at = now_micros.max(*free_at) + len as u64 * 1_000 / BYTES_PER_MS;
        let gone = UnixTime::from_millis(free_at.div_ceil(1_000));
        let arrival = gone.plus(Duration::from_millis(self.latency_ms));
        if weather == Weather::FAIR {
            return Taken::Arrives([Some(arrival), None]);
        }
        let mut happens = |thousandths: u32| chance.u32(0..1_000) < thousandths;
        let (is_lost, is_doubled) = (happens(weather.lost), happens(weather.doubled));
        let is_delayed = happens(weather.delayed);
        let mut late = || arrival.plus(Duration::from_millis(chance.u64(1..=DELAY_MS)));
        let first = if is_delayed { late() } else { arrival };
        Taken::Arrives([(!is_lost).then_some(first), is_doubled.then(late)])
    }

    /// Goes down, or comes up in a new life.
    pub(crate) fn set_up(&mut self, is_up: bool) {
        self.is_up = is_up;
        self.life += u32::from(is_up);
        self.free_at_micros = [0; 2];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire() -> Wire {
        Wire::new(PlannedLink {
            ends: [0, 1],
            latency_ms: 10,
        })
    }

    #[test]
    fn a_wire_takes_its_time_for_each_byte_and_is_full_when_it_is_too_far_behind() {
        let (mut wire, mut chance) = (wire(), fastrand::Rng::with_seed(1));
        let now = UnixTime::from_secs(1);
        let mut put = |from| wire.take(from, 500_000, Weather::FAIR, &mut chance, now);
        let at = |ms| Taken::Arrives([Some(now.plus(Duration::from_millis(ms))), None]);
        assert_eq!(put(0), at(510));
        assert_eq!(put(0), at(1_010));
        assert_eq!(put(1), at(510), "each way has its own queue");
        (0..3).for_each(|_| assert_ne!(put(0), Taken::Full));
        assert_eq!(put(0), Taken::Full);
    }

    #[test]
    fn foul_weather_loses_doubles_and_delays_about_as_often_as_it_says() {
        let (mut wire, mut chance) = (wire(), fastrand::Rng::with_seed(1));
        let (mut lost, mut doubled, mut late) = (0, 0, 0);
        for second in 0..10_000 {
            let now = UnixTime::from_secs(second);
            match wire.take(0, 0, Weather::FOUL, &mut chance, now) {
                Taken::Arrives([first, second]) => {
                    lost += usize::from(first.is_none());
                    doubled += usize::from(second.is_some());
                    let in_time = now.plus(Duration::from_millis(10));
                    late += usize::from(first.is_some_and(|at| at > in_time));
                }
                Taken::Full => panic!("nothing has a length"),
            }
        }
        assert!((25..75).contains(&lost) && (50..150).contains(&doubled));
        assert!((300..700).contains(&late));
    }
}
