use super::{Learning, State};
use crate::{Refusal, Refused, Tell};
use mesh_routing::RoutingTable;
use mesh_types::{Msat, NodeId, UnixTime};
use std::collections::HashSet;

/// Which links are not announced: with those who owe, and with those who send and do not pay.
impl Learning {
    /// Takes whose payments the chain has undone: the links with them are not announced.
    pub(crate) fn suspend(&self, nodes: HashSet<NodeId>, routes: &RoutingTable, now: UnixTime) {
        self.with(routes, |state| {
            state.suspended = nodes;
            for (peer, _) in routes.direct_peers() {
                self.withhold(state, peer, now);
            }
        });
    }

    /// Takes that `payer` was credited a payment: whoever pays does not refuse to.
    pub(crate) fn paid(&self, payer: NodeId, routes: &RoutingTable, now: UnixTime) {
        let has_changed = self.unpaid.lock().paid(&payer);
        if has_changed {
            self.with(routes, |state| self.withhold(state, payer, now));
        }
    }

    /// Takes that a packet was refused, and what its source was told.
    ///
    /// It counts against a neighbour that is the source itself, which its MAC proves, and that has no credit for it: what it
    /// hands on of others is theirs to pay.
    pub(crate) fn refused(
        &self,
        refused: &Refused,
        from: NodeId,
        routes: &RoutingTable,
        now: UnixTime,
    ) {
        let Refused {
            refusal: Refusal::PaymentRequired { missing, .. },
            tell: Some(Tell { back, sequence }),
        } = refused
        else {
            return;
        };
        if **back != [routes.local(), from] || *missing == Msat::ZERO {
            return;
        }
        let has_changed = self.unpaid.lock().refused(from, *sequence, now);
        if has_changed {
            tracing::info!(neighbour = %from, "it sends and does not pay: the link with it is not announced");
            self.with(routes, |state| self.withhold(state, from, now));
        }
    }

    /// Leaves the link with a neighbour out of what is announced, or takes it in again.
    pub(super) fn withhold(&self, state: &mut State, peer: NodeId, now: UnixTime) {
        let is_withheld = self.is_withheld(state, &peer);
        state.gossip.withhold(&peer, is_withheld, now);
    }

    pub(super) fn is_withheld(&self, state: &State, peer: &NodeId) -> bool {
        state.suspended.contains(peer) || self.unpaid.lock().refuses(peer)
    }
}
