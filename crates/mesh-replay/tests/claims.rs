//! What a set of claims promises to whoever takes money.

use mesh_replay::{ClaimError, ClaimSet, MAX_CLAIM_LIFETIME};
use mesh_types::{ClaimKey, MeshError, UnixTime};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Barrier;
use std::time::Duration;

fn key(number: u64) -> ClaimKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    ClaimKey::from_payment_hash(bytes)
}

const fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(1_800_000_000 + secs)
}

#[test]
fn of_64_threads_racing_with_one_payment_exactly_one_wins() {
    for round in 0..50 {
        let claims = ClaimSet::new(1_000);
        let start = Barrier::new(64);
        let wins: usize = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..64)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        usize::from(claims.claim(key(round), at(600), at(0)).is_ok())
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        assert_eq!((wins, claims.len()), (1, 1));
    }
}

#[test]
fn a_payment_presented_a_thousand_times_is_claimed_once() {
    let claims = ClaimSet::new(1_000);
    assert_eq!(claims.claim(key(1), at(600), at(0)), Ok(()));
    for secs in 0..1_000 {
        let expires_at = at(600 + secs);
        let again = claims.claim(key(1), expires_at, at(secs % 600));
        assert_eq!(again, Err(ClaimError::AlreadyClaimed));
    }
    assert_eq!(claims.len(), 1);
}

#[test]
fn a_claim_is_remembered_while_its_payment_lives_however_often_is_cleaned_up() {
    let claims = ClaimSet::new(1_000);
    assert_eq!(claims.claim(key(1), at(601), at(0)), Ok(()));
    assert!(!claims.is_empty());
    for secs in 0..601 {
        assert_eq!(claims.remove_expired(at(secs)), 0);
        assert!(claims.contains(&key(1)));
    }
    assert_eq!(claims.remove_expired(at(601 + 64)), 1);
    assert!(!claims.contains(&key(1)));
    assert!(claims.is_empty());
}

#[test]
fn an_expired_claim_that_is_still_kept_stays_claimed() {
    let claims = ClaimSet::new(1_000);
    assert_eq!(claims.claim(key(1), at(600), at(0)), Ok(()));
    let later = claims.claim(key(1), at(10_000), at(9_000));
    assert_eq!(later, Err(ClaimError::AlreadyClaimed));
}

#[test]
fn an_expired_payment_is_refused_at_the_very_millisecond() {
    let claims = ClaimSet::new(1_000);
    let (expires_at, now) = (at(600), at(600));
    let refused = claims.claim(key(1), expires_at, now);
    assert_eq!(refused, Err(ClaimError::Expired { expires_at, now }));
    let before = UnixTime::from_millis(now.to_millis() - 1);
    assert_eq!(claims.claim(key(1), expires_at, before), Ok(()));
}

#[test]
fn a_clock_that_goes_back_does_not_bring_a_forgotten_payment_back() {
    let claims = ClaimSet::new(1_000);
    assert_eq!(claims.claim(key(1), at(600), at(0)), Ok(()));
    assert_eq!(claims.remove_expired(at(5_000)), 1);
    let refused = claims.claim(key(1), at(600), at(10));
    let expected = ClaimError::Expired {
        expires_at: at(600),
        now: at(5_000),
    };
    assert_eq!(refused, Err(expected));
    assert_eq!(claims.claim(key(2), at(5_600), at(10)), Ok(()));
}

#[test]
fn a_claim_cannot_outlive_the_horizon() {
    let claims = ClaimSet::new(1_000);
    assert_eq!(MAX_CLAIM_LIFETIME, Duration::from_secs(604_800), "a week");
    let furthest = at(0).plus(MAX_CLAIM_LIFETIME);
    assert_eq!(claims.claim(key(1), furthest, at(0)), Ok(()));
    for expires_at in [
        furthest.plus(Duration::from_millis(1)),
        UnixTime::from_millis(u64::MAX),
    ] {
        let refused = claims.claim(key(2), expires_at, at(0));
        assert_eq!(refused, Err(ClaimError::LivesTooLong { expires_at }));
    }
    let (end, now) = (
        UnixTime::from_millis(u64::MAX),
        UnixTime::from_millis(u64::MAX - 1),
    );
    let refused = claims.claim(key(2), end, now);
    assert_eq!(refused, Err(ClaimError::LivesTooLong { expires_at: end }));
    assert_eq!(claims.len(), 1);
}

