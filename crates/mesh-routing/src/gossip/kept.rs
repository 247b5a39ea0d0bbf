use super::{allowance::OriginAllowance, shelf::ends_at};
use mesh_types::{Announcement, Held, NodeId, SignedAnnouncement, UnixTime};
use std::{
    borrow::Borrow,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// One node's newest announcement.
///
/// A set of them is a map by the nodes' ids which does not hold each id twice: in 24 bytes, for there are as many in a node as
/// nodes in the mesh.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) item: Arc<SignedAnnouncement>,
    /// Which of the nodes it was to become known, counted from the start.
    pub(crate) arrival: u64,
    /// What is left of how many may be taken of this origin.
    pub(crate) allowance: OriginAllowance,
}

const _: () = assert!(size_of::<Kept>() == 24);

impl Kept {
    pub(crate) fn said(&self) -> &Announcement {
        &self.item.announcement
    }

    pub(crate) fn id(&self) -> &NodeId {
        &self.said().node_id
    }

    pub(crate) fn held(&self) -> Held {
        let said = self.said();
        Held {
            node_id: said.node_id,
            sequence: said.sequence,
        }
    }

    pub(crate) fn is_alive_at(&self, now: UnixTime) -> bool {
        ends_at(self.said()).is_alive_at(now)
    }
}

impl Borrow<NodeId> for Kept {
    fn borrow(&self) -> &NodeId {
        self.id()
    }
}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Kept {}
