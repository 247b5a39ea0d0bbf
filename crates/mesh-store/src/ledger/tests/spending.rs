use super::*;

fn spent(payments: u64, amount: u64, fee: u64) -> Spent {
    Spent {
        payments,
        amount: Msat::from_msat(amount),
        fee: Msat::from_msat(fee),
    }
}

fn listed(contents: &Contents, filter: SpendingFilter, most: usize) -> Spending {
    let asked = super::super::spending::spending(&mut contents.clone(), filter, most).now_or_wait();
    asked.unwrap()
}

fn verdict(contents: &Contents) -> SpendingVerdict {
    super::super::spending::verify(&mut contents.clone())
        .now_or_wait()
        .unwrap()
}

/// Runs what a test asks of a store in memory.
trait NowOrWait: Future + Sized {
    fn now_or_wait(self) -> Self::Output {
        runtime().block_on(self)
    }
}

impl<T: Future> NowOrWait for T {}

#[test]
fn payments_are_listed_newest_first_and_summed_by_day_and_payee() {
    let all = listed(&small(), SpendingFilter::default(), 10);
    let serials: Vec<_> = all.payments.iter().map(|line| line.serial).collect();
    assert_eq!(serials, [4, 3, 2]);
    assert_eq!(
        all.payees,
        [(payer(4), spent(1, 9, 3)), (payer(5), spent(1, 0, 3))]
    );
    let sums: Vec<_> = all.days.iter().map(|(_, sums)| *sums).collect();
    assert_eq!(sums, [spent(1, 0, 3), spent(1, 9, 3)]);
    assert_eq!(all.total, spent(2, 9, 6));
    let first = listed(&small(), SpendingFilter::default(), 1);
    assert_eq!(
        (first.payments.len(), first.days.len(), first.payees.len()),
        (1, 1, 1)
    );
    assert_eq!(first.total, all.total);
}

#[test]
fn the_payments_of_one_day_or_payee_are_found_however_old() {
    let mut contents = small();
    let many: Vec<_> = (0..200).map(|_| (7, 1, 1)).collect();
    put_payments(&mut contents, &[[(4, 9, 1)].as_slice(), &many].concat());
    let filter = SpendingFilter {
        payee: Some(payer(4)),
        ..SpendingFilter::default()
    };
    let found = listed(&contents, filter, 5);
    assert_eq!(found.payments.len(), 1);
    let day = found.payments.first().map(|line| line.payment.at);
    let filter = SpendingFilter { day, payee: None };
    let on_day = listed(&contents, filter, 5);
    assert_eq!(on_day.payments, found.payments);
    assert_eq!((on_day.days.len(), on_day.total), (1, spent(1, 9, 3)));
}

#[test]
fn sums_that_the_payments_do_not_come_to_are_found() {
    assert_eq!(verdict(&small()).differences, 0);
    let place = *small().spent.keys().next().unwrap();
    type Change = fn(&mut Contents, &(UnixTime, NodeId));
    let changes: [Change; 4] = [
        |contents, place| assert!(contents.spent.remove(place).is_some()),
        |contents, _| drop(contents.payments.pop_first()),
        |contents, place| contents.spent.get_mut(place).unwrap().spent.fee = Msat::ZERO,
        |contents, place| contents.spent.get_mut(place).unwrap().folded.payments = 1,
    ];
    for change in changes {
        let mut contents = small();
        change(&mut contents, &place);
        let found = verdict(&contents);
        assert_eq!(found.differences, 1);
        assert_eq!(found.listed.len(), 1);
        assert_eq!((found.listed[0].day, found.listed[0].payee), place);
    }
    let mut folded = small();
    let line = folded.payments.remove(&2).unwrap();
    folded.spent.get_mut(&place).unwrap().folded = line.payment.spent();
    assert_eq!(verdict(&folded).differences, 0);
}