#[test]
fn a_full_set_refuses_and_forgets_nobody() {
    let claims = ClaimSet::new(100);
    for number in 0..100 {
        let expires_at = at(if number < 40 { 600 } else { 6_000 });
        assert_eq!(claims.claim(key(number), expires_at, at(0)), Ok(()));
    }
    let full = Err(ClaimError::Full { max_claims: 100 });
    assert_eq!(claims.claim(key(100), at(600), at(0)), full);
    assert!(!claims.contains(&key(100)));
    let known = claims.claim(key(7), at(600), at(0));
    assert_eq!(known, Err(ClaimError::AlreadyClaimed));
    assert_eq!(claims.len(), 100);

    assert_eq!(claims.remove_expired(at(664)), 40);
    assert_eq!(claims.claim(key(100), at(6_000), at(664)), Ok(()));
    assert_eq!(claims.len(), 61);
}

#[test]
fn threads_cannot_overfill_a_set() {
    let claims = ClaimSet::new(1_000);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let claims = &claims;
            scope.spawn(move || {
                for number in 0..500 {
                    let _ = claims.claim(key(thread * 500 + number), at(600), at(0));
                }
            });
        }
    });
    assert_eq!(claims.len(), 1_000);
    assert_eq!(claims.remove_expired(at(664)), 1_000);
}

#[test]
fn each_refusal_has_its_word_in_the_contract() {
    let word = |error: ClaimError| MeshError::from(error);
    let (expires_at, now) = (at(0), at(1));
    assert!(matches!(
        word(ClaimError::AlreadyClaimed),
        MeshError::ReplayDetected(_)
    ));
    assert!(matches!(
        word(ClaimError::Expired { expires_at, now }),
        MeshError::PaymentVerificationFailed(_)
    ));
    assert!(matches!(
        word(ClaimError::LivesTooLong { expires_at }),
        MeshError::PaymentVerificationFailed(_)
    ));
    assert!(matches!(
        word(ClaimError::Full { max_claims: 1 }),
        MeshError::Busy(_)
    ));
}

#[derive(Debug, Clone)]
enum Step {
    Claim { number: u64, lives: u64 },
    CleanUp,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..60_u64, 0..400_u64).prop_map(|(number, lives)| Step::Claim { number, lives }),
        1 => Just(Step::CleanUp),
        3 => (0..100_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn no_payment_is_claimed_twice_within_its_life(steps in prop::collection::vec(step(), 1..300)) {
        let claims = ClaimSet::new(40);
        let mut lives_until: HashMap<u64, u64> = HashMap::new();
        let mut now = 0;
        for step in steps {
            match step {
                Step::Wait(secs) => now += secs,
                Step::CleanUp => {
                    let removed = claims.remove_expired(at(now));
                    let before = lives_until.len();
                    lives_until.retain(|number, _| claims.contains(&key(*number)));
                    prop_assert_eq!(before - lives_until.len(), removed);
                    // Nothing that lives was forgotten above; nothing is kept for more than 64 seconds.
                    prop_assert!(lives_until.values().all(|until| now < until + 64));
                }
                Step::Claim { number, lives } => {
                    let answer = claims.claim(key(number), at(now + lives), at(now));
                    let known = lives_until.get(&number).copied();
                    match answer {
                        Ok(()) => {
                            prop_assert!(known.is_none() && lives > 0 && lives_until.len() < 40);
                            lives_until.insert(number, now + lives);
                        }
                        Err(ClaimError::AlreadyClaimed) => prop_assert!(known.is_some()),
                        Err(ClaimError::Full { .. }) => {
                            prop_assert!(known.is_none() && lives_until.len() == 40);
                        }
                        Err(ClaimError::Expired { .. }) => prop_assert_eq!(lives, 0),
                        Err(ClaimError::LivesTooLong { .. }) => prop_assert!(false),
                    }
                }
            }
            for (number, until) in &lives_until {
                prop_assert!(*until <= now || claims.contains(&key(*number)));
            }
            prop_assert_eq!(claims.len(), lives_until.len());
        }
    }
}
