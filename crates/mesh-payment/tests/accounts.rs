//! Credit: deposits = credit + reserved + earned (P-14), whatever happens in whatever order.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod issuer;

use issuer::{NOW, Node};
use mesh_payment::{
    AccountError, Accounts, MAX_QUOTE, Reservation, Shortfall, Totals, VerifiedPayment, Verifier,
};
use mesh_types::{Msat, NodeId, PaymentProof, to_hex};
use proptest::prelude::*;
use std::{collections::HashMap, sync::LazyLock, thread};

const PAYERS: usize = 4;
const AMOUNTS: [u64; 4] = [1_000, 7_000, 250_000, 16_777_215_000];
/// What an invoice can ask at most: 2^64 - 1 pico-bitcoin, in whole satoshi.
const HUGE: u64 = 1_844_674_407_370_955_000;

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Node::ours().strict_verifier());
static PROOFS: LazyLock<Vec<[PaymentProof; 4]>> = LazyLock::new(|| {
    let paid = |payer, msat| Node::ours().paid_by(payer, Msat::from_msat(msat));
    (0..PAYERS)
        .map(|index| AMOUNTS.map(|msat| paid(payer(index), msat)))
        .collect()
});

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

/// A payment that was verified just now; whether it was claimed before is nothing that accounts know.
fn payment(payer: usize, amount: usize) -> VerifiedPayment {
    VERIFIER.verify(&PROOFS[payer][amount], NOW).unwrap()
}

/// A payment beyond what a quoter offers, from a node whose wallet alone vouches for its quotes.
fn huge_payment() -> VerifiedPayment {
    let node = Node::ours();
    let mut issued = node.quote_for(payer(0), MAX_QUOTE);
    let most = to_hex(&MAX_QUOTE.to_msat().to_be_bytes());
    let text = issued.request.description;
    issued.request.description = text.replacen(&most, &to_hex(&HUGE.to_be_bytes()), 1);
    issued.request.amount = msat(HUGE);
    let proof = node.draft(&issued).proof();
    node.signature_verifier().verify(&proof, NOW).unwrap()
}

fn assert_conserved(totals: Totals) {
    assert_eq!(
        totals.deposited,
        totals.credit + totals.reserved + totals.earned,
        "{totals:?}"
    );
}

#[test]
fn a_deposit_is_credit_of_its_payer_and_of_nobody_else() {
    let accounts = Accounts::default();
    assert_eq!(accounts.deposit(payment(0, 1)), Ok(msat(7_000)));
    assert_eq!(accounts.deposit(payment(0, 0)), Ok(msat(8_000)));
    assert_eq!(accounts.credit(&payer(0)), msat(8_000));
    assert_eq!(accounts.credit(&payer(1)), Msat::ZERO);
    assert_eq!(accounts.credits(), [(payer(0), msat(8_000))]);
}

#[test]
fn a_packet_that_was_carried_is_earned() {
    let accounts = Accounts::default();
    accounts.deposit(payment(0, 1)).unwrap();
    let reservation = accounts.reserve(&payer(0), msat(2_500)).unwrap();
    assert_eq!(reservation.amount(), msat(2_500));
    assert_eq!(accounts.credit(&payer(0)), msat(4_500));
    accounts.commit(reservation);
    let expected = Totals {
        deposited: 7_000,
        credit: 4_500,
        reserved: 0,
        earned: 2_500,
        accounts: 1,
    };
    assert_eq!(accounts.totals(), expected);
}

#[test]
fn a_packet_that_was_not_carried_costs_nothing() {
    let accounts = Accounts::default();
    accounts.deposit(payment(0, 1)).unwrap();
    let before = accounts.totals();
    let reservation = accounts.reserve(&payer(0), msat(7_000)).unwrap();
    assert_eq!(accounts.totals().reserved, 7_000);
    accounts.release(reservation);
    assert_eq!(accounts.totals(), before);
}

