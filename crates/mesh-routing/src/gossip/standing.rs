use super::{
    kept::Kept,
    limits::{MAX_PLACES, PLACES_FOR_STRAYS, PLACES_FREED},
    shelf::{Shelf, places_of},
};
use mesh_types::{MAX_ROUTE_NODES, NodeId};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Who has to go so that there are places again.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    /// Who goes.
    pub(crate) gone: Vec<NodeId>,
    /// The nodes whose branches were cut: more of their children would be the next to go.
    pub(crate) closed: BTreeSet<NodeId>,
}

/// How many hops a route has at most: what is further away is out of reach.
const MAX_HOPS: usize = MAX_ROUTE_NODES - 1;

/// How often a leaf is hung elsewhere while places are freed.
///
/// Four, because after that it stands where its links lead to most room, and because each time takes some microseconds.
const MAX_MOVES: u8 = 4;

/// What stands for no node.
const NOBODY: usize = usize::MAX;

/// Chooses who has to go.
///
/// The nodes make a tree: from us to our peers, and on along the links that both ends announce, each node below one of
/// those that are a hop nearer to us. Nodes without a way from us go first, beyond the places that are kept for them,
/// the oldest first. Then the heaviest branch gives way, again and again: from us down, at each node into the branch
/// with the most places, to the leaf where that ends. A leaf whose links lead to a lighter branch, too, is hung there; any
/// other goes. So what a branch keeps follows from how many compete with it where it forks off, and not from how many nodes
/// it says that it has: whoever mints identities competes with himself.
///
/// `spared` nodes never go.
pub(crate) fn cut(
    shelf: &Shelf,
    local: NodeId,
    peers: &BTreeSet<NodeId>,
    spared: &dyn Fn(&NodeId) -> bool,
) -> Cut {
    let excess = (shelf.places() + PLACES_FREED).saturating_sub(MAX_PLACES);
    if excess == 0 {
        return Cut::default();
    }
    let tree = Tree::grow(shelf, local, peers, spared);
    tree.cut(excess)
}

/// The nodes by their place in the order of ids, and one more, the root, which is us.
struct Tree {
    nodes: Vec<Node>,
    root: usize,
}

struct Node {
    id: NodeId,
    places: usize,
    arrival: u64,
    is_spared: bool,
    /// `None` without a way from us.
    level: Option<usize>,
    links: Vec<usize>,
    parent: usize,
    children: Vec<usize>,
    /// The places of the branch that begins here.
    weight: usize,
    moves: u8,
}

/// Where a node's way to us and that of another part.
struct Fork {
    /// How many hops from us.
    depth: usize,
    /// The weight of the branch in which the node stands.
    ours: usize,
    /// The weight of the branch in which the other stands; 0 when the other is the fork itself.
    theirs: usize,
}

impl Tree {
    fn grow(
        shelf: &Shelf,
        local: NodeId,
        peers: &BTreeSet<NodeId>,
        spared: &dyn Fn(&NodeId) -> bool,
    ) -> Self {
        let kept = shelf.in_order();
        let order = Order::of(kept.iter().map(|kept| *kept.id()));
        let index = |id: &NodeId| order.index(id);
        let node = |kept: &Kept| Node {
            id: *kept.id(),
            places: places_of(kept.said()),
            arrival: kept.arrival,
            is_spared: *kept.id() == local || spared(kept.id()),
            level: None,
            links: kept
                .said()
                .links
                .iter()
                .filter_map(|link| index(&link.node_id))
                .collect(),
            parent: NOBODY,
            children: Vec::new(),
            weight: 0,
            moves: 0,
        };
        let mut nodes: Vec<Node> = kept.into_iter().map(node).collect();
        keep_two_sided(&mut nodes);
        let root = nodes.len();
        nodes.push(Node {
            id: local,
            places: 0,
            arrival: 0,
            is_spared: true,
            level: Some(0),
            links: peers.iter().filter_map(index).collect(),
            parent: NOBODY,
            children: Vec::new(),
            weight: 0,
            moves: 0,
        });
        let mut tree = Self { nodes, root };
        // Our own announcement leads nowhere: our links are our connections.
        if let Some(own) = index(&local).and_then(|own| tree.nodes.get_mut(own)) {
            own.level = Some(0);
            own.links = Vec::new();
        }
        let levels = tree.measure_levels();
        for level in levels.iter().skip(1).rev() {
            tree.hang(level);
        }
        tree
    }

