//! What a node is told of its routes when nobody asks: real meshes that learn, over queues instead of sockets.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_manager::ForgetfulStore;
use mesh_types::*;
use std::{sync::Arc, time::Duration};
use support::{learning::*, *};

/// The first hops of the routes that a node was told of, in order; `None` where there was no route any more.
fn told(node: &TestNode) -> Vec<Option<NodeId>> {
    let events = node.api.events.lock().unwrap();
    let routes = events.iter().filter_map(|event| match event {
        MeshEvent::RouteDiscovered { route_path, .. } => Some(route_path.get(1).copied()),
        MeshEvent::RouteFailed { .. } => Some(None),
        _ => None,
    });
    routes.collect()
}

async fn until_told(node: &TestNode, expected: &[Option<NodeId>]) {
    let waiting = async {
        while told(node) != expected {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(in_time.is_ok(), "{:?} and not {expected:?}", told(node));
}

fn unlink(chain: &Chain, a: u8, b: u8) {
    node(chain, a).hears_that_gone(b);
    node(chain, b).hears_that_gone(a);
}

#[tokio::test]
async fn a_relay_that_dies_and_comes_back_is_told_of_though_nobody_sends() {
    let configs = (0..4).map(|_| open()).collect();
    let chain = Chain::unlinked(configs, || Arc::new(ForgetfulStore::default())).await;
    let _hurry = Hurry::on(&chain.clock);
    let source = &chain.nodes[0];
    source.mesh.route_to(&id(4), 0).await.unwrap_err();
    for (a, b) in [(1, 2), (2, 3), (3, 4)] {
        link(&chain, a, b);
    }
    let mut expected = vec![None, Some(id(2))];
    until_told(source, &expected).await;
    // The relay that dies is no peer of the source: its neighbours tell that it is gone.
    unlink(&chain, 2, 3);
    unlink(&chain, 3, 4);
    expected.push(None);
    until_told(source, &expected).await;
    link(&chain, 2, 3);
    link(&chain, 3, 4);
    expected.push(Some(id(2)));
    until_told(source, &expected).await;
    // The one that dies is the source's own peer.
    unlink(&chain, 1, 2);
    expected.push(None);
    until_told(source, &expected).await;
    link(&chain, 1, 2);
    expected.push(Some(id(2)));
    until_told(source, &expected).await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_news_gives_few_events_and_the_last_of_them_is_true() {
    let configs = (0..3).map(|_| open()).collect();
    let links = [(1, 2), (2, 3)];
    let chain = Chain::linked(configs, &links, || Arc::new(ForgetfulStore::default())).await;
    let source = &chain.nodes[0];
    source.mesh.route_to(&id(3), 0).await.unwrap();
    let routes = source.mesh.engine().routes();
    for _ in 0..1_000 {
        routes.remove_link(&id(2), &id(3));
        tokio::time::sleep(Duration::from_millis(1)).await;
        routes.add_link(id(2), id(3)).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    routes.remove_link(&id(2), &id(3));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let told = told(source);
    assert!(told.len() <= 7, "{}", told.len());
    assert_eq!(told.last(), Some(&None));
    let searches = routes.searches();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(routes.searches(), searches, "nothing has changed");
}

#[tokio::test(start_paused = true)]
async fn messages_of_two_sizes_with_two_best_routes_are_no_changes() {
    let (small, large) = (100, 40_000);
    let configs = (0..4).map(|_| open()).collect();
    let links = [(1, 2), (1, 3), (2, 4), (3, 4)];
    let chain = Chain::linked(configs, &links, || Arc::new(ForgetfulStore::default())).await;
    let source = &chain.nodes[0];
    let routes = source.mesh.engine().routes();
    // The nearer relay takes small packets only.
    routes.set_node_room(id(2), 1_024).unwrap();
    routes.set_link_latency(&id(1), &id(3), 90);
    for _ in 0..4 {
        for (size, relay) in [(small, 2), (large, 3)] {
            let found = source.mesh.route_to(&id(4), size).await.unwrap();
            assert_eq!(found, route(&[1, relay, 4]));
        }
    }
    assert_eq!(told(source), [Some(id(2))]);
}
