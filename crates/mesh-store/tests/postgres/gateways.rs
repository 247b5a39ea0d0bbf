//! Two gateways, one truth.

use crate::{
    server::{Server, name},
    suite::*,
};
use mesh_store::{MeshStore, StoreLocation};
use mesh_types::{
    Claim, ClaimOutcome, ClaimStore as _, CreditStore as _, MAX_WATCHED, Msat, NodeId,
    NodeStore as _, RefundBegun, RefundStore as _, Settled, Settlement, Standing, StoreError,
};
use std::{collections::HashMap, sync::Arc};
use tokio::{runtime::Builder, task::JoinSet};

async fn open(location: &StoreLocation) -> Arc<MeshStore> {
    Arc::new(MeshStore::open(location).await.unwrap())
}

async fn two(location: &StoreLocation) -> [Arc<MeshStore>; 2] {
    [open(location).await, open(location).await]
}

/// What the tables say of themselves: nothing made, nothing lost, nothing twice.
fn check_tables(server: &Server, database: &str) {
    let wrong = "select 'account', count(*) from (
            select a.payer from blvm_mesh.account a
            left join (select payer, sum(amount) as came, count(*) as times
                from blvm_mesh.deposit group by payer) d using (payer)
            left join (select payer, sum(amount) as went, sum(packets) as packets
                from blvm_mesh.debit group by payer) s using (payer)
            left join (select payer, sum(amount) as held from blvm_mesh.purse group by payer) p
                using (payer)
            left join (select payer, sum(amount) as gone from blvm_mesh.watched where frozen
                group by payer) w using (payer)
            left join (select payer, sum(amount + fee) as back from blvm_mesh.refund
                where outcome < 2 group by payer) r using (payer)
            where a.refunded <> coalesce(r.back, 0) or a.frozen <> coalesce(w.gone, 0) or a.deposited <> coalesce(d.came, 0) or a.deposits <> coalesce(d.times, 0)
                or a.earned <> coalesce(s.went, 0) or a.packets <> coalesce(s.packets, 0)
                or a.drawn <> coalesce(p.held, 0)) as wrong
        union all
        select 'deposit', count(*) from (
            select key from blvm_mesh.deposit group by key having count(*) > 1) as twice
        union all
        select 'claim', count(*) from blvm_mesh.claim c
            where not exists (select from blvm_mesh.deposit d where d.key = c.key)
        order by 1";
    assert_eq!(server.sql(database, wrong), "account|0\nclaim|0\ndeposit|0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_tries_at_each_of_two_gateways_exactly_one_is_new() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    let gateways = two(&location).await;
    for payment in 0..10 {
        let mut tasks = JoinSet::new();
        for number in 0..128 {
            let gateway = Arc::clone(&gateways[number % 2]);
            let by = tag(number as u64);
            tasks.spawn(async move { gateway.claim(claim(payment, 50), by, NOW).await.unwrap() });
        }
        let heard = tasks.join_all().await;
        let count = |outcome| heard.iter().filter(|it| **it == outcome).count();
        assert_eq!(count(ClaimOutcome::New), 1);
        assert_eq!(count(ClaimOutcome::AlreadyClaimed), 127);
    }
    check_books(&*gateways[0], 500, 0).await;
    check_tables(&server, &name(&location));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_refunds_at_two_gateways_each_is_begun_once_and_no_more_than_there_is() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    let gateways = two(&location).await;
    let of = |number, of| Claim {
        payer: payer(of),
        ..claim(number, 1_000)
    };
    deposit(&*gateways[0], of(1_001, 1)).await;
    deposit(&*gateways[1], of(1_002, 2)).await;
    let mut tasks = JoinSet::new();
    for number in 0..128_u64 {
        let gateway = Arc::clone(&gateways[number as usize % 2]);
        let rival = Arc::clone(&gateways[(number as usize + 1) % 2]);
        // Half of all hashes are asked for by both payers, and claims and ends come in between.
        tasks.spawn(async move {
            let refund = refunds::refund(number / 4, 1 + u8::from(number % 4 == 3), 90);
            let begun = refunds::begin(&*gateway, &refund).await;
            deposit(
                &*rival,
                Claim {
                    payer: payer(9),
                    ..claim(number, 1)
                },
            )
            .await;
            if begun == RefundBegun::Noted && number % 3 == 0 {
                rival
                    .end_refund(refunds::returned(&refund, 4))
                    .await
                    .unwrap();
            }
            begun
        });
    }
    let begun = tasks.join_all().await;
    let noted = begun.iter().filter(|it| **it == RefundBegun::Noted).count();
    assert!((1..=21).contains(&noted), "{noted}");
    let open = gateways[0].open_refunds().await.unwrap().len();
    assert!(open <= noted, "{open} of {noted}");
    assert!(gateways[1].ledger().verify().await.unwrap().is_right());
    check_tables(&server, &name(&location));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_claimed_at_one_gateway_is_told_and_spent_at_the_other() {
    let Some(server) = Server::shared() else {
        return;
    };
    let [one, other] = two(&server.database()).await;
    deposit(&*one, claim(1, 100)).await;
    let asked = other.claim(claim(1, 100), tag(0), NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::Again));
    let asked = other.claim(claim(1, 100), tag(1), NOW).await;
    assert_eq!(asked, Ok(ClaimOutcome::AlreadyClaimed));

    check_credit(&*other, payer(1), 100).await;
    let drawn = other.draw(payer(1), msat(40)).await.unwrap();
    assert_eq!((drawn.amount, drawn.elsewhere), (msat(40), Msat::ZERO));
    settle(&*other, payer(1), 30, 10).await;
    check_credit(&*one, payer(1), 70).await;
    check_books(&*one, 100, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draw_takes_a_quarter_at_least_and_tells_what_is_elsewhere() {
    let Some(server) = Server::shared() else {
        return;
    };
    let [one, other] = two(&server.database()).await;
    deposit(&*one, claim(1, 100)).await;
    let drawn = one.draw(payer(1), msat(1)).await.unwrap();
    assert_eq!((drawn.amount, drawn.elsewhere), (msat(25), Msat::ZERO));
    let drawn = other.draw(payer(1), msat(70)).await.unwrap();
    assert_eq!((drawn.amount, drawn.elsewhere), (msat(70), msat(25)));
    let drawn = other.draw(payer(1), msat(6)).await.unwrap();
    assert_eq!((drawn.amount, drawn.elsewhere), (msat(5), msat(25)));
    settle(&*one, payer(1), 0, 25).await;
    let drawn = other.draw(payer(1), msat(6)).await.unwrap();
    assert_eq!((drawn.amount, drawn.elsewhere), (msat(6), Msat::ZERO));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_gateway_had_drawn_comes_back_when_it_is_wanted() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    let other = open(&location).await;
    deposit(&*other, claim(1, 100)).await;

    let process = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let place = location.clone();
    let one = process
        .spawn(async move { open(&place).await })
        .await
        .unwrap();
    assert_eq!(one.draw(payer(1), msat(90)).await.unwrap().amount, msat(90));
    let drawn = other.draw(payer(1), msat(50)).await.unwrap();
    assert_eq!((drawn.amount, drawn.elsewhere), (msat(10), msat(90)));

    process.shutdown_background();
    let alive = "select count(*) from blvm_mesh.gateway join pg_locks on objid::bigint = run
        where locktype = 'advisory'";
    while server.sql(&name(&location), alive) != "1" {}
    let drawn = other.draw(payer(1), msat(50)).await.unwrap();
    assert_eq!((drawn.amount, drawn.elsewhere), (msat(50), Msat::ZERO));
    let gateways = "select count(*) from blvm_mesh.gateway";
    assert_eq!(server.sql(&name(&location), gateways), "1");
    check_tables(&server, &name(&location));
    drop(one);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_was_taken_for_dead_hears_of_it_and_spends_nothing_twice() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    let database = name(&location);
    let store = open(&location).await;
    deposit(&*store, claim(1, 100)).await;
    assert_eq!(
        store.draw(payer(1), msat(60)).await.unwrap().amount,
        msat(60)
    );

    let bury =
        "begin; update blvm_mesh.account set drawn = 0; delete from blvm_mesh.gateway; commit";
    server.sql(&database, bury);
    // Drawn by the new run before anybody has heard: it is revoked with the rest.
    assert_eq!(
        store.draw(payer(1), msat(20)).await.unwrap().amount,
        msat(25)
    );
    let spent = Settlement {
        payer: payer(1),
        spent: msat(60),
        packets: 3,
        back: Msat::ZERO,
    };
    assert_eq!(store.settle(vec![spent], NOW).await, Ok(Settled::Revoked));
    check_books(&*store, 100, 0).await;
    check_credit(&*store, payer(1), 100).await;
    check_tables(&server, &database);

    assert_eq!(draw_all(&*store, payer(1)).await, msat(100));
    settle(&*store, payer(1), 60, 40).await;
    check_books(&*store, 100, 60).await;
    check_tables(&server, &database);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_are_one_node_and_number_their_packets_apart() {
    let Some(server) = Server::shared() else {
        return;
    };
    let [one, other] = two(&server.database()).await;
    let kept = tokio::join!(one.keep_identity([1; 32]), other.keep_identity([2; 32]));
    assert_eq!(kept.0, kept.1);
    let mut tasks = JoinSet::new();
    for number in 0..32 {
        let gateway = Arc::clone(if number % 2 == 0 { &one } else { &other });
        tasks.spawn(async move { gateway.reserve_sequences(1_000).await.unwrap() });
    }
    let mut blocks = tasks.join_all().await;
    blocks.sort_by_key(|block| block.next);
    assert!(blocks.iter().all(|block| block.good_for.is_some()));
    assert!(blocks.windows(2).all(|pair| pair[0].end <= pair[1].next));
    one.keep_proof(payer(1), proof(1)).await.unwrap();
    assert_eq!(other.kept_proofs().await, Ok(vec![(payer(1), proof(1))]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_gateways_say_of_one_payment_is_applied_once() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    let gateways = two(&location).await;
    let database = name(&location);
    for number in 0..10 {
        let of = Claim {
            payer: payer((number % 3) as u8),
            ..on_chain(number, 50)
        };
        deposit(&*gateways[number as usize % 2], of).await;
    }
    for (standing, watched, frozen) in [
        (Standing::Gone, 10, 500),
        (Standing::Holds, 10, 0),
        (Standing::Gone, 10, 500),
        (Standing::Final, 0, 0),
    ] {
        let mut tasks = JoinSet::new();
        for number in 0..60 {
            let gateway = Arc::clone(&gateways[number as usize % 2]);
            tasks.spawn(async move { gateway.judge(key(number / 2 % 10), standing).await });
        }
        assert!(tasks.join_all().await.iter().all(Result::is_ok));
        for gateway in &gateways {
            let books = gateway.books(0).await.unwrap();
            assert_eq!((books.watched, books.frozen), (watched, msat(frozen)));
        }
        check_tables(&server, &database);
    }
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(server.sql(&database, deadlocks), "0");
    check_books(&*gateways[0], 500, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_gateway_freezes_no_other_draws_and_what_is_elsewhere_is_not_promised() {
    let Some(server) = Server::shared() else {
        return;
    };
    let [one, other] = two(&server.database()).await;
    deposit(&*one, on_chain(1, 100)).await;
    deposit(&*one, claim(2, 20)).await;
    let drawn = one.draw(payer(1), msat(60)).await.unwrap();
    assert_eq!(drawn.amount, msat(60));
    one.judge(key(1), Standing::Gone).await.unwrap();
    check_credit(&*other, payer(1), 0).await;
    // Of the 60 that the first holds 20 could be drawn when it gives them back.
    let drawn = other.draw(payer(1), msat(1)).await.unwrap();
    assert_eq!((drawn.amount, drawn.elsewhere), (Msat::ZERO, msat(20)));
    settle(&*one, payer(1), 30, 30).await;
    let drawn = other.draw(payer(1), msat(1)).await.unwrap();
    assert_eq!((drawn.amount, drawn.elsewhere), (Msat::ZERO, Msat::ZERO));
    other.judge(key(1), Standing::Holds).await.unwrap();
    assert_eq!(draw_all(&*one, payer(1)).await, msat(90));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_bound_two_gateways_take_one_payment_where_there_is_room_for_one() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    let gateways = two(&location).await;
    deposit(&*gateways[0], claim(1, 100)).await;
    let database = name(&location);
    let fill = format!(
        "insert into blvm_mesh.watched
        select sha256(n::text::bytea), payer, 0, sha256(n::text::bytea)
        from generate_series(2, {MAX_WATCHED}) n, blvm_mesh.account"
    );
    server.sql(&database, &fill);
    for round in 0..10 {
        let numbers = 100 * (round + 1)..100 * (round + 1) + 32;
        let mut tasks = JoinSet::new();
        for number in numbers {
            // Each gateway's payments are of its own payer, so that no account makes one wait for the other.
            let at = number as usize % 2;
            let (gateway, of) = (Arc::clone(&gateways[at]), payer(2 + at as u8));
            let of = Claim {
                payer: of,
                ..on_chain(number, 10)
            };
            tasks.spawn(async move { (number, gateway.claim(of, tag(number), NOW).await) });
        }
        let (taken, others): (Vec<_>, Vec<_>) = tasks
            .join_all()
            .await
            .into_iter()
            .partition(|(_, told)| *told == Ok(ClaimOutcome::New));
        assert_eq!(taken.len(), 1, "{taken:?}");
        let full = |told: &Result<_, _>| matches!(told, Err(StoreError::Unavailable(_)));
        assert!(others.iter().all(|(_, told)| full(told)), "{others:?}");
        // Makes room for the next.
        let judged = gateways[0].judge(key(taken[0].0), Standing::Final).await;
        assert_eq!(judged, Ok(()));
    }
    check_books(&*gateways[0], 200, 0).await;
    check_tables(&server, &database);
}

/// A number that looks random.
fn dice(seed: u64, most: u64) -> u64 {
    u64::from_le_bytes(bytes(seed)[..8].try_into().unwrap()) % most
}

/// Claims, draws and settles at random, and says what it has spent of whom.
async fn trade(gateway: Arc<MeshStore>, seed: u64) -> HashMap<NodeId, u64> {
    let mut spent = HashMap::new();
    for round in 0..12 {
        let seed = seed * 1_000 + round * 10;
        let of = payer(dice(seed, 8) as u8);
        let number = dice(seed + 1, 300);
        let paid = Claim {
            payer: of,
            on_chain: number.is_multiple_of(2).then(|| tx(number)),
            ..claim(number, 100)
        };
        gateway.claim(paid, tag(seed), NOW).await.unwrap();
        for judged in 0..3 {
            let number = dice(seed + 4 + judged, 150) * 2;
            let standings = [Standing::Gone, Standing::Holds, Standing::Final];
            let standing = standings[dice(seed + 7 + judged, 3) as usize];
            gateway.judge(key(number), standing).await.unwrap();
        }
        let wanted = msat(dice(seed + 2, 200));
        let drawn = gateway.draw(of, wanted).await.unwrap().amount.to_msat();
        let used = dice(seed + 3, drawn + 1);
        settle(&*gateway, of, used, drawn - used).await;
        *spent.entry(of).or_default() += used;
        if round % 3 == 2 {
            gateway.remove_expired(NOW).await.unwrap();
            gateway.reserve_sequences(0).await.unwrap();
        }
    }
    spent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_cross_each_other_never_deadlock_and_lose_nothing() {
    let Some(server) = Server::shared() else {
        return;
    };
    let location = server.database();
    let gateways = two(&location).await;
    let mut tasks = JoinSet::new();
    for seed in 0..64 {
        tasks.spawn(trade(Arc::clone(&gateways[seed % 2]), seed as u64));
    }
    let mut spent: HashMap<NodeId, u64> = HashMap::new();
    for traded in tasks.join_all().await {
        for (of, used) in traded {
            *spent.entry(of).or_default() += used;
        }
    }
    let database = name(&location);
    check_tables(&server, &database);
    for (of, used) in spent {
        let earned = format!("select earned from blvm_mesh.account where payer = '\\x{of}'");
        let earned = server.sql(&database, &earned);
        assert_eq!(
            earned.parse().unwrap_or(0),
            used,
            "all that was booked is earned"
        );
    }
    let drawn = "select sum(drawn) from blvm_mesh.account";
    assert_eq!(
        server.sql(&database, drawn),
        "0",
        "everything was given back"
    );
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(server.sql(&database, deadlocks), "0");
}