    /// Goes out from the root hop by hop, and gives the nodes of each level.
    fn measure_levels(&mut self) -> Vec<Vec<usize>> {
        let mut levels = vec![vec![self.root]];
        for hops in 1..=MAX_HOPS {
            let mut next = Vec::new();
            for at in levels.last().into_iter().flatten() {
                let links = self.nodes.get(*at).map(|node| node.links.clone());
                for link in links.unwrap_or_default() {
                    if let Some(node) = self.nodes.get_mut(link)
                        && node.level.is_none()
                    {
                        node.level = Some(hops);
                        next.push(link);
                    }
                }
            }
            if next.is_empty() {
                break;
            }
            levels.push(next);
        }
        levels
    }

    /// Hangs each node of a level below one of the level before, whose branches below are all grown: whoever has the
    /// least choice first, then the heaviest, each below the node that bears least so far.
    fn hang(&mut self, level: &[usize]) {
        let mut hanging: Vec<(Vec<usize>, usize)> = Vec::with_capacity(level.len());
        for at in level {
            let above = self.above(*at);
            if let Some(node) = self.nodes.get_mut(*at) {
                node.weight += node.places;
                hanging.push((above, *at));
            }
        }
        hanging.sort_by_key(|(above, at)| {
            let node = self.nodes.get(*at);
            let weight = node.map_or(0, |node| node.weight);
            (above.len(), Reverse(weight), *at)
        });
        for (above, at) in hanging {
            let weight = self.weight(at);
            let parent = above.into_iter().min_by_key(|above| self.weight(*above));
            let Some(parent) = parent else { continue };
            if let Some(node) = self.nodes.get_mut(at) {
                node.parent = parent;
            }
            if let Some(node) = self.nodes.get_mut(parent) {
                node.weight += weight;
                node.children.push(at);
            }
        }
    }

    /// The nodes that are linked with this one and a hop nearer to us.
    fn above(&self, at: usize) -> Vec<usize> {
        let Some(node) = self.nodes.get(at) else {
            return Vec::new();
        };
        let nearer = node.level.and_then(|level| level.checked_sub(1));
        if nearer == Some(0) {
            return vec![self.root];
        }
        let is_above = |link: &usize| self.nodes.get(*link).is_some_and(|n| n.level == nearer);
        node.links.iter().copied().filter(is_above).collect()
    }

    fn weight(&self, at: usize) -> usize {
        self.nodes.get(at).map_or(0, |node| node.weight)
    }

    fn cut(mut self, mut excess: usize) -> Cut {
        let mut cut = Cut::default();
        let freed = self.cut_strays(excess, &mut cut);
        excess = excess.saturating_sub(freed);
        while excess > 0 {
            let leaf = self.heaviest_leaf();
            if leaf == self.root {
                break;
            }
            if let Some(parent) = self.lighter_parent(leaf) {
                self.hang_below(parent, leaf);
            } else {
                let freed = self.fell(leaf, &mut cut);
                excess = excess.saturating_sub(freed);
            }
        }
        cut
    }

    /// The linked node below which a leaf would stand in the lightest branch, nearest to us; `None` when no branch would be
    /// lighter with it than its own is.
    fn lighter_parent(&self, leaf: usize) -> Option<usize> {
        let node = self.nodes.get(leaf)?;
        if node.moves >= MAX_MOVES || node.parent == self.root {
            return None;
        }
        let way = self.way_from_us(leaf);
        let lighter = node.links.iter().filter_map(|other| {
            if self.weight(*other) == 0 || *other == node.parent {
                return None;
            }
            let others_way = self.way_from_us(*other);
            let fork = self.fork(&way, &others_way)?;
            let is_lighter = fork.theirs + node.weight < fork.ours;
            let is_in_reach = others_way.len() <= MAX_HOPS;
            (is_lighter && is_in_reach).then_some((fork.depth, fork.theirs, *other))
        });
        lighter.min().map(|(_, _, other)| other)
    }

    /// The nodes from the root to this one.
    fn way_from_us(&self, at: usize) -> Vec<usize> {
        let mut way = Vec::with_capacity(MAX_HOPS + 1);
        let mut next = at;
        while let Some(node) = self.nodes.get(next) {
            way.push(next);
            next = node.parent;
        }
        way.reverse();
        way
    }

    fn fork(&self, way: &[usize], others_way: &[usize]) -> Option<Fork> {
        let both = way.iter().zip(others_way);
        let shared = both.take_while(|(ours, theirs)| ours == theirs).count();
        Some(Fork {
            depth: shared,
            ours: self.weight(*way.get(shared)?),
            theirs: others_way.get(shared).map_or(0, |at| self.weight(*at)),
        })
    }

