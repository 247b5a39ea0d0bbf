use crate::effect::{Effect, Gain, Passed, Place};
use crate::graph::{Graph, LOCAL, Node, Peer};
use crate::link::{Closed, Link, Room};
use crate::near::FAR;
use crate::{
    MAX_ADDRESS_BYTES, MAX_DIRECT_PEERS, MAX_LINK_LATENCY_MS, MAX_LINKS_PER_NODE, RoutingError,
};
use mesh_types::{NodeId, Price};
use std::sync::Arc;

/// What a lost connection counts among the changes that make the bounds of latency stale: it leaves more of them low.
const LOST_PEER: u32 = 64;

/// Each change says what it may do to routes that were found before; nothing when it changes no route.
impl Graph {
    /// Connects a peer, or changes its address.
    pub(crate) fn connect(
        &mut self,
        id: NodeId,
        address: &str,
    ) -> Result<Option<Effect>, RoutingError> {
        if address.len() > MAX_ADDRESS_BYTES {
            let bytes = address.len();
            return Err(RoutingError::AddressTooLong { bytes });
        }
        let known = self.index(&id);
        if known == Some(LOCAL) {
            return Err(RoutingError::Local);
        }
        let is_connected = self.address(&id).is_some();
        if !is_connected && self.peers.len() >= MAX_DIRECT_PEERS {
            return Err(RoutingError::PeersFull);
        }
        self.check_room(usize::from(known.is_none()))?;
        let index = self.take(id);
        let Some(node) = self.nodes.get_mut(index as usize) else {
            return Ok(None);
        };
        let address = Arc::from(address);
        if let Some(peer) = node.peer.as_mut() {
            peer.address = address;
            return Ok(None);
        }
        let link = Link::new(LOCAL);
        node.peer = Some(Peer { address, link });
        self.peers.push(index);
        Ok(self.link_gained(LOCAL, index))
    }

    pub(crate) fn disconnect(&mut self, id: &NodeId) -> Option<Effect> {
        let index = self.index(id)?;
        self.nodes.get_mut(index as usize)?.peer.take()?;
        self.peers.retain(|peer| *peer != index);
        let effect = self.link_lost(LOCAL, index, LOST_PEER);
        self.forget_if_idle(index);
        effect
    }

    pub(crate) fn set_price(
        &mut self,
        id: NodeId,
        price: Price,
    ) -> Result<Option<Effect>, RoutingError> {
        if self.index(&id).is_none() {
            if price == Price::FREE {
                return Ok(None);
            }
            self.check_room(1)?;
        }
        let index = self.take(id);
        Ok(self.change_node(index, |node| {
            let before = std::mem::replace(&mut node.price, price);
            let is_dearer = price.per_packet > before.per_packet || price.per_kib > before.per_kib;
            let is_cheaper = price.per_packet < before.per_packet || price.per_kib < before.per_kib;
            (is_dearer, is_cheaper)
        }))
    }

    pub(crate) fn set_node_room(
        &mut self,
        id: NodeId,
        room: Room,
    ) -> Result<Option<Effect>, RoutingError> {
        if self.index(&id).is_none() {
            if room == Room::UNBOUNDED {
                return Ok(None);
            }
            self.check_room(1)?;
        }
        let index = self.take(id);
        Ok(self.change_node(index, |node| {
            let before = std::mem::replace(&mut node.room, room);
            (room < before, room > before)
        }))
    }

    /// Closes a place that is known, or opens it; an unknown one stays unknown.
    pub(crate) fn close(&mut self, place: Place, reason: Closed, is_on: bool) -> Option<Effect> {
        let set = |closed: &mut Closed| {
            let before = *closed;
            *closed = closed.with(reason, is_on);
            (
                before.is_open() && !closed.is_open(),
                !before.is_open() && closed.is_open(),
            )
        };
        match place {
            Place::Node(id) => {
                let index = self.index(&id)?;
                self.change_node(index, |node| set(&mut node.closed))
            }
            Place::Link(a, b) => self.change_link(&a, &b, |link| set(&mut link.closed))?,
        }
    }

    /// Takes a link. A link of the local node is a connection and nothing else, so it is not taken.
    pub(crate) fn link(&mut self, a: NodeId, b: NodeId) -> Result<Option<Effect>, RoutingError> {
        if a == b {
            return Err(RoutingError::SelfLink { node: a });
        }
        let known = [self.index(&a), self.index(&b)];
        if known.contains(&Some(LOCAL)) || self.link_between(&a, &b).is_some() {
            return Ok(None);
        }
        self.check_room(known.iter().filter(|index| index.is_none()).count())?;
        for (index, node) in known.into_iter().zip([a, b]) {
            let links = index.and_then(|index| self.node(index));
            if links.is_some_and(|node| node.links.len() >= MAX_LINKS_PER_NODE) {
                return Err(RoutingError::LinksFull { node });
            }
        }
        let (a, b) = (self.take(a), self.take(b));
        for (from, to) in [(a, b), (b, a)] {
            if let Some(node) = self.nodes.get_mut(from as usize) {
                node.links.push(Link::new(to));
            }
        }
        Ok(self.link_gained(a, b))
    }

    pub(crate) fn unlink(&mut self, a: &NodeId, b: &NodeId) -> Option<Effect> {
        let (a, b) = (self.index(a)?, self.index(b)?);
        let mut was_known = false;
        for (from, to) in [(a, b), (b, a)] {
            if let Some(node) = self.nodes.get_mut(from as usize)
                && let Some(at) = node.links.iter().position(|link| link.to() == to)
            {
                node.links.swap_remove(at);
                was_known = true;
            }
        }
        let effect = was_known.then(|| self.link_lost(a, b, 1)).flatten();
        self.forget_if_idle(a);
        self.forget_if_idle(b);
        effect
    }

