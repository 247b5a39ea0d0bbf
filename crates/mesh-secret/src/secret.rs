use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};
use thiserror::Error;
use zeroize::Zeroizing;

/// The bits of a file's mode that let users outside its owner and its group read or write it.
const OTHERS: u32 = 0o006;

/// What settings say in place of a secret.
const EXPECTED: &str =
    r#"a secret belongs into a file or a variable: write { file = "..." } or { env = "..." }"#;

/// Where a secret is kept: `{ file = "..." }` or `{ env = "..." }`.
///
/// What else stands in its place may be the secret itself: it is refused, and never repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretFrom {
    /// A file that others cannot read.
    File(PathBuf),
    /// The environment variable of this name.
    Env(String),
}

impl SecretFrom {
    /// Lets the path of a file begin at `folder`.
    pub fn root(&mut self, folder: &Path) {
        if let Self::File(path) = self {
            *path = folder.join(&*path);
        }
    }
}

impl<'de> Deserialize<'de> for SecretFrom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Place)
    }
}

struct Place;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Kind {
    File,
    Env,
}

impl<'de> Visitor<'de> for Place {
    type Value = SecretFrom;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretFrom, A::Error> {
        let place = match map.next_key()? {
            Some(Kind::File) => SecretFrom::File(map.next_value()?),
            Some(Kind::Env) => SecretFrom::Env(map.next_value()?),
            None => return Err(A::Error::custom(EXPECTED)),
        };
        match map.next_key::<IgnoredAny>()? {
            None => Ok(place),
            Some(_) => Err(A::Error::custom(EXPECTED)),
        }
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<SecretFrom, E> {
        Err(E::custom(EXPECTED))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<SecretFrom, E> {
        Err(E::custom(EXPECTED))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<SecretFrom, E> {
        Err(E::custom(EXPECTED))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<SecretFrom, E> {
        Err(E::custom(EXPECTED))
    }
}

/// Why a secret cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the secret file {path} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read or write the file.
    #[error("every user can read or write the secret file {path}: do `chmod o-rw {path}`")]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The variable is not set.
    #[error("the environment variable {0}, which should hold a secret, is not set")]
    NotSet(String),
    /// There is nothing there, or too much.
    #[error("{place} holds no secret: {len} bytes, where 1 to {most} are expected")]
    Length {
        /// The file or the variable.
        place: String,
        /// The bytes found, one more than the most at most.
        len: usize,
        /// The most that are read.
        most: usize,
    },
}

/// A secret. `Debug` hides it, and memory forgets it.
pub struct Secret(Zeroizing<Vec<u8>>);

impl SecretFrom {
    /// Reads it.
    ///
    /// - `most`: how many bytes it may have.
    ///
    /// # Errors
    /// [`SecretError`]
    pub fn read(&self, most: usize) -> Result<Secret, SecretError> {
        let secret = match self {
            Self::File(path) => read_file(path.clone(), most)?,
            Self::Env(name) => {
                let value =
                    std::env::var_os(name).ok_or_else(|| SecretError::NotSet(name.clone()))?;
                Zeroizing::new(value.into_encoded_bytes())
            }
        };
        let len = secret.len();
        if len == 0 || len > most {
            let place = self.to_string();
            return Err(SecretError::Length { place, len, most });
        }
        Ok(Secret(secret))
    }
}

fn read_file(path: PathBuf, most: usize) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let mut secret = Zeroizing::new(Vec::with_capacity(most.saturating_add(1)));
    let read = File::open(&path).and_then(|file| {
        let open = is_open_to_others(&file)?;
        let enough = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        file.take(enough).read_to_end(&mut secret)?;
        Ok(open)
    });
    match read {
        Ok(false) => Ok(secret),
        Ok(true) => Err(SecretError::Open { path }),
        Err(source) => Err(SecretError::File { path, source }),
    }
}

#[cfg(unix)]
fn is_open_to_others(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(file.metadata()?.permissions().mode() & OTHERS != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &File) -> io::Result<bool> {
    Ok(false)
}

impl Secret {
    /// Its bytes, as they are kept.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl fmt::Display for SecretFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Env(name) => write!(f, "the environment variable {name}"),
        }
    }
}

#[cfg(all(test, unix))]
#[expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _};

    const MOST: usize = 4 << 10;

    fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, SecretFrom) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, SecretFrom::File(path))
    }

    #[test]
    fn a_file_that_others_can_read_or_write_is_refused() {
        for mode in [0o644, 0o604, 0o602, 0o666] {
            let (_folder, from) = file(b"hunter2", mode);
            let error = from.read(MOST).unwrap_err();
            assert!(
                matches!(error, SecretError::Open { .. }),
                "{mode:o} {error}"
            );
        }
        for mode in [0o600, 0o400, 0o640] {
            let (_folder, from) = file(b"hunter2", mode);
            assert_eq!(from.read(MOST).unwrap().bytes(), b"hunter2");
        }
    }

    #[test]
    fn debug_hides_the_secret() {
        let (_folder, from) = file(b"hunter2", 0o600);
        assert_eq!(format!("{:?}", from.read(MOST).unwrap()), "Secret");
    }

    #[test]
    fn what_is_missing_empty_or_endless_is_said() {
        let gone = SecretFrom::File("/no/such/key".into())
            .read(MOST)
            .unwrap_err();
        assert!(gone.to_string().starts_with("the secret file /no/such/key"));
        let unset = SecretFrom::Env("MESH_NO_SUCH_KEY".to_owned()).read(MOST);
        assert!(matches!(unset, Err(SecretError::NotSet(_))));
        for content in [&[][..], &[b'a'; MOST + 5]] {
            let (_folder, from) = file(content, 0o600);
            assert!(matches!(from.read(MOST), Err(SecretError::Length { .. })));
        }
    }

    #[test]
    fn a_secret_that_stands_in_the_settings_is_refused_and_not_repeated() {
        #[derive(Debug, Deserialize)]
        struct Section {
            key: SecretFrom,
        }
        let section = |text: &str| toml::from_str::<Section>(text);
        for text in [
            r#"key = "1234567""#,
            "key = 1234567",
            "key = 1234567.5",
            r#"key = ["1234567"]"#,
            "key = {}",
            r#"key = { file = "a", env = "b" }"#,
            r#"key = { path = "a" }"#,
        ] {
            let error = section(text).unwrap_err();
            assert!(!error.message().contains("1234567"), "{error}");
        }
        let error = section(r#"key = "1234567""#).unwrap_err();
        assert!(error.message().starts_with("a secret belongs into a file"));
        let place = section(r#"key = { file = "a" }"#).unwrap().key;
        assert_eq!(place, SecretFrom::File("a".into()));
        let place = section(r#"key = { env = "B" }"#).unwrap().key;
        assert_eq!(place, SecretFrom::Env("B".to_owned()));
    }

    #[test]
    fn an_environment_variable_holds_a_secret_too() {
        let path = std::env::var("PATH").unwrap();
        let secret = SecretFrom::Env("PATH".to_owned()).read(MOST).unwrap();
        assert_eq!(secret.bytes(), path.as_bytes());
    }
}
