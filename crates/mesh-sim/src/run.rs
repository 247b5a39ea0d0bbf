use crate::{
    Plan, Property, Report,
    errand::paid_by,
    report::Rates,
    signer::Signer,
    world::{START_WITHIN, World},
};
use mesh_routing::Gossip;
use mesh_types::{ClaimKey, Msat};
use std::time::Duration;

/// How far a simulation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// All nodes start, and learn of each other.
    Settling,
    /// Links fail, nodes come and go, packets are sent.
    Storming,
    /// The quiet before messages are counted.
    Calming,
    /// The quiet in which they are.
    Counting,
    /// One node changes its price, and all hear of it.
    Spreading,
    /// Routes are held against those of somebody who sees everything.
    Checking,
}

/// Where a simulation is, for whoever waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is going on.
    pub stage: Stage,
    /// How much virtual time has passed.
    pub virtual_time: Duration,
    /// How many things have happened.
    pub events: u64,
}

/// How long nodes may take until all know all. Beyond that the report says that they do not.
const SETTLED_WITHIN: Duration = Duration::from_secs(3_600);

/// How long a node says nothing of what is over before messages are counted.
const CALMED_AFTER: Duration = Duration::from_secs(600);

/// The same where a mesh begins as one that has run for long: after that nodes say the same again.
const WARM_AFTER: Duration = Duration::from_secs(45);

/// How often it is looked whether all have heard of something, and for how long at most.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const HEARD_WITHIN: Duration = Duration::from_secs(600);

/// How often somebody who waits is told.
const STEP: Duration = Duration::from_secs(60);

/// Simulates what is planned, and tells what came of it; `watch` is called now and then meanwhile.
pub fn run(plan: &Plan, mut watch: impl FnMut(Progress)) -> Report {
    let mut world = World::new(plan.clone());
    let began_at = world.now;
    let mut tell = |world: &World, stage| {
        watch(Progress {
            stage,
            virtual_time: world.now.since(began_at),
            events: world.tally.events,
        });
    };
    tell(&world, Stage::Settling);
    let converged_after = match plan.begins_warm() {
        true => {
            world.begin_warm(|world| tell(world, Stage::Settling));
            None
        }
        false => {
            world.begin();
            world.settle(|world| tell(world, Stage::Settling))
        }
    };
    world.storm();
    world.run_in_steps(plan.storm, |world| tell(world, Stage::Storming));
    world.calm();
    let calming = if plan.begins_warm() {
        WARM_AFTER
    } else {
        CALMED_AFTER
    };
    let calming = calming.min(plan.quiet);
    world.run_in_steps(calming, |world| tell(world, Stage::Calming));
    let before = world.tally.clone();
    let counting = plan.quiet - calming;
    world.run_in_steps(counting, |world| tell(world, Stage::Counting));
    let rates = Rates::between(&before, &world.tally, counting, plan);
    tell(&world, Stage::Spreading);
    let news_after = world.spread_news();
    tell(&world, Stage::Checking);
    world.check_sums();
    let pairs = world.check_routes();
    Report::of(&world, [converged_after, news_after], rates, pairs)
}

impl World {
    fn run_in_steps(&mut self, span: Duration, mut tell: impl FnMut(&Self)) {
        let mut left = span;
        while !left.is_zero() && self.watch.violation.is_none() {
            let step = left.min(STEP);
            self.run_for(step);
            left -= step;
            tell(self);
        }
    }

    /// Lets all nodes start, and learn until all know all; says how long that took after the last start.
    fn settle(&mut self, mut tell: impl FnMut(&Self)) -> Option<Duration> {
        self.run_for(START_WITHIN);
        let second = Duration::from_secs(1);
        let most = SETTLED_WITHIN.as_secs();
        for after in 1..=most {
            self.run_for(second);
            if after % 10 == 0 {
                tell(self);
            }
            if self.is_agreed() {
                tell(self);
                return Some(second * u32::try_from(after).unwrap_or(u32::MAX));
            }
        }
        None
    }

    /// Lets one node ask another price, and says how long it takes until all that are up have heard of it.
    fn spread_news(&mut self) -> Option<Duration> {
        let source = (0..self.plan.nodes).find(|number| {
            let node = self.node(*number);
            node.is_up() && node.is_honest()
        })?;
        let (began_at, now) = (self.now, self.now);
        let node = self.node_mut(source);
        let id = node.id;
        node.price.per_packet = node.price.per_packet.checked_add(Msat::from_msat(500))?;
        let words = node.words();
        let gossip = node.gossip.as_mut()?;
        let before = gossip.announcement(&id)?.announcement.sequence;
        gossip.say(words, now).ok()?;
        self.after_gossip(source);
        while self.now < began_at.plus(HEARD_WITHIN) && self.watch.violation.is_none() {
            self.run_for(LOOK_EVERY);
            let mut up = self.nodes.iter().filter_map(|node| node.gossip.as_ref());
            let newest = |gossip: &Gossip<Signer>| {
                let said = gossip.announcement(&id);
                said.is_some_and(|said| said.announcement.sequence > before)
            };
            if up.all(newest) {
                return Some(self.now.since(began_at));
            }
        }
        None
    }

    /// What of all payments their payees have not been shown.
    pub(crate) fn unshown_msat(&self) -> u64 {
        let unshown = self.nodes.iter().flat_map(|node| &node.unshown);
        self.unclaimed_msat(unshown.filter_map(|(_, proof)| paid_by(proof)))
    }

    /// What of them was shown in vain.
    pub(crate) fn void_msat(&self) -> u64 {
        self.unclaimed_msat(self.void.iter().map(|(key, amount)| (*key, *amount)))
    }

    /// The sum of those that nobody has claimed: a thief may have shown them after all, which harms nobody.
    fn unclaimed_msat(&self, payments: impl Iterator<Item = (ClaimKey, Msat)>) -> u64 {
        let unclaimed = payments.filter(|(key, _)| !self.watch.is_claimed(key));
        unclaimed.map(|(_, amount)| amount.to_msat()).sum()
    }

    /// Every payment is credit, earned, waits to be shown, or was shown in vain.
    fn check_sums(&mut self) {
        let (credit, earned) = self.watch.sums_msat();
        let (unshown, void) = (self.unshown_msat(), self.void_msat());
        let paid = self.bank.paid_msat;
        if paid != credit + earned + unshown + void {
            let found =
                format!("{credit} credit + {earned} earned + {unshown} not shown + {void} void");
            let pair = (format!("{paid} msat, as was paid"), found);
            let property = Property::EverySatAccountedFor;
            self.watch
                .violate(property, vec!["all".to_owned()], pair, self.now);
        }
    }
}
