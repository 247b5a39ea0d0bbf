use crate::MeshManager;
use mesh_types::{MeshError, MeshEvent, Msat, NodeId, Route};
use parking_lot::Mutex;
use std::collections::HashMap;

/// The most destinations whose last route is remembered, so as to tell of changes only. When there are more, all are
/// forgotten, and each is told of once more.
const MAX_WATCHED: usize = 4_096;

/// Remembers the last route to each destination that was asked for.
#[derive(Debug, Default)]
pub(crate) struct RouteWatch(Mutex<HashMap<NodeId, Option<Vec<NodeId>>>>);

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
        let watch = &self.shared.route_watch;
        if let Some(change) = watch.change(*destination, found.as_deref()) {
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
    pub(crate) fn change(
        &self,
        destination: NodeId,
        route: Option<&[NodeId]>,
    ) -> Option<RouteChange> {
        let mut watched = self.0.lock();
        let before = watched.get(&destination);
        if before.is_some_and(|before| before.as_deref() == route) {
            return None;
        }
        if watched.len() >= MAX_WATCHED {
            watched.clear();
        }
        let route = route.map(<[NodeId]>::to_vec);
        watched.insert(destination, route.clone());
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
