use super::allowance::Rate;
use mesh_types::MAX_PACKET_AGE;
use std::time::Duration;

/// How many places there are for announcements: one for up to 31 links, and one more for each 32 links beyond.
///
/// 15,360, because that leaves room in the routing table for peers and configured nodes, and because a place takes at most
/// 2.6 KB, so all take at most 40 MB; a mesh of 10,000 nodes with ten links each takes some 6 MB.
pub const MAX_PLACES: usize = 15_360;

/// How many links fill a place.
pub(crate) const LINKS_PER_PLACE: usize = 32;

/// How many places are freed when there are too many announcements.
///
/// 1,024, because to choose them takes some 50 ms, which is then about as much as the signatures cost that made it
/// necessary.
pub const PLACES_FREED: usize = 1_024;

/// How many places nodes without a way from here may have when there are too many announcements.
///
/// 1,024, a fifteenth: news of a node often comes before those of the nodes that link it, and has to wait somewhere.
pub const PLACES_FOR_STRAYS: usize = 1_024;

/// How many announcements that were refused or given up are remembered, so that they are not asked for again.
///
/// 4,096, because they take 0.3 MB, and because one that is forgotten costs one more look.
pub const MAX_REFUSED: usize = 4_096;

/// How long what was refused stays so, unless it is announced anew.
pub const REFUSED_FOR: Duration = Duration::from_secs(600);

/// How many announcements that a peer offers wait to be asked for.
///
/// 2,048, because they take 0.12 MB a peer, 30 MB for 256 of them; what is beyond that is found again by comparing. Those that
/// another peer was asked for count, too, and take 42 MB at most.
pub const MAX_OFFERS: usize = 2_048;

/// How many news wait to be told to a peer.
///
/// 2,048, because four messages name them; what is beyond that is found again by comparing. Each node has news once, whoever is
/// to be told: they take 0.1 KB each, 2 MB where all that can be known is new.
pub const MAX_NEWS: usize = 2_048;

/// How many announcements are asked of one peer at one time.
///
/// 128, because at the usual size they take 64 KiB, a second of its free lane.
pub const MAX_IN_FLIGHT: usize = 128;

/// How many answers a peer may owe before it is asked for one at a time: it holds up what others offer.
pub const MAX_UNANSWERED: u32 = 8;

/// How long a peer has to send what it was asked for, from when it last sent something.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long it has at most.
///
/// A minute, because 128 announcements of the longest take 20 seconds of its free lane, and because one that sends now and
/// then, to hold up what others offer, does not do so for longer.
pub const ANSWER_ALL_WITHIN: Duration = Duration::from_secs(60);

/// How many nodes are looked for at one time, for ourselves and for others.
///
/// 128, because each is spared when others have to go, and of the longest announcements they then hold 1,152 places; and
/// they take 8 KB. Half of them at most for others, so that these never keep us from asking.
pub const MAX_SOUGHT: usize = 128;

/// How many peers a request for a node goes to at each step.
pub const FIND_FANOUT: usize = 3;

/// How many nodes that link the one asked for are named with it.
pub const FOUND_WITH: usize = 15;

/// How long a node that others asked for is looked for.
pub const SOUGHT_FOR_OTHERS: Duration = Duration::from_secs(60);

/// How long a node that is asked for here is looked for, and kept once it is found.
pub const SOUGHT_FOR_US: Duration = Duration::from_secs(600);

/// How long it takes until a node may be asked for again here.
pub const ASK_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// How many bytes of announcements go into one message.
///
/// 52,000, because five of the longest fit, and because a packet carries 56,320.
pub const MAX_ITEMS_BYTES: usize = 52_000;

/// How many ranges an answer has at most, in several messages.
pub const MAX_RANGES_IN_ANSWER: usize = 256;

/// How long an announcement counts from when it was made.
///
/// An hour: a node that is gone for good is forgotten then, and one that is there says so three times.
pub const LIFETIME: Duration = Duration::from_secs(3_600);

/// How far ahead of our clock an announcement may have been made.
pub const AHEAD: Duration = MAX_PACKET_AGE;

