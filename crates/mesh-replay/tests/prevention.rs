//! What `ReplayPrevention` promises: a verified proof counts once, in one packet, both or neither.

use mesh_replay::{MAX_CLAIM_LIFETIME, ReplayPrevention};
use mesh_types::{Clock, MeshError, NodeId, PaymentProof, UnixTime};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

const NOW: u64 = 1_800_000_000;
const START: u64 = NOW * 1_000_000;
const SOURCE: NodeId = NodeId::from_bytes([1; 32]);

#[derive(Default)]
struct TestClock(AtomicU64);

impl TestClock {
    fn set(&self, secs: u64) {
        self.0.store(secs, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.0.load(Ordering::SeqCst))
    }
}

fn prevention() -> (ReplayPrevention, Arc<TestClock>) {
    let clock = Arc::new(TestClock::default());
    clock.set(NOW);
    (ReplayPrevention::new(clock.clone()), clock)
}

fn proof(preimage: u8) -> PaymentProof {
    lightning("lnbc10u1pexample", preimage, NOW, NOW + 600)
}

fn lightning(invoice: &str, preimage: u8, timestamp: u64, expires_at: u64) -> PaymentProof {
    PaymentProof::Lightning {
        invoice: invoice.to_owned(),
        preimage: [preimage; 32],
        amount_msats: 1_000,
        timestamp,
        expires_at,
    }
}

fn is_replay(answer: &Result<(), MeshError>) -> bool {
    matches!(answer, Err(MeshError::ReplayDetected(_)))
}

