use super::{
    allowance::Allowance,
    limits::{
        BYTES_TO_PEER, COMPARISONS_FROM_PEER, FINDS_FROM_PEER, FORGERIES_FROM_PEER,
        ITEMS_FROM_PEER, MAX_DEPARTED, NAMES_FROM_PEER,
    },
};
use mesh_types::{NodeId, UnixTime};
use std::collections::BTreeMap;

/// What a peer may still do: over one link and the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conduct {
    pub(crate) items: Allowance,
    pub(crate) names: Allowance,
    pub(crate) bytes: Allowance,
    pub(crate) comparisons: Allowance,
    pub(crate) finds: Allowance,
    pub(crate) forgeries: Allowance,
}

impl Conduct {
    fn new(now: UnixTime) -> Self {
        Self {
            items: Allowance::full(ITEMS_FROM_PEER, now),
            names: Allowance::full(NAMES_FROM_PEER, now),
            bytes: Allowance::full(BYTES_TO_PEER, now),
            comparisons: Allowance::full(COMPARISONS_FROM_PEER, now),
            finds: Allowance::full(FINDS_FROM_PEER, now),
            forgeries: Allowance::full(FORGERIES_FROM_PEER, now),
        }
    }

    /// Whether it handed on too much that nobody had signed.
    pub(crate) fn is_muted(&self, now: UnixTime) -> bool {
        self.forgeries.left(FORGERIES_FROM_PEER, now) == 0
    }

    /// Whether it is that of a peer of which nothing is known.
    fn is_new(&self, now: UnixTime) -> bool {
        let allowances = [
            (self.items, ITEMS_FROM_PEER),
            (self.names, NAMES_FROM_PEER),
            (self.bytes, BYTES_TO_PEER),
            (self.comparisons, COMPARISONS_FROM_PEER),
            (self.finds, FINDS_FROM_PEER),
            (self.forgeries, FORGERIES_FROM_PEER),
        ];
        allowances
            .iter()
            .all(|(allowance, rate)| allowance.left(*rate, now) >= rate.burst)
    }
}

/// The conduct of peers whose links are down, until it is that of any newcomer again.
#[derive(Debug, Default)]
pub(crate) struct Departed(BTreeMap<NodeId, (Conduct, UnixTime)>);

impl Departed {
    /// Remembers a peer whose link is down. Of too many, the one is forgotten whose link went down first.
    pub(crate) fn remember(&mut self, peer: NodeId, conduct: Conduct, now: UnixTime) {
        if self.0.len() >= MAX_DEPARTED {
            let first = self.0.iter().min_by_key(|(_, (_, left_at))| *left_at);
            if let Some(first) = first.map(|(peer, _)| *peer) {
                self.0.remove(&first);
            }
        }
        self.0.insert(peer, (conduct, now));
    }

    /// The conduct of a peer whose link is up.
    pub(crate) fn take(&mut self, peer: &NodeId, now: UnixTime) -> Conduct {
        let known = self.0.remove(peer);
        known.map_or_else(|| Conduct::new(now), |(conduct, _)| conduct)
    }

    pub(crate) fn sweep(&mut self, now: UnixTime) {
        self.0.retain(|_, (conduct, _)| !conduct.is_new(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const START: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn node(number: usize) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        NodeId::from_bytes(bytes)
    }

    #[test]
    fn so_many_are_remembered_and_whoever_left_first_is_forgotten() {
        let mut departed = Departed::default();
        let mut conduct = Conduct::new(START);
        conduct.finds.take(1, FINDS_FROM_PEER, START);
        for number in 0..=MAX_DEPARTED {
            let at = START.plus(Duration::from_millis(number as u64));
            departed.remember(node(number), conduct, at);
        }
        assert_eq!(departed.0.len(), MAX_DEPARTED);
        assert!(departed.take(&node(0), START).is_new(START));
        assert!(!departed.take(&node(1), START).is_new(START));
    }

    #[test]
    fn what_is_used_up_is_remembered_until_it_has_come_back() {
        let mut departed = Departed::default();
        let mut conduct = Conduct::new(START);
        conduct.bytes.take(8 << 20, BYTES_TO_PEER, START);
        departed.remember(node(1), conduct, START);
        departed.sweep(START.plus(Duration::from_secs(100)));
        assert_eq!(departed.0.len(), 1);
        departed.sweep(START.plus(Duration::from_secs(130)));
        assert!(departed.0.is_empty());
    }
}