    /// Takes a leaf from where it hangs and hangs it below another node.
    fn hang_below(&mut self, parent: usize, leaf: usize) {
        let weight = self.weight(leaf);
        self.unhang(leaf);
        if let Some(node) = self.nodes.get_mut(leaf) {
            node.parent = parent;
            node.moves += 1;
        }
        if let Some(node) = self.nodes.get_mut(parent) {
            node.children.push(leaf);
        }
        let mut at = parent;
        while let Some(node) = self.nodes.get_mut(at) {
            node.weight += weight;
            at = node.parent;
        }
    }

    fn unhang(&mut self, leaf: usize) {
        let Some((weight, mut at)) = self.nodes.get(leaf).map(|node| (node.weight, node.parent))
        else {
            return;
        };
        if let Some(parent) = self.nodes.get_mut(at) {
            parent.children.retain(|child| *child != leaf);
        }
        while let Some(node) = self.nodes.get_mut(at) {
            node.weight = node.weight.saturating_sub(weight);
            at = node.parent;
        }
    }

    /// Lets the oldest nodes without a way from us go, beyond the places that are kept for them.
    fn cut_strays(&self, excess: usize, cut: &mut Cut) -> usize {
        let is_stray = |node: &&Node| node.level.is_none() && !node.is_spared;
        let mut strays: Vec<&Node> = self.nodes.iter().filter(is_stray).collect();
        strays.sort_by_key(|node| node.arrival);
        let places: usize = strays.iter().map(|node| node.places).sum();
        let excess = excess.min(places.saturating_sub(PLACES_FOR_STRAYS));
        let mut freed = 0;
        for stray in strays {
            if freed >= excess {
                break;
            }
            freed += stray.places;
            cut.gone.push(stray.id);
        }
        freed
    }

    /// Walks from the root into the heaviest branch, again and again; of equals into that of the node which became
    /// known last. The root itself, when nothing hangs on it any more.
    fn heaviest_leaf(&self) -> usize {
        let mut at = self.root;
        loop {
            let children = self.nodes.get(at).map_or(&[][..], |node| &node.children);
            let alive = children.iter().filter_map(|child| {
                let node = self.nodes.get(*child).filter(|node| node.weight > 0)?;
                Some((node.weight, node.arrival, *child))
            });
            match alive.max() {
                Some((_, _, child)) => at = child,
                None => return at,
            }
        }
    }

    /// Takes a leaf out, whether or not it may go; gives the places that it leaves.
    fn fell(&mut self, leaf: usize, cut: &mut Cut) -> usize {
        let Some(node) = self.nodes.get(leaf) else {
            return 0;
        };
        let (weight, is_spared) = (node.weight, node.is_spared);
        if !is_spared {
            cut.gone.push(node.id);
            let parent = self.nodes.get(node.parent);
            cut.closed.extend(parent.map(|node| node.id));
        }
        self.unhang(leaf);
        if let Some(node) = self.nodes.get_mut(leaf) {
            node.weight = 0;
        }
        if is_spared { 0 } else { weight }
    }
}

/// Finds where an id stands in the order of all: by its first eight bytes, because a search compares those faster than 32.
struct Order {
    ids: Vec<NodeId>,
    starts: Vec<u64>,
}

impl Order {
    fn of(ids: impl Iterator<Item = NodeId>) -> Self {
        let ids: Vec<NodeId> = ids.collect();
        let starts = ids.iter().map(NodeId::start).collect();
        Self { ids, starts }
    }

    fn index(&self, id: &NodeId) -> Option<usize> {
        let start = id.start();
        let mut at = self.starts.partition_point(|other| *other < start);
        while let Some(other) = self.ids.get(at).filter(|other| *other <= id) {
            if other == id {
                return Some(at);
            }
            at += 1;
        }
        None
    }
}

/// Leaves the links that both ends announce.
fn keep_two_sided(nodes: &mut [Node]) {
    let one_sided: Vec<Vec<usize>> = nodes.iter().map(|node| node.links.clone()).collect();
    for (at, node) in nodes.iter_mut().enumerate() {
        // Links stand in the order of ids, and so do nodes.
        let gives_its_word = |other: &Vec<usize>| other.binary_search(&at).is_ok();
        node.links
            .retain(|other| one_sided.get(*other).is_some_and(gives_its_word));
    }
}
