use super::{
    Gossip, Signatures,
    allowance::Allowance,
    asked::Asked,
    compare::{Differences, beginning, compare},
    limits::{
        AHEAD, BYTES_TO_PEER, COMPARISONS_FROM_ALL, COMPARISONS_FROM_PEER, FINDS_FROM_PEER,
        FORGERIES_FROM_PEER, ITEMS_FROM_ALL, ITEMS_FROM_PEER, MAX_ITEMS_BYTES, MAX_PLACES,
        NAMES_FROM_PEER,
    },
    shelf::{ends_at, places_of},
};
use mesh_types::{
    Announcement, Comparison, GossipMessage, Held, MAX_ITEMS, MAX_NAMED, NodeId,
    SignedAnnouncement, UnixTime,
};
use std::sync::Arc;

impl<S: Signatures> Gossip<S> {
    /// Takes a message of a peer. What is too much, out of order or of nobody that a link is up with changes counters
    /// only.
    pub fn message(&mut self, from: NodeId, message: GossipMessage, now: UnixTime) {
        let Some(neighbour) = self.neighbours.get_mut(&from) else {
            self.counts.unheard += 1;
            return;
        };
        let is_allowed = !neighbour.conduct.is_muted(now)
            && match &message {
                GossipMessage::Have(held) => names(&mut neighbour.conduct.names, held.len(), now),
                GossipMessage::Want(ids) => names(&mut neighbour.conduct.names, ids.len(), now),
                // What was asked for was counted when it was asked for.
                GossipMessage::Items(items) => items.len() <= MAX_ITEMS,
                GossipMessage::Compare(comparison) => {
                    comparison.is_well_formed()
                        && neighbour
                            .conduct
                            .comparisons
                            .take(1, COMPARISONS_FROM_PEER, now)
                        && self.comparisons.take(1, COMPARISONS_FROM_ALL, now)
                }
                GossipMessage::Find { .. } => neighbour.conduct.finds.take(1, FINDS_FROM_PEER, now),
            };
        if !is_allowed {
            self.counts.unheard += 1;
            return;
        }
        match message {
            GossipMessage::Have(held) => {
                self.offered(from, &held);
                self.ask(from, now);
            }
            GossipMessage::Want(ids) => self.serve(from, &ids, now),
            GossipMessage::Items(items) => {
                for item in items {
                    self.item(from, item, now);
                }
                self.make_room(now);
                self.ask(from, now);
            }
            GossipMessage::Compare(comparison) => self.compared(from, &comparison, now),
            GossipMessage::Find { target, hops } => self.asked_to_find(from, target, hops, now),
        }
    }

    /// Begins to compare all with a peer.
    pub(super) fn begin_comparison(&mut self, peer: NodeId, now: UnixTime) {
        if let Some(neighbour) = self.neighbours.get_mut(&peer) {
            neighbour.compared_at = now;
            neighbour.has_more = false;
            neighbour.has_moved = false;
            neighbour.is_to_compare = false;
            let comparison = beginning(&self.shelf, self.chance.key());
            self.messages
                .push((peer, GossipMessage::Compare(comparison)));
        }
    }

