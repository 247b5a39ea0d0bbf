use mesh_types::{MeshEvent, Msat, NodeId};
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
