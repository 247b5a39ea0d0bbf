//! What windows promise to sources, and what floods and forgers get.

use mesh_replay::{
    MAX_IDLE, MAX_SEQUENCE, MAX_SEQUENCE_JUMP, SequenceError, SequenceWindow, SequenceWindows,
    SourceError, WINDOW_WIDTH,
};
use mesh_types::{MAX_PACKET_AGE, MeshError, NodeId, UnixTime};
use std::sync::Barrier;

/// The wall clock in microseconds, as a source would start its sequence.
const START: u64 = 1_800_000_000_000_000;

const fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(1_800_000_000 + secs)
}

fn id(number: u64) -> NodeId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    NodeId::from_bytes(bytes)
}

#[test]
fn reordering_within_the_window_passes_and_duplicates_do_not() {
    let mut window = SequenceWindow::new();
    let last = START + WINDOW_WIDTH - 1;
    assert_eq!(window.mark(last), Ok(()));
    for sequence in (START..last).rev() {
        assert_eq!(window.mark(sequence), Ok(()));
    }
    for sequence in START..=last {
        let again = window.mark(sequence);
        assert_eq!(again, Err(SequenceError::Duplicate { sequence }));
    }
    let (sequence, lowest) = (START - 1, START);
    let too_old = window.mark(sequence);
    assert_eq!(too_old, Err(SequenceError::TooOld { sequence, lowest }));
}

#[test]
fn a_window_that_moves_up_forgets_exactly_the_numbers_that_leave_it() {
    // Wherever in a word the move begins and ends.
    for start in START..START + 64 {
        let mut full = SequenceWindow::new();
        for sequence in start..start + WINDOW_WIDTH {
            assert_eq!(full.mark(sequence), Ok(()));
        }
        let next = start + WINDOW_WIDTH;
        for leap in [0, 1, 17, 62, 63, 64, 65, 100, WINDOW_WIDTH - 2] {
            let mut window = full.clone();
            assert_eq!(window.mark(next + leap), Ok(()));
            for skipped in next..next + leap {
                assert_eq!(window.check(skipped), Ok(()), "{start} {leap}");
            }
            for sequence in start + leap + 1..next {
                let came_before = Err(SequenceError::Duplicate { sequence });
                assert_eq!(window.check(sequence), came_before, "{start} {leap}");
            }
        }
    }
}

#[test]
fn the_greatest_number_of_all_cannot_lock_a_source_out() {
    let mut window = SequenceWindow::new();
    assert_eq!(window.mark(START), Ok(()));
    let before = window.clone();
    for sequence in [u64::MAX, 1 << 63] {
        let refused = window.mark(sequence);
        assert_eq!(refused, Err(SequenceError::OutOfRange { sequence }));
    }
    let highest = START;
    for sequence in [MAX_SEQUENCE, START + MAX_SEQUENCE_JUMP + 1] {
        let refused = window.mark(sequence);
        assert_eq!(
            refused,
            Err(SequenceError::JumpTooFar { sequence, highest })
        );
    }
    assert_eq!(window, before);
    assert_eq!(window.mark(START + 1), Ok(()));
    assert_eq!(window.mark(START + MAX_SEQUENCE_JUMP), Ok(()));
}

#[test]
fn a_window_at_the_end_of_its_range_still_works() {
    let mut window = SequenceWindow::new();
    assert_eq!(window.mark(MAX_SEQUENCE), Ok(()));
    assert_eq!(window.mark(MAX_SEQUENCE - 1), Ok(()));
    let sequence = MAX_SEQUENCE;
    let again = window.mark(sequence);
    assert_eq!(again, Err(SequenceError::Duplicate { sequence }));
}

#[test]
fn a_packet_that_was_not_carried_may_come_again() {
    let mut window = SequenceWindow::new();
    assert_eq!(window.mark(START), Ok(()));
    assert_eq!(window.mark(START + 1), Ok(()));
    window.unmark(START + 1);
    assert_eq!(window.mark(START + 1), Ok(()));
    assert!(window.mark(START + 1).is_err());
    assert!(window.mark(START).is_err());
}

#[test]
fn taking_a_mark_back_opens_no_older_numbers() {
    let mut window = SequenceWindow::new();
    assert_eq!(window.mark(START), Ok(()));
    assert_eq!(window.mark(START + 5_000), Ok(()));
    window.unmark(START + 5_000);
    window.unmark(START);
    assert!(matches!(
        window.check(START),
        Err(SequenceError::TooOld { .. })
    ));
    assert_eq!(window.check(START + 5_000), Ok(()));
}

#[test]
fn taking_back_a_number_that_never_came_opens_no_other() {
    let mut window = SequenceWindow::new();
    assert_eq!(window.mark(START), Ok(()));
    assert_eq!(window.mark(START + WINDOW_WIDTH - 1), Ok(()));
    // It would stand where the oldest number stands.
    window.unmark(START + WINDOW_WIDTH);
    assert!(window.mark(START).is_err());
}

