use super::{
    kept::Kept,
    limits::{MAX_NEWS, MAX_RANGES_IN_ANSWER},
    shelf::Shelf,
    sip::SipHasher24,
};
use mesh_types::{
    Comparison, Fingerprint, Held, HeldRange, MAX_LISTED, MAX_RANGES, NodeId, RangeContent,
};
use std::cell::OnceCell;

/// Into how many parts a range is split where two sides differ in it.
const PARTS: usize = 16;

const FIRST: NodeId = NodeId::from_bytes([0; 32]);
const LAST: NodeId = NodeId::from_bytes([0xff; 32]);

/// What follows from the other side's ranges.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    /// Our side of the ranges in which the two differ, one message each.
    pub(crate) answers: Vec<Comparison>,
    /// What the other side lacks.
    pub(crate) they_lack: Vec<NodeId>,
    /// What we lack.
    pub(crate) we_lack: Vec<Held>,
    /// Whether there is more than fits.
    pub(crate) has_more: bool,
}

/// All that is held, in short: how a comparison begins.
pub(crate) fn beginning(shelf: &Shelf, key: [u8; 16]) -> Comparison {
    let content = RangeContent::Fingerprint(fingerprint(key, shelf.iter().map(Kept::held)));
    Comparison {
        key,
        ranges: vec![HeldRange {
            first: FIRST,
            last: LAST,
            content,
        }],
    }
}

/// Compares the other side's ranges with what is held here. Nothing is remembered for it: the next message of a
/// comparison says all that is to be known.
pub(crate) fn compare(shelf: &Shelf, theirs: &Comparison) -> Differences {
    let mut differences = Differences::default();
    let mut ranges = Vec::new();
    let ours = Ours {
        shelf,
        ordered: OnceCell::new(),
    };
    // Peers that are asked at the same time begin at different ranges, so that not all of them offer the same first.
    let [turn, ..] = theirs.key;
    let count = theirs.ranges.len().max(1);
    let turned = theirs.ranges.iter().cycle().skip(usize::from(turn) % count);
    for range in turned.take(theirs.ranges.len()) {
        compare_range(&ours, theirs.key, range, &mut ranges, &mut differences);
    }
    ranges.sort_unstable_by_key(|range| range.first);
    differences.answers = in_messages(ranges, theirs.key);
    differences
}

/// What is held here, put in order only where the other side does not hold the same: most of the time it does.
struct Ours<'a> {
    shelf: &'a Shelf,
    ordered: OnceCell<Vec<&'a Kept>>,
}

impl Ours<'_> {
    fn held_in(&self, range: &HeldRange) -> impl Iterator<Item = Held> {
        let ordered = self.ordered.get_or_init(|| self.shelf.in_order());
        let begin = ordered.partition_point(|kept| *kept.id() < range.first);
        let rest = ordered.get(begin..).unwrap_or_default();
        let end = rest.partition_point(|kept| *kept.id() <= range.last);
        let within = rest.get(..end).unwrap_or_default();
        within.iter().map(|kept| kept.held())
    }

    fn fingerprint(&self, key: [u8; 16], range: &HeldRange) -> Fingerprint {
        match (range.first, range.last) {
            (FIRST, LAST) => fingerprint(key, self.shelf.iter().map(Kept::held)),
            _ => fingerprint(key, self.held_in(range)),
        }
    }
}

fn compare_range(
    ours: &Ours<'_>,
    key: [u8; 16],
    range: &HeldRange,
    answers: &mut Vec<HeldRange>,
    differences: &mut Differences,
) {
    let theirs = match &range.content {
        RangeContent::List(list) => return compare_list(ours.held_in(range), list, differences),
        RangeContent::Fingerprint(theirs) => *theirs,
    };
    let print = ours.fingerprint(key, range);
    if print == theirs {
        return;
    }
    let count = print.count as usize;
    if theirs.count == 0 {
        compare_list(ours.held_in(range), &[], differences);
    } else if answers.len() + PARTS > MAX_RANGES_IN_ANSWER {
        differences.has_more = true;
    } else if count <= MAX_LISTED {
        answers.push(HeldRange {
            content: RangeContent::List(ours.held_in(range).collect()),
            ..*range
        });
    } else {
        let held: Vec<Held> = ours.held_in(range).collect();
        answers.extend(split(key, range, &held));
    }
}

/// Merges two lists in ascending order.
fn compare_list(ours: impl Iterator<Item = Held>, theirs: &[Held], differences: &mut Differences) {
    let mut theirs = theirs.iter().copied().peekable();
    for own in ours {
        while let Some(other) = theirs.next_if(|other| other.node_id < own.node_id) {
            differences.we_lack.push(other);
        }
        let other = theirs.next_if(|other| other.node_id == own.node_id);
        if let Some(other) = other.filter(|other| other.sequence > own.sequence) {
            differences.we_lack.push(other);
        } else if other.is_none_or(|other| other.sequence < own.sequence) {
            if differences.they_lack.len() >= MAX_NEWS {
                differences.has_more = true;
                return;
            }
            differences.they_lack.push(own.node_id);
        }
    }
    differences.we_lack.extend(theirs);
}

/// Splits a range into parts of about as many announcements each, and gives the fingerprint of each.
fn split(key: [u8; 16], range: &HeldRange, held: &[Held]) -> Vec<HeldRange> {
    let parts = held.len().div_ceil(MAX_LISTED).clamp(2, PARTS);
    let chunk = held.len().div_ceil(parts).max(1);
    let mut split: Vec<HeldRange> = Vec::with_capacity(parts);
    for part in held.chunks(chunk) {
        let begins = part.first().map_or(range.first, |held| held.node_id);
        let first = match split.last_mut() {
            // Between two parts there is no gap: what only the other side holds there belongs to one of them.
            Some(before) => {
                before.last = predecessor(begins);
                begins
            }
            None => range.first,
        };
        split.push(HeldRange {
            first,
            last: range.last,
            content: RangeContent::Fingerprint(fingerprint(key, part.iter().copied())),
        });
    }
    split
}

