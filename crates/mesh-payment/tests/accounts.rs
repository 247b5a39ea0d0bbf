//! Credit in hand: put in = credit + reserved + earned + given back (P-14), whatever happens in whatever order.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

use mesh_payment::{AccountError, Accounts, Reservation, Shortfall, Totals};
use mesh_types::{Msat, NodeId, Settlement};
use proptest::prelude::*;
use std::{collections::HashMap, thread};

const PAYERS: usize = 4;
const AMOUNTS: [u64; 4] = [1_000, 7_000, 250_000, 16_777_215_000];

fn payer(index: usize) -> NodeId {
    let mut bytes = [0x20; 32];
    // Some share a shard, some do not.
    bytes[..8].copy_from_slice(&(index as u64).to_be_bytes());
    bytes[31] = u8::from(index.is_multiple_of(2));
    NodeId::from_bytes(bytes)
}

fn msat(msat: u64) -> Msat {
    Msat::from_msat(msat)
}

/// Accounts in which payer 0 has so much.
fn with(amount: u64) -> Accounts {
    let accounts = Accounts::default();
    accounts.put_in(payer(0), msat(amount)).unwrap();
    accounts
}

fn assert_conserved(totals: Totals) {
    assert_eq!(
        totals.put_in,
        totals.credit + totals.reserved + totals.earned + totals.given_back,
        "{totals:?}"
    );
}

#[test]
fn what_is_put_in_is_credit_of_its_payer_and_of_nobody_else() {
    let accounts = Accounts::default();
    assert_eq!(accounts.put_in(payer(0), msat(7_000)), Ok(msat(7_000)));
    assert_eq!(accounts.put_in(payer(0), msat(1_000)), Ok(msat(8_000)));
    assert_eq!(accounts.credit(&payer(0)), msat(8_000));
    assert_eq!(accounts.credit(&payer(1)), Msat::ZERO);
}

#[test]
fn putting_in_nothing_opens_no_account() {
    let accounts = Accounts::with_limit(1);
    assert_eq!(accounts.put_in(payer(0), Msat::ZERO), Ok(Msat::ZERO));
    assert_eq!(accounts.totals(), Totals::default());
}

#[test]
fn a_packet_that_was_carried_is_earned_and_waits_to_be_settled() {
    let accounts = with(7_000);
    let reservation = accounts.reserve(&payer(0), msat(2_500)).unwrap();
    assert_eq!(reservation.amount(), msat(2_500));
    assert_eq!(accounts.credit(&payer(0)), msat(4_500));
    accounts.commit(reservation);
    let expected = Totals {
        put_in: 7_000,
        credit: 4_500,
        earned: 2_500,
        unsettled: 2_500,
        accounts: 1,
        ..Totals::default()
    };
    assert_eq!(accounts.totals(), expected);
    assert_eq!(accounts.pending(&payer(0)), msat(2_500));
}

#[test]
fn a_packet_that_was_not_carried_costs_nothing() {
    let accounts = with(7_000);
    let before = accounts.totals();
    let reservation = accounts.reserve(&payer(0), msat(7_000)).unwrap();
    assert_eq!(accounts.totals().reserved, 7_000);
    accounts.release(reservation);
    assert_eq!(accounts.totals(), before);
    assert_eq!(accounts.take_earned(), []);
}

#[test]
fn credit_that_is_reserved_cannot_be_reserved_again() {
    let accounts = with(7_000);
    let first = accounts.reserve(&payer(0), msat(5_000)).unwrap();
    let expected = Shortfall {
        available: msat(2_000),
        missing: msat(3_000),
    };
    assert_eq!(accounts.reserve(&payer(0), msat(5_000)), Err(expected));
    assert_eq!(accounts.credit(&payer(0)), msat(2_000));
    accounts.commit(first);
    assert_eq!(accounts.totals().earned, 5_000);
}

