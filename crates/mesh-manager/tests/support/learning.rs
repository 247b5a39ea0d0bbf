//! Nodes that learn of each other from their neighbours, and waiting for that.

use super::{Chain, TestNode, id};
use std::time::Duration;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn node(chain: &Chain, seed: u8) -> &TestNode {
    chain.nodes.get(usize::from(seed) - 1).unwrap()
}

pub(crate) fn link(chain: &Chain, a: u8, b: u8) {
    node(chain, a).hears_that_linked(b);
    node(chain, b).hears_that_linked(a);
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(in_time.is_ok(), "never: {what}");
}

pub(crate) fn knows_way(chain: &Chain, from: u8, to: u8) -> bool {
    let routes = node(chain, from).mesh.engine().routes();
    routes.find_route(&id(to)).is_some()
}
