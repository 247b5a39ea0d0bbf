use crate::{
    wire::Weather,
    world::{Event, World},
};
use std::{collections::BTreeSet, time::Duration};

/// How long a killed node is down, in seconds.
const DOWN_SECS: std::ops::RangeInclusive<u64> = 2..=120;

/// How long a cut link is down, in seconds.
const CUT_SECS: std::ops::RangeInclusive<u64> = 1..=60;

/// Of so many killed nodes one stays away.
const GONE: u32 = 16;

/// How many misfortunes there are at most: all nodes hear of each, so the work grows with the square of the nodes.
const MOST_MISFORTUNES: u32 = 100;

/// What happens to the mesh while packets are sent: foul weather on all links, nodes that are killed and started again, links
/// that are cut, and once a partition into two halves that heals.
impl World {
    pub(crate) fn storm(&mut self) {
        let span = self.plan.storm;
        if span.is_zero() {
            return;
        }
        self.weather = Weather::FOUL;
        self.is_stormy = true;
        self.queue.note(self.now, Event::Send);
        for (number, _) in (0..).zip(&self.nodes).filter(|(_, node)| !node.is_honest()) {
            self.queue.note(self.now, Event::Mischief(number));
        }
        for _ in 0..MOST_MISFORTUNES.min(self.plan.nodes / 2) {
            self.plan_misfortune(span);
        }
        self.plan_partition(span);
    }

    pub(crate) fn calm(&mut self) {
        self.weather = Weather::FAIR;
        self.is_stormy = false;
    }

    /// A node is killed, or a link cut, at some moment; with few exceptions it is back before the storm ends.
    fn plan_misfortune(&mut self, span: Duration) {
        let (nodes, wires) = (self.plan.nodes, self.wires.len() as u32);
        let chance = &mut self.chance.storm;
        let begins = Duration::from_millis(chance.u64(0..span.as_millis() as u64));
        let (is_kill, is_gone) = (chance.bool(), chance.u32(0..GONE) == 0);
        let secs = if is_kill { DOWN_SECS } else { CUT_SECS };
        let ends = (begins + Duration::from_secs(chance.u64(secs))).min(span);
        let (begin, end) = match is_kill {
            true => {
                let node = chance.u32(0..nodes);
                (Event::Stop(node), (!is_gone).then_some(Event::Start(node)))
            }
            false => {
                let wire = chance.u32(0..wires);
                (Event::Cut(wire), Some(Event::Mend(wire)))
            }
        };
        self.queue.note(self.now.plus(begins), begin);
        if let Some(end) = end {
            self.queue.note(self.now.plus(ends), end);
        }
    }

    /// All links between two halves are cut for a third of the storm. The halves hang together themselves.
    fn plan_partition(&mut self, span: Duration) {
        let first = self.chance.storm.u32(0..self.plan.nodes);
        let mut half = BTreeSet::from([first]);
        let mut at = std::collections::VecDeque::from([first]);
        while let Some(node) = at.pop_front() {
            for (other, _) in self.node(node).peers.values() {
                if half.len() < self.nodes.len() / 2 && half.insert(*other) {
                    at.push_back(*other);
                }
            }
        }
        let crosses = |ends: [u32; 2]| half.contains(&ends[0]) != half.contains(&ends[1]);
        let crossing = (0..)
            .zip(&self.wires)
            .filter(|(_, wire)| crosses(wire.ends));
        let crossing: Vec<u32> = crossing.map(|(number, _)| number).collect();
        for wire in crossing {
            self.queue.note(self.now.plus(span / 3), Event::Cut(wire));
            self.queue
                .note(self.now.plus(span * 2 / 3), Event::Mend(wire));
        }
    }
}
