//! What the bounded things take, checked against an allocator that counts.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

use mesh_replay::{ClaimSet, MAX_IDLE, MAX_SOURCES, SequenceWindows};
use mesh_types::{ClaimKey, NodeId, UnixTime};
use std::time::Duration;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const MILLION: u64 = 1_000_000;
const DAYS_7: u64 = 7 * 24 * 60 * 60;

/// Bytes that look random, for hashes and node ids are.
fn bytes(number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes
}

fn fill(claims: &ClaimSet, numbers: std::ops::Range<u64>, expires_at: impl Fn(u64) -> UnixTime) {
    for number in numbers {
        let key = ClaimKey::from_payment_hash(bytes(number));
        claims.claim(key, expires_at(number), NOW).unwrap();
    }
}

#[test]
fn a_claim_takes_at_most_64_bytes_from_a_million_up_with_expiries_all_over_the_horizon() {
    let claims = ClaimSet::new(usize::MAX);
    let expiry = |number: u64| UnixTime::from_secs(NOW.to_secs() + 1 + number * 7_919 % DAYS_7);
    let mut held = 0;
    // At a million every table has just grown, which is where a claim takes most; the next growth is at two millions.
    for count in [MILLION, MILLION + MILLION / 10] {
        let more = allocation_counter::measure(|| {
            fill(&claims, claims.len() as u64..count, expiry);
        });
        held += more.bytes_current;
        let bound = i64::try_from(count * 64).unwrap();
        assert!(held <= bound, "{held} bytes for {count} claims");
        let told = i64::try_from(claims.memory_bytes()).unwrap();
        assert!(told <= bound, "{told} bytes told for {count} claims");
        assert!(
            held * 98 / 100 <= told && told <= held * 110 / 100,
            "{told} bytes told, {held} held"
        );
    }
}

#[test]
fn memory_of_expired_claims_goes_back_to_the_allocator() {
    let claims = ClaimSet::new(usize::MAX);
    let info = allocation_counter::measure(|| {
        fill(&claims, 0..200_000, |_| {
            UnixTime::from_secs(NOW.to_secs() + 600)
        });
        assert_eq!(
            claims.remove_expired(UnixTime::from_secs(NOW.to_secs() + 664)),
            200_000
        );
    });
    assert!(info.bytes_max > 200_000 * 40);
    assert_eq!((info.bytes_current, claims.memory_bytes()), (0, 0));
}

#[test]
fn refused_claims_take_no_memory() {
    let claims = ClaimSet::new(1_000);
    let soon = |_| UnixTime::from_secs(NOW.to_secs() + 600);
    fill(&claims, 0..1_000, soon);
    let info = allocation_counter::measure(|| {
        for number in 0..100_000 {
            let key = ClaimKey::from_payment_hash(bytes(number));
            assert!(claims.claim(key, soon(number), NOW).is_err());
        }
    });
    assert_eq!((info.count_total, info.bytes_current), (0, 0));
}

#[test]
fn a_flood_of_sources_takes_at_most_13_million_bytes_and_pushes_nobody_out() {
    let windows = SequenceWindows::new();
    let known = NodeId::from_bytes([1; 32]);
    windows.mark(&known, 1, NOW).unwrap();
    let info = allocation_counter::measure(|| {
        for number in 0..3 * MAX_SOURCES as u64 {
            let _ = windows.mark(&NodeId::from_bytes(bytes(number)), 1, NOW);
        }
    });
    assert_eq!(windows.len(), MAX_SOURCES);
    assert!(info.bytes_current <= 13_000_000, "{}", info.bytes_current);
    let told = i64::try_from(windows.memory_bytes()).unwrap();
    assert!(told <= 13_000_000, "{told}");
    let held = info.bytes_current;
    assert!(
        held * 98 / 100 <= told && told <= held * 102 / 100,
        "{told} bytes told, {held} held"
    );
    assert!(windows.mark(&known, 1, NOW).is_err());
    assert!(windows.mark(&known, 2, NOW).is_ok());
}

#[test]
fn sources_that_come_and_go_take_the_places_of_those_that_went() {
    let windows = SequenceWindows::new();
    let mut now = NOW;
    let mut held = Vec::new();
    for round in 1..=20 {
        // The first few stay, so that no part of the windows is ever empty and begins anew.
        for number in 0..4_000 {
            let source = NodeId::from_bytes(bytes(number));
            windows.mark(&source, round, now).unwrap();
        }
        held.push(windows.memory_bytes());
        now = now.plus(MAX_IDLE);
        for number in 0..500 {
            let source = NodeId::from_bytes(bytes(number));
            windows.mark(&source, 1_000 + round, now).unwrap();
        }
        now = now.plus(Duration::from_secs(1));
        assert_eq!(windows.remove_idle(now), 3_500);
    }
    assert!(held[19] <= held[0] * 3 / 2, "{held:?}");
}
