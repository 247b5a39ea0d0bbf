use mesh_types::{NodeId, UnixTime};
use std::{collections::HashMap, time::Duration};

/// How many packets in a row a neighbour leaves unpaid before it refuses to pay.
///
/// 16, because a source learns from the first that it has to pay, and may have had a few more on their way.
const UNPAID_PACKETS: u32 = 16;

/// How long it goes on like that before it refuses to pay.
///
/// A minute, because a payment may take as long to find its way.
const UNPAID_FOR: Duration = Duration::from_secs(60);

/// How long after the last such packet it is given another chance.
///
/// Ten minutes, as long as a relay is left out whose score has fallen.
const REFUSES_FOR: Duration = Duration::from_secs(600);

/// Of how many neighbours it is remembered, also of those that are gone: coming back changes nothing. Of more, the one is
/// forgotten that sent nothing for the longest time. It takes about 64 KiB.
const MAX_REMEMBERED: usize = 1_024;

/// Which neighbours go on sending packets of their own and do not pay for them.
#[derive(Debug, Default)]
pub(super) struct Unpaid(HashMap<NodeId, Run>);

/// Packets in a row that were not paid for.
#[derive(Debug)]
struct Run {
    packets: u32,
    since: UnixTime,
    last_at: UnixTime,
    /// The highest number of them: a packet that comes again is none more.
    sequence: u64,
}

impl Unpaid {
    /// Notes that a packet was refused of which `neighbour` is the source, because its credit does not cover the price; says
    /// whether it is the one that proves that it refuses to pay.
    pub(super) fn refused(&mut self, neighbour: NodeId, sequence: u64, now: UnixTime) -> bool {
        let new = Run {
            packets: 0,
            since: now,
            last_at: now,
            sequence: 0,
        };
        if !self.0.contains_key(&neighbour) && self.0.len() >= MAX_REMEMBERED {
            self.forget_one();
        }
        let run = self.0.entry(neighbour).or_insert(new);
        if run.packets > 0 && sequence <= run.sequence {
            return false;
        }
        let did_refuse = run.is_refusal();
        run.packets = run.packets.saturating_add(1);
        run.last_at = now;
        run.sequence = sequence;
        run.is_refusal() && !did_refuse
    }

    /// Notes that `payer` was credited a payment; says whether it had refused to pay.
    pub(super) fn paid(&mut self, payer: &NodeId) -> bool {
        self.0.remove(payer).is_some_and(|run| run.is_refusal())
    }

    pub(super) fn refuses(&self, neighbour: &NodeId) -> bool {
        self.0.get(neighbour).is_some_and(Run::is_refusal)
    }

    /// Forgets those that have sent nothing unpaid for long enough; answers with those of them that refused to pay.
    pub(super) fn take_over(&mut self, now: UnixTime) -> Vec<NodeId> {
        let mut over = Vec::new();
        self.0.retain(|neighbour, run| {
            let is_alive = run.last_at.plus(REFUSES_FOR).is_alive_at(now);
            if !is_alive && run.is_refusal() {
                over.push(*neighbour);
            }
            is_alive
        });
        over
    }

    fn forget_one(&mut self) {
        let oldest = self.0.iter().min_by_key(|(_, run)| run.last_at);
        if let Some(oldest) = oldest.map(|(neighbour, _)| *neighbour) {
            self.0.remove(&oldest);
        }
    }
}

impl Run {
    fn is_refusal(&self) -> bool {
        self.packets >= UNPAID_PACKETS && self.last_at.since(self.since) >= UNPAID_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixTime = UnixTime::from_secs(1_790_000_000);

    fn node(number: u32) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        NodeId::from_bytes(bytes)
    }

    fn at(second: u64) -> UnixTime {
        START.plus(Duration::from_secs(second))
    }

    #[test]
    fn many_packets_and_a_long_time_make_a_refusal_and_neither_alone() {
        let mut unpaid = Unpaid::default();
        let [hasty, slow, stubborn] = [1, 2, 3].map(node);
        assert!((0..1_000).all(|number| !unpaid.refused(hasty, number, at(59))));
        assert!((0..15).all(|number| !unpaid.refused(slow, number, at(20 * number))));
        let proofs = (0..20).filter(|number| unpaid.refused(stubborn, *number, at(10 * number)));
        assert_eq!(proofs.collect::<Vec<_>>(), [15]);
        assert_eq!(
            [hasty, slow, stubborn].map(|it| unpaid.refuses(&it)),
            [false, false, true]
        );
        assert!(unpaid.paid(&stubborn));
        assert!(!unpaid.refuses(&stubborn));
    }

    #[test]
    fn a_packet_that_comes_again_counts_once() {
        let mut unpaid = Unpaid::default();
        for second in 0..1_000 {
            assert!(!unpaid.refused(node(1), 7, at(second)));
            assert!(!unpaid.refused(node(1), second % 7, at(second)));
        }
    }

    #[test]
    fn it_is_over_when_nothing_unpaid_came_for_ten_minutes() {
        let mut unpaid = Unpaid::default();
        for number in 0..16 {
            unpaid.refused(node(1), number, at(4 * number));
        }
        assert!(unpaid.take_over(at(659)).is_empty());
        assert_eq!(unpaid.take_over(at(660)), [node(1)]);
        assert!(!unpaid.refuses(&node(1)));
    }

    #[test]
    fn so_many_are_remembered_and_the_one_that_sent_longest_ago_is_forgotten() {
        let mut unpaid = Unpaid::default();
        for number in 0..2 * MAX_REMEMBERED as u32 {
            unpaid.refused(node(number), 1, at(number.into()));
        }
        assert_eq!(unpaid.0.len(), MAX_REMEMBERED);
        assert!(unpaid.0.contains_key(&node(MAX_REMEMBERED as u32)));
    }
}
