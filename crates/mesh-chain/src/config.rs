use mesh_secret::SecretFrom;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The longest secret that is read, in bytes: a cookie has 75, and nobody types a longer password.
pub const MAX_SECRET_LEN: usize = 1 << 10;

/// Where a Bitcoin node is, and who may ask it: its cookie, or a user and a password.
///
/// Secrets are not part of it, only the places where they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainConfig {
    /// Host and port of its RPC.
    pub address: String,
    /// Its file `.cookie`. It is another one after each of its starts, and is read anew for each question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<PathBuf>,
    /// The user of its `rpcauth`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where that user's password is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretFrom>,
}

impl ChainConfig {
    /// Lets every path begin at `folder`.
    #[must_use]
    pub fn rooted(mut self, folder: &Path) -> Self {
        if let Some(cookie) = &mut self.cookie {
            *cookie = folder.join(&*cookie);
        }
        if let Some(password) = &mut self.password {
            password.root(folder);
        }
        self
    }
}
