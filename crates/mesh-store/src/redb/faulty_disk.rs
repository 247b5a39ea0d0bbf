//! A disk in memory that fails on demand, for tests.

use redb::StorageBackend;
use std::{
    io::{Error, ErrorKind, Result},
    sync::{Arc, Mutex},
};

/// When it fails, counted from the making of the disk; 1 is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    Never,
    /// This write fails and is not done; later ones are.
    Write(u64),
    /// This sync fails, and what it was to bring to the disk stays in memory.
    Sync(u64),
    /// This sync fails, and what it was to bring to the disk will never be there, though later syncs succeed.
    SyncForgets(u64),
    /// From this write on there is no room.
    Full(u64),
    /// The power fails in the middle of this write.
    PowerCut(u64),
}

/// A handle to the disk.
#[derive(Debug, Clone)]
pub(super) struct FaultyDisk(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct Disk {
    plan: Plan,
    /// What a process reads.
    seen: Vec<u8>,
    /// What is there after a power cut, whatever happens.
    safe: Vec<u8>,
    /// What has changed since the last sync, in order.
    since: Vec<Change>,
    writes: u64,
    syncs: u64,
    dead: bool,
}

#[derive(Debug, Clone)]
enum Change {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Length(length) => to.resize(*length, 0),
            Self::Bytes(at, bytes) => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*at..end].copy_from_slice(bytes);
            }
        }
    }

    /// The first half of it.
    fn torn(&self) -> Self {
        match self {
            Self::Length(length) => Self::Length(*length),
            Self::Bytes(at, bytes) => Self::Bytes(*at, bytes[..bytes.len() / 2].to_vec()),
        }
    }
}

impl FaultyDisk {
    pub(super) fn new(content: Vec<u8>, plan: Plan) -> Self {
        Self(Arc::new(Mutex::new(Disk {
            plan,
            safe: content.clone(),
            seen: content,
            since: Vec::new(),
            writes: 0,
            syncs: 0,
            dead: false,
        })))
    }

    /// Writes and syncs up to now.
    pub(super) fn counts(&self) -> (u64, u64) {
        let disk = self.0.lock().unwrap();
        (disk.writes, disk.syncs)
    }

    /// What may be found after a kill, and after power cuts that let through nothing, all but the half of the last, and
    /// some halves of what was not synced.
    pub(super) fn left_over(&self, seed: u64) -> Vec<(&'static str, Vec<u8>)> {
        let disk = self.0.lock().unwrap();
        let mut torn = disk.safe.clone();
        let last = disk.since.len();
        for (index, change) in disk.since.iter().enumerate() {
            if index + 1 < last {
                change.apply(&mut torn);
            } else {
                change.torn().apply(&mut torn);
            }
        }
        let mut some = disk.safe.clone();
        let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for change in &disk.since {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            match (change, chance % 3) {
                // The system lengthens a file at once.
                (Change::Length(_), _) | (_, 0) => change.apply(&mut some),
                (_, 1) => change.torn().apply(&mut some),
                _ => {}
            }
        }
        let mut left = vec![
            ("a kill", disk.seen.clone()),
            ("a power cut that loses the last half write", torn),
            ("a power cut that loses some writes", some),
        ];
        if !disk
            .since
            .iter()
            .any(|change| matches!(change, Change::Length(_)))
        {
            left.push(("a power cut that loses all", disk.safe.clone()));
        }
        left
    }
}

impl Disk {
    fn change(&mut self, change: Change) -> Result<()> {
        if self.dead {
            return Err(Error::other("the disk is gone"));
        }
        self.writes += 1;
        match self.plan {
            Plan::Write(at) if at == self.writes => return Err(Error::other("a bad sector")),
            Plan::Full(at) if at <= self.writes => return Err(ErrorKind::StorageFull.into()),
            Plan::PowerCut(at) if at == self.writes => {
                self.dead = true;
                self.since.push(change.torn());
                return Err(Error::other("no power"));
            }
            _ => {}
        }
        change.apply(&mut self.seen);
        self.since.push(change);
        Ok(())
    }
}

impl StorageBackend for FaultyDisk {
    fn len(&self) -> Result<u64> {
        Ok(self.0.lock().unwrap().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let disk = self.0.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let found = disk.seen.get(start..start + out.len());
        out.copy_from_slice(found.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let length = Change::Length(usize::try_from(len).unwrap());
        self.0.lock().unwrap().change(length)
    }

    fn sync_data(&self) -> Result<()> {
        let mut disk = self.0.lock().unwrap();
        if disk.dead {
            return Err(Error::other("the disk is gone"));
        }
        disk.syncs += 1;
        match disk.plan {
            Plan::Sync(at) if at == disk.syncs => return Err(Error::other("not synced")),
            Plan::SyncForgets(at) if at == disk.syncs => {
                disk.since.clear();
                return Err(Error::other("not synced"));
            }
            _ => {}
        }
        let since = std::mem::take(&mut disk.since);
        for change in since {
            change.apply(&mut disk.safe);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let bytes = Change::Bytes(usize::try_from(offset).unwrap(), data.to_vec());
        self.0.lock().unwrap().change(bytes)
    }
}
