use crate::{
    MeshManager, SendOptions,
    credits::Known,
    funding::{Part, Purchase},
    questions::Terms,
    spending::{RouteTab, Size},
};
use mesh_routing::split;
use mesh_types::{MeshError, Msat, NodeId, PaymentReason, Price, Route, UnixTime};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::Notify;

/// How long nothing is topped up at a node where it has failed.
///
/// Half a minute, because a wallet that is away or a limit that is reached is not there again at once, and each try asks the
/// node for an invoice.
const BACK_OFF: Duration = Duration::from_secs(30);

/// How much larger deposits become at most where packets outrun them, in doublings: 64 times.
const MOST_DOUBLINGS: u32 = 6;

/// The most nodes of which something is remembered here; each takes some hundred bytes.
const MAX_NODES: usize = 4_096;

/// Which nodes credit is being bought at before it runs out.
#[derive(Debug, Default)]
pub(crate) struct TopUps {
    nodes: Mutex<HashMap<NodeId, State>>,
    ended: Notify,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    is_under_way: bool,
    /// Nothing is tried before.
    not_before: UnixTime,
    /// How often packets have outrun what was bought.
    doublings: u32,
    /// Whether they have outrun the last top-up: however many wait for it, it is one.
    is_outrun: bool,
}

/// The one top-up at a node.
#[derive(Debug)]
struct UnderWay {
    mesh: MeshManager,
    node: NodeId,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let top_ups = &self.mesh.shared.spending.top_ups;
        if let Some(state) = top_ups.nodes.lock().get_mut(&self.node) {
            state.is_under_way = false;
        }
        top_ups.ended.notify_waiters();
    }
}

impl TopUps {
    fn begin(&self, node: NodeId, now: UnixTime) -> bool {
        let mut nodes = self.nodes.lock();
        if nodes.len() >= MAX_NODES && !nodes.contains_key(&node) {
            nodes.retain(|_, state| state.is_under_way);
            if nodes.len() >= MAX_NODES {
                return false;
            }
        }
        let state = nodes.entry(node).or_default();
        if state.is_under_way || state.not_before.is_alive_at(now) {
            return false;
        }
        state.is_under_way = true;
        state.is_outrun = false;
        true
    }

    /// Waits for the end of a top-up at `node`, at most as long as `patience`; says whether there was one.
    pub(crate) async fn wait(&self, node: &NodeId, patience: Duration) -> bool {
        let waiting = async {
            let mut waited = false;
            loop {
                let ended = self.ended.notified();
                tokio::pin!(ended);
                // From here on no end is missed.
                ended.as_mut().enable();
                if !self.is_under_way(node) {
                    return waited;
                }
                waited = true;
                ended.await;
            }
        };
        tokio::time::timeout(patience, waiting)
            .await
            .unwrap_or(true)
    }

    /// Makes deposits at `node` larger: packets have used up what was bought before more was there.
    pub(crate) fn outrun(&self, node: &NodeId) {
        if let Some(state) = self.nodes.lock().get_mut(node)
            && !state.is_outrun
        {
            state.is_outrun = true;
            state.doublings = state.doublings.saturating_add(1).min(MOST_DOUBLINGS);
        }
    }

    /// Makes deposits at `node` smaller again: hardly any of the last one was used while it was made.
    fn calm(&self, node: &NodeId) {
        if let Some(state) = self.nodes.lock().get_mut(node)
            && !state.is_outrun
        {
            state.doublings = state.doublings.saturating_sub(1);
        }
    }

    /// How many times as much as was asked for is bought at `node`.
    fn factor(&self, node: &NodeId) -> u64 {
        let doublings = self.nodes.lock().get(node).map_or(0, |it| it.doublings);
        1_u64.checked_shl(doublings).unwrap_or(1)
    }

    fn is_under_way(&self, node: &NodeId) -> bool {
        self.nodes
            .lock()
            .get(node)
            .is_some_and(|it| it.is_under_way)
    }

    fn fail(&self, node: &NodeId, now: UnixTime) {
        if let Some(state) = self.nodes.lock().get_mut(node) {
            state.not_before = now.plus(BACK_OFF);
        }
    }
}

/// A packet that has arrived, and on whose way credit may run out behind it.
pub(crate) struct Behind<'a> {
    pub(crate) route: &'a Route,
    pub(crate) sequence: u64,
    /// What the packet offered.
    pub(crate) fee: Msat,
    pub(crate) options: &'a SendOptions,
    /// What was spent because of the packet.
    pub(crate) tab: Arc<RouteTab>,
}

