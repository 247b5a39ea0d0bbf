use crate::OpenError;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// The bits of a mode that let anybody but the owner in.
const OTHERS: u32 = 0o077;

/// The file that a running node holds locked.
const LOCK_FILE: &str = "lock";

/// The file with everything that the node knows: its channels, its wallet, and what [`super::book`] notes.
pub(super) const DATA_FILE: &str = "ldk_node_data.sqlite";

/// The folder of a node, which is this process's alone as long as this is held.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where there is none, and locks it.
    ///
    /// # Security
    /// Whoever reads the data can take the money of invoices under way, and two nodes on the same channels lose them.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Folder {
            path: path.to_owned(),
            source,
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(path).map_err(failed)?;
        refuse_exposed(path)?;
        let lock = private(&path.join(LOCK_FILE)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::FolderInUse {
                    folder: path.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a node has run here before.
    pub(super) fn was_used(&self) -> bool {
        let data = fs::metadata(self.path.join(DATA_FILE));
        data.is_ok_and(|data| data.len() > 0)
    }

    /// Makes the data file where there is none, so that it is its owner's alone from the beginning.
    pub(super) fn prepare_data(&self) -> Result<(), OpenError> {
        let path = self.path.join(DATA_FILE);
        match private(&path) {
            Ok(_) => Ok(()),
            Err(source) => Err(OpenError::Folder { path, source }),
        }
    }
}

/// Opens a file to be written, made for its owner alone where there is none.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path)
}

/// Refuses what anybody but its owner can read, write or enter.
pub(super) fn refuse_exposed(path: &Path) -> Result<(), OpenError> {
    let mode = fs::metadata(path).map(|found| found.mode());
    match mode {
        Ok(mode) if mode & OTHERS == 0 => Ok(()),
        Ok(_) => Err(OpenError::Exposed {
            path: path.to_owned(),
        }),
        Err(source) => Err(OpenError::Folder {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    #[test]
    fn a_folder_is_one_nodes_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/ldk");
        let first = Folder::take(&path).unwrap();
        assert!(!first.was_used());
        let second = Folder::take(&path).unwrap_err();
        assert!(matches!(second, OpenError::FolderInUse { .. }), "{second}");
        drop(first);
        Folder::take(&path).unwrap();
    }

    #[test]
    fn a_folder_that_others_can_enter_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("ldk");
        drop(Folder::take(&path).unwrap());
        for mode in [0o750, 0o701, 0o777] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let refused = Folder::take(&path).unwrap_err();
            assert!(matches!(refused, OpenError::Exposed { .. }), "{refused}");
        }
    }

    #[test]
    fn its_data_is_its_owners_alone_from_the_beginning() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::take(&parent.path().join("ldk")).unwrap();
        folder.prepare_data().unwrap();
        refuse_exposed(&folder.path().join(DATA_FILE)).unwrap();
        assert!(!folder.was_used(), "an empty file is no past");
    }
}
