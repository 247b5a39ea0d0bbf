use crate::{
    Sabotage, Trade,
    node::Node,
    signer::Signer,
    wire::Taken,
    world::{Event, Hop, World},
};
use mesh_protocol::HEADER_LEN;
use mesh_routing::Gossip;
use mesh_types::{GossipMessage, NodeId, RangeContent};

/// What a packet between two linked nodes has besides its payload: header, two ids, one MAC.
const AROUND_LEN: usize = HEADER_LEN + 2 * 32 + 16;

/// What nodes tell each other of the mesh.
impl World {
    pub(crate) fn hear_gossip(&mut self, hop: Hop, message: GossipMessage) {
        let wire = &self.wires[hop.wire as usize];
        if !wire.is_up || wire.life != hop.life {
            return;
        }
        if self.is_stormy && self.node(hop.to).trade.as_ref().is_some_and(Trade::mints) {
            self.serve_minted(hop.to, hop.from, &message);
        }
        let (now, from) = (self.now, self.node(hop.from).id);
        if let Some(gossip) = &mut self.node_mut(hop.to).gossip {
            gossip.message(from, message, now);
            self.after_gossip(hop.to);
        }
    }

    /// What a program does after each event: makes the changes, sends the messages, asks when to wake.
    pub(crate) fn after_gossip(&mut self, number: u32) {
        let Some(gossip) = &mut self.node_mut(number).gossip else {
            return;
        };
        let (changes, messages) = (gossip.take_changes(), gossip.take_messages());
        // Who sends nothing needs no table.
        let node = &self.nodes[number as usize];
        if let Some(engine) = node.made_engine()
            && node.keeps_table()
        {
            for change in changes {
                self.tally.changes += 1;
                let forgets = self.plan.sabotage == Some(Sabotage::ForgetLinks);
                if forgets && self.tally.changes.is_multiple_of(3) {
                    continue;
                }
                if change.apply_to(engine.routes()).is_err() {
                    self.tally.table_full += 1;
                }
            }
        }
        for (to, message) in messages {
            self.put_gossip(number, &to, message);
        }
        self.note_wake(number);
    }

    pub(crate) fn put_gossip(&mut self, from: u32, to: &NodeId, message: GossipMessage) {
        let Some(&(to, number)) = self.node(from).peers.get(to).filter(|_| !self.is_mute) else {
            return;
        };
        let len = AROUND_LEN + message_len(&message);
        self.tally.gossip.count(&message, len);
        let weather = self.weather;
        let wire = &mut self.wires[number as usize];
        if !wire.is_up {
            return;
        }
        let (wire_number, life) = (number, wire.life);
        let hop = Hop {
            wire: wire_number,
            life,
            from,
            to,
        };
        match wire.take(from, len, weather, &mut self.chance.links, self.now) {
            Taken::Full => {}
            Taken::Arrives([first, None]) => {
                if let Some(at) = first {
                    self.queue.note(at, Event::Gossip(hop, message));
                }
            }
            Taken::Arrives(times) => {
                for at in times.into_iter().flatten() {
                    self.queue.note(at, Event::Gossip(hop, message.clone()));
                }
            }
        }
    }

    /// Whether each node that is up holds the newest that each of them has said.
    pub(crate) fn is_agreed(&self) -> bool {
        let up = || self.nodes.iter().filter_map(|node| node.gossip.as_ref());
        let count = up().count();
        if up().any(|gossip| gossip.known_nodes() < count) {
            return false;
        }
        let newest: Vec<(NodeId, Option<u64>)> = self
            .nodes
            .iter()
            .filter(|node| node.is_up())
            .map(|node| (node.id, said_by(node, &node.id)))
            .collect();
        self.nodes
            .iter()
            .filter(|node| node.is_up())
            .all(|node| newest.iter().all(|(id, said)| said_by(node, id) == *said))
    }
}

impl Node {
    /// Whether the changes of the graph are made in its table.
    pub(crate) fn keeps_table(&self) -> bool {
        self.is_source || self.trade.as_ref().is_some_and(Trade::sends)
    }
}

fn said_by(node: &Node, id: &NodeId) -> Option<u64> {
    let announcement = node
        .gossip
        .as_ref()
        .and_then(|gossip: &Gossip<Signer>| gossip.announcement(id));
    announcement.map(|item| item.announcement.sequence)
}

/// How many bytes a message has as a payload, by docs/wire-format.md.
pub(crate) fn message_len(message: &GossipMessage) -> usize {
    match message {
        GossipMessage::Have(held) => 3 + 40 * held.len(),
        GossipMessage::Want(ids) => 3 + 32 * ids.len(),
        GossipMessage::Items(items) => {
            3 + items.iter().map(|item| item.encoded_len()).sum::<usize>()
        }
        GossipMessage::Compare(comparison) => {
            let ranges = comparison.ranges.iter().map(|range| match &range.content {
                RangeContent::Fingerprint(_) => 77,
                RangeContent::List(list) => 66 + 40 * list.len(),
            });
            19 + ranges.sum::<usize>()
        }
        GossipMessage::Find { .. } => 34,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::signed;
    use mesh_protocol::ControlMessage;
    use mesh_types::{
        AnnouncedLink, Announcement, CarryLimits, Comparison, Fingerprint, Held, HeldRange, Price,
    };
    use std::sync::Arc;

    #[test]
    fn messages_are_counted_as_long_as_they_are_on_the_wire() {
        let id = |byte| NodeId::from_bytes([byte; 32]);
        let held = |byte| Held {
            node_id: id(byte),
            sequence: 7,
        };
        let item = signed(Announcement {
            node_id: id(1),
            sequence: 7,
            made_at: 1,
            price: Price::FREE,
            limits: CarryLimits::default(),
            addresses: vec!["203.0.113.210:8334".to_owned()],
            links: vec![AnnouncedLink {
                node_id: id(2),
                latency_ms: 10,
            }],
        });
        let range = |first, content| HeldRange {
            first: id(first),
            last: id(first + 9),
            content,
        };
        let fingerprint = RangeContent::Fingerprint(Fingerprint { count: 2, sum: 3 });
        let comparison = Comparison {
            key: [7; 16],
            ranges: vec![
                range(0, fingerprint),
                range(10, RangeContent::List(vec![held(11), held(12)])),
            ],
        };
        let messages = [
            GossipMessage::Have(vec![held(1), held(2)]),
            GossipMessage::Want(vec![id(1), id(2), id(3)]),
            GossipMessage::Items(vec![Arc::new(item.clone()), Arc::new(item)]),
            GossipMessage::Compare(comparison),
            GossipMessage::Find {
                target: id(1),
                hops: 3,
            },
        ];
        for message in messages {
            let len = message_len(&message);
            let bytes = ControlMessage::Gossip(message.clone()).encode();
            assert_eq!(bytes.map(|bytes| bytes.len()), Ok(len), "{message:?}");
        }
    }
}
