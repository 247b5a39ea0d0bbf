use crate::MeshManager;
use mesh_protocol::ControlMessage;
use mesh_types::{MeshError, Msat, NodeId, UnixTime};
use std::{collections::HashMap, time::Duration};

/// How often each link is measured.
///
/// Half a minute, because a question and its answer take some 400 bytes, and because routes should not follow every gust.
const MEASURE_EVERY: Duration = Duration::from_secs(30);

/// How long after a link is up it is measured first: before it is announced, and behind its first packets.
const MEASURE_FIRST_AFTER: Duration = Duration::from_millis(100);

/// How long an answer is waited for; a link without one keeps what was measured before, until it is down.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is not told again: changes of less than a quarter, or of less than this many milliseconds.
const UNTOLD_MS: u32 = 4;

/// How long a packet to each neighbour takes there and back.
#[derive(Debug, Default)]
pub(super) struct Latencies(HashMap<NodeId, Latency>);

#[derive(Debug)]
struct Latency {
    /// In eighths of a millisecond; `None` before the first measurement.
    smoothed: Option<u32>,
    told_ms: u32,
    due_at: UnixTime,
}

impl Latencies {
    /// Takes a neighbour of which `told_ms` is told before it is measured.
    pub(super) fn begin(&mut self, peer: NodeId, told_ms: u32, now: UnixTime) {
        let latency = Latency {
            smoothed: None,
            told_ms,
            due_at: now.plus(MEASURE_FIRST_AFTER),
        };
        self.0.insert(peer, latency);
    }

    pub(super) fn end(&mut self, peer: &NodeId) {
        self.0.remove(peer);
    }

    /// What was measured, smoothed.
    pub(super) fn of(&self, peer: &NodeId) -> Option<u32> {
        Some(self.0.get(peer)?.smoothed?.div_ceil(8))
    }

    /// Whom to measure now; each is due again later.
    pub(super) fn due(&mut self, now: UnixTime) -> Vec<NodeId> {
        let mut due = Vec::new();
        for (peer, latency) in &mut self.0 {
            if latency.due_at <= now {
                latency.due_at = now.plus(MEASURE_EVERY);
                due.push(*peer);
            }
        }
        due
    }

    /// Takes a measurement; answers with what is to be told, when that is worth it.
    pub(super) fn measured(&mut self, peer: &NodeId, took: Duration) -> Option<u32> {
        let latency = self.0.get_mut(peer)?;
        // A clock that was set meanwhile measures nonsense.
        let took = took.min(PATIENCE);
        let sample_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        // As TCP does (RFC 6298): an eighth of what is new.
        let smoothed = latency
            .smoothed
            .map_or(8 * sample_ms, |before| before - before / 8 + sample_ms);
        latency.smoothed = Some(smoothed);
        let now_ms = smoothed.div_ceil(8);
        let is_news = latency.told_ms.abs_diff(now_ms) >= UNTOLD_MS.max(latency.told_ms / 4);
        is_news.then(|| {
            latency.told_ms = now_ms;
            now_ms
        })
    }
}

/// Measures how long it takes to hear from a neighbour: its answer is authenticated, and nobody is between.
pub(super) async fn measure(mesh: MeshManager, peer: NodeId) {
    let measured = async {
        let question = ControlMessage::QuoteRequest { amount: Msat::ZERO };
        let draft = mesh.to_neighbour(peer, &question)?;
        let asked_at = mesh.shared.node_api.now();
        mesh.exchange(draft, PATIENCE).await?;
        let now = mesh.shared.node_api.now();
        Ok::<_, MeshError>((now.since(asked_at), now))
    };
    match measured.await {
        Ok((took, now)) => {
            if let Some(learning) = mesh.shared.learning() {
                learning.measured(peer, took, mesh.engine().routes(), now);
            }
        }
        Err(error) => tracing::debug!(%peer, %error, "a link was not measured"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: NodeId = NodeId::from_bytes([1; 32]);
    const NOW: UnixTime = UnixTime::from_secs(1_790_000_000);

    fn told(latencies: &mut Latencies, took_ms: u64) -> Option<u32> {
        latencies.measured(&PEER, Duration::from_millis(took_ms))
    }

    #[test]
    fn the_first_measurement_counts_whole_and_later_ones_an_eighth() {
        let mut latencies = Latencies::default();
        assert_eq!(told(&mut latencies, 20), None, "it is no neighbour");
        latencies.begin(PEER, 100, NOW);
        assert_eq!(latencies.of(&PEER), None);
        assert_eq!(told(&mut latencies, 20), Some(20));
        assert_eq!(told(&mut latencies, 52), None);
        assert_eq!(latencies.of(&PEER), Some(24));
        let said: Vec<u32> = (0..100).filter_map(|_| told(&mut latencies, 52)).collect();
        assert_eq!(said.first(), Some(&28));
        assert!(said.len() < 6, "{said:?}");
        assert!(
            latencies
                .of(&PEER)
                .is_some_and(|ms| (45..=52).contains(&ms))
        );
    }

    #[test]
    fn a_fast_link_that_trembles_is_told_once() {
        let mut latencies = Latencies::default();
        latencies.begin(PEER, 100, NOW);
        assert_eq!(told(&mut latencies, 0), Some(0));
        for took_ms in [0, 1, 2, 3, 1, 0, 2, 3, 3, 1] {
            assert_eq!(told(&mut latencies, took_ms), None);
        }
    }

    #[test]
    fn a_clock_that_was_set_cannot_make_a_link_slower_than_is_waited_for() {
        let mut latencies = Latencies::default();
        latencies.begin(PEER, 100, NOW);
        assert_eq!(told(&mut latencies, u64::MAX), Some(5_000));
    }

    #[test]
    fn each_link_is_due_soon_and_then_now_and_then() {
        let mut latencies = Latencies::default();
        latencies.begin(PEER, 100, NOW);
        assert!(latencies.due(NOW).is_empty());
        let first = NOW.plus(MEASURE_FIRST_AFTER);
        assert_eq!(latencies.due(first), [PEER]);
        assert!(latencies.due(first).is_empty());
        assert_eq!(latencies.due(first.plus(MEASURE_EVERY)), [PEER]);
        latencies.end(&PEER);
        assert!(latencies.due(first.plus(MEASURE_EVERY * 2)).is_empty());
    }
}
