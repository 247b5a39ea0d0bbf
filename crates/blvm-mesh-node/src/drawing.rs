use crate::{
    control::{LinkReport, PriceReport, TopologyReport},
    hops::{ends, hops},
    text::{amount, counted, short, thousands},
};
use std::collections::{BTreeMap, HashMap};

/// The most nodes that are drawn in a terminal: what a person takes in at a glance.
pub(crate) const MAX_DRAWN: usize = 48;

/// The most links that are named at one node, beside the one that it hangs on.
const MAX_NAMED: usize = 6;

/// A mesh as a tree by hops from the node that was asked, each node under one of those that are a hop nearer, with the links
/// beside the tree named at their later end. Of a large mesh there is a summary.
pub(crate) fn draw(mesh: &TopologyReport) -> String {
    let drawing = Drawing::of(mesh);
    let mut text = drawing.summary();
    if mesh.nodes.len() > MAX_DRAWN {
        text += &format!(
            "more than {MAX_DRAWN} nodes are not drawn: see --dot for Graphviz, or --json\n"
        );
        return text;
    }
    text += "\n";
    drawing.branch(drawing.local, &Stem::default(), &mut text);
    let strays = (0..mesh.nodes.len()).filter(|place| drawing.far(*place).is_none());
    let strays: Vec<String> = strays.map(|place| drawing.name(place)).collect();
    if !strays.is_empty() {
        text += &format!("no way leads to {}\n", strays.join(", "));
    }
    if mesh.nodes.iter().any(|node| node.left_out) || mesh.links.iter().any(|link| link.left_out) {
        text += "x: left out of routes for now\n";
    }
    text
}

/// A mesh for Graphviz.
pub(crate) fn dot(mesh: &TopologyReport) -> String {
    let mut text = "graph mesh {\n  node [shape=box, fontname=\"monospace\"];\n".to_owned();
    for node in &mesh.nodes {
        let style = match (node.node_id == mesh.node_id, node.left_out) {
            (true, _) => ", style=bold",
            (false, true) => ", style=dashed",
            (false, false) => "",
        };
        let (id, name, price) = (node.node_id, short(&node.node_id), price(&node.price));
        text += &format!("  \"{id}\" [label=\"{name}\\n{price}\"{style}];\n");
    }
    for link in &mesh.links {
        let (Some(a), Some(b)) = (mesh.nodes.get(link.a), mesh.nodes.get(link.b)) else {
            continue;
        };
        let style = if link.left_out { ", style=dashed" } else { "" };
        let (a, b, latency_ms) = (a.node_id, b.node_id, link.latency_ms);
        text += &format!("  \"{a}\" -- \"{b}\" [label=\"{latency_ms} ms\"{style}];\n");
    }
    text + "}\n"
}

struct Drawing<'a> {
    mesh: &'a TopologyReport,
    local: usize,
    ends: Vec<Vec<usize>>,
    far: Vec<Option<usize>>,
    links: HashMap<(usize, usize), &'a LinkReport>,
}

/// What stands before the name of a node: one piece for the node itself, and one for those below it.
#[derive(Default)]
struct Stem {
    own: String,
    below: String,
}

impl<'a> Drawing<'a> {
    fn of(mesh: &'a TopologyReport) -> Self {
        let count = mesh.nodes.len();
        let pairs = || mesh.links.iter().map(|link| (link.a, link.b));
        let is_local = |node: &crate::control::PlaceReport| node.node_id == mesh.node_id;
        let local = mesh.nodes.iter().position(is_local).unwrap_or(0);
        let by_ends = mesh.links.iter().map(|link| ((link.a, link.b), link));
        Self {
            mesh,
            local,
            ends: ends(count, pairs()),
            far: hops(count, pairs(), local),
            links: by_ends.collect(),
        }
    }

    fn summary(&self) -> String {
        let (nodes, links) = (self.mesh.nodes.len(), self.mesh.links.len());
        let links = links.saturating_add(self.mesh.unlisted_links);
        let number = |count| u64::try_from(count).unwrap_or(u64::MAX);
        let mut text = format!(
            "{}, {}\n",
            counted(number(nodes), "node"),
            counted(number(links), "link")
        );
        let mut by_hops = BTreeMap::<usize, u64>::new();
        for far in self.far.iter().flatten().filter(|far| **far > 0) {
            *by_hops.entry(*far).or_default() += 1;
        }
        for (far, count) in by_hops {
            let away = format!("{} away", counted(number(far), "hop"));
            text += &format!("  {away:<14}{}\n", counted(count, "node"));
        }
        let strays = self.far.iter().filter(|far| far.is_none()).count();
        if strays > 0 {
            text += &format!(
                "  {:<14}{}\n",
                "out of reach",
                counted(number(strays), "node")
            );
        }
        text
    }

    /// Writes a node and all that hangs on it. The tree is as deep as the mesh, which is at most [`MAX_DRAWN`].
    fn branch(&self, place: usize, stem: &Stem, text: &mut String) {
        *text += &format!("{}{}\n", stem.own, self.line(place));
        let children = self.children(place);
        for (at, child) in children.iter().enumerate() {
            let (own, below) = match at + 1 == children.len() {
                true => ("└─ ", "   "),
                false => ("├─ ", "│  "),
            };
            let stem = Stem {
                own: format!("{}{own}", stem.below),
                below: format!("{}{below}", stem.below),
            };
            self.branch(*child, &stem, text);
        }
    }

