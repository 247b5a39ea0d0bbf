use crate::{MeshManager, budget::Bucket};
use mesh_types::{MeshError, MeshEvent, Msat, NodeId, Route, UnixTime};
use parking_lot::Mutex;
use std::collections::HashMap;

/// The most destinations whose last route is remembered, so as to tell of changes only. When there are more, all are
/// forgotten, and each is told of once more.
const MAX_WATCHED: usize = 4_096;

/// How many changes the node is told of at once, and a second: whoever makes routes flap must not flood it. A change that is
/// not told is told when the destination is asked for next.
const TOLD_BURST: u64 = 64;
const TOLD_PER_SECOND: u64 = 8;

/// Remembers the last route to each destination that was asked for.
#[derive(Debug)]
pub(crate) struct RouteWatch(Mutex<Watched>);

#[derive(Debug)]
struct Watched {
    told: HashMap<NodeId, Option<Vec<NodeId>>>,
    budget: Bucket,
}

/// A destination's route is another one than before.
#[derive(Debug)]
pub(crate) struct RouteChange {
    destination: NodeId,
    route: Option<Vec<NodeId>>,
}

impl MeshManager {
    /// Finds a route to `destination` for a payload of `payload_len` bytes, and tells the node when it has changed.
    ///
    /// # Errors
    /// [`MeshError::RoutingError`] when there is none.
    pub async fn route_to(
        &self,
        destination: &NodeId,
        payload_len: usize,
    ) -> Result<Route, MeshError> {
        let found = self.watch_route(destination, payload_len).await;
        found
            .and_then(|nodes| Route::new(nodes).ok())
            .ok_or_else(|| MeshError::RoutingError(format!("no route to {destination} is known")))
    }

    /// The best route as it is known now; tells the node when it is another one than before.
    ///
    /// What a message takes instead, where that has failed, is no change: the best is what the next one would take.
    pub(crate) async fn watch_route(
        &self,
        destination: &NodeId,
        payload_len: usize,
    ) -> Option<Vec<NodeId>> {
        let routes = self.engine().routes();
        let found = routes
            .find_route_for(destination, payload_len)
            .or_else(|| Some(routes.find_last_resort(destination, payload_len)?.nodes));
        let (watch, now) = (&self.shared.route_watch, self.shared.node_api.now());
        if let Some(change) = watch.change(*destination, found.as_deref(), now) {
            let cost = found
                .as_ref()
                .and_then(|route| routes.quote_route(route, 0));
            let event = change.event(cost.map_or(Msat::ZERO, |quote| quote.total));
            self.shared.publish(event).await;
        }
        found
    }
}

impl RouteWatch {
    pub(crate) fn new(now: UnixTime) -> Self {
        Self(Mutex::new(Watched {
            told: HashMap::new(),
            budget: Bucket::full(TOLD_BURST, now),
        }))
    }

    /// What the node is to be told, when the route is another one than it was told last, and it was not told too much.
    pub(crate) fn change(
        &self,
        destination: NodeId,
        route: Option<&[NodeId]>,
        now: UnixTime,
    ) -> Option<RouteChange> {
        let mut watched = self.0.lock();
        let before = watched.told.get(&destination);
        if before.is_some_and(|before| before.as_deref() == route) {
            return None;
        }
        let budget = &mut watched.budget;
        budget.take(1, TOLD_PER_SECOND, TOLD_BURST, now).ok()?;
        if watched.told.len() >= MAX_WATCHED {
            watched.told.clear();
        }
        let route = route.map(<[NodeId]>::to_vec);
        watched.told.insert(destination, route.clone());
        Some(RouteChange { destination, route })
    }
}

impl RouteChange {
    /// The event that tells of it; `route_cost` counts where there is a route.
    pub(crate) fn event(self, route_cost: Msat) -> MeshEvent {
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
    use std::time::Duration;

    #[test]
    fn a_route_that_flaps_is_told_of_at_a_rate_and_the_last_change_is_not_lost() {
        let [source, relay, destination] = [1, 2, 3].map(|n| NodeId::from_bytes([n; 32]));
        let now = UnixTime::from_secs(1_790_000_000);
        let watch = RouteWatch::new(now);
        let (direct, longer) = ([source, destination], [source, relay, destination]);
        let told = (0..1_000).filter(|turn| {
            let route = if turn % 2 == 0 { &direct[..] } else { &longer };
            watch.change(destination, Some(route), now).is_some()
        });
        assert_eq!(told.count() as u64, TOLD_BURST);
        assert!(watch.change(destination, None, now).is_none());
        let later = now.plus(Duration::from_secs(1));
        assert!(watch.change(destination, None, later).is_some());
        assert!(
            watch.change(destination, None, later).is_none(),
            "nothing has changed"
        );
    }
}
