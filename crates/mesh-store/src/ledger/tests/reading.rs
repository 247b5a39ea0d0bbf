use super::*;
use crate::ledger::verify::verify_by;

#[test]
fn every_kind_of_difference_is_found() {
    let changes: [fn(&mut Contents); 15] = [
        |books| books.accounts.get_mut(&payer(1)).unwrap().credit = Msat::from_msat(4_801),
        |books| books.accounts.get_mut(&payer(1)).unwrap().deposited = Msat::from_msat(1),
        |books| books.accounts.get_mut(&payer(1)).unwrap().earned = Msat::ZERO,
        |books| books.accounts.get_mut(&payer(1)).unwrap().deposits += 1,
        |books| books.accounts.get_mut(&payer(1)).unwrap().packets += 1,
        |books| {
            books.accounts.remove(&payer(1));
        },
        |books| {
            books.deposits.remove(&3);
        },
        |books| {
            books.debits.pop_first();
        },
        |books| books.accounts.get_mut(&payer(1)).unwrap().frozen = Msat::from_msat(299),
        |books| {
            books.watched.pop_first();
        },
        |books| books.watched.values_mut().next().unwrap().is_frozen = false,
        |books| books.watched.values_mut().next().unwrap().amount = Msat::from_msat(1),
        |books| books.accounts.get_mut(&payer(1)).unwrap().refunded = Msat::from_msat(1_539),
        |books| {
            books.refunds.pop_first();
        },
        |books| books.refunds.values_mut().next().unwrap().fee = Msat::from_msat(19),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut books = small();
        let right = runtime().block_on(verify_by(&mut books, 100, 100)).unwrap();
        assert!(right.is_right() && right.listed.is_empty());
        change(&mut books);
        let verdict = runtime().block_on(verify_by(&mut books, 100, 100)).unwrap();
        assert!(!verdict.is_right(), "change {at}");
        let payers: Vec<_> = verdict.listed.iter().map(|found| found.payer).collect();
        assert_eq!(payers, [payer(1)], "change {at}");
        assert_eq!(
            verdict.listed[0].account,
            books.accounts.get(&payer(1)).copied()
        );
    }
}

#[test]
fn what_is_frozen_of_somebody_without_an_account_is_found() {
    let mut books = small();
    books.put(watched(7, 9, 10, true));
    let verdict = runtime().block_on(verify_by(&mut books, 100, 100)).unwrap();
    assert_eq!(verdict.differences, 1);
    assert_eq!(verdict.listed[0].payer, payer(9));
    assert_eq!(verdict.listed[0].account, None);
    assert_eq!(verdict.listed[0].journal.frozen, Msat::from_msat(10));
    assert_eq!(verdict.journal.frozen, Msat::from_msat(310));
}

#[test]
fn the_sums_of_what_is_watched_are_those_of_its_payments() {
    let watching = runtime().block_on(watching::sum(&mut small())).unwrap();
    let expected = Watching {
        payments: 2,
        amount: Msat::from_msat(7_300),
        frozen: Msat::from_msat(300),
    };
    assert_eq!(watching, expected);
}

#[test]
fn a_payment_that_was_claimed_twice_is_found() {
    let mut books = small();
    let key = books.deposits[&1].key;
    let deposit = books.deposits.get_mut(&3).unwrap();
    deposit.key = key;
    for payments in [1, 2, 100] {
        let verdict = verify_by(&mut books, 100, payments);
        let verdict = runtime().block_on(verdict).unwrap();
        assert!(!verdict.is_right());
        assert_eq!((verdict.differences, verdict.twice.count), (0, 1));
        assert_eq!(verdict.twice.listed, [key]);
    }
}

#[test]
fn an_empty_ledger_has_nothing_and_is_right() {
    runtime().block_on(async {
        let store = Memory::default().open();
        let ledger = store.ledger();
        let overview = ledger.overview(5).await.unwrap();
        assert_eq!(overview.totals, Totals::default());
        assert!(overview.deposits.is_empty() && overview.periods.is_empty());
        assert!(ledger.last_debits(5).await.unwrap().is_empty());
        assert!(ledger.verify().await.unwrap().is_right());
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_last_of_each_list_are_those_of_a_plain_sort(contents in ledgers(), most in 0..12_usize) {
        let mut books = contents.clone();
        let newest: Vec<_> = contents.debits.values().rev().take(most).copied().collect();
        let runtime = runtime();
        prop_assert_eq!(runtime.block_on(debits::last(&mut books, most)).unwrap(), newest);
        let mut periods = BTreeMap::<UnixTime, (u64, u64, u64)>::new();
        for debit in contents.debits.values() {
            let sum = periods.entry(debit.period).or_default();
            *sum = (sum.0 + 1, sum.1 + debit.packets, sum.2 + debit.amount.to_msat());
        }
        let newest: Vec<_> = periods.into_iter().rev().take(most).collect();
        let found = runtime.block_on(debits::last_periods(&mut books, most)).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|found| (found.start, (found.payers, found.packets, found.amount.to_msat())))
            .collect();
        prop_assert_eq!(found, newest);
        let mut largest: Vec<_> = contents.accounts.values().copied().collect();
        largest.sort_by_key(|account| (std::cmp::Reverse(account.earned), account.payer));
        largest.truncate(most);
        prop_assert_eq!(runtime.block_on(payers::largest(&mut books, most)).unwrap(), largest);
        let totals = runtime.block_on(totals::sum(&mut books)).unwrap();
        let deposited: u64 = contents.deposits.values().map(|line| line.amount.to_msat()).sum();
        prop_assert_eq!(totals.deposited.to_msat(), deposited);
    }

    #[test]
    fn walking_often_finds_what_walking_once_does(
        mut contents in ledgers(), at_once in 1..8_usize, payments in 1..8_u64, lost in 0..8_u8, changed in 0..8_u8,
    ) {
        contents.accounts.remove(&payer(lost));
        if let Some(account) = contents.accounts.get_mut(&payer(changed)) {
            account.packets += 1;
        }
        let runtime = runtime();
        let once = runtime.block_on(verify_by(&mut contents.clone(), 1_000, 1_000)).unwrap();
        let often = runtime.block_on(verify_by(&mut contents, at_once, payments)).unwrap();
        prop_assert_eq!(once, often);
    }
}
