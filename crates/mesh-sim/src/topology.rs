use crate::plan::{Plan, purpose};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// Who is linked with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topology {
    /// Each with the next.
    Line,
    /// The same, closed.
    Ring,
    /// Each with the four beside it.
    Grid,
    /// Points in a square, linked where they are near: what radios make.
    Geometric,
    /// A ring with three neighbours on each side, a fifth of the links moved elsewhere.
    SmallWorld,
    /// Each newcomer linked with three, the sooner the more links these have: a few hubs, many leaves.
    ScaleFree,
}

impl Topology {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Line,
        Self::Ring,
        Self::Grid,
        Self::Geometric,
        Self::SmallWorld,
        Self::ScaleFree,
    ];

    /// As it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Ring => "ring",
            Self::Grid => "grid",
            Self::Geometric => "geometric",
            Self::SmallWorld => "small-world",
            Self::ScaleFree => "scale-free",
        }
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no topology.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no topology; there are: line, ring, grid, geometric, small-world, scale-free")]
pub struct UnknownTopology(String);

impl FromStr for Topology {
    type Err = UnknownTopology;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|it| it.name() == text);
        found.ok_or_else(|| UnknownTopology(text.to_owned()))
    }
}

/// A link that will be made, its ends by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PlannedLink {
    pub(crate) ends: [u32; 2],
    /// One way.
    pub(crate) latency_ms: u64,
}

/// Links of radio-like meshes to each node, in the mean: fewer leave islands, more make one crowd.
const RADIO_LINKS: f64 = 8.0;

/// The slowest link that a radio-like mesh has, from corner to corner.
const ACROSS_MS: f64 = 100.0;

/// The most links of a hub: a node keeps 256 at most, and needs some for what happens later.
const HUB_LINKS: usize = 200;

/// The links of a mesh, each once, in the order of their ends. The mesh hangs together.
pub(crate) fn links(plan: &Plan) -> Vec<PlannedLink> {
    let mut chance = plan.chance(purpose::TOPOLOGY);
    if plan.topology == Topology::Geometric {
        return geometric(plan.nodes, &mut chance);
    }
    let ends = match plan.topology {
        Topology::Line | Topology::Geometric => line(plan.nodes),
        Topology::Ring => ring(plan.nodes),
        Topology::Grid => grid(plan.nodes),
        Topology::SmallWorld => small_world(plan.nodes, &mut chance),
        Topology::ScaleFree => scale_free(plan.nodes, &mut chance),
    };
    let link = |ends| PlannedLink {
        ends,
        latency_ms: chance.u64(5..=100),
    };
    ends.into_iter().map(link).collect()
}

type Ends = BTreeSet<[u32; 2]>;

fn insert(ends: &mut Ends, a: u32, b: u32) -> bool {
    a != b && ends.insert([a.min(b), a.max(b)])
}

fn line(nodes: u32) -> Ends {
    (1..nodes).map(|node| [node - 1, node]).collect()
}

fn ring(nodes: u32) -> Ends {
    let mut ends = line(nodes);
    insert(&mut ends, nodes - 1, 0);
    ends
}

fn grid(nodes: u32) -> Ends {
    let width = nodes.isqrt().max(1);
    let mut ends = Ends::new();
    for node in 0..nodes {
        if (node + 1) % width != 0 && node + 1 < nodes {
            insert(&mut ends, node, node + 1);
        }
        if node + width < nodes {
            insert(&mut ends, node, node + width);
        }
    }
    ends
}

fn small_world(nodes: u32, chance: &mut fastrand::Rng) -> Ends {
    let mut ends = ring(nodes);
    for node in 0..nodes {
        for step in [2, 3] {
            let far = match chance.u32(0..10) {
                // The ring itself stays, so two of six links are not moved: three tenths of the others make a fifth of all.
                0..3 => chance.u32(0..nodes),
                _ => (node + step) % nodes,
            };
            insert(&mut ends, node, far);
        }
    }
    ends
}

fn scale_free(nodes: u32, chance: &mut fastrand::Rng) -> Ends {
    let mut ends = Ends::new();
    let mut degree = vec![0_usize; nodes as usize];
    // Every node stands here once for each of its links.
    let mut stubs: Vec<u32> = vec![0];
    for node in 1..nodes {
        let wanted = node.min(3);
        let (mut made, mut tries) = (0, 0);
        while made < wanted && tries < 100 {
            tries += 1;
            let other = stubs[chance.usize(0..stubs.len())];
            if degree[other as usize] < HUB_LINKS && insert(&mut ends, node, other) {
                degree[node as usize] += 1;
                degree[other as usize] += 1;
                stubs.extend([node, other]);
                made += 1;
            }
        }
    }
    ends
}

fn geometric(nodes: u32, chance: &mut fastrand::Rng) -> Vec<PlannedLink> {
    let points: Vec<(f64, f64)> = (0..nodes).map(|_| (chance.f64(), chance.f64())).collect();
    let distance = |a: u32, b: u32| {
        let (a, b) = (points[a as usize], points[b as usize]);
        (a.0 - b.0).hypot(a.1 - b.1)
    };
    let reach = (RADIO_LINKS / (std::f64::consts::PI * f64::from(nodes))).sqrt();
    let mut ends = Ends::new();
    for node in 1..nodes {
        let near = (0..node).filter(|other| distance(node, *other) <= reach);
        let mut linked = 0;
        for other in near {
            insert(&mut ends, node, other);
            linked += 1;
        }
        // Nobody is an island: whoever reaches nobody builds a mast.
        if linked == 0 {
            let by_distance = |a: &u32, b: &u32| distance(node, *a).total_cmp(&distance(node, *b));
            let nearest = (0..node).min_by(by_distance);
            nearest.map(|nearest| insert(&mut ends, node, nearest));
        }
    }
    let link = |ends: [u32; 2]| PlannedLink {
        ends,
        latency_ms: 2 + (distance(ends[0], ends[1]) * ACROSS_MS) as u64,
    };
    ends.into_iter().map(link).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topology_hangs_together_and_is_the_same_for_the_same_seed() {
        for topology in Topology::ALL {
            for nodes in [3, 10, 64, 500] {
                let plan = Plan::new(nodes, topology, 0, 7);
                let made = links(&plan);
                assert_eq!(made, links(&plan));
                let mut reached = BTreeSet::from([0]);
                let mut todo = vec![0];
                while let Some(node) = todo.pop() {
                    for link in made.iter().filter(|link| link.ends.contains(&node)) {
                        let other = link.ends[usize::from(link.ends[0] == node)];
                        if reached.insert(other) {
                            todo.push(other);
                        }
                    }
                }
                assert_eq!(reached.len(), nodes as usize, "{topology} of {nodes}");
            }
        }
    }

    #[test]
    fn each_topology_is_found_by_its_name() {
        for topology in Topology::ALL {
            assert_eq!(topology.name().parse(), Ok(topology));
        }
        assert!("torus".parse::<Topology>().is_err());
    }
}