/// How full a deposit is kept.
#[derive(Debug, Clone, Copy)]
struct Marks {
    /// Below it is topped up.
    low: Msat,
    /// Up to there.
    full: Msat,
}

impl MeshManager {
    /// Buys credit, in tasks of their own, where what is left behind a packet is little: the next packets then find some, and
    /// none of them waits for a payment.
    pub(crate) fn top_up_behind(&self, packet: &Behind<'_>) {
        let Behind {
            route,
            sequence,
            fee,
            options,
            tab,
        } = packet;
        if !options.tops_up || options.packets_ahead <= 1 || *fee == Msat::ZERO {
            return;
        }
        let shares = split(*fee, route.relay_count());
        for position in 1..route.len() {
            let (Some(node), share) = (route.get(position).copied(), shares.share_at(position))
            else {
                continue;
            };
            let marks = self.marks(&node, share, options.packets_ahead);
            match self.shared.spending.credits.spend(&node, share) {
                Some(Known::Free) => continue,
                Some(Known::Credit(left)) if left >= marks.low => continue,
                Some(Known::Credit(_)) | None => {}
            }
            let now = self.shared.node_api.now();
            if share == Msat::ZERO || !self.shared.spending.top_ups.begin(node, now) {
                continue;
            }
            let under_way = UnderWay {
                mesh: self.clone(),
                node,
            };
            let top_up = TopUp {
                route: (*route).clone(),
                position,
                reason: PaymentReason::TopUp {
                    route: (*route).clone(),
                    sequence: *sequence,
                },
                share,
                packets_ahead: options.packets_ahead,
                timeout: options.timeout,
                tab: Arc::clone(tab),
            };
            tokio::spawn(async move {
                let mesh = &under_way.mesh;
                if let Err(error) = mesh.top_up(&node, &top_up).await {
                    tracing::info!(%node, %error, "credit that runs out was not topped up");
                    let now = mesh.shared.node_api.now();
                    mesh.shared.spending.top_ups.fail(&node, now);
                }
            });
        }
    }

    fn marks(&self, node: &NodeId, share: Msat, packets_ahead: u64) -> Marks {
        let spending = &self.shared.spending;
        let packets = packets_ahead.saturating_mul(spending.top_ups.factor(node));
        let full = share.checked_mul(packets).unwrap_or(Msat::MAX);
        let full = full.max(spending.worthwhile(node));
        let two = share.checked_mul(2).unwrap_or(Msat::MAX);
        Marks {
            low: Msat::from_msat(full.to_msat() / 2).max(two),
            full,
        }
    }

    async fn top_up(&self, node: &NodeId, top_up: &TopUp) -> Result<(), MeshError> {
        let TopUp {
            route,
            position,
            share,
            packets_ahead,
            timeout,
            ..
        } = top_up;
        let mut terms = self.ask_node(route, *position, *timeout).await?;
        if terms.price == Price::FREE {
            return Ok(());
        }
        let marks = self.marks(node, *share, *packets_ahead);
        if terms.credit < marks.low {
            terms.credit = self.show_kept(route, &terms, *timeout).await?;
        }
        if terms.credit >= marks.low {
            return Ok(());
        }
        // Where the limits have no room for all of it, as much as they have; but nothing that is hardly worth its fee.
        let needed = self.shared.spending.worthwhile(node).max(*share);
        let size = Size {
            needed,
            wanted: marks.full.saturating_sub(terms.credit).max(needed),
        };
        let purchase = Purchase {
            route,
            position: *position,
            size,
            part: Part::WHOLE,
            reason: top_up.reason.clone(),
            tab: &top_up.tab,
            timeout: *timeout,
        };
        let bought = self.buy_credit(purchase).await?;
        let credit = self.show_kept(route, &terms, *timeout).await?;
        let top_ups = &self.shared.spending.top_ups;
        let eighth = Msat::from_msat(marks.full.to_msat() / 8);
        if credit >= marks.full.saturating_sub(eighth) {
            top_ups.calm(node);
        } else if credit < marks.low && bought >= size.wanted {
            // Not for want of room: it was used up meanwhile.
            top_ups.outrun(node);
        }
        Ok(())
    }

    /// Takes down what is known of the credit at a node, to be topped up in time.
    pub(crate) fn note_terms(&self, node: NodeId, terms: &Terms) {
        let known = if terms.price == Price::FREE {
            Known::Free
        } else {
            Known::Credit(terms.credit)
        };
        self.shared.spending.credits.told(node, known);
    }
}

/// A purchase before credit runs out.
struct TopUp {
    route: Route,
    position: usize,
    reason: PaymentReason,
    share: Msat,
    packets_ahead: u64,
    timeout: Duration,
    tab: Arc<RouteTab>,
}
