//! A ledger that anybody can read, beside the store, under whatever comes.

use super::*;
use mesh_types::{CLAIM_SKEW, MAX_BALANCE, PaymentOutcome, Refund, RefundBegun, RefundEnd};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::task::JoinSet;

/// Lets `cases` random stories happen to fresh stores of `place`, and to a reference ledger beside each.
pub(crate) fn agrees<P: Place>(cases: u32, place: impl Fn() -> Option<P>) {
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runner
        .run(&vec(step(), 1..60), |steps| {
            match place() {
                Some(place) => runtime.block_on(live(place, steps)),
                None => println!("skipped: this kind of store is not installed here"),
            }
            Ok(())
        })
        .unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Claim(Ask),
    Together(Vec<Ask>),
    RemoveExpired {
        hours: u8,
    },
    /// All at once, of each payment one.
    Judge(Vec<(u64, Standing)>),
    Draw {
        of: u8,
        wanted: u64,
    },
    Settle(Vec<(u8, u64, u64)>),
    KeepIdentity(u8),
    Reserve {
        at_least: u64,
    },
    KeepProof {
        payee: u8,
        number: u64,
    },
    ForgetProof {
        payee: u8,
        number: u64,
    },
    /// All at once, of each payment hash one.
    BeginRefunds(Vec<(u64, u8, u64)>),
    /// With the fee that it cost, or failed.
    EndRefund {
        number: u64,
        of: u8,
        fee: Option<u64>,
    },
    Crash,
    Reopen,
}

#[derive(Debug, Clone)]
struct Ask {
    number: u64,
    of: u8,
    amount: u64,
    hours: u8,
    by: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let small = 0..100_u64;
    prop_oneof![
        6 => ask().prop_map(Step::Claim),
        2 => vec(ask(), 1..8).prop_map(Step::Together),
        1 => (0..6_u8).prop_map(|hours| Step::RemoveExpired { hours }),
        4 => vec((0..14_u64, standing()), 1..4).prop_map(Step::Judge),
        4 => (0..3_u8, small.clone()).prop_map(|(of, wanted)| Step::Draw { of, wanted }),
        4 => vec((0..4_u8, small.clone(), small), 0..4).prop_map(Step::Settle),
        1 => any::<u8>().prop_map(Step::KeepIdentity),
        1 => (0..100_000_u64).prop_map(|at_least| Step::Reserve { at_least }),
        1 => (0..2_u8, 0..3_u64).prop_map(|(payee, number)| Step::KeepProof { payee, number }),
        1 => (0..2_u8, 0..3_u64).prop_map(|(payee, number)| Step::ForgetProof { payee, number }),
        3 => vec((0..6_u64, 0..3_u8, refunded()), 1..4).prop_map(Step::BeginRefunds),
        3 => (0..6_u64, 0..3_u8, proptest::option::of(0..40_u64))
            .prop_map(|(number, of, fee)| Step::EndRefund { number, of, fee }),
        1 => Just(Step::Crash),
        1 => Just(Step::Reopen),
    ]
}

fn refunded() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0..400_u64,
        1 => Just(MAX_BALANCE.to_msat() / 2 - REFUND_FEE),
    ]
}

/// The most that routing may cost each refund.
const REFUND_FEE: u64 = 20;

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        3 => Just(Standing::Gone),
        2 => Just(Standing::Holds),
        1 => Just(Standing::Final),
    ]
}

/// Whether payment `number` is one on the chain.
fn is_on_chain(number: u64) -> bool {
    number.is_multiple_of(2)
}

fn ask() -> impl Strategy<Value = Ask> {
    let amount = prop_oneof![
        8 => 0..1_000_u64,
        1 => Just(MAX_BALANCE.to_msat() / 2),
    ];
    (0..12_u64, 0..3_u8, amount, 0..6_u8, 0..3_u64).prop_map(|(number, of, amount, hours, by)| {
        Ask {
            number,
            of,
            amount,
            hours,
            by,
        }
    })
}

