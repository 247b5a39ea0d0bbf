use mesh_routing::Signatures;
use mesh_types::{
    AnnouncedLink, Announcement, MAX_ANNOUNCED_LINKS, NodeId, Price, SignedAnnouncement,
};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What stands in for a node's key where announcements are concerned: a signature costs a hash, and nobody in the simulation
/// makes another one's. A liar's says something else than its node would.
#[derive(Debug, Default)]
pub(crate) struct Signer {
    /// Links that there are not.
    pub(crate) false_links: Vec<NodeId>,
    /// A price that it does not keep to.
    pub(crate) bait: Option<Price>,
}

impl Signatures for Signer {
    fn sign(&self, mut announcement: Announcement) -> Option<SignedAnnouncement> {
        let links = &mut announcement.links;
        links.extend(self.false_links.iter().map(|node_id| AnnouncedLink {
            node_id: *node_id,
            latency_ms: 2,
        }));
        links.sort_by_key(|link| link.node_id);
        links.dedup_by_key(|link| link.node_id);
        links.truncate(MAX_ANNOUNCED_LINKS);
        announcement.price = self.bait.unwrap_or(announcement.price);
        Some(signed(announcement))
    }

    fn holds(&self, signed: &SignedAnnouncement) -> bool {
        signed.signature == stamp(&signed.announcement)
    }
}

/// Signs for whoever the announcement is of.
pub(crate) fn signed(announcement: Announcement) -> SignedAnnouncement {
    SignedAnnouncement {
        signature: stamp(&announcement),
        announcement,
    }
}

fn stamp(announcement: &Announcement) -> [u8; 64] {
    let mut hasher = DefaultHasher::new();
    announcement.hash(&mut hasher);
    let mut signature = [7; 64];
    signature[..8].copy_from_slice(&hasher.finish().to_be_bytes());
    signature
}
