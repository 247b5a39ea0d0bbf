//! What a file is opened for, and what it is refused for.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

use mesh_store::{MeshStore, OpenError, StoreLocation};
use mesh_types::{
    Claim, ClaimKey, ClaimOutcome, ClaimStore as _, CreditStore as _, Msat, NodeId, NodeStore as _,
    PacketTag, PaymentProof, SpendingStore as _, Standing, StoreError, TxHash, UnixTime,
};
use redb::{Database, ReadableDatabase as _, TableDefinition};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// Payer, amount, transaction, whether it is frozen.
type WatchedRow = (&'static [u8; 32], u64, &'static [u8; 32], bool);

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const WATCHED: TableDefinition<'_, &[u8; 32], WatchedRow> = TableDefinition::new("watched");
const FROZEN: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("frozen");
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// When it names a store, this program opens it, says so, and holds it until it is killed: see [`Holder`].
const HOLD: &str = "MESH_STORE_TEST_HOLDS";

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn store_in(folder: &TempDir) -> PathBuf {
    folder.path().join("mesh.redb")
}

async fn open(path: &Path) -> Result<MeshStore, OpenError> {
    MeshStore::open(&StoreLocation::Redb(path.to_owned())).await
}

fn claim(number: u8) -> Claim {
    Claim {
        key: ClaimKey::from_payment_hash([number; 32]),
        payer: NodeId::from_bytes([1; 32]),
        amount: Msat::from_msat(10),
        expires_at: UnixTime::from_secs(1_900_000_000),
        on_chain: None,
    }
}

async fn told(store: &MeshStore, number: u8) -> Result<ClaimOutcome, StoreError> {
    let by = PacketTag::from_bytes([number; 16]);
    store.claim(claim(number), by, NOW).await
}

/// A store with `claims` claims, closed.
async fn written(path: &Path, claims: u8) {
    let store = open(path).await.unwrap();
    for number in 0..claims {
        assert_eq!(told(&store, number).await, Ok(ClaimOutcome::New));
    }
    store.close().await;
}

/// Another process that has a store open.
struct Holder(std::process::Child);