impl Ask {
    fn claim(&self) -> Claim {
        Claim {
            key: key(self.number),
            payer: payer(self.of),
            amount: msat(self.amount),
            expires_at: hour(self.hours),
            on_chain: is_on_chain(self.number).then(|| tx(self.number)),
        }
    }

    fn tag(&self) -> PacketTag {
        if self.by == NO_PACKET {
            PacketTag::NONE
        } else {
            tag(self.by)
        }
    }
}

/// In [`Ask::by`]: the wallet's word alone.
const NO_PACKET: u64 = 0;

fn hour(hours: u8) -> UnixTime {
    NOW.plus(Duration::from_secs(3_600) * u32::from(hours))
}

/// What the store ought to say.
#[derive(Default)]
struct Ledger {
    claims: BTreeMap<u64, (u64, UnixTime)>,
    accounts: BTreeMap<u8, Account>,
    watched: BTreeMap<u64, (u8, u64, bool)>,
    swept_at: UnixTime,
    identity: Option<u8>,
    next_sequence: u64,
    proofs: BTreeSet<(u8, u64)>,
    refunds: BTreeMap<u64, Refund>,
}

#[derive(Default, Clone, Copy)]
struct Account {
    credit: u64,
    earned: u64,
    drawn: u64,
}

impl Ledger {
    fn claim(&mut self, ask: &Ask) -> Result<ClaimOutcome, StoreError> {
        if let Some((by, _)) = self.claims.get_mut(&ask.number) {
            if *by == NO_PACKET {
                *by = ask.by;
            }
            return Ok(if *by == ask.by {
                ClaimOutcome::Again
            } else {
                ClaimOutcome::AlreadyClaimed
            });
        }
        if self.watched.contains_key(&ask.number) {
            return Ok(ClaimOutcome::AlreadyClaimed);
        }
        let expires_at = hour(ask.hours);
        if expires_at.plus(CLAIM_SKEW) <= self.swept_at {
            return Err(StoreError::Expired(expires_at));
        }
        let had = self.account(ask.of).credit;
        if had + ask.amount > MAX_BALANCE.to_msat() {
            return Err(StoreError::TooMuch(msat(ask.amount)));
        }
        self.accounts.entry(ask.of).or_default().credit += ask.amount;
        self.claims.insert(ask.number, (ask.by, expires_at));
        if is_on_chain(ask.number) {
            let watched = (ask.of, ask.amount, false);
            self.watched.insert(ask.number, watched);
        }
        Ok(ClaimOutcome::New)
    }

    fn judge(&mut self, number: u64, standing: Standing) {
        if standing == Standing::Final {
            self.watched.remove(&number);
        } else if let Some(watched) = self.watched.get_mut(&number) {
            watched.2 = standing == Standing::Gone;
        }
    }

    fn frozen(&self, of: u8) -> u64 {
        let gone = self.watched.values();
        let gone = gone.filter(|(payer, _, is_frozen)| *payer == of && *is_frozen);
        gone.map(|(_, amount, _)| amount).sum()
    }

    /// What can be drawn.
    fn free(&self, of: u8) -> u64 {
        let account = self.account(of);
        let undrawn = account.credit - account.drawn;
        undrawn.saturating_sub(self.frozen(of))
    }

    fn remove_expired(&mut self, now: UnixTime) -> usize {
        let before = self.claims.len();
        self.claims
            .retain(|_, (_, expires_at)| expires_at.plus(CLAIM_SKEW) > now);
        self.swept_at = self.swept_at.max(now);
        before - self.claims.len()
    }

    fn settle(&mut self, (of, spent, back): (u8, u64, u64)) {
        if let Some(account) = self.accounts.get_mut(&of) {
            let spent = spent.min(account.drawn);
            account.credit -= spent;
            account.earned += spent;
            account.drawn -= spent;
            account.drawn -= back.min(account.drawn);
        }
    }