    fn compared(&mut self, from: NodeId, theirs: &Comparison, now: UnixTime) {
        let Differences {
            answers,
            they_lack,
            we_lack,
            has_more,
        } = compare(&self.shelf, theirs);
        let answers = answers.into_iter().map(GossipMessage::Compare);
        self.messages.extend(answers.map(|answer| (from, answer)));
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.has_more |= has_more;
            neighbour.is_to_compare = false;
            for id in they_lack {
                self.news.tell(id, std::iter::once(&mut *neighbour));
            }
        }
        self.offered(from, &we_lack);
        self.ask(from, now);
    }

    /// Notes what a peer offers that is news here.
    fn offered(&mut self, from: NodeId, held: &[Held]) {
        let Some(neighbour) = self.neighbours.get_mut(&from) else {
            return;
        };
        for held in held {
            let ours = match held.node_id == self.local {
                true => Some(self.own.sequence()),
                false => self.shelf.sequence_of(&held.node_id),
            };
            if ours == Some(held.sequence) {
                self.news.is_known(&held.node_id, neighbour);
            }
            if ours >= Some(held.sequence)
                || self.refused.get(&held.node_id) >= Some(&held.sequence)
            {
                continue;
            }
            match self.in_flight.get_mut(&held.node_id) {
                Some(asked) => neighbour.offer_besides(from, held.sequence, asked),
                None => neighbour.offer(*held),
            }
        }
    }

    /// Asks a peer for what it offers, as much as it may be asked for and nobody else was.
    pub(super) fn ask(&mut self, peer: NodeId, now: UnixTime) {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            return;
        };
        let allowed = usize::try_from(self.items.left(ITEMS_FROM_ALL, now));
        let room = neighbour.room(now).min(allowed.unwrap_or(usize::MAX));
        if room == 0 || neighbour.conduct.is_muted(now) || neighbour.offers.is_empty() {
            return;
        }
        // From anywhere in the order of ids, so that nobody who chooses his ids is always asked for first.
        let start = self.chance.id();
        let (mut wanted, mut others) = (Vec::new(), Vec::new());
        let offers = neighbour.offers.range(start..);
        for (id, sequence) in offers.chain(neighbour.offers.range(..start)) {
            let kept = self.shelf.get(id);
            let is_old = kept.is_some_and(|kept| kept.said().sequence >= *sequence);
            if is_old || self.refused.get(id) >= Some(sequence) {
                others.push(*id);
            } else if let Some(asked) = self.in_flight.get_mut(id) {
                neighbour.held_up += usize::from(asked.offered(peer, *sequence, true));
                others.push(*id);
            } else if kept.is_none_or(|kept| kept.allowance.left(now) > 0) {
                wanted.push(*id);
            }
            if wanted.len() >= room {
                break;
            }
        }
        for id in others.iter().chain(&wanted) {
            neighbour.offers.remove(id);
        }
        let count = u64::try_from(wanted.len()).unwrap_or(u64::MAX);
        neighbour.conduct.items.take(count, ITEMS_FROM_PEER, now);
        self.items.take(count, ITEMS_FROM_ALL, now);
        neighbour.in_flight += wanted.len();
        for id in &wanted {
            self.in_flight.insert(*id, Asked::new(peer, now));
        }
        let parts = wanted.chunks(MAX_NAMED);
        let messages = parts.map(|ids| (peer, GossipMessage::Want(ids.to_vec())));
        self.messages.extend(messages);
    }

    /// Sends a peer what it asks for.
    fn serve(&mut self, from: NodeId, ids: &[NodeId], now: UnixTime) {
        let Some(neighbour) = self.neighbours.get_mut(&from) else {
            return;
        };
        let (mut items, mut bytes) = (Vec::new(), 0);
        for id in ids {
            let Some(kept) = self.shelf.get(id) else {
                continue;
            };
            let len = kept.item.encoded_len();
            let cost = u64::try_from(len).unwrap_or(u64::MAX);
            if !neighbour.conduct.bytes.take(cost, BYTES_TO_PEER, now) {
                break;
            }
            if items.len() >= MAX_ITEMS || bytes + len > MAX_ITEMS_BYTES {
                let full = GossipMessage::Items(std::mem::take(&mut items));
                self.messages.push((from, full));
                bytes = 0;
            }
            bytes += len;
            items.push(Arc::clone(&kept.item));
            self.news.is_known(id, neighbour);
            neighbour.has_moved = true;
        }
        if !items.is_empty() {
            self.messages.push((from, GossipMessage::Items(items)));
        }
    }

    /// Takes an announcement that was asked for.
    fn item(&mut self, from: NodeId, item: Arc<SignedAnnouncement>, now: UnixTime) {
        let id = item.announcement.node_id;
        let asked = self.in_flight.get(&id);
        if asked.is_none_or(|asked| asked.peer != from) {
            self.counts.unasked += 1;
            return;
        }
        self.take(from, item, now);
        self.stop_waiting(&id, now);
    }

    /// Waits no longer for what a peer was asked for. Who offers something newer than there is now can be asked again.
    pub(super) fn stop_waiting(&mut self, id: &NodeId, now: UnixTime) {
        let Some(asked) = self.in_flight.remove(id) else {
            return;
        };
        for (peer, sequence) in asked.into_others() {
            if let Some(neighbour) = self.neighbours.get_mut(&peer) {
                neighbour.held_up = neighbour.held_up.saturating_sub(1);
                if !neighbour.conduct.is_muted(now) {
                    let node_id = *id;
                    self.offered(peer, &[Held { node_id, sequence }]);
                }
            }
        }
    }

    /// Takes an announcement, if it is newer than what is held, in time, allowed and signed, in this order: the signature is
    /// the dearest to look at.
    fn take(&mut self, from: NodeId, item: Arc<SignedAnnouncement>, now: UnixTime) {
        let said = &item.announcement;
        let (id, sequence) = (said.node_id, said.sequence);
        // One was counted when it was asked for.
        let more = u64::try_from(places_of(said) - 1).unwrap_or(u64::MAX);
        self.items.take_most(more, ITEMS_FROM_ALL, now);
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour
                .conduct
                .items
                .take_most(more, ITEMS_FROM_PEER, now);
            neighbour.in_flight = neighbour.in_flight.saturating_sub(1);
            neighbour.unanswered = 0;
            neighbour.sent_at = now;
        }
        if !self.may_be_taken(said, now) {
            return;
        }
        self.counts.signatures += 1;
        if said.check().is_err() || !self.signatures.holds(&item) {
            self.counts.forged += 1;
            if let Some(neighbour) = self.neighbours.get_mut(&from) {
                neighbour
                    .conduct
                    .forgeries
                    .take(1, FORGERIES_FROM_PEER, now);
                if neighbour.conduct.is_muted(now) {
                    neighbour.offers.clear();
                }
            }
            return;
        }
        if id == self.local {
            // From an earlier life, whose clock was ahead.
            self.own.heard(sequence, now);
            self.shelf.count(&id, now);
            return;
        }
        self.counts.taken += 1;
        self.shelf.put(item, &mut self.changes, now);
        self.shelf.count(&id, now);
        self.refused.remove(&id);
        self.tell_all_but(Some(from), id);
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.has_moved = true;
        }
    }

    /// Whether an announcement is worth looking at its signature.
    fn may_be_taken(&mut self, said: &Announcement, now: UnixTime) -> bool {
        let ours = match said.node_id == self.local {
            true => Some(self.own.sequence()),
            false => self.shelf.sequence_of(&said.node_id),
        };
        let is_ahead = UnixTime::from_secs(said.made_at) > now.plus(AHEAD);
        let kept = self.shelf.get(&said.node_id);
        let is_too_much = kept.is_some_and(|kept| kept.allowance.left(now) == 0);
        let counter = if ours >= Some(said.sequence) {
            &mut self.counts.old
        } else if is_ahead || !ends_at(said).is_alive_at(now) {
            &mut self.counts.out_of_time
        } else if is_too_much {
            &mut self.counts.too_many_of_origin
        } else if kept.is_none() && self.has_no_place_for(said, now) {
            &mut self.counts.without_place
        } else {
            return true;
        };
        *counter += 1;
        if kept.is_none() {
            self.refuse(said.node_id, said.sequence, now);
        }
        false
    }

    /// Whether a node that is not known yet would be the first to go again: all places are taken, and it is linked with
    /// nodes only whose branches were cut.
    fn has_no_place_for(&self, said: &Announcement, now: UnixTime) -> bool {
        if self.closed.is_empty()
            || self.shelf.places() + places_of(said) + MAX_PLACES / 8 < MAX_PLACES
            || self.neighbours.contains_key(&said.node_id)
            || self.sought.has(&said.node_id, now)
        {
            return false;
        }
        let gives_its_word = |id: &NodeId| {
            let kept = self.shelf.get(id);
            kept.is_some_and(|kept| kept.said().link_with(&said.node_id).is_some())
        };
        let ends = said.links.iter().map(|link| link.node_id);
        let mut known = ends.filter(gives_its_word).peekable();
        known.peek().is_some() && known.all(|id| self.closed.contains(&id))
    }

    /// Notes news for all peers but the one that they came from. The node that they are of is no exception: it may have
    /// to hear what an earlier life of it has said.
    pub(super) fn tell_all_but(&mut self, from: Option<NodeId>, id: NodeId) {
        let all = self.neighbours.iter_mut();
        let others = all.filter(|(peer, _)| Some(**peer) != from);
        self.news.tell(id, others.map(|(_, neighbour)| neighbour));
    }
}

fn names(allowance: &mut Allowance, count: usize, now: UnixTime) -> bool {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    count <= MAX_NAMED as u64 && allowance.take(count, NAMES_FROM_PEER, now)
}