impl Holder {
    fn of(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["hold_when_asked", "--exact", "--nocapture"])
            .env(HOLD, path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let holds = out
            .lines()
            .map_while(Result::ok)
            .any(|line| line.contains("holding"));
        assert!(holds, "the other process did not open it");
        Self(child)
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Not a test of its own: the other process of those that need one.
#[tokio::test]
async fn hold_when_asked() {
    let Some(path) = std::env::var_os(HOLD) else {
        return;
    };
    let store = open(Path::new(&path)).await.unwrap();
    assert_eq!(told(&store, 200).await, Ok(ClaimOutcome::New));
    println!("holding");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_second_process_is_refused_by_the_first_ones_pid_until_that_ends() {
    let folder = folder();
    let path = store_in(&folder);
    let holder = Holder::of(&path);
    match open(&path).await {
        Err(error @ OpenError::Held { .. }) => {
            let words = error.to_string();
            assert!(words.contains(&format!("pid {}", holder.0.id())), "{words}");
            assert!(words.contains("mesh.redb"), "{words}");
        }
        other => panic!("{other:?}"),
    }
    holder.kill();
    let store = open(&path).await.unwrap();
    assert_eq!(told(&store, 200).await, Ok(ClaimOutcome::Again));
}

#[tokio::test]
async fn a_store_opens_once_in_one_process_too() {
    let folder = folder();
    let path = store_in(&folder);
    let store = open(&path).await.unwrap();
    match open(&path).await {
        Err(OpenError::Held { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    store.close().await;
    let again = open(&path).await.unwrap();
    let closed = told(&store, 1).await;
    assert!(
        matches!(closed, Err(StoreError::Unavailable(_))),
        "{closed:?}"
    );
    assert!(
        store.books(0).await.is_err(),
        "a closed store reads nothing"
    );
    assert_eq!(told(&again, 1).await, Ok(ClaimOutcome::New));
}

#[tokio::test]
async fn only_its_owner_reads_the_file() {
    let folder = folder();
    let path = store_in(&folder);
    written(&path, 1).await;
    for name in ["mesh.redb", "mesh.redb.lock"] {
        let found = fs::metadata(folder.path().join(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 2, "nothing else is left");
}

#[tokio::test]
async fn a_making_that_was_broken_off_is_begun_again() {
    let folder = folder();
    let path = store_in(&folder);
    fs::write(folder.path().join("mesh.redb.new"), "half a store").unwrap();
    written(&path, 1).await;
    assert!(!folder.path().join("mesh.redb.new").exists());
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let folder = folder();
    let path = folder.path().join("missing").join("mesh.redb");
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("missing"), "{error}");
}

/// Writes the schema's version into a closed store.
fn set_schema(path: &Path, version: u32) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let bytes = version.to_le_bytes();
    transaction
        .open_table(META)
        .unwrap()
        .insert("schema", bytes.as_slice())
        .unwrap();
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_with_both_versions_and_left_alone() {
    let folder = folder();
    let path = store_in(&folder);
    written(&path, 3).await;
    set_schema(&path, 7);
    let error = open(&path).await.unwrap_err();
    match &error {
        OpenError::Newer { found, known, .. } => assert_eq!((*found, *known), (7, 3)),
        other => panic!("{other:?}"),
    }
    let words = error.to_string();
    for said in ["mesh.redb", "version 7", "version 3"] {
        assert!(words.contains(said), "{words}");
    }
    set_schema(&path, 3);
    let store = open(&path).await.unwrap();
    assert_eq!(told(&store, 2).await, Ok(ClaimOutcome::Again));
}

/// Takes a closed store back to what one of `version` was.
fn set_back(path: &Path, version: u32) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(transaction.delete_table(WATCHED).unwrap());
    assert!(transaction.delete_table(FROZEN).unwrap());
    if version == 1 {
        let proofs: TableDefinition<'_, &[u8], ()> = TableDefinition::new("proofs");
        assert!(transaction.delete_table(proofs).unwrap());
    }
    transaction.commit().unwrap();
    drop(database);
    set_schema(path, version);
}

/// The version that a closed store is of.
fn schema(path: &Path) -> u32 {
    let database = Database::open(path).unwrap();
    let meta = database.begin_read().unwrap().open_table(META).unwrap();
    let schema = meta.get("schema").unwrap().unwrap();
    u32::from_le_bytes(schema.value().try_into().unwrap())
}

#[tokio::test]
async fn a_store_of_version_2_is_brought_to_the_current_one_and_watches_payments() {
    let folder = folder();
    let path = store_in(&folder);
    written(&path, 3).await;
    set_back(&path, 2);

    let store = open(&path).await.unwrap();
    assert_eq!(told(&store, 2).await, Ok(ClaimOutcome::Again));
    assert_eq!(store.watched().await, Ok(Vec::new()));
    let books = store.books(0).await.unwrap();
    assert_eq!(books.deposited, Msat::from_msat(30));
    assert_eq!((books.watched, books.frozen), (0, Msat::ZERO));
    let on_chain = Claim {
        on_chain: Some(TxHash::from_bytes([4; 32])),
        ..claim(9)
    };
    let by = PacketTag::from_bytes([9; 16]);
    let asked = store.claim(on_chain, by, NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::New));
    store.judge(on_chain.key, Standing::Gone).await.unwrap();
    let credit = store.credit(on_chain.payer).await;
    assert_eq!(credit, Ok(Msat::from_msat(30)));
    assert!(store.ledger().verify().await.unwrap().is_right());
    store.close().await;
    assert_eq!(schema(&path), 3);
    let store = open(&path).await.unwrap();
    assert_eq!(store.watched().await.unwrap().len(), 1);
}

/// A store that has lost what it watched would hand out what is frozen.
#[tokio::test]
async fn a_store_without_its_watched_payments_is_refused() {
    let folder = folder();
    let path = store_in(&folder);
    for table in [0, 1] {
        written(&path, 1).await;
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        if table == 0 {
            assert!(transaction.delete_table(WATCHED).unwrap());
        } else {
            assert!(transaction.delete_table(FROZEN).unwrap());
        }
        transaction.commit().unwrap();
        drop(database);
        let error = open(&path).await.unwrap_err();
        assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
        fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn a_store_of_version_1_is_brought_to_the_current_one_with_all_it_holds() {
    let folder = folder();
    let path = store_in(&folder);
    written(&path, 3).await;
    set_back(&path, 1);

    let store = open(&path).await.unwrap();
    assert_eq!(told(&store, 2).await, Ok(ClaimOutcome::Again));
    let books = store.books(0).await.unwrap();
    assert_eq!(books.deposited, Msat::from_msat(30));
    let proof = PaymentProof::OnChainSettlement {
        payment_request_id: "a".to_owned(),
        tx_hash: [1; 32],
        amount_sats: 1,
        timestamp: 1,
    };
    let payee = NodeId::from_bytes([9; 32]);
    store.keep_proof(payee, proof.clone()).await.unwrap();
    assert_eq!(store.kept_proofs().await, Ok(vec![(payee, proof)]));
    assert_eq!(store.watched().await, Ok(Vec::new()));
    store.close().await;
    assert_eq!(schema(&path), 3);
}

#[tokio::test]
async fn a_store_without_payments_of_its_own_node_gets_tables_for_them_once() {
    let folder = folder();
    let path = store_in(&folder);
    written(&path, 3).await;
    let open_payments: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("open_payments");
    let take = |marker: bool| {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        assert!(transaction.delete_table(open_payments).unwrap());
        if marker {
            let mut meta = transaction.open_table(META).unwrap();
            assert!(meta.remove("spending").unwrap().is_some());
        }
        transaction.commit().unwrap();
    };
    take(true);
    let store = open(&path).await.unwrap();
    assert_eq!(told(&store, 2).await, Ok(ClaimOutcome::Again));
    assert_eq!(store.last_payments(9).await, Ok(Vec::new()));
    store.close().await;
    open(&path).await.unwrap().close().await;
    take(false);
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn a_store_without_refunds_gets_tables_for_them_once() {
    let folder = folder();
    let path = store_in(&folder);
    written(&path, 3).await;
    let open_refunds: TableDefinition<'_, &[u8; 32], ()> = TableDefinition::new("open_refunds");
    let take = |marker: bool| {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        assert!(transaction.delete_table(open_refunds).unwrap());
        if marker {
            let mut meta = transaction.open_table(META).unwrap();
            assert!(meta.remove("refunds").unwrap().is_some());
        }
        transaction.commit().unwrap();
    };
    take(true);
    let store = open(&path).await.unwrap();
    assert_eq!(told(&store, 2).await, Ok(ClaimOutcome::Again));
    assert_eq!(
        mesh_types::RefundStore::open_refunds(&store).await,
        Ok(Vec::new())
    );
    store.close().await;
    open(&path).await.unwrap().close().await;
    take(false);
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

type Damage = fn(&mut Vec<u8>);

/// Opens a damaged store, and checks that it is named and still as it was.
async fn check_refused(path: &Path, what: &str) {
    let before = fs::read(path).unwrap();
    match open(path).await {
        Err(error @ OpenError::Corrupt { .. }) => {
            assert!(error.to_string().contains("mesh.redb"), "{what}: {error}");
        }
        other => panic!("{what}: {other:?}"),
    }
    assert_eq!(fs::read(path).unwrap(), before, "{what}: it was changed");
}

#[tokio::test]
async fn a_damaged_file_is_reported_and_left_as_it_is() {
    let folder = folder();
    let path = store_in(&folder);
    written(&path, 20).await;
    let sound = fs::read(&path).unwrap();
    let damages: [(&str, Damage); 6] = [
        ("emptied", Vec::clear),
        ("other bytes", |file| {
            *file = b"not a store at all".repeat(400)
        }),
        ("no magic number", |file| file[0] ^= 1),
        ("cut to a half", |file| file.truncate(file.len() / 2)),
        ("cut to a few bytes", |file| file.truncate(100)),
        ("both commits overwritten", |file| file[64..320].fill(0xa5)),
    ];
    for (what, damage) in damages {
        let mut file = sound.clone();
        damage(&mut file);
        fs::write(&path, file).unwrap();
        check_refused(&path, what).await;
    }
    fs::write(&path, &sound).unwrap();
    let store = open(&path).await.unwrap();
    assert_eq!(told(&store, 19).await, Ok(ClaimOutcome::Again));
}

/// The bit of redb's header that says which of two commits is the last. Turned over it cannot be told from a process
/// that was killed before it turned it.
const LAST_COMMIT: usize = 9 * 8;

/// A damaged header never brings back an earlier commit, which would know fewer claims.
#[tokio::test]
async fn no_damage_to_the_header_makes_a_store_forget() {
    let folder = folder();
    let path = store_in(&folder);
    let store = open(&path).await.unwrap();
    for number in 0..10 {
        assert_eq!(told(&store, number).await, Ok(ClaimOutcome::New));
    }
    // As a killed process leaves it: the commit before the last is there too.
    let killed = fs::read(&path).unwrap();
    store.close().await;
    let closed = fs::read(&path).unwrap();
    for (how, sound) in [("killed", killed), ("closed", closed)] {
        let flags = (LAST_COMMIT + 1..LAST_COMMIT + 8).map(|bit| (bit / 8, 1 << (bit % 8)));
        for (at, bits) in flags.chain((0..320).map(|at| (at, 0xff))) {
            let mut file = sound.clone();
            file[at] ^= bits;
            fs::write(&path, file).unwrap();
            let Ok(store) = open(&path).await else {
                continue;
            };
            let books = store.books(0).await.unwrap();
            assert_eq!(
                books.deposited,
                Msat::from_msat(100),
                "{how}: byte {at}, {bits:#x}"
            );
            for number in 0..10 {
                let told = told(&store, number).await;
                assert_eq!(told, Ok(ClaimOutcome::Again), "{how}: byte {at}, {bits:#x}");
            }
            store.close().await;
        }
    }
}

#[tokio::test]
async fn no_damaged_page_makes_a_store_forget() {
    let folder = folder();
    let path = store_in(&folder);
    let store = open(&path).await.unwrap();
    for number in 0..60 {
        assert_eq!(told(&store, number).await, Ok(ClaimOutcome::New));
    }
    let sound = fs::read(&path).unwrap();
    store.close().await;
    let mut reported = 0;
    for page in 1..sound.len() / 4_096 {
        for at in [0, 1, 2, 4, 9, 33, 100, 2_000] {
            let mut file = sound.clone();
            file[page * 4_096 + at] ^= 0x10;
            fs::write(&path, file).unwrap();
            match open(&path).await {
                Ok(store) => {
                    let books = store.books(0).await.unwrap();
                    assert_eq!(books.deposited, Msat::from_msat(600), "page {page}");
                    let known = (0..60).map(|number| told(&store, number));
                    for told in known {
                        assert_eq!(told.await, Ok(ClaimOutcome::Again), "page {page}");
                    }
                    store.close().await;
                }
                Err(OpenError::Corrupt { .. }) => reported += 1,
                Err(other) => panic!("page {page}: {other}"),
            }
        }
    }
    assert!(reported > 20, "{reported}");
}

/// A header that no longer says how the last commit was made does not lead back to the one before it either.
#[tokio::test]
async fn a_damaged_last_commit_is_reported_whatever_the_header_says() {
    let folder = folder();
    let path = store_in(&folder);
    let store = open(&path).await.unwrap();
    for number in 0..10 {
        assert_eq!(told(&store, number).await, Ok(ClaimOutcome::New));
    }
    let before = fs::read(&path).unwrap();
    assert_eq!(told(&store, 10).await, Ok(ClaimOutcome::New));
    let sound = fs::read(&path).unwrap();
    store.close().await;
    let pages = (1..before.len() / 4_096).map(|page| page * 4_096);
    let changed: Vec<_> = pages
        .filter(|page| before[*page..page + 4_096] != sound[*page..page + 4_096])
        .collect();
    assert!(changed.len() > 3);
    let two_phases = 1 << 2;
    for page in changed {
        let mut file = sound.clone();
        file[9] ^= two_phases;
        file[page + 4] ^= 1;
        fs::write(&path, file).unwrap();
        match open(&path).await {
            Err(OpenError::Corrupt { .. }) => {}
            Ok(store) => assert_eq!(told(&store, 10).await, Ok(ClaimOutcome::Again)),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_redb_file_of_something_else_is_no_store() {
    let folder = folder();
    let path = store_in(&folder);
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap();
    transaction.commit().unwrap();
    drop(database);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_others_can_read_is_refused_because_it_holds_the_key() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mesh.redb");
    let location = mesh_store::StoreLocation::Redb(file.clone());
    MeshStore::open(&location).await.unwrap().close().await;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let refused = MeshStore::open(&location).await.unwrap_err();
    assert!(refused.to_string().contains("mode 640"), "{refused}");
}
