use crate::{Sabotage, Topology};
use std::time::Duration;

/// What is simulated. Everything else follows from it: two runs of one plan are the same to the last byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// How many nodes there are.
    pub nodes: u32,
    /// Who is linked with whom.
    pub topology: Topology,
    /// How many of a hundred nodes lie; each in its own way ([`Trade`](crate::Trade)).
    pub liars_percent: u32,
    /// What all chance is drawn from.
    pub seed: u64,
    /// How long links fail, nodes come and go, and packets are sent.
    pub storm: Duration,
    /// How long nothing happens then, before routes are checked: the stated time.
    pub quiet: Duration,
    /// Whether it begins as a mesh that has run for long, and not with nodes that know nobody.
    pub is_warm: bool,
    /// How many more nodes all know and hear of, that are not simulated: what ten thousand cost is seen in a thousand of them.
    /// With any, the mesh begins warm.
    pub strangers: u32,
    /// What every node does wrong, to see whether it is noticed.
    pub sabotage: Option<Sabotage>,
}

impl Plan {
    /// A plan with the usual times and without sabotage.
    pub fn new(nodes: u32, topology: Topology, liars_percent: u32, seed: u64) -> Self {
        Self {
            nodes,
            topology,
            liars_percent,
            seed,
            storm: USUAL_STORM,
            quiet: USUAL_QUIET,
            is_warm: false,
            strangers: 0,
            sabotage: None,
        }
    }

    pub(crate) fn begins_warm(&self) -> bool {
        self.is_warm || self.strangers > 0
    }

    /// Chance for one purpose: what is drawn for another does not change it.
    pub(crate) fn chance(&self, purpose: u64) -> fastrand::Rng {
        let mixed = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ purpose << 56;
        fastrand::Rng::with_seed(mixed)
    }
}

/// What chance is drawn for.
pub(crate) mod purpose {
    pub(crate) const TOPOLOGY: u64 = 1;
    pub(crate) const NODES: u64 = 2;
    pub(crate) const LINKS: u64 = 3;
    pub(crate) const STORM: u64 = 4;
    pub(crate) const TRAFFIC: u64 = 5;
    pub(crate) const LIARS: u64 = 6;
    pub(crate) const SAMPLE: u64 = 7;
}

/// How long the storm lasts unless the plan says otherwise.
pub const USUAL_STORM: Duration = Duration::from_secs(600);

/// How long it is quiet then.
///
/// Seventy minutes: what a source holds against relays has faded after an hour, so that its own table, with all that it has
/// learned, has to find the cheapest route again; and from the tenth minute on a node says the same again three times, so
/// that an hour's messages can be counted.
pub const USUAL_QUIET: Duration = Duration::from_secs(70 * 60);