fn in_messages(ranges: Vec<HeldRange>, key: [u8; 16]) -> Vec<Comparison> {
    let messages = ranges.chunks(MAX_RANGES);
    messages
        .map(|ranges| Comparison {
            key,
            ranges: ranges.to_vec(),
        })
        .collect()
}

fn fingerprint(key: [u8; 16], held: impl Iterator<Item = Held>) -> Fingerprint {
    let hasher = SipHasher24::new(key);
    let mut fingerprint = Fingerprint::default();
    for held in held {
        let (words, _) = held.node_id.as_bytes().as_chunks::<8>();
        let [a, b, c, d] = *words else { continue };
        let hash = hasher.hash(&[a, b, c, d, held.sequence.to_be_bytes()]);
        fingerprint.sum = fingerprint.sum.wrapping_add(hash);
        fingerprint.count = fingerprint.count.saturating_add(1);
    }
    fingerprint
}

/// The id before this one; the first of all stays.
fn predecessor(id: NodeId) -> NodeId {
    if id == FIRST {
        return id;
    }
    let mut bytes = id.to_bytes();
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_sub(1);
        if *byte != 0xff {
            break;
        }
    }
    NodeId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_types::{Announcement, CarryLimits, Price, SignedAnnouncement, UnixTime};
    use proptest::{collection::btree_map, prelude::*};
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    /// Ids that are spread, and ids that stand close together.
    fn id(number: u16) -> NodeId {
        let [high, low] = number.to_be_bytes();
        let mut bytes = [if number.is_multiple_of(3) { low } else { 0 }; 32];
        bytes[30] = high;
        bytes[31] = low;
        NodeId::from_bytes(bytes)
    }

    fn shelf(held: &BTreeMap<u16, u64>) -> Shelf {
        let mut shelf = Shelf::new(LAST, 1);
        for (number, sequence) in held {
            let announcement = Announcement {
                node_id: id(*number),
                sequence: *sequence,
                made_at: 1,
                price: Price::FREE,
                limits: CarryLimits::default(),
                addresses: Vec::new(),
                links: Vec::new(),
            };
            let item = SignedAnnouncement {
                announcement,
                signature: [0; 64],
            };
            shelf.put(Arc::new(item), &mut Vec::new(), UnixTime::default());
        }
        shelf
    }

    /// Runs a comparison to its end; gives what each side is told that it lacks.
    fn run(one: &Shelf, other: &Shelf) -> [BTreeSet<NodeId>; 2] {
        let mut lacks = [BTreeSet::new(), BTreeSet::new()];
        let mut messages = vec![beginning(one, [5; 16])];
        for round in 0..40 {
            let (reader, reads) = if round % 2 == 0 { (other, 1) } else { (one, 0) };
            let mut answers = Vec::new();
            for message in messages {
                assert!(message.is_well_formed());
                let differences = compare(reader, &message);
                assert!(!differences.has_more);
                answers.extend(differences.answers);
                lacks[1 - reads].extend(differences.they_lack);
                lacks[reads].extend(differences.we_lack.into_iter().map(|held| held.node_id));
            }
            messages = answers;
            if messages.is_empty() {
                return lacks;
            }
        }
        unreachable!("a comparison ends");
    }

    fn newer(ours: &BTreeMap<u16, u64>, theirs: &BTreeMap<u16, u64>) -> BTreeSet<NodeId> {
        let is_newer = |(number, sequence): &(&u16, &u64)| ours.get(number) < Some(sequence);
        let newer = theirs.iter().filter(is_newer);
        newer.map(|(number, _)| id(*number)).collect()
    }

    fn any_held() -> impl Strategy<Value = BTreeMap<u16, u64>> {
        btree_map(0_u16..1_000, 1_u64..3, 0..400)
    }

    proptest! {
        #[test]
        fn each_side_hears_exactly_what_it_lacks(
            both in any_held(),
            mine in btree_map(0_u16..1_000, 1_u64..4, 0..40),
            theirs in btree_map(0_u16..1_000, 1_u64..4, 0..40),
        ) {
            let [mut one, mut other] = [both.clone(), both];
            one.extend(mine);
            other.extend(theirs);
            let lacks = run(&shelf(&one), &shelf(&other));
            prop_assert_eq!(&lacks[0], &newer(&one, &other));
            prop_assert_eq!(&lacks[1], &newer(&other, &one));
        }
    }

    #[test]
    fn equal_sides_say_nothing_and_an_empty_one_is_told_all() {
        let full: BTreeMap<u16, u64> = (0..2_000).map(|number| (number, 7)).collect();
        let (full, empty) = (shelf(&full), shelf(&BTreeMap::new()));
        assert_eq!(run(&full, &full), [BTreeSet::new(), BTreeSet::new()]);
        assert_eq!(run(&empty, &full)[0].len(), 2_000);
        assert_eq!(run(&full, &empty)[1].len(), 2_000);
    }

    #[test]
    fn fingerprints_under_different_keys_have_nothing_in_common() {
        let held = (0..100).map(|number| Held {
            node_id: id(number),
            sequence: 1,
        });
        let sums = [[0; 16], [1; 16]].map(|key| fingerprint(key, held.clone()).sum);
        assert_ne!(sums[0], sums[1]);
    }
}