#[test]
fn a_payer_without_an_account_lacks_the_whole_amount() {
    let accounts = Accounts::default();
    let expected = Shortfall {
        available: Msat::ZERO,
        missing: Msat::MAX,
    };
    assert_eq!(accounts.reserve(&payer(0), Msat::MAX), Err(expected));
    assert_eq!(accounts.totals(), Totals::default());
}

#[test]
fn nothing_can_be_reserved_and_settled_by_anybody() {
    let accounts = Accounts::default();
    let free = accounts.reserve(&payer(0), Msat::ZERO).unwrap();
    accounts.commit(free);
    let free = accounts.reserve(&payer(0), Msat::ZERO).unwrap();
    accounts.release(free);
    assert_eq!(accounts.totals(), Totals::default());
}

#[test]
fn what_was_earned_is_settled_once_payer_by_payer() {
    let accounts = with(7_000);
    accounts.put_in(payer(1), msat(1_000)).unwrap();
    for amount in [2_000, 500] {
        let reservation = accounts.reserve(&payer(0), msat(amount)).unwrap();
        accounts.commit(reservation);
    }
    let expected = Settlement {
        payer: payer(0),
        spent: msat(2_500),
        packets: 2,
        back: Msat::ZERO,
    };
    assert_eq!(accounts.take_earned(), [expected]);
    assert_eq!(accounts.take_earned(), []);
    assert_eq!(accounts.totals().unsettled, 0);
    assert_eq!(accounts.totals().earned, 2_500);
}

#[test]
fn an_account_that_is_used_up_stays_until_it_is_settled_and_its_place_is_free_then() {
    let accounts = Accounts::with_limit(1);
    accounts.put_in(payer(0), msat(7_000)).unwrap();
    let all = accounts.reserve(&payer(0), msat(7_000)).unwrap();
    let full = Err(AccountError::Full);
    assert_eq!(accounts.put_in(payer(1), msat(1)), full);
    accounts.commit(all);
    assert_eq!(accounts.put_in(payer(1), msat(1)), full);
    assert_eq!(accounts.take_earned().len(), 1);
    assert_eq!(accounts.totals().accounts, 0);
    accounts.put_in(payer(1), msat(1_000)).unwrap();
    assert_conserved(accounts.totals());
}

#[test]
fn credit_that_nobody_used_between_two_looks_is_given_back() {
    let accounts = with(7_000);
    accounts.put_in(payer(1), msat(1_000)).unwrap();
    assert_eq!(accounts.take_idle(false), []);
    let used = accounts.reserve(&payer(0), msat(3_000)).unwrap();
    let back = |payer, amount| Settlement {
        payer,
        spent: Msat::ZERO,
        packets: 0,
        back: msat(amount),
    };
    assert_eq!(accounts.take_idle(false), [back(payer(1), 1_000)]);
    assert_eq!(accounts.credit(&payer(1)), Msat::ZERO);
    // What is set aside for a packet on its way stays in hand.
    assert_eq!(accounts.take_idle(true), [back(payer(0), 4_000)]);
    accounts.release(used);
    assert_eq!(accounts.credit(&payer(0)), msat(3_000));
    assert_conserved(accounts.totals());
}

#[test]
fn one_payers_credit_is_taken_back_but_for_what_is_set_aside_or_not_settled() {
    let accounts = Accounts::with_limit(2);
    for index in [0, 1] {
        accounts.put_in(payer(index), msat(7_000)).unwrap();
    }
    let back = |amount| {
        Some(Settlement {
            payer: payer(0),
            spent: Msat::ZERO,
            packets: 0,
            back: msat(amount),
        })
    };
    assert_eq!(accounts.take_back(&payer(2)), None);
    let on_its_way = accounts.reserve(&payer(0), msat(3_000)).unwrap();
    assert_eq!(accounts.take_back(&payer(0)), back(4_000));
    assert_eq!(accounts.take_back(&payer(0)), None);
    assert_eq!(accounts.credit(&payer(0)), Msat::ZERO);
    assert_eq!(accounts.credit(&payer(1)), msat(7_000));
    accounts.release(on_its_way);
    let carried = accounts.reserve(&payer(0), msat(1_000)).unwrap();
    accounts.commit(carried);
    assert_eq!(accounts.take_back(&payer(0)), back(2_000));
    assert_eq!(accounts.totals().given_back, 6_000);
    assert_conserved(accounts.totals());
    // What was spent keeps its account until it is settled; an account with nothing left gives its place up.
    let full = Err(AccountError::Full);
    assert_eq!(accounts.put_in(payer(2), msat(1)), full);
    assert_eq!(accounts.take_earned().len(), 1);
    accounts.put_in(payer(2), msat(1)).unwrap();
    assert!(accounts.take_back(&payer(2)).is_some());
    accounts.put_in(payer(3), msat(1)).unwrap();
}

