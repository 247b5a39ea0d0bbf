use sha2::{Digest as _, Sha256};

/// SHA-256 over lines, their ends included.
#[derive(Default)]
pub(super) struct LineDigest(Sha256);

impl LineDigest {
    pub(super) fn add(&mut self, line: &[u8]) {
        self.0.update(line);
        self.0.update(b"\n");
    }

    pub(super) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
