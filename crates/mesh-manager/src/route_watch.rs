use crate::{MeshManager, budget::Bucket, manager::Shared};
use mesh_routing::{PAYLOAD_STEP, RoutingTable};
use mesh_types::{MeshError, MeshEvent, Msat, NodeId, Route, UnixTime};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Weak,
    time::Duration,
};
use tokio::time::sleep;

/// How many destinations are watched; of more, the one that was asked for longest ago is forgotten.
///
/// 128, because each may take a search when the graph has changed, and all of them should take less than half of a second
/// even in a mesh of ten thousand nodes.
const MAX_WATCHED: usize = 128;

/// How long a destination is watched after it was asked for last.
const WATCHED_FOR: Duration = Duration::from_secs(600);

/// How often the graph is looked at for changes: however many news come meanwhile, each destination is searched for once.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The payload whose best route is watched.
///
/// One for all, since two sizes can have two best routes, and asking for both in turn changes nothing. The smallest, since
/// what cannot be reached with that cannot be reached at all.
const WATCHED_BYTES: usize = PAYLOAD_STEP;

/// How many changes the node is told of at once, and a second: whoever makes routes flap must not flood it. What is beyond
/// that is told a moment later, if it still holds.
const TOLD_BURST: u64 = 64;
const TOLD_PER_SECOND: u64 = 8;

/// Remembers the last route to each destination that was asked for lately.
#[derive(Debug)]
pub(crate) struct RouteWatch(Mutex<State>);

#[derive(Debug)]
struct State {
    watched: HashMap<NodeId, Watched>,
    budget: Bucket,
    /// How often the graph had changed when the routes were last looked at.
    looked_at: Option<u64>,
}

#[derive(Debug)]
struct Watched {
    asked_at: UnixTime,
    /// What the node was told last, if anything.
    told: Option<Option<Vec<NodeId>>>,
}

/// A destination's route is another one than before.
#[derive(Debug)]
pub(crate) struct RouteChange {
    destination: NodeId,
    route: Option<Vec<NodeId>>,
}

impl MeshManager {
    /// Finds a route to `destination` for a payload of `payload_len` bytes. The node is told whether there is one, and of
    /// changes from then on, for some time.
    ///
    /// # Errors
    /// [`MeshError::RoutingError`] when there is none.
    pub async fn route_to(
        &self,
        destination: &NodeId,
        payload_len: usize,
    ) -> Result<Route, MeshError> {
        self.watch_route(destination).await;
        best(self.engine().routes(), destination, payload_len)
            .and_then(|nodes| Route::new(nodes).ok())
            .ok_or_else(|| MeshError::RoutingError(format!("no route to {destination} is known")))
    }

    /// Watches a destination: tells the node of the best route as it is known now, and of others as they become known.
    ///
    /// What a message takes instead, where that has failed, is no change: the best is what the next one would take.
    pub(crate) async fn watch_route(&self, destination: &NodeId) {
        let shared = &self.shared;
        shared
            .route_watch
            .begin(*destination, shared.node_api.now());
        shared.tell_route(*destination).await;
    }
}

/// Looks for other routes to what is watched, whenever the graph has changed, until the mesh is gone.
pub(crate) async fn keep_routes(mesh: Weak<Shared>) {
    loop {
        sleep(LOOK_EVERY).await;
        let Some(shared) = mesh.upgrade() else { return };
        let changes = shared.engine.routes().changes();
        let due = shared.route_watch.due(changes, shared.node_api.now());
        for destination in due {
            shared.tell_route(destination).await;
            tokio::task::yield_now().await;
        }
    }
}

impl Shared {
    async fn tell_route(&self, destination: NodeId) {
        let routes = self.engine.routes();
        let found = best(routes, &destination, WATCHED_BYTES);
        let (watch, now) = (&self.route_watch, self.node_api.now());
        if let Some(change) = watch.change(destination, found.as_deref(), now) {
            let cost = found.and_then(|route| routes.quote_route(&route, WATCHED_BYTES));
            let event = change.event(cost.map_or(Msat::ZERO, |quote| quote.total));
            self.publish(event).await;
        }
    }
}

/// The best way, or the last resort where none is trusted.
pub(crate) fn best(
    routes: &RoutingTable,
    destination: &NodeId,
    payload_len: usize,
) -> Option<Vec<NodeId>> {
    routes
        .find_route_for(destination, payload_len)
        .or_else(|| Some(routes.find_last_resort(destination, payload_len)?.nodes))
}