#[test]
fn what_is_revoked_can_be_neither_spent_nor_settled() {
    let accounts = with(7_000);
    let carried = accounts.reserve(&payer(0), msat(1_000)).unwrap();
    accounts.commit(carried);
    let on_its_way = accounts.reserve(&payer(0), msat(2_000)).unwrap();
    accounts.revoke();
    assert_eq!(accounts.credit(&payer(0)), Msat::ZERO);
    assert_eq!(accounts.take_earned(), []);
    accounts.put_in(payer(0), msat(500)).unwrap();
    accounts.commit(on_its_way);
    assert_eq!(accounts.take_earned(), []);
    assert_eq!(accounts.credit(&payer(0)), msat(500));
    assert_conserved(accounts.totals());
}

#[test]
fn at_the_limit_new_payers_are_refused_and_known_ones_may_have_more() {
    let accounts = Accounts::with_limit(2);
    accounts.put_in(payer(0), msat(1_000)).unwrap();
    accounts.put_in(payer(1), msat(1_000)).unwrap();
    let before = accounts.totals();
    assert_eq!(accounts.put_in(payer(2), msat(1)), Err(AccountError::Full));
    assert_eq!(accounts.totals(), before);
    assert_eq!(accounts.put_in(payer(1), msat(1_000)), Ok(msat(2_000)));
    assert_eq!(accounts.totals().accounts, 2);
}

#[test]
fn a_balance_stops_where_an_amount_does_with_what_is_reserved_and_spent_counted_in() {
    let accounts = with(u64::MAX - 10);
    // Setting all but nothing aside makes no room: it may come back. Nor does spending it: it has to be settled.
    let reserved = accounts.reserve(&payer(0), msat(u64::MAX / 2)).unwrap();
    let spent = accounts.reserve(&payer(0), msat(1_000)).unwrap();
    accounts.commit(spent);
    let overflow = Err(AccountError::Overflow);
    assert_eq!(accounts.put_in(payer(0), msat(11)), overflow);
    assert!(accounts.put_in(payer(0), msat(10)).is_ok());
    accounts.release(reserved);
    assert_eq!(accounts.credit(&payer(0)), msat(u64::MAX - 1_000));
    assert_conserved(accounts.totals());
}

#[test]
fn sums_over_time_exceed_what_one_amount_holds() {
    let accounts = Accounts::default();
    for _ in 0..3 {
        accounts.put_in(payer(0), Msat::MAX).unwrap();
        let all = accounts.reserve(&payer(0), Msat::MAX).unwrap();
        accounts.commit(all);
        assert_eq!(accounts.take_earned().len(), 1);
    }
    assert_eq!(accounts.totals().earned, 3 * u128::from(u64::MAX));
    assert_conserved(accounts.totals());
}

#[test]
fn a_reservation_from_other_books_moves_nothing() {
    let (ours, others) = (Accounts::default(), with(250_000));
    let foreign = || others.reserve(&payer(0), msat(1_000)).unwrap();
    ours.commit(foreign());
    ours.release(foreign());
    assert_eq!(ours.totals(), Totals::default());
    ours.put_in(payer(0), msat(7_000)).unwrap();
    ours.commit(foreign());
    ours.release(foreign());
    assert_eq!(ours.credit(&payer(0)), msat(7_000));
    assert_conserved(ours.totals());
}

