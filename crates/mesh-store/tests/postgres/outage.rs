//! The server goes away and comes back, at the worst moments.

use crate::{
    server::{Server, name},
    suite::*,
    wire::{Break, Wire},
};
use mesh_store::MeshStore;
use mesh_types::{
    ClaimOutcome, ClaimStore as _, CreditStore as _, Msat, NodeStore as _, PacketTag, Settled,
    Settlement, Standing, StoreError,
};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Asks as a packet does that has not heard an answer: again.
async fn insist(store: &MeshStore, payment: u64, by: PacketTag) -> (ClaimOutcome, u32) {
    let mut unheard = 0;
    loop {
        match store.claim(claim(payment, 50), by, NOW).await {
            Ok(outcome) => return (outcome, unheard),
            Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => unheard += 1,
            Err(other) => panic!("{other}"),
        }
        tokio::task::yield_now().await;
    }
}

fn spending(spent: u64, back: u64) -> Vec<Settlement> {
    vec![Settlement {
        payer: payer(1),
        spent: msat(spent),
        packets: 1,
        back: msat(back),
    }]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_refuses_at_once_and_serves_when_it_is_back() {
    let Some(server) = Server::start("") else {
        return;
    };
    let store = MeshStore::open(&server.database()).await.unwrap();
    deposit(&store, claim(1, 100)).await;
    assert_eq!(
        store.draw(payer(1), msat(100)).await.unwrap().amount,
        msat(100)
    );
    assert!(store.is_reachable());

    server.stop();
    let asked = store.claim(claim(2, 50), tag(2), NOW).await;
    assert!(
        matches!(asked, Err(StoreError::Unavailable(_))),
        "{asked:?}"
    );
    assert!(!store.is_reachable());
    let asked = store.draw(payer(1), msat(1)).await;
    assert!(
        matches!(asked, Err(StoreError::Unavailable(_))),
        "{asked:?}"
    );
    let asked = store.reserve_sequences(0).await;
    assert!(
        matches!(asked, Err(StoreError::Unavailable(_))),
        "{asked:?}"
    );
    let asked = store.credit(payer(1)).await;
    assert!(
        matches!(asked, Err(StoreError::Unavailable(_))),
        "{asked:?}"
    );
    // What was spent is booked when that is possible, and waits so long.
    let settling = store.clone();
    let settling = tokio::spawn(async move { settling.settle(spending(60, 0), NOW).await });

    server.go_on();
    assert_eq!(settling.await.unwrap(), Ok(Settled::Booked));
    assert!(store.is_reachable());
    let asked = insist(&store, 2, tag(2)).await;
    assert_eq!(asked.0, ClaimOutcome::New);
    let asked = insist(&store, 1, tag(0)).await;
    assert_eq!(asked.0, ClaimOutcome::Again);
    settle(&store, payer(1), 30, 10).await;
    check_books(&store, 150, 90).await;
    check_credit(&store, payer(1), 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_between_two_changes_is_not_noticed() {
    let Some(server) = Server::start("") else {
        return;
    };
    let store = MeshStore::open(&server.database()).await.unwrap();
    deposit(&store, claim(1, 100)).await;
    assert_eq!(
        store.draw(payer(1), msat(100)).await.unwrap().amount,
        msat(100)
    );
    server.stop();
    server.go_on();
    settle(&store, payer(1), 60, 0).await;
    settle(&store, payer(1), 20, 20).await;
    check_books(&store, 100, 80).await;
    check_credit(&store, payer(1), 20).await;
}

/// After a server that restarts, a gateway that is back does not take one that is not for dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_server_lets_no_gateway_take_another_for_dead() {
    let Some(server) = Server::start("") else {
        return;
    };
    let location = server.database();
    let wire = Wire::to(server.folder());
    let one = MeshStore::open(&wire.location(&name(&location)))
        .await
        .unwrap();
    let other = MeshStore::open(&location).await.unwrap();
    deposit(&one, claim(1, 100)).await;
    assert_eq!(
        one.draw(payer(1), msat(100)).await.unwrap().amount,
        msat(100)
    );

    for end in [Server::stop, Server::kill] {
        // One is away for longer than the server and the other.
        wire.break_at(Break::BeforeCommit, true);
        end(&server);
        server.go_on();
        let asked = insist(&other, 1, tag(0)).await;
        assert_eq!(asked.0, ClaimOutcome::Again);
        let drawn = other.draw(payer(1), msat(10)).await.unwrap();
        assert_eq!(drawn.amount, Msat::ZERO);
        assert!(drawn.elsewhere > Msat::ZERO);
        wire.mend();
        settle(&one, payer(1), 20, 0).await;
    }
    check_books(&one, 100, 40).await;
    let third = MeshStore::open(&location).await.unwrap();
    settle(&one, payer(1), 60, 0).await;
    check_books(&third, 100, 100).await;
}

/// Each way of breaking, with what a claim, a draw and a settlement under way hear when the wire is mended at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_around_a_commit_is_made_again_and_nothing_is_done_twice() {
    let Some(server) = Server::shared() else {
        return;
    };
    for at in [
        Break::BeforeCommit,
        Break::AfterCommit,
        Break::AfterCommitUnseen,
    ] {
        let location = server.database();
        let wire = Wire::to(server.folder());
        let store = MeshStore::open(&wire.location(&name(&location)))
            .await
            .unwrap();

        wire.break_at(at, false);
        let asked = insist(&store, 1, tag(1)).await;
        assert!(wire.is_broken());
        assert_eq!(
            asked.0 == ClaimOutcome::New,
            asked.1 == 0,
            "{at:?}: {asked:?}"
        );
        let asked = store.claim(claim(1, 50), tag(2), NOW).await;
        assert_eq!(asked, Ok(ClaimOutcome::AlreadyClaimed));
        check_books(&store, 50, 0).await;

        wire.break_at(at, false);
        let drawn = store.draw(payer(1), msat(50)).await;
        assert!(wire.is_broken());
        let drawn = match drawn {
            Ok(drawn) => drawn.amount,
            Err(_) => draw_all(&store, payer(1)).await,
        };
        assert_eq!(drawn, msat(50), "{at:?}");

        wire.break_at(at, false);
        let settled = store.settle(spending(30, 10), NOW).await;
        assert_eq!(settled, Ok(Settled::Booked));
        assert!(wire.is_broken());
        check_books(&store, 50, 30).await;
        check_credit(&store, payer(1), 10).await;
        settle(&store, payer(1), 10, 0).await;
        check_books(&store, 50, 40).await;
        store.close().await;
        check_books(&MeshStore::open(&location).await.unwrap(), 50, 40).await;
    }
}

/// The same, when the wire stays broken for so long that nobody can be told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_could_be_told_is_known_when_the_server_is_back() {
    let Some(server) = Server::shared() else {
        return;
    };
    for at in [
        Break::BeforeCommit,
        Break::AfterCommit,
        Break::AfterCommitUnseen,
    ] {
        let location = server.database();
        let wire = Wire::to(server.folder());
        let store = MeshStore::open(&wire.location(&name(&location)))
            .await
            .unwrap();

        wire.break_at(at, true);
        let asked = store.claim(claim(1, 50), tag(1), NOW).await;
        assert!(
            matches!(asked, Err(StoreError::Unknown(_))),
            "{at:?}: {asked:?}"
        );
        let asked = store.claim(claim(2, 50), tag(1), NOW).await;
        assert!(
            matches!(asked, Err(StoreError::Unavailable(_))),
            "{at:?}: {asked:?}"
        );
        wire.mend();
        let expected = match at {
            Break::BeforeCommit => ClaimOutcome::New,
            Break::AfterCommit | Break::AfterCommitUnseen => ClaimOutcome::Again,
        };
        assert_eq!(insist(&store, 1, tag(1)).await.0, expected, "{at:?}");
        check_books(&store, 50, 0).await;

        wire.break_at(at, true);
        let drawn = store.draw(payer(1), msat(50)).await;
        assert!(
            matches!(drawn, Err(StoreError::Unknown(_))),
            "{at:?}: {drawn:?}"
        );
        wire.mend();
        insist(&store, 1, tag(1)).await;
        assert_eq!(
            draw_all(&store, payer(1)).await,
            msat(50),
            "it was drawn by nobody"
        );

        wire.break_at(at, true);
        let settling = store.clone();
        let settling = tokio::spawn(async move { settling.settle(spending(30, 0), NOW).await });
        while store.is_reachable() {
            tokio::task::yield_now().await;
        }
        let asked = store.claim(claim(3, 50), tag(1), NOW).await;
        assert!(asked.is_err(), "{at:?}: {asked:?}");
        wire.mend();
        assert_eq!(settling.await.unwrap(), Ok(Settled::Booked));
        check_books(&store, 50, 30).await;
        settle(&store, payer(1), 10, 10).await;
        check_books(&store, 50, 40).await;
        check_credit(&store, payer(1), 10).await;
    }
}