    fn begin_refund(&mut self, refund: &Refund, number: u64, of: u8) -> RefundBegun {
        if let Some(known) = self.refunds.get(&number) {
            return if known.payer == refund.payer {
                RefundBegun::Known(known.clone())
            } else {
                RefundBegun::Anothers
            };
        }
        let taken = (refund.amount.to_msat(), REFUND_FEE);
        let (free, taken) = (self.free(of), taken.0 + taken.1);
        if taken > free {
            let undrawn = self.account(of).credit.saturating_sub(self.frozen(of));
            return RefundBegun::TooLittle {
                free: msat(free),
                drawn: msat(undrawn - free),
            };
        }
        self.accounts.entry(of).or_default().credit -= taken;
        self.refunds.insert(number, refund.clone());
        RefundBegun::Noted
    }

    fn end_refund(&mut self, number: u64, of: u8, fee: Option<u64>) -> Result<(), StoreError> {
        let Some(refund) = self.refunds.get_mut(&number) else {
            return Ok(());
        };
        if refund.outcome != PaymentOutcome::Unknown || refund.payer != payer(of) {
            return Ok(());
        }
        let amount = refund.amount.to_msat();
        let back = match fee {
            Some(fee) => REFUND_FEE - fee.min(REFUND_FEE),
            None => amount + REFUND_FEE,
        };
        let account = self.accounts.entry(of).or_default();
        if account.credit + back > MAX_BALANCE.to_msat() {
            return Err(StoreError::TooMuch(msat(back)));
        }
        account.credit += back;
        refund.invoice = String::new();
        refund.fee = msat(fee.unwrap_or(0).min(REFUND_FEE));
        refund.outcome = match fee {
            Some(_) => PaymentOutcome::Paid { at: LATER },
            None => PaymentOutcome::Failed { at: LATER },
        };
        Ok(())
    }

    /// What is taken out of all accounts.
    fn refunded(&self) -> u64 {
        let taken = self.refunds.values().map(|it| match it.outcome {
            PaymentOutcome::Failed { .. } => 0,
            _ => it.amount.to_msat() + it.fee.to_msat(),
        });
        taken.sum()
    }

    fn end(&mut self) {
        for account in self.accounts.values_mut() {
            account.drawn = 0;
        }
    }

    fn account(&self, of: u8) -> Account {
        self.accounts.get(&of).copied().unwrap_or_default()
    }
}

async fn live<P: Place>(mut place: P, steps: Vec<Step>) {
    let mut store = place.open().await;
    let mut ledger = Ledger::default();
    for step in steps {
        match &step {
            Step::Crash => {
                store = place.crash(store).await;
                ledger.end();
            }
            Step::Reopen => {
                store = place.reopen(store).await;
                ledger.end();
            }
            Step::Together(asks) => together(&store, &mut ledger, asks).await,
            Step::Judge(all) => judge(&store, &mut ledger, all).await,
            Step::BeginRefunds(all) => begin_refunds(&store, &mut ledger, all).await,
            step => one(&*store, &mut ledger, step).await,
        }
        compare(&*store, &ledger, &step).await;
    }
}