#[test]
fn payers_in_parallel_lose_and_mint_nothing_while_they_are_settled() {
    const ROUNDS: u64 = 200;
    let accounts = Accounts::default();
    let settled: u64 = thread::scope(|scope| {
        for worker in 0..8 {
            let accounts = &accounts;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let id = payer((worker + round as usize) % PAYERS);
                    accounts.put_in(id, msat(1_000)).unwrap();
                    let Ok(reservation) = accounts.reserve(&id, msat(600)) else {
                        continue;
                    };
                    if round.is_multiple_of(3) {
                        accounts.release(reservation);
                    } else {
                        accounts.commit(reservation);
                    }
                }
            });
        }
        let settler = scope.spawn(|| {
            let rounds = (0..100).flat_map(|_| accounts.take_earned());
            rounds.map(|entry| entry.spent.to_msat()).sum::<u64>()
        });
        settler.join().unwrap()
    });
    let last: u64 = accounts
        .take_earned()
        .iter()
        .map(|entry| entry.spent.to_msat())
        .sum();
    let totals = accounts.totals();
    assert_eq!(totals.put_in, u128::from(8 * ROUNDS * 1_000));
    assert_eq!(totals.earned, u128::from(settled + last));
    assert_eq!((totals.reserved, totals.unsettled), (0, 0));
    assert_conserved(totals);
}

#[test]
fn payers_in_parallel_never_open_more_accounts_than_the_limit() {
    const LIMIT: usize = 10;
    let accounts = Accounts::with_limit(LIMIT);
    let opened: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let put_in = |index| accounts.put_in(payer(index), msat(1_000)).is_ok();
                scope.spawn(move || {
                    let own = worker * 10..(worker + 1) * 10;
                    own.filter(|index| put_in(*index)).count()
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    });
    assert_eq!(opened, LIMIT);
    assert_eq!(accounts.totals().accounts, LIMIT);
    assert_eq!(accounts.totals().put_in, LIMIT as u128 * 1_000);
}

#[derive(Debug, Clone)]
enum Step {
    PutIn { payer: usize, amount: usize },
    Reserve { payer: usize, msat: u64 },
    Commit(prop::sample::Index),
    Release(prop::sample::Index),
    TakeEarned,
    TakeEverything,
}

fn step() -> impl Strategy<Value = Step> {
    // Whole multiples often use an account up to the last millisatoshi.
    let whole = (0..9u64).prop_map(|count| count * 1_000);
    let amount = prop_oneof![3 => whole, 1 => 0..300_000u64, 1 => any::<u64>()];
    prop_oneof![
        3 => (0..PAYERS, 0..AMOUNTS.len()).prop_map(|(payer, amount)| Step::PutIn { payer, amount }),
        3 => (0..PAYERS, amount).prop_map(|(payer, msat)| Step::Reserve { payer, msat }),
        3 => any::<prop::sample::Index>().prop_map(Step::Commit),
        2 => any::<prop::sample::Index>().prop_map(Step::Release),
        1 => Just(Step::TakeEarned),
        1 => Just(Step::TakeEverything),
    ]
}

/// The books as one would keep them on paper, a column for each word.
#[derive(Debug, Default)]
struct Paper {
    credit: HashMap<NodeId, u128>,
    reserved: HashMap<NodeId, u128>,
    spent: HashMap<NodeId, u128>,
    put_in: u128,
    earned: u128,
    given_back: u128,
}

impl Paper {
    fn is_open(&self, payer: &NodeId) -> bool {
        let entry = |column: &HashMap<NodeId, u128>| column.get(payer).copied().unwrap_or(0);
        entry(&self.credit) + entry(&self.reserved) + entry(&self.spent) > 0
    }

