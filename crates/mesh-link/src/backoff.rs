use crate::LinkConfig;
use mesh_types::NodeId;
use std::time::Duration;

/// The pauses between attempts to reach one node: each twice the one before, and jittered.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    ceiling: Duration,
    chance: u64,
}

impl Backoff {
    /// Starts with the least pause. The jitter follows from the seed and both ids, so two nodes that lost each other
    /// do not dial in step.
    pub(crate) fn new(config: &LinkConfig, own: &NodeId, peer: &NodeId) -> Self {
        let ids = own.as_bytes().iter().chain(peer.as_bytes());
        let chance = ids.fold(config.jitter_seed, |seed, byte| {
            scramble(seed ^ u64::from(*byte))
        });
        Self {
            min: config.reconnect_min,
            max: config.reconnect_max,
            ceiling: config.reconnect_min,
            chance,
        }
    }

    /// Gives the next pause: between half of its ceiling and all of it.
    pub(crate) fn pause(&mut self) -> Duration {
        self.chance = scramble(self.chance);
        let half = self.ceiling / 2;
        let part = u32::try_from(self.chance >> 48).unwrap_or(0);
        let jitter = half.saturating_mul(part) / (1 << 16);
        self.ceiling = self.ceiling.saturating_mul(2).min(self.max);
        half.saturating_add(jitter)
    }

    /// Begins again with the least pause.
    pub(crate) fn reset(&mut self) {
        self.ceiling = self.min;
    }
}

/// One step of splitmix64 (S. Vigna, 2015).
fn scramble(state: u64) -> u64 {
    let sum = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (sum ^ (sum >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(seed: u64) -> Backoff {
        let config = LinkConfig {
            reconnect_min: Duration::from_millis(500),
            reconnect_max: Duration::from_secs(60),
            jitter_seed: seed,
            ..LinkConfig::default()
        };
        let [own, peer] = [[1; 32], [2; 32]].map(NodeId::from_bytes);
        Backoff::new(&config, &own, &peer)
    }

    #[test]
    fn pauses_double_within_their_jitter_up_to_the_longest() {
        let mut backoff = backoff(7);
        let mut ceiling = Duration::from_millis(500);
        for _ in 0..12 {
            let pause = backoff.pause();
            assert!(pause >= ceiling / 2 && pause <= ceiling, "{pause:?}");
            ceiling = (ceiling * 2).min(Duration::from_secs(60));
        }
        backoff.reset();
        assert!(backoff.pause() <= Duration::from_millis(500));
    }

    #[test]
    fn different_seeds_give_different_pauses() {
        let pauses = |seed| {
            let mut backoff = backoff(seed);
            [(); 4].map(|()| backoff.pause())
        };
        assert_eq!(pauses(1), pauses(1));
        assert_ne!(pauses(1), pauses(2));
    }
}
