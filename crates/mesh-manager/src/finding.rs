use crate::MeshManager;
use mesh_types::{MeshError, Msat, NodeId, Route};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long news of a destination are waited for at most.
///
/// Three seconds, because a request goes four hops out and what is found comes back as many, with a tenth of a second and a
/// link's latency at each; what has not come by then does not come.
pub const MAX_LOOKING: Duration = Duration::from_secs(3);

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
        let found = self.look(destination, payload_len);
        self.tell_route(destination, found.as_deref()).await;
        found
            .and_then(|nodes| Route::new(nodes).ok())
            .ok_or_else(|| MeshError::RoutingError(format!("no route to {destination} is known")))
    }

    /// As [`MeshManager::route_to`]; a destination to which nothing leads is asked for among the neighbours, and news of it are
    /// waited for, `patience` or [`MAX_LOOKING`] at most.
    ///
    /// # Errors
    /// [`MeshError::RoutingError`] when there is none.
    pub async fn route_within(
        &self,
        destination: &NodeId,
        payload_len: usize,
        patience: Duration,
    ) -> Result<Route, MeshError> {
        let until = Instant::now() + patience.min(MAX_LOOKING);
        if let Some(learning) = &self.shared.learning {
            let mut news = learning.news();
            let routes = self.engine().routes();
            let is_there = self.look(destination, payload_len).is_some();
            let now = self.shared.node_api.now();
            let mut is_waiting = !is_there
                && *destination != self.node_id()
                && !routes.direct_peers().is_empty()
                && learning.find(*destination, routes, now);
            while is_waiting {
                let has_changed = timeout_at(until, news.changed()).await;
                let is_over = !matches!(has_changed, Ok(Ok(())));
                is_waiting = !is_over && self.look(destination, payload_len).is_none();
            }
        }
        self.route_to(destination, payload_len).await
    }

    fn look(&self, destination: &NodeId, payload_len: usize) -> Option<Vec<NodeId>> {
        let routes = self.engine().routes();
        routes.find_route_for(destination, payload_len)
    }

    /// Tells the node when the route to a destination is another one than it was.
    async fn tell_route(&self, destination: &NodeId, found: Option<&[NodeId]>) {
        let now = self.shared.node_api.now();
        let change = self.shared.route_watch.change(*destination, found, now);
        if let Some(change) = change {
            let quote = |route| self.engine().routes().quote_route(route, 0);
            let cost = found
                .and_then(quote)
                .map_or(Msat::ZERO, |quote| quote.total);
            self.shared.publish(change.event(cost)).await;
        }
    }
}
