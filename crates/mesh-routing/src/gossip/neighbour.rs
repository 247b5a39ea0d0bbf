use super::{
    asked::Asked,
    conduct::Conduct,
    limits::{ITEMS_FROM_PEER, MAX_IN_FLIGHT, MAX_OFFERS, MAX_UNANSWERED},
};
use mesh_types::{Held, NodeId, UnixTime};
use std::collections::BTreeMap;

/// What is known of a peer that a link is up with.
#[derive(Debug)]
pub(crate) struct Neighbour {
    /// Its place among the peers, which no other has.
    pub(crate) seat: u8,
    pub(crate) latency_ms: u32,
    /// Whether our announcement leaves the link with it out.
    pub(crate) is_withheld: bool,
    /// What it offers and nobody was asked for yet.
    pub(crate) offers: BTreeMap<NodeId, u64>,
    /// How much else it offers: another peer was asked for it.
    pub(crate) held_up: usize,
    /// How much it is to be told of.
    pub(crate) news: usize,
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
    pub(crate) fn new(seat: u8, latency_ms: u32, conduct: Conduct, now: UnixTime) -> Self {
        Self {
            seat,
            latency_ms,
            is_withheld: false,
            offers: BTreeMap::new(),
            held_up: 0,
            news: 0,
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

    /// Whether it offers anything that is not here yet.
    pub(crate) fn has_offers(&self) -> bool {
        self.held_up > 0 || !self.offers.is_empty()
    }

    /// Notes an offer; what does not fit is found again by comparing.
    pub(crate) fn offer(&mut self, held: Held) {
        let has_room = self.offers.len() + self.held_up < MAX_OFFERS;
        if !has_room && !self.offers.contains_key(&held.node_id) {
            self.has_more = true;
            return;
        }
        let sequence = self.offers.entry(held.node_id).or_default();
        *sequence = held.sequence.max(*sequence);
    }

    /// Notes that it, `id`, offers what another peer was asked for; the same holds for what does not fit.
    pub(crate) fn offer_besides(&mut self, id: NodeId, sequence: u64, asked: &mut Asked) {
        let has_room = self.offers.len() + self.held_up < MAX_OFFERS;
        match asked.offered(id, sequence, has_room) {
            true => self.held_up += 1,
            false => self.has_more |= !has_room,
        }
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
