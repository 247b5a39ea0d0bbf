//! Thousands of nodes in virtual time: the decisions of the real ones, checked at every step.
//!
//! [`run`] takes a [`Plan`] and gives a [`Report`]. Each node decides with the code of a real one: a
//! [`Gossip`](mesh_routing::Gossip), a [`RoutingTable`](mesh_routing::RoutingTable), an [`Engine`](mesh_manager::Engine) and a
//! [`ForgetfulStore`](mesh_manager::ForgetfulStore); packets are real bytes with real MACs, payments have real invoices and
//! proofs. What is played is what is around them: links, the Lightning network, disks, clocks, and liars. Books of the
//! simulator's own tell whether every [`Property`] held; the first that did not is the report's [`Violation`].
//!
//! There is no clock, no socket and no thread: one plan, one report, byte for byte.
//!
//! ```
//! use mesh_sim::{Plan, Topology, run};
//!
//! let report = run(&Plan::new(12, Topology::Grid, 10, 1), |_| {});
//! assert_eq!(report.violation, None);
//! assert!(report.traffic.delivered > 0);
//! ```
#![allow(
    clippy::indexing_slicing,
    reason = "all numbers are the simulator's own: one that is wrong is a bug, and has to stop it"
)]

mod bank;
mod carry;
mod errand;
mod lives;
mod mischief;
mod node;
mod oracle;
mod plan;
mod queue;
mod report;
mod routes;
mod run;
mod sabotage;
mod signer;
mod storm;
mod talk;
mod topology;
mod trade;
mod warm;
mod watch;
mod wire;
mod world;

pub use plan::{Plan, USUAL_QUIET, USUAL_STORM};
pub use report::{ANNOUNCED_AN_HOUR, GossipTally, Memory, PairCounts, Rates, Report, Tally};
pub use run::{Progress, Stage, run};
pub use sabotage::{Sabotage, UnknownSabotage};
pub use topology::{Topology, UnknownTopology};
pub use trade::Trade;
pub use watch::{Property, Violation};
