use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    panic,
    path::{Path, PathBuf},
    sync::Mutex,
};
use tracing_subscriber::filter::LevelFilter;

/// The name of the log, in a module's data folder. The part before is beside it, with `.1` behind the name.
pub const LOG_FILE: &str = "blvm-mesh.log";

/// The most bytes of a log, and of the part before: 8 MiB, some eighty thousand lines.
pub const LOG_BYTES: u64 = 8 * 1024 * 1024;

/// Sends the log to a file in `folder`, and panics too: a module's standard streams are pipes that nobody reads.
///
/// # Errors
/// When the file cannot be opened.
pub fn start_log(folder: &Path) -> io::Result<()> {
    let log = CappedFile::open(folder.join(LOG_FILE), LOG_BYTES)?;
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::INFO)
        .with_target(false)
        .with_ansi(false)
        .with_writer(Mutex::new(log))
        .finish();
    // A program that has a log already keeps it.
    let _ = tracing::subscriber::set_global_default(subscriber);
    panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(())
}

/// A file that is set aside when it is full, in place of the one that was set aside before.
///
/// Its own few lines, for the libraries that rotate do it by the hour and have no cap in bytes, or bring threads along.
#[derive(Debug)]
struct CappedFile {
    path: PathBuf,
    file: File,
    len: u64,
    most: u64,
}

impl CappedFile {
    /// # Security
    /// For its owner alone: an error may repeat the line of a configuration that a password stands in.
    fn open(path: PathBuf, most: u64) -> io::Result<Self> {
        let file = File::options()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Self {
            len: file.metadata()?.len(),
            path,
            file,
            most,
        })
    }

    fn set_aside(&mut self) -> io::Result<()> {
        let mut before = self.path.clone().into_os_string();
        before.push(".1");
        fs::rename(&self.path, before)?;
        *self = Self::open(self.path.clone(), self.most)?;
        Ok(())
    }

    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        let bytes = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.len > 0 && self.len.saturating_add(bytes) > self.most {
            self.set_aside()?;
        }
        self.file.write_all(line)?;
        self.len = self.len.saturating_add(bytes);
        Ok(())
    }
}

impl Write for CappedFile {
    /// Writes a whole line, or loses it: whoever is told of an error writes it to the standard error stream.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_full_log_is_set_aside_and_no_more_than_two_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOG_FILE);
        let mut log = CappedFile::open(path.clone(), 10).unwrap();
        for line in ["first\n", "next\n", "third\n", "fourth\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "fourth\n");
        let before = folder.path().join("blvm-mesh.log.1");
        assert_eq!(fs::read_to_string(before).unwrap(), "third\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_log_goes_on_where_it_ended_and_one_long_line_is_written_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOG_FILE);
        fs::write(&path, "old line\n").unwrap();
        let mut log = CappedFile::open(path.clone(), 10).unwrap();
        log.write_all(b"longer than any\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "longer than any\n");
    }

    #[test]
    fn only_its_owner_reads_a_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOG_FILE);
        let mut log = CappedFile::open(path.clone(), 1).unwrap();
        log.write_all(b"first").unwrap();
        log.write_all(b"next").unwrap();
        for path in [path, folder.path().join("blvm-mesh.log.1")] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{mode:o}");
        }
    }

    #[test]
    fn a_log_that_cannot_be_written_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = CappedFile::open(folder.path().join(LOG_FILE), 1).unwrap();
        log.write_all(b"x").unwrap();
        folder.close().unwrap();
        log.write_all(b"the folder is gone").unwrap();
    }
}
