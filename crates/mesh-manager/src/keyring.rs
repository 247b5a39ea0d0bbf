use crate::{Budgets, Refusal};
use mesh_protocol::{IdentityKey, KeyError, PacketView, PairKeys};
use mesh_types::{MeshError, NodeId, Route, UnixTime};
use parking_lot::RwLock;
use std::{collections::HashMap, mem, sync::Arc};

/// The most nodes whose keys are kept ready.
///
/// 16,384, because the keys of one take about half a KiB, and a node that is forgotten costs one key agreement (some
/// 40 microseconds) when it comes again.
pub(crate) const MAX_READY_KEYS: usize = 16_384;

/// How many sources not seen before a peer may bring at once, and a second.
///
/// Each costs a key agreement before its first MAC can be checked; fifty a second are 2 ms of one core.
const NEW_SOURCES_BURST: u64 = 200;
const NEW_SOURCES_PER_SECOND: u64 = 50;

/// The keys that this node shares with others: agreed on first use, kept while they are used.
#[derive(Debug)]
pub(crate) struct Keyring {
    identity: IdentityKey,
    ready: RwLock<Generations>,
    new_sources: Budgets,
}

/// Two generations instead of a list in order of use: when the young one is full it becomes the old one, and what was
/// old and not used since is forgotten.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<NodeId, Arc<PairKeys>>,
    old: HashMap<NodeId, Arc<PairKeys>>,
}

impl Keyring {
    pub(crate) fn new(identity: IdentityKey) -> Self {
        let new_sources = Budgets::new(NEW_SOURCES_PER_SECOND, NEW_SOURCES_BURST);
        Self {
            identity,
            ready: RwLock::default(),
            new_sources,
        }
    }

    /// The keys shared with `node`, for something that this node itself wants to send or open.
    pub(crate) fn with(&self, node: &NodeId) -> Result<Arc<PairKeys>, KeyError> {
        if let Some(keys) = self.ready(node) {
            return Ok(keys);
        }
        let keys = Arc::new(self.identity.pair_with(node)?);
        self.keep(*node, &keys);
        Ok(keys)
    }

    /// Checks that the source of `packet` made this node's MAC in it.
    ///
    /// Keys of a source that is not known yet are agreed within the budget of the peer that brings it, and kept only
    /// when the MAC is right: nobody fills the ring with names.
    pub(crate) fn authenticate(
        &self,
        packet: &PacketView<'_>,
        position: usize,
        from: &NodeId,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let source = packet.source();
        if let Some(keys) = self.ready(&source) {
            return Ok(keys.incoming_mac.verify(packet, position)?);
        }
        self.new_sources
            .take(from, 1, now)
            .map_err(Refusal::NewSources)?;
        let keys = Arc::new(self.identity.pair_with(&source)?);
        keys.incoming_mac.verify(packet, position)?;
        self.keep(source, &keys);
        Ok(())
    }

    /// Says whether a reply may go back along `back`: nodes whose keys are not ready cost the peer that brought the packet
    /// its budget of new names, since whoever makes a packet also chooses whom its reply would pass.
    pub(crate) fn admit_route(&self, back: &Route, now: UnixTime) -> Result<(), MeshError> {
        let strangers = back
            .iter()
            .skip(1)
            .filter(|node| self.ready(node).is_none())
            .count();
        let (Some(peer), Ok(strangers)) = (back.get(1), u64::try_from(strangers)) else {
            return Ok(());
        };
        if strangers == 0 {
            return Ok(());
        }
        let admitted = self.new_sources.take(peer, strangers, now);
        admitted.map_err(|error| MeshError::Busy(format!("too many new names: {error}")))
    }

    fn ready(&self, node: &NodeId) -> Option<Arc<PairKeys>> {
        let ready = self.ready.read();
        if let Some(keys) = ready.young.get(node) {
            return Some(Arc::clone(keys));
        }
        let keys = ready.old.get(node).map(Arc::clone)?;
        drop(ready);
        self.keep(*node, &keys);
        Some(keys)
    }

    fn keep(&self, node: NodeId, keys: &Arc<PairKeys>) {
        let mut ready = self.ready.write();
        if ready.young.len() >= MAX_READY_KEYS / 2 {
            ready.old = mem::take(&mut ready.young);
        }
        ready.young.insert(node, Arc::clone(keys));
    }
}
