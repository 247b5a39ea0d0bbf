//! A ledger with payments on the chain, from a file to PostgreSQL and back.

use crate::{server::Server, suite::*};
use mesh_store::{MeshStore, StoreLocation};
use mesh_types::{Claim, ClaimStore as _, CreditStore as _, Standing};
use std::io::Cursor;

async fn export(store: &MeshStore) -> Vec<u8> {
    let mut lines = Vec::new();
    store.ledger().export(&mut lines).await.unwrap();
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watched_payments_move_to_postgresql_and_back_byte_by_byte() {
    let Some(server) = Server::shared() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| StoreLocation::Redb(folder.path().join(name));
    let first = MeshStore::open(&file("first.redb")).await.unwrap();
    for number in 0..30 {
        let of = Claim {
            payer: payer((number % 4) as u8),
            ..on_chain(number, 100 + number)
        };
        deposit(&first, of).await;
        deposit(&first, claim(1_000 + number, 10)).await;
    }
    assert_eq!(draw_all(&first, payer(1)).await.to_msat(), 1_220);
    settle(&first, payer(1), 1_000, 220).await;
    for number in 0..20 {
        let standings = [Standing::Gone, Standing::Gone, Standing::Final];
        let standing = standings[number as usize % 3];
        first.judge(key(number), standing).await.unwrap();
    }
    let sent = export(&first).await;

    let mut before = first;
    for location in [server.database(), file("last.redb")] {
        let after = MeshStore::open(&location).await.unwrap();
        let lines = Cursor::new(export(&before).await);
        after.ledger().import(lines).await.unwrap();
        assert_eq!(export(&after).await, sent);
        assert_eq!(after.watched().await, before.watched().await);
        assert_eq!(after.books(9).await, before.books(9).await);
        for number in 0..4 {
            let credit = before.credit(payer(number)).await.unwrap().to_msat();
            check_credit(&after, payer(number), credit).await;
        }
        let verdict = after.ledger().verify().await.unwrap();
        assert!(verdict.is_right(), "{verdict:?}");
        let overview = after.ledger().overview(3).await.unwrap();
        assert_eq!(overview.watching.payments, 24);
        assert_eq!(overview.watching.frozen, verdict.journal.frozen);
        before = after;
    }
    // What came frozen is thawed like what was frozen here.
    let credit = before.credit(payer(0)).await.unwrap().to_msat();
    before.judge(key(0), Standing::Holds).await.unwrap();
    check_credit(&before, payer(0), credit + 100).await;
}
