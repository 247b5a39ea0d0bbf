use super::{
    conduct::Conduct,
    limits::{ITEMS_FROM_PEER, MAX_IN_FLIGHT, MAX_NEWS, MAX_OFFERS, MAX_UNANSWERED},
};
use mesh_types::{Held, NodeId, UnixTime};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a peer that a link is up with.
#[derive(Debug)]
pub(crate) struct Neighbour {
    pub(crate) latency_ms: u32,
    /// Whether our announcement leaves the link with it out.
    pub(crate) is_withheld: bool,
    /// What it offers and was not asked for yet.
    pub(crate) offers: BTreeMap<NodeId, u64>,
    /// What it is to be told of.
    pub(crate) news: BTreeSet<NodeId>,
    /// How many announcements it was asked for and has not sent.
    pub(crate) in_flight: usize,
    /// When it last sent one of them.
    pub(crate) sent_at: UnixTime,
    pub(crate) unanswered: u32,
    /// Whether there was more to compare than fitted.
    pub(crate) has_more: bool,
    /// Whether an announcement went over the link since the last comparison: without, comparing again leads nowhere.
    pub(crate) has_moved: bool,
    /// Whether it is the one to begin a comparison, and has not.
    pub(crate) is_to_compare: bool,
    pub(crate) compared_at: UnixTime,
    pub(crate) conduct: Conduct,
}

impl Neighbour {
    pub(crate) fn new(latency_ms: u32, conduct: Conduct, now: UnixTime) -> Self {
        Self {
            latency_ms,
            is_withheld: false,
            offers: BTreeMap::new(),
            news: BTreeSet::new(),
            in_flight: 0,
            sent_at: now,
            unanswered: 0,
            has_more: false,
            has_moved: false,
            is_to_compare: false,
            compared_at: now,
            conduct,
        }
    }

    /// Whether a comparison with it did not end, or did not begin.
    pub(crate) fn has_to_go_on(&self) -> bool {
        self.is_to_compare || (self.has_more && self.has_moved)
    }

    /// Notes an offer; what does not fit is found again by comparing.
    pub(crate) fn offer(&mut self, held: Held) {
        if self.offers.len() >= MAX_OFFERS && !self.offers.contains_key(&held.node_id) {
            self.has_more = true;
            return;
        }
        let sequence = self.offers.entry(held.node_id).or_default();
        *sequence = held.sequence.max(*sequence);
    }

    /// Notes what it is to be told of; what does not fit is found again by comparing.
    pub(crate) fn tell(&mut self, id: NodeId) {
        if self.news.len() >= MAX_NEWS && !self.news.contains(&id) {
            self.has_more = true;
            return;
        }
        self.news.insert(id);
    }

    /// How many announcements it may be asked for.
    pub(crate) fn room(&self, now: UnixTime) -> usize {
        let most = match self.unanswered {
            0..MAX_UNANSWERED => MAX_IN_FLIGHT,
            _ => 1,
        };
        let allowed = self.conduct.items.left(ITEMS_FROM_PEER, now);
        let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
        most.saturating_sub(self.in_flight).min(allowed)
    }
}