    fn line(&self, place: usize) -> String {
        let Some(node) = self.mesh.nodes.get(place) else {
            return String::new();
        };
        let mut line = self.name(place);
        match self.parent(place) {
            None => line += "  this node",
            Some(parent) => {
                line += &format!("  {}", price(&node.price));
                line += &format!(", {}", self.latency(place, parent));
            }
        }
        let beside = self.beside(place);
        let names = beside.iter().take(MAX_NAMED);
        let names: Vec<_> = names
            .map(|end| format!("{} ({})", self.name(*end), self.latency(place, *end)))
            .collect();
        if !names.is_empty() {
            line += &format!("; linked with {}", names.join(", "));
        }
        if beside.len() > MAX_NAMED {
            line += &format!(" and {} more", beside.len() - MAX_NAMED);
        }
        line
    }

    fn name(&self, place: usize) -> String {
        let node = self.mesh.nodes.get(place);
        node.map_or_else(String::new, |node| {
            let mark = if node.left_out { " x" } else { "" };
            format!("{}{mark}", short(&node.node_id))
        })
    }

    fn latency(&self, a: usize, b: usize) -> String {
        let link = self.links.get(&(a.min(b), a.max(b)));
        link.map_or_else(String::new, |link| {
            let mark = if link.left_out { " x" } else { "" };
            format!("{} ms{mark}", thousands(link.latency_ms.into()))
        })
    }

    fn far(&self, place: usize) -> Option<usize> {
        self.far.get(place).copied().flatten()
    }

    fn ends(&self, place: usize) -> &[usize] {
        self.ends.get(place).map_or(&[], Vec::as_slice)
    }

    /// The node that this one hangs on: the first that is a hop nearer.
    fn parent(&self, place: usize) -> Option<usize> {
        let nearer = self.far(place)?.checked_sub(1)?;
        let mut ends = self.ends(place).iter().copied();
        ends.find(|end| self.far(*end) == Some(nearer))
    }

    fn children(&self, place: usize) -> Vec<usize> {
        let ends = self.ends(place).iter().copied();
        ends.filter(|end| self.parent(*end) == Some(place))
            .collect()
    }

    /// The ends of links that are not of the tree, at the later of their two ends.
    fn beside(&self, place: usize) -> Vec<usize> {
        let order = |place: usize| (self.far(place), place);
        let ends = self.ends(place).iter().copied();
        ends.filter(|end| order(*end) < order(place) && self.parent(place) != Some(*end))
            .collect()
    }
}

fn price(price: &PriceReport) -> String {
    let part = |sum_msat: u64, of: &str| format!("{} {of}", amount(sum_msat));
    match (price.per_packet_msat, price.per_kib_msat) {
        (0, 0) => "asks nothing".to_owned(),
        (packet, 0) => part(packet, "a packet"),
        (0, kib) => part(kib, "a KiB"),
        (packet, kib) => format!("{} + {}", part(packet, "a packet"), part(kib, "a KiB")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::PlaceReport;
    use blvm_mesh::NodeId;

    fn mesh(count: u8, links: &[(usize, usize)]) -> TopologyReport {
        let node = |byte: u8| PlaceReport {
            node_id: NodeId::from_bytes([byte; 32]),
            price: PriceReport {
                per_packet_msat: 1_000 * u64::from(byte),
                per_kib_msat: 0,
            },
            left_out: byte == 4,
        };
        let link = |(a, b): &(usize, usize)| LinkReport {
            a: *a,
            b: *b,
            latency_ms: 7,
            left_out: false,
        };
        TopologyReport {
            node_id: NodeId::from_bytes([1; 32]),
            nodes: (0..count).map(node).collect(),
            links: links.iter().map(link).collect(),
            unlisted_links: 0,
        }
    }

    #[test]
    fn a_small_mesh_is_a_tree_by_hops_with_the_other_links_named() {
        let drawn = draw(&mesh(6, &[(0, 1), (1, 2), (0, 3), (2, 3), (3, 4)]));
        let expected = "\
6 nodes, 5 links
  1 hop away    2 nodes
  2 hops away   1 node
  3 hops away   1 node
  out of reach  1 node

01010101..0101  this node
├─ 00000000..0000  asks nothing, 7 ms
│  └─ 03030303..0303  3,000 msat a packet, 7 ms; linked with 02020202..0202 (7 ms)
│     └─ 04040404..0404 x  4,000 msat a packet, 7 ms
└─ 02020202..0202  2,000 msat a packet, 7 ms
no way leads to 05050505..0505
x: left out of routes for now
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn a_large_mesh_is_summed_up() {
        let links: Vec<_> = (0..99).map(|place| (place, place + 1)).collect();
        let drawn = draw(&mesh(100, &links));
        assert!(
            drawn.starts_with("100 nodes, 99 links\n  1 hop away    2 nodes\n"),
            "{drawn}"
        );
        assert!(
            drawn.ends_with("see --dot for Graphviz, or --json\n"),
            "{drawn}"
        );
        assert!(!drawn.contains('├'), "{drawn}");
    }

    #[test]
    fn a_report_whose_links_lead_nowhere_is_drawn_without_them() {
        let drawn = draw(&mesh(2, &[(0, 1), (1, 9)]));
        assert!(drawn.contains("└─ 00000000..0000"), "{drawn}");
        assert_eq!(dot(&mesh(2, &[(1, 9)])).matches("--").count(), 0);
        let _ = draw(&mesh(0, &[]));
    }

    #[test]
    fn graphviz_gets_each_node_and_each_link() {
        let text = dot(&mesh(5, &[(0, 1), (1, 4)]));
        assert!(text.starts_with("graph mesh {\n") && text.ends_with("}\n"));
        assert_eq!(text.matches(" -- ").count(), 2);
        assert_eq!(text.matches("style=bold").count(), 1);
        assert_eq!(text.matches("style=dashed").count(), 1);
        assert!(
            text.contains("label=\"01010101..0101\\n1,000 msat a packet\""),
            "{text}"
        );
    }
}