#[test]
fn sources_do_not_share_numbers() {
    let windows = SequenceWindows::new();
    for source in 0..100 {
        assert_eq!(windows.check(&id(source), START, at(0)), Ok(()));
        assert_eq!(windows.mark(&id(source), START, at(0)), Ok(()));
        let duplicate = SequenceError::Duplicate { sequence: START };
        let again = windows.mark(&id(source), START, at(0));
        assert_eq!(again, Err(SourceError::Sequence(duplicate)));
    }
    assert_eq!(windows.len(), 100);
    assert!(!windows.is_empty());
}

#[test]
fn a_check_and_a_refusal_leave_no_window_behind() {
    let windows = SequenceWindows::new();
    assert_eq!(windows.check(&id(1), START, at(0)), Ok(()));
    assert!(windows.mark(&id(1), u64::MAX, at(0)).is_err());
    windows.unmark(&id(1), START);
    assert!(windows.is_empty());
    assert_eq!(windows.memory_bytes(), 0);
}

#[test]
fn a_mark_taken_back_frees_only_the_number_of_its_source() {
    let windows = SequenceWindows::new();
    for source in [1, 2] {
        assert_eq!(windows.mark(&id(source), START, at(0)), Ok(()));
    }
    windows.unmark(&id(1), START);
    assert!(windows.mark(&id(2), START, at(0)).is_err());
    assert_eq!(windows.mark(&id(1), START, at(0)), Ok(()));
}

#[test]
fn of_64_threads_racing_with_one_number_exactly_one_marks_it() {
    let windows = SequenceWindows::new();
    let start = Barrier::new(64);
    let wins: usize = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..64)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    usize::from(windows.mark(&id(1), START, at(0)).is_ok())
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(wins, 1);
}

#[test]
fn a_full_set_refuses_new_sources_until_old_ones_have_been_idle_long_enough() {
    let windows = SequenceWindows::with_max_sources(32);
    let mut taken = Vec::new();
    for source in 0..1_000 {
        if windows.mark(&id(source), START, at(0)).is_ok() {
            taken.push(source);
        }
    }
    assert_eq!((windows.len(), taken.len()), (32, 32));
    let stranger = id(1_000);
    let idle = MAX_IDLE.as_secs();
    for now in [at(0), at(idle)] {
        let full = Err(SourceError::SourcesFull);
        assert_eq!(windows.check(&stranger, START, now), full);
        assert_eq!(windows.mark(&stranger, START, now), full);
    }
    assert_eq!(windows.check(&stranger, START, at(idle + 1)), Ok(()));
    assert_eq!(windows.len(), 32);
    assert_eq!(windows.mark(&stranger, START, at(idle + 1)), Ok(()));
    assert_eq!(windows.len(), 32);
    assert!(windows.mark(&stranger, START, at(idle + 1)).is_err());
}

#[test]
fn a_window_goes_only_when_every_packet_it_remembers_is_refused_by_its_timestamp() {
    let windows = SequenceWindows::new();
    let marked_at = at(0);
    assert_eq!(windows.mark(&id(1), START, marked_at), Ok(()));
    // The packet may have come from a clock that is ahead by as much as is let pass.
    let timestamp = marked_at.plus(MAX_PACKET_AGE);
    for secs in 0..1_000 {
        let now = at(secs);
        let dropped = windows.remove_idle(now) == 1;
        assert!(!dropped || !timestamp.is_within(MAX_PACKET_AGE, now));
        if dropped {
            assert!(windows.is_empty());
            return;
        }
    }
    panic!("an idle window is never dropped");
}

#[test]
fn a_clock_that_goes_back_does_not_bring_a_dropped_source_back() {
    let windows = SequenceWindows::new();
    assert_eq!(windows.mark(&id(1), START, at(1_000)), Ok(()));
    assert_eq!(windows.remove_idle(at(2_000)), 1);
    let refused = windows.mark(&id(1), START, at(1_000));
    assert_eq!(refused, Err(SourceError::ClockWentBack));
    assert_eq!(windows.mark(&id(1), START, at(2_000)), Ok(()));
}

#[test]
fn a_clock_that_went_back_shortens_no_windows_life() {
    let windows = SequenceWindows::new();
    assert_eq!(windows.mark(&id(1), START, at(1_000)), Ok(()));
    assert_eq!(windows.mark(&id(1), START + 1, at(0)), Ok(()));
    let idle = MAX_IDLE.as_secs();
    assert_eq!(windows.remove_idle(at(1_000 + idle)), 0);
    assert_eq!(windows.remove_idle(at(1_001 + idle)), 1);
}

#[test]
fn each_refusal_has_its_word_in_the_contract() {
    let (sequence, lowest, highest) = (5, 7, 3);
    for replayed in [
        SequenceError::Duplicate { sequence },
        SequenceError::TooOld { sequence, lowest },
    ] {
        let word = MeshError::from(SourceError::from(replayed));
        assert!(matches!(word, MeshError::ReplayDetected(_)));
    }
    for impossible in [
        SequenceError::OutOfRange { sequence },
        SequenceError::JumpTooFar { sequence, highest },
    ] {
        let word = MeshError::from(SourceError::from(impossible));
        assert!(matches!(word, MeshError::InvalidPacket(_)));
    }
    for busy in [SourceError::SourcesFull, SourceError::ClockWentBack] {
        assert!(matches!(MeshError::from(busy), MeshError::Busy(_)));
    }
}