/// Judges as whoever has heard no answer: again.
async fn insist_on(store: &MeshStore, payment: u64, standing: Standing) {
    loop {
        match store.judge(key(payment), standing).await {
            Ok(()) => return,
            Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => {}
            Err(other) => panic!("{other}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_judgement_that_nobody_heard_the_answer_to_counts_once() {
    let Some(server) = Server::shared() else {
        return;
    };
    for (at, for_good) in [
        (Break::BeforeCommit, false),
        (Break::BeforeCommit, true),
        (Break::AfterCommit, false),
        (Break::AfterCommit, true),
    ] {
        let location = server.database();
        let wire = Wire::to(server.folder());
        let store = MeshStore::open(&wire.location(&name(&location)))
            .await
            .unwrap();
        deposit(&store, on_chain(1, 50)).await;
        deposit(&store, claim(2, 70)).await;
        for (standing, credit, watched) in [(Standing::Gone, 70, 1), (Standing::Final, 120, 0)] {
            wire.break_at(at, for_good);
            let told = store.judge(key(1), standing).await;
            assert!(wire.is_broken());
            if for_good {
                let unknown = matches!(told, Err(StoreError::Unknown(_)));
                assert!(unknown, "{at:?}: {told:?}");
            }
            wire.mend();
            insist_on(&store, 1, standing).await;
            check_credit(&store, payer(1), credit).await;
            assert_eq!(store.books(0).await.unwrap().watched, watched);
            assert!(store.ledger().verify().await.unwrap().is_right());
        }
        check_books(&store, 120, 0).await;
    }
}

/// Draws and settles until it is told to stop, and says what was booked as spent.
async fn spend(store: Arc<MeshStore>, rounds: u64) -> u64 {
    let mut spent = 0;
    for round in 0..rounds {
        let Ok(drawn) = store.draw(payer(1), msat(20)).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let drawn = drawn.amount.to_msat();
        let used = drawn.min(7 + round % 5);
        let settled = store.settle(spending(used, drawn - used), NOW).await;
        assert_eq!(settled, Ok(Settled::Booked));
        spent += used;
    }
    spent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_again_and_again_accepts_each_payment_once_and_books_all() {
    let Some(server) = Server::start("") else {
        return;
    };
    let location = server.database();
    let database = name(&location);
    let store = Arc::new(MeshStore::open(&location).await.unwrap());
    let mut claims = JoinSet::new();
    for worker in 0..8_u64 {
        let store = Arc::clone(&store);
        claims.spawn(async move {
            let mut heard = Vec::new();
            for round in 0..60 {
                // Two packets, of different workers, with each payment.
                let payment = round * 4 + worker % 4;
                let by = tag(worker);
                heard.push((payment, insist(&store, payment, by).await));
            }
            heard
        });
    }
    let spending = tokio::spawn(spend(Arc::clone(&store), 200));
    for round in 0..6 {
        let before = format!(
            "select count(*) + 10 < (select count(*) from blvm_mesh.deposit)
            from generate_series(1, {})",
            round * 30
        );
        while server.psql(&database, &before).as_deref() != Ok("t") {}
        if round % 2 == 0 {
            server.kill();
            server.go_on();
        } else {
            server.kill_writer(&database);
        }
    }
    let mut winners = std::collections::HashMap::new();
    for (payment, (outcome, unheard)) in claims.join_all().await.into_iter().flatten() {
        let (new, accepted) = winners.entry(payment).or_insert((0, 0));
        *new += u32::from(outcome == ClaimOutcome::New);
        *accepted += u32::from(outcome != ClaimOutcome::AlreadyClaimed);
        assert!(
            outcome != ClaimOutcome::Again || unheard > 0,
            "nobody was told before"
        );
    }
    for (payment, (new, accepted)) in &winners {
        assert!(
            *new <= 1 && *accepted == 1,
            "payment {payment}: {new} new, {accepted} accepted"
        );
    }
    let spent = spending.await.unwrap();
    // Everything may have been over when the server was last killed.
    while store.books(0).await.is_err() {
        tokio::task::yield_now().await;
    }
    check_books(&*store, winners.len() as u64 * 50, spent).await;
}
