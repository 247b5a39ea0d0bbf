//! What a node with several gateways has paid to others.

use crate::{
    server::{Server, name},
    suite::{spending::*, *},
};
use mesh_store::{MeshStore, SpendingFilter};
use mesh_types::{Begun, MAX_PAYMENT_LINES, SpendingStore as _};
use std::{io::Cursor, sync::Arc};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_together_spend_no_more_in_a_day_than_one() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    let gateways = [
        Arc::new(MeshStore::open(&location).await.unwrap()),
        Arc::new(MeshStore::open(&location).await.unwrap()),
    ];
    let mut tasks = JoinSet::new();
    for number in 0..64 {
        let gateway = Arc::clone(&gateways[number as usize % 2]);
        tasks.spawn(async move {
            let payee = u8::try_from(number % 5).unwrap();
            let payment = payment(number, payee, 100);
            begin(&*gateway, &payment, number, caps(13 * 110, 4 * 110)).await
        });
    }
    let begun = tasks.join_all().await;
    let noted = begun.iter().filter(|begun| **begun == Begun::Noted).count();
    assert_eq!(noted, 13);
    let sums = gateways[1].spent_on_day(NOW, payer(0)).await.unwrap();
    assert_eq!(sums.all, spent(13, 1_300, 130));
    assert!(sums.payee.payments <= 4);
    // One may end what another began.
    let first = gateways[0].last_payments(99).await.unwrap();
    for payment in &first {
        gateways[1].end_payment(failed(payment, 1)).await.unwrap();
    }
    let sums = gateways[0].spent_on_day(NOW, payer(0)).await.unwrap();
    assert_eq!(sums.all, spent(0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_old_payments_are_dropped_and_stay_in_the_sums_also_in_another_store() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    let store = MeshStore::open(&location).await.unwrap();
    let all = [
        payment(1, 4, 500),
        payment(2, 4, 70),
        payment(3, 5, 9),
        payment(4, 5, 1),
    ];
    for (payment, number) in all.iter().zip(1..) {
        begin(&store, payment, number, NO_CAPS).await;
    }
    // The first is paid, the second unknown, the third failed.
    store.end_payment(paid(&all[0], 1, 2)).await.unwrap();
    store.end_payment(failed(&all[2], 3)).await.unwrap();
    let later = "select setval(pg_get_serial_sequence('blvm_mesh.payment', 'serial'), $N)";
    let serial = (MAX_PAYMENT_LINES + 3).to_string();
    server.sql(&name(&location), &later.replace("$N", &serial));
    begin(&store, &payment(5, 6, 7), 5, NO_CAPS).await;
    let hashes: Vec<_> = store.last_payments(9).await.unwrap();
    let hashes: Vec<_> = hashes.iter().map(|line| line.payment_hash).collect();
    assert_eq!(hashes, [5, 4, 2].map(bytes));
    let check = async |store: &MeshStore| {
        let verdict = store.ledger().verify().await.unwrap();
        assert!(verdict.is_right(), "{verdict:?}");
        let ledger = store.ledger();
        let listed = ledger.spending(SpendingFilter::default(), 9).await.unwrap();
        assert_eq!(listed.total, spent(4, 578, 32));
        assert_eq!(listed.payees[0], (payer(4), spent(2, 570, 12)));
    };
    check(&store).await;
    // What is dropped is not known to be paid any more; what is unknown still is found out.
    store.end_payment(paid(&all[1], 2, 10)).await.unwrap();
    let mut lines = Vec::new();
    store.ledger().export(&mut lines).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = mesh_store::StoreLocation::Redb(folder.path().join("mesh.redb"));
    for place in [file, server.database()] {
        let other = MeshStore::open(&place).await.unwrap();
        other
            .ledger()
            .import(Cursor::new(lines.clone()))
            .await
            .unwrap();
        check(&other).await;
        let again = begin(&other, &all[3], 9, NO_CAPS).await;
        assert_eq!(again, Begun::UnderWay);
        // The next one has the next number, and drops what has been found out.
        begin(&other, &payment(6, 7, 1), 6, NO_CAPS).await;
        let left = other.last_payments(9).await.unwrap();
        let left: Vec<_> = left.iter().map(|line| line.payment_hash).collect();
        assert_eq!(left, [6, 5, 4].map(bytes));
        let verdict = other.ledger().verify().await.unwrap();
        assert!(verdict.is_right(), "{verdict:?}");
    }
}
