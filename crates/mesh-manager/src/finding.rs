use crate::{MeshManager, route_watch::best};
use mesh_types::{MeshError, NodeId, Route};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long news of a destination are waited for at most.
///
/// Three seconds, because a request goes four hops out and what is found comes back as many, with a tenth of a second and a
/// link's latency at each; what has not come by then does not come.
pub const MAX_LOOKING: Duration = Duration::from_secs(3);

impl MeshManager {
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
        self.look_for(destination, payload_len, patience).await;
        self.route_to(destination, payload_len).await
    }

    /// Asks neighbours for a destination to which nothing leads, and waits until something does.
    pub(crate) async fn look_for(
        &self,
        destination: &NodeId,
        payload_len: usize,
        patience: Duration,
    ) {
        let routes = self.engine().routes();
        let is_found = || best(routes, destination, payload_len).is_some();
        let Some(learning) = self.shared.learning() else {
            return;
        };
        let until = Instant::now() + patience.min(MAX_LOOKING);
        // From before the first look on, so that no news fall in between.
        let mut news = learning.news();
        let may_be_found =
            *destination != self.node_id() && !is_found() && !routes.direct_peers().is_empty();
        if !may_be_found || !learning.find(*destination, routes, self.shared.node_api.now()) {
            return;
        }
        while !is_found() && matches!(timeout_at(until, news.changed()).await, Ok(Ok(()))) {}
    }
}
