use super::{
    Gossip, Signatures,
    limits::{
        ANSWER_ALL_WITHIN, ANSWER_WITHIN, COMPARE_AGAIN_AFTER, COMPARE_EVERY, REFUSED_FOR,
        SWEEP_EVERY, WATCH_EVERY,
    },
    news::Seats,
};
use mesh_types::{GossipMessage, Held, MAX_NAMED, NodeId, UnixTime};
use std::sync::Arc;

impl<S: Signatures> Gossip<S> {
    /// Does what time asks for: says what is due, tells news, asks for what is offered, lets go of what has ended.
    pub fn tick(&mut self, now: UnixTime) {
        if self.own.due_at() <= now {
            self.speak(now);
        }
        if self.watched_at.plus(WATCH_EVERY) <= now {
            self.give_up_waiting(now);
        }
        if self.swept_at.plus(SWEEP_EVERY) <= now {
            self.sweep(now);
        }
        let news = self.take_news();
        let peers: Vec<NodeId> = self.neighbours.keys().copied().collect();
        for peer in peers {
            self.tell_news(peer, &news);
            self.ask(peer, now);
            self.go_on_comparing(peer, now);
        }
        if self.compared_at.plus(COMPARE_EVERY) <= now {
            self.compare_with_one(now);
        }
        self.ticked_at = now;
    }

    /// When there is something to do though nothing happens.
    pub(super) fn idle_until(&self) -> UnixTime {
        let sweep = self.swept_at.plus(SWEEP_EVERY);
        let compare = self.compared_at.plus(COMPARE_EVERY);
        sweep.min(compare)
    }

    /// Announces what the node says of itself now.
    fn speak(&mut self, now: UnixTime) {
        let mut announcement = self.announcement_with(&self.own.words, now);
        announcement.sequence = self.own.number(self.chance.number(), now);
        let Some(signed) = self.signatures.sign(announcement) else {
            return;
        };
        self.shelf.put(Arc::new(signed), &mut self.changes, now);
        self.tell_all_but(None, self.local);
    }

    /// What is new, under which number, and who is to be told.
    fn take_news(&mut self) -> Vec<(Held, Seats)> {
        let news = self.news.take().filter_map(|(node_id, seats)| {
            let sequence = self.shelf.sequence_of(&node_id)?;
            Some((Held { node_id, sequence }, seats))
        });
        news.collect()
    }

    /// Tells a peer what is new.
    fn tell_news(&mut self, peer: NodeId, news: &[(Held, Seats)]) {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            return;
        };
        let mut held = Vec::with_capacity(std::mem::take(&mut neighbour.news));
        let told = news.iter().filter(|(_, seats)| seats.has(neighbour.seat));
        held.extend(told.map(|(held, _)| *held));
        let parts = held.chunks(MAX_NAMED);
        let messages = parts.map(|held| (peer, GossipMessage::Have(held.to_vec())));
        self.messages.extend(messages);
    }

    /// Forgets what peers were asked for and did not send in time: others may be asked now.
    fn give_up_waiting(&mut self, now: UnixTime) {
        self.watched_at = now;
        let mut given_up = Vec::new();
        for (id, asked) in &self.in_flight {
            let sent_at = self.neighbours.get(&asked.peer).map(|peer| peer.sent_at);
            let moved_at = sent_at.map_or(asked.at, |at| at.max(asked.at));
            let is_waiting = moved_at.plus(ANSWER_WITHIN).is_alive_at(now)
                && asked.at.plus(ANSWER_ALL_WITHIN).is_alive_at(now);
            if !is_waiting {
                given_up.push((*id, asked.peer));
            }
        }
        for (id, peer) in given_up {
            if let Some(neighbour) = self.neighbours.get_mut(&peer) {
                neighbour.in_flight = neighbour.in_flight.saturating_sub(1);
                neighbour.unanswered = neighbour.unanswered.saturating_add(1);
            }
            self.counts.unanswered += 1;
            self.stop_waiting(&id, now);
        }
    }

    /// Lets go of announcements that have ended, of searches, and of what was refused for long enough.
    fn sweep(&mut self, now: UnixTime) {
        self.swept_at = now;
        let kept = self.shelf.iter();
        let has_ended = kept.filter(|kept| *kept.id() != self.local && !kept.is_alive_at(now));
        let mut ended: Vec<NodeId> = has_ended.map(|kept| *kept.id()).collect();
        ended.sort_unstable();
        for id in ended {
            self.shelf.remove(&id, &mut self.changes);
            self.counts.ended += 1;
        }
        self.sought.sweep(now);
        self.departed.sweep(now);
        if self.refused_since.plus(REFUSED_FOR) <= now {
            self.refused.clear();
            self.closed.clear();
            self.refused_since = now;
        }
    }

    /// Compares again where there was more than fitted, once that is done.
    fn go_on_comparing(&mut self, peer: NodeId, now: UnixTime) {
        let goes_on = self.neighbours.get(&peer).is_some_and(|neighbour| {
            neighbour.has_to_go_on()
                && !neighbour.has_offers()
                && neighbour.compared_at.plus(COMPARE_AGAIN_AFTER) <= now
        });
        if goes_on {
            self.begin_comparison(peer, now);
        }
    }

    /// Compares with the peer whose turn it is: the one that was compared with longest ago.
    fn compare_with_one(&mut self, now: UnixTime) {
        self.compared_at = now;
        let peers = self.neighbours.iter();
        let peer = peers.min_by_key(|(id, neighbour)| (neighbour.compared_at, **id));
        if let Some(peer) = peer.map(|(id, _)| *id) {
            self.begin_comparison(peer, now);
        }
    }
}
