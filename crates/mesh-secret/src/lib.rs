//! Where a program has its secrets from: a file that others cannot read, or the environment.
//!
//! Settings name the place ([`SecretFrom`]); the secret is read when it is needed, hidden from `Debug`, and wiped.
//!
//! ```
//! use mesh_secret::SecretFrom;
//!
//! let place = SecretFrom::Env("PATH".to_owned());
//! let secret = place.read(1 << 16)?;
//! assert!(!secret.bytes().is_empty());
//! # Ok::<(), mesh_secret::SecretError>(())
//! ```

mod secret;

pub use secret::{Secret, SecretError, SecretFrom};
