//! Where packets go: peers, links, prices, routes and the fee split.
//!
//! A [`RoutingTable`] knows the nodes that are connected here, the links and prices of those further away, and finds
//! the cheapest way to any of them. [`split`] says who gets what of a packet's fee; [`least_total`] is its inverse: the
//! least fee for which every party's share covers its own price. What there is to know is learned from announcements that
//! nodes hand on to each other: a [`Gossip`] decides what is believed, kept and told. Nothing here sends.
//!
//! ```
//! use mesh_routing::RoutingTable;
//! use mesh_types::{Msat, NodeId, Price};
//!
//! let [local, relay, destination] = [1, 2, 3].map(|n| NodeId::from_bytes([n; 32]));
//! let table = RoutingTable::new(local);
//! table.add_direct_peer(relay, "127.0.0.1:8334".to_owned());
//! table.add_link(relay, destination)?;
//! let per_packet = Msat::from_msat(30);
//! table.set_price(relay, Price { per_packet, ..Price::FREE })?;
//!
//! let route = table.find_route(&destination).unwrap();
//! assert_eq!(route, [local, relay, destination]);
//! assert_eq!(table.quote_route(&route, 1_200).unwrap().total, Msat::from_msat(100));
//! # Ok::<(), mesh_routing::RoutingError>(())
//! ```

mod alternatives;
mod cache;
mod change;
mod doubt;
mod effect;
mod error;
mod even_total;
mod fee;
mod found_route;
mod gossip;
mod graph;
mod learning;
mod least_total;
mod link;
mod near;
mod outcome;
mod quote;
mod record;
mod scores;
mod search;
mod split;
mod table;
mod topology;
mod tries;

pub use alternatives::{ALWAYS_FAIR_MSAT, MAX_ALTERNATIVES, MAX_TIMES_DEARER};
pub use cache::{MAX_CACHED_ROUTES, PAYLOAD_STEP};
pub use doubt::DOUBTED_AFTER;
pub use effect::Place;
pub use error::RoutingError;
pub use even_total::MAX_CRUMBS_MSAT;
pub use fee::FeeDistribution;
pub use found_route::FoundRoute;
pub use gossip::limits::{
    AHEAD, ANSWER_ALL_WITHIN, ANSWER_WITHIN, ASK_AGAIN_AFTER, COMPARE_AGAIN_AFTER, COMPARE_EVERY,
    FIND_FANOUT, FOUND_WITH, LEAST_GAP, LIFETIME, MAX_DEPARTED, MAX_IN_FLIGHT, MAX_ITEMS_BYTES,
    MAX_NEWS, MAX_OFFERS, MAX_PLACES, MAX_RANGES_IN_ANSWER, MAX_REFUSED, MAX_SOUGHT,
    MAX_UNANSWERED, MOST_GAP, NEWS_EVERY, PLACES_FOR_STRAYS, PLACES_FREED, REFUSED_FOR,
    REPEAT_EVERY, SETTLE, SOUGHT_FOR_OTHERS, SOUGHT_FOR_US, SWEEP_EVERY, WATCH_EVERY,
};
pub use gossip::{Gossip, GossipCounts, GossipSetup, GraphChange, OwnWords, Signatures};
pub use graph::{MAX_ADDRESS_BYTES, MAX_DIRECT_PEERS, MAX_LINKS_PER_NODE, MAX_NODES};
pub use learning::{BUSY_FOR, MAX_FULL_PLACES};
pub use least_total::least_total;
pub use link::{DEFAULT_LINK_LATENCY_MS, MAX_LINK_LATENCY_MS};
pub use outcome::{Fault, Outcome};
pub use quote::RouteQuote;
pub use record::{FALLEN_BELOW, MAX_SHARED_BLAME, RISEN_ABOVE, SCORE_HALF_LIFE};
pub use scores::{MAX_DOUBTED_LINKS, MAX_SCORED_NODES, Scores, Standing, Verdict};
pub use split::{Split, split};
pub use table::RoutingTable;
pub use topology::{Topology, TopologyLink, TopologyNode};
pub use tries::{MAX_TRIES, NextTry, NoMoreTries, Tries, TryEnd, TryLimits, cost_of};