async fn one(store: &impl Store, ledger: &mut Ledger, step: &Step) {
    match step {
        Step::Claim(ask) => {
            let told = store.claim(ask.claim(), ask.tag(), NOW).await;
            same_answer(&told, &ledger.claim(ask));
        }
        Step::RemoveExpired { hours } => {
            let now = hour(*hours).plus(CLAIM_SKEW);
            let told = store.remove_expired(now).await.unwrap();
            assert_eq!(told, ledger.remove_expired(now));
        }
        Step::Draw { of, wanted } => {
            let told = store.draw(payer(*of), msat(*wanted)).await.unwrap();
            let told = told.amount.to_msat();
            let there = ledger.free(*of);
            assert!(((*wanted).min(there)..=there).contains(&told), "{told}");
            if let Some(account) = ledger.accounts.get_mut(of) {
                account.drawn += told;
            }
        }
        Step::Settle(all) => {
            let settlements = all.iter().map(|(of, spent, back)| Settlement {
                payer: payer(*of),
                spent: msat(*spent),
                packets: 1,
                back: msat(*back),
            });
            let told = store.settle(settlements.collect(), NOW).await;
            assert_eq!(told, Ok(Settled::Booked));
            all.iter().for_each(|one| ledger.settle(*one));
        }
        Step::KeepIdentity(secret) => {
            let told = store.keep_identity([*secret; 32]).await.unwrap();
            let kept = *ledger.identity.get_or_insert(*secret);
            assert_eq!(told, [kept; 32]);
        }
        Step::Reserve { at_least } => {
            let told = store.reserve_sequences(*at_least).await.unwrap();
            assert_eq!(told.next, ledger.next_sequence.max(*at_least));
            assert!(told.end > told.next);
            ledger.next_sequence = told.end;
        }
        Step::KeepProof { payee, number } => {
            let kept = store.keep_proof(payer(*payee), proof(*number)).await;
            assert_eq!(kept, Ok(()));
            ledger.proofs.insert((*payee, *number));
        }
        Step::ForgetProof { payee, number } => {
            let forgotten = store.forget_proof(payer(*payee), proof(*number)).await;
            assert_eq!(forgotten, Ok(()));
            ledger.proofs.remove(&(*payee, *number));
        }
        Step::EndRefund { number, of, fee } => {
            let end = RefundEnd {
                payment_hash: bytes(*number),
                payer: payer(*of),
                outcome: match fee {
                    Some(_) => PaymentOutcome::Paid { at: LATER },
                    None => PaymentOutcome::Failed { at: LATER },
                },
                fee: msat(fee.unwrap_or(0)),
            };
            let told = store.end_refund(end).await;
            assert_eq!(told, ledger.end_refund(*number, *of, *fee));
        }
        Step::Together(_) | Step::Judge(_) | Step::BeginRefunds(_) | Step::Crash | Step::Reopen => {
            panic!("not one change")
        }
    }
}

/// Claims that may come in any order: no two of one payment, and none that fills a balance.
async fn together<S: Store + 'static>(store: &Arc<S>, ledger: &mut Ledger, asks: &[Ask]) {
    let mut asks: Vec<_> = asks.to_vec();
    asks.sort_by_key(|ask| ask.number);
    asks.dedup_by_key(|ask| ask.number);
    asks.retain(|ask| ask.amount < 1_000 && ledger.account(ask.of).credit < 1_000_000);
    let mut tasks = JoinSet::new();
    for ask in &asks {
        let (store, claim, by) = (Arc::clone(store), ask.claim(), ask.tag());
        let number = ask.number;
        tasks.spawn(async move { (number, store.claim(claim, by, NOW).await) });
    }
    let mut told = tasks.join_all().await;
    told.sort_by_key(|(number, _)| *number);
    for (ask, (_, told)) in asks.iter().zip(&told) {
        same_answer(told, &ledger.claim(ask));
    }
}

/// Judgements that may come in any order: one of each payment.
async fn judge<S: Store + 'static>(store: &Arc<S>, ledger: &mut Ledger, all: &[(u64, Standing)]) {
    let all: BTreeMap<_, _> = all.iter().copied().collect();
    let mut tasks = JoinSet::new();
    for (number, standing) in all {
        let store = Arc::clone(store);
        tasks.spawn(async move { store.judge(key(number), standing).await });
        ledger.judge(number, standing);
    }
    for told in tasks.join_all().await {
        assert_eq!(told, Ok(()));
    }
}