    /// `None` when the link is not known.
    pub(crate) fn set_latency(
        &mut self,
        a: &NodeId,
        b: &NodeId,
        latency_ms: u32,
    ) -> Option<Option<Effect>> {
        let latency_ms = latency_ms.min(MAX_LINK_LATENCY_MS);
        self.change_link(a, b, |link| {
            let before = link.latency_ms();
            link.set_latency_ms(latency_ms);
            (latency_ms > before, latency_ms < before)
        })
    }

    /// `None` when the link is not known.
    pub(crate) fn set_link_room(
        &mut self,
        a: &NodeId,
        b: &NodeId,
        room: Room,
    ) -> Option<Option<Effect>> {
        self.change_link(a, b, |link| {
            let before = std::mem::replace(&mut link.room, room);
            (room < before, room > before)
        })
    }

    /// Changes a node; `change` says whether that made it worse, and whether better.
    fn change_node(
        &mut self,
        index: u32,
        change: impl FnOnce(&mut Node) -> (bool, bool),
    ) -> Option<Effect> {
        let node = self.nodes.get_mut(index as usize)?;
        let (id, (is_worse, is_better)) = (node.id, change(node));
        let gained = Gain {
            nodes: vec![passed(node, self.near_hops.of(index))],
            room: Room::UNBOUNDED,
            at_least_ms: self.near.of(index),
        };
        self.forget_if_idle(index);
        // The local node is on every route, and neither paid nor a relay.
        (index != LOCAL && (is_worse || is_better)).then(|| Effect {
            lost: is_worse.then_some(Place::Node(id)),
            gained: is_better.then_some(gained),
            terms_of: Some(id),
        })
    }

    /// Changes both directions of a link; `change` says whether that made it worse, and whether better.
    fn change_link(
        &mut self,
        a: &NodeId,
        b: &NodeId,
        change: impl Fn(&mut Link) -> (bool, bool),
    ) -> Option<Option<Effect>> {
        self.link_between(a, b)?;
        let (a, b) = (self.index(a)?, self.index(b)?);
        let (mut is_worse, mut is_better) = (false, false);
        for (from, to) in [(a, b), (b, a)] {
            let Some(node) = self.nodes.get_mut(from as usize) else {
                continue;
            };
            let link = if to == LOCAL {
                node.peer.as_mut().map(|peer| &mut peer.link)
            } else {
                node.links.iter_mut().find(|link| link.to() == to)
            };
            if let Some(link) = link {
                (is_worse, is_better) = change(link);
            }
        }
        Some(match (is_worse, is_better) {
            (_, true) => self.link_gained(a, b),
            (true, false) => self.link_lost(a, b, 1),
            (false, false) => None,
        })
    }

    fn link_gained(&mut self, a: u32, b: u32) -> Option<Effect> {
        let link = *self.link_between(&self.node(a)?.id, &self.node(b)?.id)?;
        let latency_ms = link.latency_ms();
        let beyond = |near: u32| near.saturating_add(latency_ms);
        let (near_a, near_b) = (self.near(a), self.near(b));
        let (hops_a, hops_b) = (self.near_hops(a), self.near_hops(b));
        self.follow(
            [(a, beyond(near_b)), (b, beyond(near_a))],
            [(a, hops_b.saturating_add(1)), (b, hops_a.saturating_add(1))],
        );
        let ends = [a, b].into_iter().filter(|end| *end != LOCAL);
        let at_least_ms = match self.near(a).min(self.near(b)) {
            FAR => FAR,
            near => beyond(near),
        };
        Some(Effect {
            gained: Some(Gain {
                nodes: ends
                    .filter_map(|end| Some(passed(self.node(end)?, self.near_hops(end))))
                    .collect(),
                room: link.room,
                at_least_ms,
            }),
            ..Effect::default()
        })
    }

    fn link_lost(&mut self, a: u32, b: u32, weight: u32) -> Option<Effect> {
        if self.near.worsen(weight) {
            self.near.restart();
            self.near_hops.restart();
            self.follow([(LOCAL, 0)], [(LOCAL, 0)]);
        }
        let (a, b) = (self.node(a)?.id, self.node(b)?.id);
        Some(Effect {
            lost: Some(Place::Link(a, b)),
            ..Effect::default()
        })
    }

    /// Follows what became nearer to the local node, in milliseconds and in hops.
    fn follow<const N: usize>(&mut self, sooner: [(u32, u32); N], closer: [(u32, u32); N]) {
        let Self {
            nodes,
            near,
            near_hops,
            peers,
            ..
        } = self;
        let links = |index: u32| {
            let of_local = if index == LOCAL {
                peers.as_slice()
            } else {
                &[]
            };
            let of_local = of_local.iter().filter_map(|peer| {
                let link = &nodes.get(*peer as usize)?.peer.as_ref()?.link;
                Some((*peer, link.latency_ms()))
            });
            let node = nodes.get(index as usize);
            let links = node.map_or(&[][..], |node| node.links.as_slice());
            of_local.chain(links.iter().map(|link| (link.to(), link.latency_ms())))
        };
        near.improve(sooner, links);
        near_hops.improve(closer, |index| links(index).map(|(to, _)| (to, 1)));
    }
}

fn passed(node: &Node, hops: u32) -> Passed {
    Passed {
        id: node.id,
        price: node.price,
        room_as_relay: node.closed.is_open().then_some(node.room),
        hops,
    }
}