impl RouteWatch {
    pub(crate) fn new(now: UnixTime) -> Self {
        Self(Mutex::new(State {
            watched: HashMap::new(),
            budget: Bucket::full(TOLD_BURST, now),
            looked_at: None,
        }))
    }

    /// Watches a destination, or goes on with it.
    fn begin(&self, destination: NodeId, now: UnixTime) {
        let watched = &mut self.0.lock().watched;
        if watched.len() >= MAX_WATCHED && !watched.contains_key(&destination) {
            let oldest = watched.iter().min_by_key(|(_, it)| it.asked_at);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                watched.remove(&oldest);
            }
        }
        match watched.entry(destination) {
            Entry::Occupied(mut known) => known.get_mut().asked_at = now,
            Entry::Vacant(new) => {
                new.insert(Watched {
                    asked_at: now,
                    told: None,
                });
            }
        }
    }

    /// The destinations to search for, when the graph has changed `changes` times.
    fn due(&self, changes: u64, now: UnixTime) -> Vec<NodeId> {
        let mut state = self.0.lock();
        if state.looked_at.replace(changes) == Some(changes) {
            return Vec::new();
        }
        let watched = &mut state.watched;
        watched.retain(|_, it| it.asked_at.plus(WATCHED_FOR).is_alive_at(now));
        watched.keys().copied().collect()
    }

    /// What the node is to be told, when the route is another one than it was told last, and it was not told too much.
    fn change(
        &self,
        destination: NodeId,
        route: Option<&[NodeId]>,
        now: UnixTime,
    ) -> Option<RouteChange> {
        let mut state = self.0.lock();
        let State {
            watched,
            budget,
            looked_at,
        } = &mut *state;
        let watched = watched.get_mut(&destination)?;
        if matches!(&watched.told, Some(told) if told.as_deref() == route) {
            return None;
        }
        // What is not told now is told later; and whoever searched before a change and tells after it is corrected.
        *looked_at = None;
        budget.take(1, TOLD_PER_SECOND, TOLD_BURST, now).ok()?;
        let route = route.map(<[NodeId]>::to_vec);
        watched.told = Some(route.clone());
        Some(RouteChange { destination, route })
    }
}

impl RouteChange {
    /// The event that tells of it; `route_cost` counts where there is a route.
    fn event(self, route_cost: Msat) -> MeshEvent {
        let Self { destination, route } = self;
        match route {
            Some(route_path) => MeshEvent::RouteDiscovered {
                destination,
                route_path,
                route_cost,
            },
            None => MeshEvent::RouteFailed {
                destination,
                reason: "no route is known".to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_790_000_000);

    fn node(number: u64) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        NodeId::from_bytes(bytes)
    }

    #[test]
    fn a_route_that_flaps_is_told_of_at_a_rate_and_the_last_change_is_told_later() {
        let [source, relay, destination] = [1, 2, 3].map(node);
        let watch = RouteWatch::new(NOW);
        watch.begin(destination, NOW);
        let (direct, longer) = ([source, destination], [source, relay, destination]);
        let told = (0..1_000).filter(|turn| {
            let route = if turn % 2 == 0 { &direct[..] } else { &longer };
            watch.change(destination, Some(route), NOW).is_some()
        });
        assert_eq!(told.count() as u64, TOLD_BURST);
        assert!(watch.change(destination, None, NOW).is_none());
        let later = NOW.plus(Duration::from_secs(1));
        assert_eq!(watch.due(7, later), [destination]);
        assert!(watch.change(destination, None, later).is_some());
        assert_eq!(watch.due(7, later), [destination], "it was told meanwhile");
        assert!(watch.change(destination, None, later).is_none());
        assert!(watch.due(7, later).is_empty(), "nothing has changed");
    }

    #[test]
    fn what_is_watched_is_bounded_and_forgotten_when_nobody_asks_for_it() {
        let watch = RouteWatch::new(NOW);
        let at = |second| NOW.plus(Duration::from_secs(second));
        watch.begin(node(0), at(0));
        watch.begin(node(1), at(1));
        watch.begin(node(0), at(2));
        for number in 2..=MAX_WATCHED as u64 {
            watch.begin(node(number), at(number));
        }
        let due = watch.due(1, at(300));
        assert_eq!(due.len(), MAX_WATCHED);
        assert!(!due.contains(&node(1)), "nobody was asked for longer ago");
        watch.begin(node(0), at(300));
        assert_eq!(watch.due(2, at(899)), [node(0)]);
        assert!(watch.due(3, at(900)).is_empty());
    }
}
