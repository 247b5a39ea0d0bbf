//! The schema: what it refuses by itself, and which one this program takes.

use crate::{
    server::{Server, name},
    suite::*,
};
use mesh_store::{MeshStore, OpenError, StoreLocation};
use mesh_types::{ClaimOutcome, ClaimStore as _, NodeStore as _, Standing};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_themselves_refuse_a_second_claim_and_money_from_nowhere() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    let database = name(&location);
    let store = MeshStore::open(&location).await.unwrap();
    deposit(&store, claim(1, 100)).await;
    deposit(&store, on_chain(2, 10)).await;
    for wrong in [
        "insert into blvm_mesh.claim select * from blvm_mesh.claim",
        "insert into blvm_mesh.claim values ('\\x00', '\\x00', 0)",
        "update blvm_mesh.account set credit = credit + 1",
        "update blvm_mesh.account set credit = -1, earned = deposited + 1",
        "update blvm_mesh.account set drawn = credit + 1",
        "update blvm_mesh.account set drawn = -1",
        "update blvm_mesh.account set deposited = 2100000000000000001, credit = 2100000000000000001",
        "insert into blvm_mesh.node default values",
        "insert into blvm_mesh.purse select 1, payer, 5 from blvm_mesh.account",
        "update blvm_mesh.account set frozen = -1",
        "insert into blvm_mesh.watched select * from blvm_mesh.watched",
        "insert into blvm_mesh.watched select tx_hash, tx_hash, 1, tx_hash from blvm_mesh.watched",
        "delete from blvm_mesh.account",
    ] {
        let refusal = server.refusal(&database, wrong);
        assert!(refusal.contains("violates"), "{wrong}: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_is_refused_with_both_versions() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    MeshStore::open(&location).await.unwrap().close().await;
    let newer = "insert into blvm_mesh.migration values (9, 'later', now(), true, '\\x00', 0)";
    server.sql(&name(&location), newer);
    let refused = MeshStore::open(&location).await.unwrap_err();
    assert!(
        matches!(
            refused,
            OpenError::Newer {
                found: 9,
                known: 6,
                ..
            }
        ),
        "{refused}"
    );
    assert!(refused.to_string().contains('9') && refused.to_string().contains('6'));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_of_version_1_is_migrated_and_keeps_everything() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    let first = include_str!("../../migrations/0001_ledger.sql");
    let database = name(&location);
    server.sql(&database, "create schema blvm_mesh");
    server.sql(&database, first);
    let noted = "create table blvm_mesh.migration (version bigint primary key, description text
            not null, installed_on timestamptz not null default now(), success boolean not null,
            checksum bytea not null, execution_time bigint not null);
        insert into blvm_mesh.migration values (1, 'ledger', now(), true, sha384($sql$";
    server.sql(&database, &format!("{noted}{first}$sql$::bytea), 0)"));
    let payer = "11".repeat(32);
    let filled = format!(
        "insert into blvm_mesh.account values ('\\x{payer}', 100, 100, 0, 0, 1, 0);
        insert into blvm_mesh.deposit (at, payer, amount, key) values (0, '\\x{payer}', 100, '\\x{payer}');
        insert into blvm_mesh.claim values ('\\x{payer}', '\\x{}', 9000000000000)",
        "22".repeat(16)
    );
    server.sql(&database, &filled);

    let store = MeshStore::open(&location).await.unwrap();
    let again = mesh_types::Claim {
        key: mesh_types::ClaimKey::from_payment_hash([0x11; 32]),
        ..claim(1, 100)
    };
    let asked = store.claim(again, tag(1), NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::AlreadyClaimed));
    check_books(&store, 100, 0).await;
    store
        .keep_proof(mesh_types::NodeId::from_bytes([1; 32]), proof(1))
        .await
        .unwrap();
    assert_eq!(store.kept_proofs().await.unwrap().len(), 1);
    deposit(&store, on_chain(2, 30)).await;
    store.judge(key(2), Standing::Gone).await.unwrap();
    check_credit(&store, on_chain(2, 30).payer, 0).await;
    assert!(store.ledger().verify().await.unwrap().is_right());
    let versions =
        "select string_agg(version::text, ',' order by version) from blvm_mesh.migration";
    assert_eq!(server.sql(&database, versions), "1,2,3,4,5,6");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_with_something_missing_is_refused_and_not_made_anew() {
    let Some(server) = Server::shared() else {
        return;
    };
    for (harm, word) in [
        ("drop table blvm_mesh.claim", "claim"),
        ("delete from blvm_mesh.node", "node"),
        ("drop table blvm_mesh.watched", "watched"),
        (
            "update blvm_mesh.migration set version = -version where version = 1",
            "migration",
        ),
    ] {
        let location = server.database();
        let database = name(&location);
        let store = MeshStore::open(&location).await.unwrap();
        deposit(&store, claim(1, 100)).await;
        store.close().await;
        server.sql(&database, harm);
        if word == "migration" {
            // The newest version is there, and nothing older is looked at: everything is in its place.
            check_books(&MeshStore::open(&location).await.unwrap(), 100, 0).await;
            continue;
        }
        let refused = MeshStore::open(&location).await.unwrap_err();
        assert!(
            matches!(refused, OpenError::Corrupt { .. }),
            "{harm}: {refused}"
        );
        assert!(refused.to_string().contains(word), "{refused}");
        assert_eq!(
            server.sql(&database, "select count(*) from blvm_mesh.deposit"),
            "1"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_gateways_that_start_at_once_make_one_schema() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let location = location.clone();
        opening.spawn(async move { MeshStore::open(&location).await.unwrap() });
    }
    let gateways = opening.join_all().await;
    deposit(&gateways[0], claim(1, 100)).await;
    check_books(&gateways[5], 100, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_may_not_make_tables_uses_those_that_are_there() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    let database = name(&location);
    MeshStore::open(&location).await.unwrap().close().await;
    server.sql(
        &database,
        "create role modest login; grant usage on schema blvm_mesh to modest;
        grant select, insert, update, delete on all tables in schema blvm_mesh to modest",
    );
    let modest = server.location(&database).to_string();
    let host = modest
        .split_once("?host=")
        .unwrap()
        .1
        .split('&')
        .next()
        .unwrap()
        .to_owned();
    let modest: StoreLocation = format!("postgres:///{database}?host={host}&user=modest")
        .parse()
        .unwrap();
    let store = MeshStore::open(&modest).await.unwrap();
    deposit(&store, claim(1, 100)).await;
    check_books(&store, 100, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_named_without_its_password() {
    for url in [
        "postgres://mesh:s3cret@127.0.0.1:1/mesh",
        "postgres://127.0.0.1:1/mesh?user=mesh&password=s3cret",
    ] {
        let refused = MeshStore::open(&url.parse().unwrap()).await.unwrap_err();
        assert!(
            matches!(refused, OpenError::Unavailable { .. }),
            "{refused}"
        );
        let words = format!("{refused} {refused:?}");
        assert!(
            words.contains("127.0.0.1") && !words.contains("s3cret"),
            "{words}"
        );
    }
}
