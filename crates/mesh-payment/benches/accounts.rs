//! Credit on the hot path: what every paid packet does to its payer's account.
#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot set up its work has nothing to measure"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use mesh_payment::Accounts;
use mesh_types::{Msat, NodeId};
use parking_lot::Mutex;
use std::{collections::HashMap, hint::black_box};

fn payer(index: u32) -> NodeId {
    let mut bytes = [0x20; 32];
    bytes[..4].copy_from_slice(&index.to_be_bytes());
    bytes[31] = index.to_be_bytes()[3];
    NodeId::from_bytes(bytes)
}

fn open(payers: u32) -> Accounts {
    let accounts = Accounts::default();
    for index in 0..payers {
        let most = Msat::from_msat(u64::MAX / 4);
        assert!(accounts.put_in(payer(index), most).is_ok());
    }
    accounts
}

fn reserve_and_settle(c: &mut Criterion) {
    let one = Msat::from_msat(1);
    for payers in [1, 10_000] {
        let mut group = c.benchmark_group(format!("credit of {payers} payers"));
        let balances: Mutex<HashMap<NodeId, u64>> =
            Mutex::new((0..payers).map(|index| (payer(index), u64::MAX)).collect());
        let mut next = 0;
        group.bench_function("floor: two updates of a locked map", |b| {
            b.iter(|| {
                next = (next + 1) % payers;
                let payer = black_box(payer(next));
                for _ in 0..2 {
                    if let Some(balance) = balances.lock().get_mut(&payer) {
                        *balance -= 1;
                    }
                }
            })
        });
        let accounts = open(payers);
        let mut reserved = || {
            next = (next + 1) % payers;
            accounts.reserve(&black_box(payer(next)), one).unwrap()
        };
        group.bench_function("reserve and commit", |b| {
            b.iter(|| accounts.commit(reserved()))
        });
        group.bench_function("reserve and release", |b| {
            b.iter(|| accounts.release(reserved()))
        });
        group.finish();
    }
}

criterion_group!(benches, reserve_and_settle);
criterion_main!(benches);
