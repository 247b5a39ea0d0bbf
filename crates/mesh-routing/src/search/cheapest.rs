use super::{MAX_RELAYS, Search};

/// A price that nobody can be paid, as relays get three tenths of a total; it stands for "not reached".
const UNREACHED: u64 = u64::MAX;

/// A way from `node` to the destination, as long as its layer says.
#[derive(Debug, Clone, Copy)]
struct Label {
    node: u32,
    /// The dearest price among the relays behind `node`, in millisatoshi.
    dearest: u64,
}

impl Search<'_> {
    /// The least that relays have to get together, their number times the dearest's price; any that is at most `enough`
    /// will do. `None` when no relays connect.
    ///
    /// It goes back from the destination, one hop for each layer. A node has a label in a layer when that many hops give it a
    /// cheaper dearest relay than fewer do; so it has at most one in each, and at most [`MAX_RELAYS`] in all.
    pub(super) fn least_for_relays(&self, enough: u64) -> Option<u64> {
        let mut cheapest = vec![UNREACHED; self.graph.index_count()];
        let mut layer = Vec::new();
        for link in self.links(self.destination) {
            if let Some(known) = cheapest.get_mut(link.to() as usize) {
                *known = 0;
                let (node, dearest) = (link.to(), 0);
                layer.push(Label { node, dearest });
            }
        }
        let (mut least, mut next) = (UNREACHED, Vec::new());
        for relays in (1_u64..).take(MAX_RELAYS) {
            least = self.expand(&layer, relays, least, &mut cheapest, &mut next);
            if least <= enough || next.is_empty() {
                break;
            }
            next.retain(|label| cheapest.get(label.node as usize) == Some(&label.dearest));
            std::mem::swap(&mut layer, &mut next);
            next.clear();
        }
        (least != UNREACHED).then_some(least)
    }

    /// Makes each label's node a relay: gathers the labels one hop further out, and gives the least of `least` and what the
    /// ways cost that a connected peer completes. What cannot be less is left out.
    fn expand(
        &self,
        layer: &[Label],
        relays: u64,
        mut least: u64,
        cheapest: &mut [u64],
        next: &mut Vec<Label>,
    ) -> u64 {
        for label in layer {
            let Some(price) = self.relay_price(label.node) else {
                continue;
            };
            let dearest = label.dearest.max(price);
            let Some(for_relays) = dearest.checked_mul(relays).filter(|all| *all < least) else {
                continue;
            };
            if self.peer_link(label.node).is_some() {
                least = for_relays;
                continue;
            }
            for link in self.links(label.node) {
                if let Some(known) = cheapest.get_mut(link.to() as usize)
                    && dearest < *known
                {
                    *known = dearest;
                    let node = link.to();
                    next.push(Label { node, dearest });
                }
            }
        }
        least
    }
}