    fn totals(&self) -> Totals {
        Totals {
            put_in: self.put_in,
            credit: self.credit.values().sum(),
            reserved: self.reserved.values().sum(),
            earned: self.earned,
            unsettled: self.spent.values().sum(),
            given_back: self.given_back,
            accounts: (0..PAYERS)
                .map(payer)
                .filter(|payer| self.is_open(payer))
                .count(),
        }
    }

    fn unreserve(&mut self, payer: NodeId, amount: u128) {
        if amount > 0 {
            *self.reserved.get_mut(&payer).unwrap() -= amount;
        }
    }
}

/// What is taken out of a column of the paper has to be what `taken` says.
fn compare(
    column: &mut HashMap<NodeId, u128>,
    taken: &[Settlement],
    amount: fn(&Settlement) -> Msat,
) {
    column.retain(|_, sum| *sum > 0);
    let said: HashMap<_, _> = taken
        .iter()
        .map(|entry| (entry.payer, u128::from(amount(entry).to_msat())))
        .collect();
    assert_eq!(said, std::mem::take(column));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn accounts_keep_the_books_that_paper_would(
        limit in 1..=PAYERS,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let accounts = Accounts::with_limit(limit);
        let mut paper = Paper::default();
        let mut held: Vec<(NodeId, Reservation)> = Vec::new();
        for step in steps {
            match step {
                Step::PutIn { payer: index, amount } => {
                    let (id, sum) = (payer(index), AMOUNTS[amount]);
                    let fits = paper.is_open(&id) || paper.totals().accounts < limit;
                    match accounts.put_in(id, msat(sum)) {
                        Ok(balance) => {
                            prop_assert!(fits);
                            *paper.credit.entry(id).or_default() += u128::from(sum);
                            paper.put_in += u128::from(sum);
                            prop_assert_eq!(u128::from(balance.to_msat()), paper.credit[&id]);
                        }
                        Err(error) => {
                            prop_assert!(!fits);
                            prop_assert_eq!(error, AccountError::Full);
                        }
                    }
                }
                Step::Reserve { payer: index, msat: sum } => {
                    let id = payer(index);
                    let credit = paper.credit.get(&id).copied().unwrap_or(0);
                    match accounts.reserve(&id, msat(sum)) {
                        Ok(reservation) => {
                            prop_assert!(credit >= u128::from(sum));
                            prop_assert_eq!(reservation.amount(), msat(sum));
                            if sum > 0 {
                                *paper.credit.get_mut(&id).unwrap() -= u128::from(sum);
                                *paper.reserved.entry(id).or_default() += u128::from(sum);
                            }
                            held.push((id, reservation));
                        }
                        Err(short) => {
                            prop_assert_eq!(u128::from(short.available.to_msat()), credit);
                            let lacks = u128::from(sum) - credit;
                            prop_assert_eq!(u128::from(short.missing.to_msat()), lacks);
                        }
                    }
                }
                Step::Commit(_) | Step::Release(_) if held.is_empty() => {}
                Step::Commit(index) => {
                    let (id, reservation) = held.swap_remove(index.index(held.len()));
                    let sum = u128::from(reservation.amount().to_msat());
                    paper.unreserve(id, sum);
                    *paper.spent.entry(id).or_default() += sum;
                    paper.earned += sum;
                    accounts.commit(reservation);
                }
                Step::Release(index) => {
                    let (id, reservation) = held.swap_remove(index.index(held.len()));
                    let sum = u128::from(reservation.amount().to_msat());
                    paper.unreserve(id, sum);
                    *paper.credit.entry(id).or_default() += sum;
                    accounts.release(reservation);
                }
                Step::TakeEarned => {
                    compare(&mut paper.spent, &accounts.take_earned(), |entry| entry.spent);
                }
                Step::TakeEverything => {
                    paper.given_back += paper.credit.values().sum::<u128>();
                    compare(&mut paper.credit, &accounts.take_idle(true), |entry| entry.back);
                }
            }
            let totals = accounts.totals();
            prop_assert_eq!(totals, paper.totals());
            assert_conserved(totals);
        }
    }
}