/// How often a node says again what has not changed; give or take a tenth, so that the mesh does not speak in chorus.
pub const REPEAT_EVERY: Duration = Duration::from_secs(1_200);

/// How long a change waits for others that come with it.
pub const SETTLE: Duration = Duration::from_millis(500);

/// How long it is from one announced change to the next, at least; it doubles while changes keep coming.
pub const LEAST_GAP: Duration = Duration::from_secs(2);

/// How long it is at most, so that the mesh hears of a lost link within a minute from a node that flaps.
pub const MOST_GAP: Duration = Duration::from_secs(64);

/// How long news wait for others before they are told.
pub const NEWS_EVERY: Duration = Duration::from_millis(100);

/// How often what waits on a peer is looked at.
pub const WATCH_EVERY: Duration = Duration::from_secs(1);

/// How often announcements that have ended are removed.
pub const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// How often all is compared with one of the peers, in turn: it mends whatever was lost on the way.
pub const COMPARE_EVERY: Duration = Duration::from_secs(60);

/// How soon a comparison that did not end may go on.
///
/// Eight seconds, because at 256 a second a peer has then asked for all of what was told at most; sooner, some of it would be
/// told again.
pub const COMPARE_AGAIN_AFTER: Duration = Duration::from_secs(8);

/// How many announcements are asked of a peer, so how many of its signatures are checked: 256 a second, 1,024 at once. One
/// that takes several places counts as so many.
///
/// A signature takes some 50 µs: a peer costs 1.3 % of a core at most.
pub(crate) const ITEMS_FROM_PEER: Rate = Rate {
    burst: 1_024,
    micros_for_one: 3_906,
};

/// The same of all peers together: 1,024 a second, 4,096 at once; 5 % of a core.
pub(crate) const ITEMS_FROM_ALL: Rate = Rate {
    burst: 4_096,
    micros_for_one: 976,
};

/// How many announcements of one origin are taken: one in 10 seconds, 8 at once, which is more than a node with flapping
/// links makes.
pub(crate) const ITEMS_OF_ORIGIN: Rate = Rate {
    burst: 8,
    micros_for_one: 10_000_000,
};

/// How many names a peer may offer or ask for: 512 a second, 16,384 at once, so that it may name all there are.
pub(crate) const NAMES_FROM_PEER: Rate = Rate {
    burst: 16_384,
    micros_for_one: 1_953,
};

/// How many bytes of announcements a peer is sent: 64 KiB a second, 8 MiB at once, which is a mesh of 10,000 nodes.
pub(crate) const BYTES_TO_PEER: Rate = Rate {
    burst: 8 << 20,
    micros_for_one: 15,
};

/// How many comparisons a peer may ask for: two a second, 64 at once. Each hashes all announcements twice at most, which
/// takes some milliseconds for ten thousand.
pub(crate) const COMPARISONS_FROM_PEER: Rate = Rate {
    burst: 64,
    micros_for_one: 500_000,
};

/// The same of all peers together: 32 a second, 512 at once.
pub(crate) const COMPARISONS_FROM_ALL: Rate = Rate {
    burst: 512,
    micros_for_one: 31_250,
};

/// How many nodes a peer may look for: one a second, 8 at once.
pub(crate) const FINDS_FROM_PEER: Rate = Rate {
    burst: 8,
    micros_for_one: 1_000_000,
};

/// How many announcements that nobody has signed a peer may hand on: three at once, one more each hour.
///
/// Beyond that it is muted. Three, because an honest peer hands on only what it has verified, and because a fault of ours
/// should show more than once before it cuts us off; an hour, because a program that was mended should be heard again.
pub(crate) const FORGERIES_FROM_PEER: Rate = Rate {
    burst: 3,
    micros_for_one: 3_600_000_000,
};

/// Of how many peers whose links are down it is remembered what they may do.
///
/// 1,024, four times as many as there are links; they take some 200 KB. Most are forgotten after two minutes.
pub const MAX_DEPARTED: usize = 1_024;