/// Refunds at once: whichever come first, no more is taken than there is, and nothing of one that is told to be refused.
async fn begin_refunds<S: Store + 'static>(
    store: &Arc<S>,
    ledger: &mut Ledger,
    all: &[(u64, u8, u64)],
) {
    let asked: BTreeMap<_, _> = all.iter().map(|it| (it.0, *it)).collect();
    let mut tasks = JoinSet::new();
    for (number, of, amount) in asked.into_values() {
        let store = Arc::clone(store);
        let refund = Refund {
            fee: msat(REFUND_FEE),
            ..refunds::refund(number, of, amount)
        };
        tasks.spawn(async move {
            let told = store.begin_refund(refund.clone()).await.unwrap();
            (number, of, refund, told)
        });
    }
    let mut told = tasks.join_all().await;
    // Those that were begun left what there was for those that were not.
    told.sort_by_key(|(.., told)| *told != RefundBegun::Noted);
    for (number, of, refund, told) in told {
        let expected = ledger.begin_refund(&refund, number, of);
        match (&told, &expected) {
            (RefundBegun::TooLittle { .. }, RefundBegun::TooLittle { .. }) => {}
            _ => assert_eq!(told, expected),
        }
    }
}

fn same_answer(
    told: &Result<ClaimOutcome, StoreError>,
    expected: &Result<ClaimOutcome, StoreError>,
) {
    match (told, expected) {
        (Err(StoreError::TooMuch(_)), Err(StoreError::TooMuch(_)))
        | (Err(StoreError::Expired(_)), Err(StoreError::Expired(_))) => {}
        (told, expected) => assert_eq!(told, expected),
    }
}

async fn compare(store: &impl Store, ledger: &Ledger, step: &Step) {
    let books = store.books(8).await.unwrap();
    let sum =
        |of: fn(&Account) -> u64| -> Msat { msat(ledger.accounts.values().map(of).sum::<u64>()) };
    let (credit, earned) = (sum(|it| it.credit), sum(|it| it.earned));
    assert_eq!(books.credit, credit, "after {step:?}");
    assert_eq!(books.earned, earned, "after {step:?}");
    let refunded = msat(ledger.refunded());
    assert_eq!(books.refunded, refunded, "after {step:?}");
    let spent = earned.checked_add(refunded).unwrap();
    assert_eq!(
        Some(books.deposited),
        credit.checked_add(spent),
        "after {step:?}"
    );
    for number in 0..6 {
        let kept = store.refund(bytes(number)).await.unwrap();
        let expected = ledger.refunds.get(&number);
        assert_eq!(kept.as_ref(), expected, "after {step:?}");
    }
    let mut open: Vec<_> = ledger.refunds.values().cloned().collect();
    open.retain(|it| it.outcome == PaymentOutcome::Unknown);
    open.sort_by_key(|it| it.payment_hash);
    assert_eq!(store.open_refunds().await.unwrap(), open, "after {step:?}");
    assert_eq!(
        books.accounts,
        ledger.accounts.len() as u64,
        "after {step:?}"
    );
    for of in 0..4 {
        let credit = store.credit(payer(of)).await.unwrap();
        assert_eq!(credit, msat(ledger.free(of)), "after {step:?}");
    }
    let frozen = (0..4).map(|of| ledger.frozen(of)).sum::<u64>();
    assert_eq!(books.frozen, msat(frozen), "after {step:?}");
    assert_eq!(books.watched, ledger.watched.len() as u64, "after {step:?}");
    let mut expected: Vec<_> = ledger
        .watched
        .iter()
        .map(|(number, (of, amount, is_frozen))| Watched {
            key: key(*number),
            payer: payer(*of),
            amount: msat(*amount),
            tx_hash: tx(*number),
            is_frozen: *is_frozen,
        })
        .collect();
    expected.sort_by_key(|watched| watched.key);
    assert_eq!(store.watched().await.unwrap(), expected, "after {step:?}");
    let identity = store.identity().await.unwrap();
    assert_eq!(identity, ledger.identity.map(|secret| [secret; 32]));
    let kept: BTreeSet<_> = store
        .kept_proofs()
        .await
        .unwrap()
        .into_iter()
        .map(|(payee, proof)| (payee, format!("{proof:?}")))
        .collect();
    let expected: BTreeSet<_> = ledger
        .proofs
        .iter()
        .map(|(payee, number)| (payer(*payee), format!("{:?}", proof(*number))))
        .collect();
    assert_eq!(kept, expected, "after {step:?}");
}
