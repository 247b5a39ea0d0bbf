use super::folder::{Folder, refuse_exposed};
use crate::OpenError;
use ldk_node::{bip39::Mnemonic, generate_entropy_mnemonic};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The name of the seed in the folder of a node, where the settings name no other place.
const SEED_FILE: &str = "seed";

/// The most bytes of a seed file: 24 words take 215.
const MAX_SEED_BYTES: u64 = 1_024;

/// Reads the words that the keys are made of, or makes new ones for a folder that was never used.
///
/// # Security
/// The words are as good as the money on the chain. A new seed for old channels would be a node that does not know them.
pub(super) fn read_or_make(
    folder: &Folder,
    written: Option<&PathBuf>,
) -> Result<Mnemonic, OpenError> {
    let path = written.map_or_else(|| folder.path().join(SEED_FILE), PathBuf::clone);
    if !path.exists() {
        if folder.was_used() {
            return Err(OpenError::NoSeed {
                seed: path,
                folder: folder.path().to_owned(),
            });
        }
        let words = generate_entropy_mnemonic(None);
        let text = Zeroizing::new(format!("{words}\n"));
        write(&path, text.as_bytes()).map_err(|source| failed(&path, source))?;
        return Ok(words);
    }
    refuse_exposed(&path)?;
    let mut text = Zeroizing::new(String::with_capacity(256));
    File::open(&path)
        .and_then(|file| file.take(MAX_SEED_BYTES).read_to_string(&mut text))
        .map_err(|source| failed(&path, source))?;
    let words = text.trim().parse().ok();
    words
        .filter(|words: &Mnemonic| words.word_count() == 24)
        .ok_or(OpenError::Seed { path })
}

/// Writes a file of its owner alone, durable before any money is sent to what it makes.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.sync_all()?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn failed(path: &Path, source: io::Error) -> OpenError {
    OpenError::Folder {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldk::folder::DATA_FILE;
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    fn folder(parent: &tempfile::TempDir) -> Folder {
        Folder::take(&parent.path().join("ldk")).unwrap()
    }

    #[test]
    fn a_seed_is_made_once_and_for_its_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = folder(&parent);
        let made = read_or_make(&folder, None).unwrap();
        assert_eq!(read_or_make(&folder, None).unwrap(), made);
        let mode = fs::metadata(folder.path().join(SEED_FILE)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        let elsewhere = parent.path().join("words");
        assert_ne!(read_or_make(&folder, Some(&elsewhere)).unwrap(), made);
        assert!(elsewhere.exists());
    }

    #[test]
    fn a_seed_that_others_can_read_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let folder = folder(&parent);
        read_or_make(&folder, None).unwrap();
        let path = folder.path().join(SEED_FILE);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let refused = read_or_make(&folder, None).unwrap_err();
        assert!(matches!(refused, OpenError::Exposed { .. }), "{refused}");
    }

    #[test]
    fn a_used_folder_gets_no_new_seed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = folder(&parent);
        fs::write(folder.path().join(DATA_FILE), "channels").unwrap();
        let refused = read_or_make(&folder, None).unwrap_err();
        assert!(matches!(refused, OpenError::NoSeed { .. }), "{refused}");
    }

    #[test]
    fn what_is_no_seed_is_said_and_not_repeated() {
        let parent = tempfile::tempdir().unwrap();
        let folder = folder(&parent);
        let twelve = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
        for text in ["hunter2 and more", twelve, ""] {
            let path = folder.path().join(SEED_FILE);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            let error = read_or_make(&folder, None).unwrap_err();
            assert!(matches!(error, OpenError::Seed { .. }), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
