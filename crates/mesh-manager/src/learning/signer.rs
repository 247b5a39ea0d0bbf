use mesh_protocol::{IdentityKey, KeyError, verify_announcement};
use mesh_routing::Signatures;
use mesh_types::{Announcement, SignedAnnouncement};

/// The node's own key, which signs what the node says of itself, and the keys that ids are, which check what others say.
pub(super) struct Signer(IdentityKey);

impl Signer {
    pub(super) fn of(identity: &IdentityKey) -> Result<Self, KeyError> {
        IdentityKey::from_secret_bytes(*identity.secret_bytes()).map(Self)
    }
}

impl Signatures for Signer {
    fn sign(&self, announcement: Announcement) -> Option<SignedAnnouncement> {
        self.0.sign_announcement(announcement).ok()
    }

    fn holds(&self, signed: &SignedAnnouncement) -> bool {
        verify_announcement(signed).is_ok()
    }
}
