use blvm_mesh_node::config::MAX_CONFIG_BYTES;
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};
use thiserror::Error;
use toml::Table;

/// Why a file of settings is of no use, whatever is to be read from it.
#[derive(Debug, Error)]
pub enum SettingsFileError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is longer than any.
    #[error("{path} is longer than {MAX_CONFIG_BYTES} bytes: is it a configuration?")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is no TOML, or a value in it is of another kind.
    #[error("{path}: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: toml::de::Error,
    },
}

impl SettingsFileError {
    pub(crate) fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn syntax(path: &Path) -> impl Fn(toml::de::Error) -> Self {
        move |source| Self::Syntax {
            path: path.to_owned(),
            source,
        }
    }

    /// Whether there is no such file.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads a file of settings, but none that is longer than any.
pub(crate) fn read(path: &Path) -> Result<String, SettingsFileError> {
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_CONFIG_BYTES + 1).read_to_string(&mut text))
        .map_err(SettingsFileError::read(path))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_CONFIG_BYTES {
        return Err(SettingsFileError::TooLong {
            path: path.to_owned(),
        });
    }
    Ok(text)
}

/// - `path`: what the file is called, for errors.
pub(crate) fn table(text: &str, path: &Path) -> Result<Table, SettingsFileError> {
    toml::from_str(text).map_err(SettingsFileError::syntax(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_told_from_one_that_is_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blvm.toml");
        assert!(read(&path).unwrap_err().is_missing());
        let longest = usize::try_from(MAX_CONFIG_BYTES).unwrap();
        fs::write(&path, "#".repeat(longest)).unwrap();
        assert_eq!(read(&path).unwrap().len(), longest);
        fs::write(&path, "#".repeat(longest + 1)).unwrap();
        let error = read(&path).unwrap_err();
        assert!(matches!(&error, SettingsFileError::TooLong { .. }));
        assert!(!error.is_missing());
    }

    #[test]
    fn a_folder_is_no_file_and_is_not_missing() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(matches!(&error, SettingsFileError::Read { .. }));
        assert!(!error.is_missing());
    }
}