#[test]
fn of_64_tasks_racing_with_one_proof_exactly_one_wins() {
    let (prevention, _) = prevention();
    let start = Barrier::new(64);
    let wins: usize = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..64_u8)
            .map(|racer| {
                let (prevention, start) = (&prevention, &start);
                scope.spawn(move || {
                    // Half of them come from sources of their own, half share one, each with its own number.
                    let source = NodeId::from_bytes([racer % 2 * racer; 32]);
                    start.wait();
                    let sequence = START + u64::from(racer);
                    let answer = prevention.check_replay(&proof(9), &source, sequence);
                    assert!(answer.is_ok() || is_replay(&answer));
                    usize::from(answer.is_ok())
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(wins, 1);
}

#[test]
fn a_proof_presented_a_thousand_times_counts_once() {
    let (prevention, _) = prevention();
    let answers = (0..1_000).map(|n| prevention.check_replay(&proof(9), &SOURCE, START + n));
    assert_eq!(answers.filter(Result::is_ok).count(), 1);
}

#[test]
fn one_payment_in_another_text_with_another_time_or_amount_is_the_same_payment() {
    let (prevention, _) = prevention();
    let first = prevention.check_replay(&proof(9), &SOURCE, START);
    assert_eq!(first, Ok(()));
    let disguises = [
        lightning("LNBC10U1PEXAMPLE", 9, NOW, NOW + 600),
        lightning(" lnbc10u1pexample ", 9, NOW, NOW + 600),
        lightning("lightning:lnbc10u1pexample", 9, NOW, NOW + 600),
        lightning("", 9, NOW, NOW + 600),
        lightning("lnbc10u1pexample", 9, NOW - 1, NOW + 600),
        lightning("lnbc10u1pexample", 9, NOW, NOW + 601),
    ];
    for (sequence, disguise) in (START + 1..).zip(&disguises) {
        let other = NodeId::from_bytes([2; 32]);
        let answer = prevention.check_replay(disguise, &other, sequence);
        assert!(is_replay(&answer), "{disguise:?}");
    }
    assert_eq!(
        prevention.check_replay(&proof(8), &SOURCE, START + 1),
        Ok(())
    );
}

#[test]
fn a_packet_that_came_before_burns_no_proof() {
    let (prevention, _) = prevention();
    assert_eq!(prevention.check_replay(&proof(1), &SOURCE, START), Ok(()));
    for sequence in [START, START - 5_000, u64::MAX, START + (1 << 49)] {
        let refused = prevention.check_replay(&proof(2), &SOURCE, sequence);
        assert!(refused.is_err());
    }
    assert_eq!(
        prevention.check_replay(&proof(2), &SOURCE, START + 1),
        Ok(())
    );
}

#[test]
fn a_proof_that_was_claimed_burns_no_number_and_makes_no_window() {
    let (prevention, _) = prevention();
    let other = NodeId::from_bytes([2; 32]);
    assert_eq!(prevention.check_replay(&proof(1), &SOURCE, START), Ok(()));
    for source in [SOURCE, other] {
        let refused = prevention.check_replay(&proof(1), &source, START + 9_000);
        assert!(is_replay(&refused));
    }
    assert!(format!("{prevention:?}").contains("sources: 1"));
    assert_eq!(
        prevention.check_replay(&proof(2), &SOURCE, START + 1),
        Ok(())
    );
    assert_eq!(
        prevention.check_replay(&proof(3), &other, START + 1),
        Ok(())
    );
}

#[test]
fn a_proof_that_understates_its_expiry_is_not_forgotten_early() {
    let (prevention, clock) = prevention();
    let short = lightning("lnbc10u1pexample", 9, NOW, NOW + 1);
    assert_eq!(prevention.check_replay(&short, &SOURCE, START), Ok(()));
    clock.set(NOW + 3_600);
    assert_eq!(prevention.cleanup_expired(), 0);
    let honest = lightning("lnbc10u1pexample", 9, NOW, NOW + 7_200);
    assert!(is_replay(&prevention.check_replay(
        &honest,
        &SOURCE,
        START + 1
    )));
}

#[test]
fn a_proof_is_refused_when_its_time_is_over_or_beyond_what_is_remembered() {
    let (prevention, _) = prevention();
    let lifetime = MAX_CLAIM_LIFETIME.as_secs();
    for expires_at in [0, NOW - 1, NOW, NOW + lifetime + 1, u64::MAX] {
        let proof = lightning("lnbc10u1pexample", 9, NOW, expires_at);
        let answer = prevention.check_replay(&proof, &SOURCE, START);
        assert!(matches!(
            answer,
            Err(MeshError::PaymentVerificationFailed(_))
        ));
    }
    let furthest = lightning("lnbc10u1pexample", 9, NOW, NOW + lifetime);
    assert_eq!(prevention.check_replay(&furthest, &SOURCE, START), Ok(()));
}

#[test]
fn a_claim_outlives_every_expiry_that_its_proof_could_name_and_is_cleaned_up_after() {
    let (prevention, clock) = prevention();
    let lifetime = MAX_CLAIM_LIFETIME.as_secs();
    assert_eq!(prevention.check_replay(&proof(9), &SOURCE, START), Ok(()));
    for later in [1, 600, lifetime / 2, lifetime - 1] {
        clock.set(NOW + later);
        assert_eq!(prevention.cleanup_expired(), 0);
        let again = lightning("lnbc10u1pexample", 9, NOW, NOW + lifetime);
        let answer = prevention.check_replay(&again, &SOURCE, START + later);
        assert!(is_replay(&answer));
    }
    clock.set(NOW + lifetime + 64);
    assert_eq!(prevention.cleanup_expired(), 1);
}

#[test]
fn kinds_of_proof_that_nobody_verifies_yet_are_refused_and_change_nothing() {
    let (prevention, _) = prevention();
    let on_chain = PaymentProof::OnChainSettlement {
        payment_request_id: "request".to_owned(),
        tx_hash: [9; 32],
        amount_sats: 1,
        timestamp: NOW,
    };
    let instant = PaymentProof::InstantSettlement {
        covenant_proof: vec![9; 32],
        output_index: 0,
        merkle_proof: Vec::new(),
        amount_sats: 1,
        timestamp: NOW,
    };
    for proof in [on_chain, instant] {
        let answer = prevention.check_replay(&proof, &SOURCE, START);
        let Err(MeshError::PaymentVerificationFailed(reason)) = answer else {
            panic!("{answer:?}");
        };
        assert!(reason.contains("not enabled"));
    }
    assert!(format!("{prevention:?}").contains("claims: 0, sources: 0"));
}