#[test]
fn credit_that_is_reserved_cannot_be_reserved_again() {
    let accounts = Accounts::default();
    accounts.deposit(payment(0, 1)).unwrap();
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
fn an_account_that_is_used_up_is_dropped_and_its_place_is_free() {
    let accounts = Accounts::with_limit(1);
    accounts.deposit(payment(0, 1)).unwrap();
    let all = accounts.reserve(&payer(0), msat(7_000)).unwrap();
    // What is reserved may come back, so the account stays.
    assert_eq!(accounts.totals().accounts, 1);
    assert_eq!(
        accounts.check_room(&payer(1), msat(1)),
        Err(AccountError::Full)
    );
    accounts.commit(all);
    assert_eq!(accounts.totals().accounts, 0);
    assert_eq!(accounts.check_room(&payer(1), msat(1)), Ok(()));
    accounts.deposit(payment(1, 0)).unwrap();
    assert_conserved(accounts.totals());
}

#[test]
fn an_account_stays_while_anything_of_it_is_reserved() {
    let accounts = Accounts::default();
    accounts.deposit(payment(0, 1)).unwrap();
    let carried = accounts.reserve(&payer(0), msat(3_000)).unwrap();
    let dropped = accounts.reserve(&payer(0), msat(4_000)).unwrap();
    accounts.commit(carried);
    accounts.release(dropped);
    assert_eq!(accounts.credit(&payer(0)), msat(4_000));
    assert_conserved(accounts.totals());
}

#[test]
fn at_the_limit_new_payers_get_their_payment_back_and_old_ones_may_deposit() {
    let accounts = Accounts::with_limit(2);
    accounts.deposit(payment(0, 0)).unwrap();
    accounts.deposit(payment(1, 0)).unwrap();
    let before = accounts.totals();
    assert_eq!(
        accounts.check_room(&payer(2), msat(1)),
        Err(AccountError::Full)
    );
    let (error, back) = accounts.deposit(payment(2, 2)).unwrap_err();
    assert_eq!(error, AccountError::Full);
    assert_eq!(back, payment(2, 2));
    assert_eq!(accounts.totals(), before);
    assert_eq!(accounts.deposit(payment(1, 0)), Ok(msat(2_000)));
    assert_eq!(accounts.totals().accounts, 2);
}

#[test]
fn a_balance_stops_where_an_amount_does_with_what_is_reserved_counted_in() {
    let accounts = Accounts::default();
    let mut balance = 0;
    for _ in 0..10 {
        balance += HUGE;
        assert_eq!(accounts.deposit(huge_payment()), Ok(msat(balance)));
    }
    let room = u64::MAX - balance;
    assert!(room < HUGE);
    // Setting all but nothing aside makes no room: it may come back.
    let reserved = accounts.reserve(&payer(0), msat(balance - 1)).unwrap();
    assert_eq!(accounts.check_room(&payer(0), msat(room)), Ok(()));
    assert_eq!(
        accounts.check_room(&payer(0), msat(room + 1)),
        Err(AccountError::Overflow)
    );
    let (error, back) = accounts.deposit(huge_payment()).unwrap_err();
    assert_eq!(error, AccountError::Overflow);
    assert_eq!(back, huge_payment());
    assert_conserved(accounts.totals());
    accounts.release(reserved);
    assert_eq!(accounts.credit(&payer(0)), msat(balance));
    assert_conserved(accounts.totals());
}

#[test]
fn sums_over_many_payers_exceed_what_one_amount_holds() {
    let accounts = Accounts::default();
    for _ in 0..20 {
        accounts.deposit(huge_payment()).unwrap();
        let all = accounts.reserve(&payer(0), msat(HUGE)).unwrap();
        accounts.commit(all);
    }
    assert_eq!(accounts.totals().earned, 20 * u128::from(HUGE));
    assert_conserved(accounts.totals());
}

#[test]
fn a_reservation_from_other_books_moves_nothing() {
    let (ours, others) = (Accounts::default(), Accounts::default());
    others.deposit(payment(0, 2)).unwrap();
    let foreign = || others.reserve(&payer(0), msat(1_000)).unwrap();
    ours.commit(foreign());
    ours.release(foreign());
    assert_eq!(ours.totals(), Totals::default());
    ours.deposit(payment(0, 1)).unwrap();
    ours.commit(foreign());
    ours.release(foreign());
    assert_eq!(ours.credit(&payer(0)), msat(7_000));
    assert_conserved(ours.totals());
}

#[test]
fn payers_in_parallel_lose_and_mint_nothing() {
    const ROUNDS: u64 = 200;
    let accounts = Accounts::default();
    let _ = &*PROOFS;
    thread::scope(|scope| {
        for worker in 0..8 {
            let accounts = &accounts;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let index = (worker + round as usize) % PAYERS;
                    accounts.deposit(payment(index, 0)).unwrap();
                    let Ok(reservation) = accounts.reserve(&payer(index), msat(600)) else {
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
    });
    let totals = accounts.totals();
    assert_eq!(totals.deposited, u128::from(8 * ROUNDS * 1_000));
    assert_eq!(totals.reserved, 0);
    assert_conserved(totals);
    let credits: u64 = accounts
        .credits()
        .iter()
        .map(|(_, credit)| credit.to_msat())
        .sum();
    assert_eq!(u128::from(credits), totals.credit);
}

#[test]
fn payers_in_parallel_never_open_more_accounts_than_the_limit() {
    const LIMIT: usize = 10;
    let proofs: Vec<PaymentProof> = (0..40)
        .map(|index| Node::ours().paid_by(payer(index), msat(1_000)))
        .collect();
    let accounts = Accounts::with_limit(LIMIT);
    let opened: usize = thread::scope(|scope| {
        let workers: Vec<_> = proofs
            .chunks(10)
            .map(|chunk| {
                let deposit = |proof| accounts.deposit(VERIFIER.verify(proof, NOW).unwrap());
                scope.spawn(move || chunk.iter().filter(|proof| deposit(proof).is_ok()).count())
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    });
    assert_eq!(opened, LIMIT);
    assert_eq!(accounts.totals().accounts, LIMIT);
    assert_eq!(accounts.totals().deposited, LIMIT as u128 * 1_000);
}

#[derive(Debug, Clone)]
enum Step {
    Deposit { payer: usize, amount: usize },
    Reserve { payer: usize, msat: u64 },
    Commit(prop::sample::Index),
    Release(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    // Whole multiples often use an account up to the last millisatoshi.
    let whole = (0..9u64).prop_map(|count| count * 1_000);
    let amount = prop_oneof![3 => whole, 1 => 0..300_000u64, 1 => any::<u64>()];
    prop_oneof![
        (0..PAYERS, 0..AMOUNTS.len()).prop_map(|(payer, amount)| Step::Deposit { payer, amount }),
        (0..PAYERS, amount).prop_map(|(payer, msat)| Step::Reserve { payer, msat }),
        any::<prop::sample::Index>().prop_map(Step::Commit),
        any::<prop::sample::Index>().prop_map(Step::Release),
    ]
}

/// The books as one would keep them on paper.
#[derive(Debug, Default)]
struct Paper {
    credit: HashMap<NodeId, u128>,
    reserved: HashMap<NodeId, u128>,
    deposited: u128,
    earned: u128,
}

impl Paper {
    fn totals(&self) -> Totals {
        let open = |payer: &NodeId| {
            let entry = |column: &HashMap<NodeId, u128>| column.get(payer).copied().unwrap_or(0);
            entry(&self.credit) + entry(&self.reserved) > 0
        };
        Totals {
            deposited: self.deposited,
            credit: self.credit.values().sum(),
            reserved: self.reserved.values().sum(),
            earned: self.earned,
            accounts: (0..PAYERS).map(payer).filter(open).count(),
        }
    }

    fn move_reserved(&mut self, payer: NodeId, amount: u128) {
        *self.reserved.get_mut(&payer).unwrap() -= amount;
    }
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
                Step::Deposit { payer: index, amount } => {
                    let (id, sum) = (payer(index), AMOUNTS[amount]);
                    let open = paper.totals().accounts;
                    let known = accounts.credits().iter().any(|(other, _)| *other == id);
                    let room = accounts.check_room(&id, msat(sum));
                    match accounts.deposit(payment(index, amount)) {
                        Ok(balance) => {
                            prop_assert!(known || open < limit);
                            prop_assert_eq!(room, Ok(()));
                            *paper.credit.entry(id).or_default() += u128::from(sum);
                            paper.deposited += u128::from(sum);
                            prop_assert_eq!(u128::from(balance.to_msat()), paper.credit[&id]);
                        }
                        Err((error, back)) => {
                            prop_assert!(!known && open == limit);
                            prop_assert_eq!(room, Err(error));
                            prop_assert_eq!(error, AccountError::Full);
                            prop_assert_eq!(back, payment(index, amount));
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
                    if sum > 0 {
                        paper.move_reserved(id, sum);
                    }
                    paper.earned += sum;
                    accounts.commit(reservation);
                }
                Step::Release(index) => {
                    let (id, reservation) = held.swap_remove(index.index(held.len()));
                    let sum = u128::from(reservation.amount().to_msat());
                    if sum > 0 {
                        paper.move_reserved(id, sum);
                        *paper.credit.get_mut(&id).unwrap() += sum;
                    }
                    accounts.release(reservation);
                }
            }
            let totals = accounts.totals();
            prop_assert_eq!(totals, paper.totals());
            prop_assert_eq!(totals.deposited, totals.credit + totals.reserved + totals.earned);
        }
    }
}
