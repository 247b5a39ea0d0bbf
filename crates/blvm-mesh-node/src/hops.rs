use std::collections::VecDeque;

/// How many hops each node is away from the node at `start`; `None` where no way leads.
///
/// - `links`: places of nodes, below `count`; others are left out.
pub(crate) fn hops(
    count: usize,
    links: impl Iterator<Item = (usize, usize)>,
    start: usize,
) -> Vec<Option<usize>> {
    let ends = ends(count, links);
    let mut distances = vec![None; count];
    let mut queue = VecDeque::new();
    if let Some(first) = distances.get_mut(start) {
        *first = Some(0);
        queue.push_back((start, 0));
    }
    while let Some((node, distance)) = queue.pop_front() {
        for end in ends.get(node).into_iter().flatten() {
            if let Some(open @ None) = distances.get_mut(*end) {
                *open = Some(distance + 1);
                queue.push_back((*end, distance + 1));
            }
        }
    }
    distances
}

/// The other ends of each node's links, in ascending order.
pub(crate) fn ends(count: usize, links: impl Iterator<Item = (usize, usize)>) -> Vec<Vec<usize>> {
    let mut ends = vec![Vec::new(); count];
    for (a, b) in links.filter(|(a, b)| *a < count && *b < count) {
        for (from, to) in [(a, b), (b, a)] {
            if let Some(of) = ends.get_mut(from) {
                of.push(to);
            }
        }
    }
    ends.iter_mut().for_each(|of| of.sort_unstable());
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_is_as_far_as_the_shortest_way() {
        let links = [(0, 1), (1, 2), (2, 3), (0, 3), (4, 5), (9, 0)];
        let far = hops(6, links.into_iter(), 0);
        assert_eq!(far, [Some(0), Some(1), Some(2), Some(1), None, None]);
        assert_eq!(hops(2, [(0, 1)].into_iter(), 7), [None, None]);
        assert_eq!(
            ends(3, [(2, 0), (0, 1)].into_iter()),
            [vec![1, 2], vec![0], vec![0]]
        );
    }
}
