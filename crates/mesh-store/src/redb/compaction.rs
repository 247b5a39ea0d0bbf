use super::{
    backend::begin_durable,
    fault::Fault,
    rows::{ACCOUNTS, CLAIMS, DEBITS, DEPOSITS, ENDS},
};
use redb::{CompactionError, Database, ReadableDatabase as _, ReadableTableMetadata as _};
use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

/// The least that a file takes before it is made smaller, bytes.
///
/// 16 MiB, because less is not missed on any disk.
const WORTHWHILE: u64 = 16 * 1_024 * 1_024;

/// The most that is in a file which is made smaller while it is opened, bytes.
///
/// 256 MiB, because moving as much takes seconds, and a node is to start in that time.
const BOUND: u64 = 256 * 1_024 * 1_024;

/// What a row takes, bytes, with the pages of a B-tree filled to two thirds where keys come in any order.
const CLAIM: u64 = 84;
const END: u64 = 17;
const ACCOUNT: u64 = 108;
const DEPOSIT: u64 = 90;
const DEBIT: u64 = 84;

/// Gives free space back to the system where more than half of the file is free, and what is not is little.
///
/// Pages that are freed while the store runs are used again; the file itself becomes smaller only here, because redb
/// moves pages while nobody reads or writes.
pub(super) fn compact_if_worthwhile(path: &Path, database: &mut Database) -> Result<(), Fault> {
    compact_beyond(WORTHWHILE, path, database).map(drop)
}

/// Moves what the file holds to its front, gives the rest back, however long that takes, and closes the file.
pub(super) fn compact(mut database: Database) -> Result<(), Fault> {
    move_pages(&mut database)?;
    Ok(database.close()?)
}

/// What a file takes on the disk, bytes: what was never written takes no blocks.
pub(super) fn takes(path: &Path) -> io::Result<u64> {
    Ok(fs::metadata(path)?.blocks().saturating_mul(512))
}

/// Says whether it was done.
fn compact_beyond(worthwhile: u64, path: &Path, database: &mut Database) -> Result<bool, Fault> {
    let Ok(takes) = takes(path) else {
        return Ok(false);
    };
    let needs = needs(database)?;
    if takes < worthwhile || needs > BOUND || needs.saturating_mul(2) > takes {
        return Ok(false);
    }
    move_pages(database)?;
    tracing::info!(takes, needs, "gave free space of the store back");
    Ok(true)
}

fn move_pages(database: &mut Database) -> Result<(), Fault> {
    database.compact().map_err(|error| match error {
        CompactionError::Storage(error) => Fault::from(error),
        other => Fault::Refused(other.to_string()),
    })?;
    // The commits of a compaction leave out what opening the file quickly takes.
    let mut transaction = database.begin_write()?;
    begin_durable(&mut transaction)?;
    Ok(transaction.commit()?)
}

/// About how many bytes the rows take.
fn needs(database: &Database) -> Result<u64, Fault> {
    let transaction = database.begin_read()?;
    let rows = [
        (transaction.open_table(CLAIMS)?.len()?, CLAIM),
        (transaction.open_table(ENDS)?.len()?, END),
        (transaction.open_table(ACCOUNTS)?.len()?, ACCOUNT),
        (transaction.open_table(DEPOSITS)?.len()?, DEPOSIT),
        (transaction.open_table(DEBITS)?.len()?, DEBIT),
    ];
    Ok(rows.iter().fold(0, |all, (rows, bytes)| {
        all.saturating_add(rows.saturating_mul(*bytes))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenError, StoreLocation, redb::open::builder, store::MeshStore};
    use mesh_types::{
        Claim, ClaimKey, ClaimStore as _, CreditStore as _, Msat, NodeId, PacketTag, UnixTime,
    };
    use std::time::Duration;
    use tokio::task::JoinSet;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const CLAIMS: u32 = 5_000;

    fn claim(number: u32) -> Claim {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
        Claim {
            key: ClaimKey::from_payment_hash(key),
            payer: NodeId::from_bytes([1; 32]),
            amount: Msat::from_msat(1),
            expires_at: NOW,
            on_chain: None,
        }
    }

    async fn open(path: &Path) -> MeshStore {
        let location = StoreLocation::Redb(path.to_owned());
        MeshStore::open(&location).await.unwrap()
    }

    fn takes(path: &Path) -> u64 {
        super::takes(path).unwrap()
    }

    #[tokio::test]
    async fn a_file_gives_back_what_forgotten_claims_took_and_keeps_all_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mesh.redb");
        let store = open(&path).await;
        let mut tasks = JoinSet::new();
        for number in 0..CLAIMS {
            let store = store.clone();
            tasks.spawn(async move {
                let by = PacketTag::from_bytes([1; 16]);
                store.claim(claim(number), by, NOW).await.unwrap()
            });
        }
        tasks.join_all().await;
        store.close().await;
        let all = takes(&path);
        let mut database = builder().open(&path).unwrap();
        assert!(!compact_beyond(0, &path, &mut database).unwrap());
        database.close().unwrap();

        let store = open(&path).await;
        let later = NOW.plus(Duration::from_secs(3_600));
        let removed = store.remove_expired(later).await.unwrap();
        assert_eq!(removed, usize::try_from(CLAIMS).unwrap());
        store.close().await;

        let mut database = builder().open(&path).unwrap();
        assert!(compact_beyond(0, &path, &mut database).unwrap());
        // A copy is what a process leaves that is killed right then: it opens without being read as a whole.
        let copy = folder.path().join("copy.redb");
        fs::copy(&path, &copy).unwrap();
        let mut strict = builder();
        strict.set_repair_callback(|_| panic!("all of the file would have to be read"));
        drop(strict.open(&copy).unwrap());
        database.close().unwrap();
        assert!(takes(&path) * 2 < all, "{} of {all}", takes(&path));

        let location = StoreLocation::Redb(path.clone());
        let store = open(&path).await;
        let mut tasks = JoinSet::new();
        for number in CLAIMS..2 * CLAIMS {
            let store = store.clone();
            let later = Claim {
                expires_at: later,
                ..claim(number)
            };
            tasks.spawn(async move {
                let by = PacketTag::from_bytes([1; 16]);
                store.claim(later, by, NOW).await.unwrap()
            });
        }
        tasks.join_all().await;
        let much_later = later.plus(Duration::from_secs(3_600));
        store.remove_expired(much_later).await.unwrap();
        store.close().await;
        // Too little to be compacted when it is opened, and free all the same.
        let all = takes(&path);
        let compacted = MeshStore::compact(&location).await.unwrap();
        assert_eq!((compacted.before, compacted.after), (all, takes(&path)));
        assert!(compacted.after < all, "{compacted:?}");
        let store = open(&path).await;
        assert!(matches!(
            MeshStore::compact(&location).await,
            Err(OpenError::Held { .. })
        ));
        let books = store.books(1).await.unwrap();
        assert_eq!(books.credit, Msat::from_msat(u64::from(2 * CLAIMS)));
        let verdict = store.ledger().verify().await.unwrap();
        assert!(verdict.is_right());
        assert_eq!(verdict.journal.deposits, u64::from(2 * CLAIMS));
    }
}
