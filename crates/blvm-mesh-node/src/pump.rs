use crate::{
    peer_book::PeerBook,
    watcher::{Passage, Watcher},
};
use blvm_mesh::{MeshManager, NodeEvent, NodeId};
use mesh_link::LinkEvent;
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
};
use tokio::{sync::mpsc, task::JoinSet};

/// Packets whose decision waits for something outside, a wallet or a store.
///
/// 1,024, because each holds one packet, 64 MiB at most in all; beyond them the links are slowed down instead.
pub(crate) const MAX_WAITING: usize = 1_024;

/// Hands what the links bring to the mesh, in order, until the links are shut down.
pub(crate) struct Pump {
    pub(crate) manager: MeshManager,
    pub(crate) peers: Arc<PeerBook>,
    pub(crate) watcher: Arc<dyn Watcher>,
}

type Receiving = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Pump {
    /// Runs until the last event, then waits for the packets that are still being decided.
    pub(crate) async fn run(self, mut events: mpsc::Receiver<LinkEvent>) {
        let mut waiting = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(_) = waiting.join_next() => {}
                event = events.recv() => match event {
                    Some(event) => self.take(event, &mut waiting).await,
                    None => break,
                },
            }
        }
        while waiting.join_next().await.is_some() {}
    }

    async fn take(&self, event: LinkEvent, waiting: &mut JoinSet<()>) {
        match &event {
            LinkEvent::Up {
                node_id, address, ..
            } => {
                let peer_addr = self.peers.enter(*node_id, *address);
                // Routes to whoever had this address before are over, in case their end is told late.
                self.disconnected(peer_addr.clone(), "its address belongs to another link");
                self.manager.handle_event(NodeEvent::PeerConnected {
                    peer_addr,
                    peer_node_id: Some(*node_id),
                });
            }
            LinkEvent::Down { node_id, reason } => {
                if let Some(peer_addr) = self.peers.strike(node_id) {
                    self.disconnected(peer_addr, &reason.to_string());
                }
            }
            LinkEvent::Packet { .. } | LinkEvent::DialFailed { .. } => {}
        }
        self.watcher.link(&event);
        if let LinkEvent::Packet { from, bytes } = event {
            self.receive(from, bytes, waiting).await;
        }
    }

    /// Carries a packet at once where that can be, and beside the others where it has to wait: a slow wallet must hold up
    /// nobody but those who wait for it.
    async fn receive(&self, from: NodeId, bytes: Vec<u8>, waiting: &mut JoinSet<()>) {
        let (manager, watcher) = (self.manager.clone(), Arc::clone(&self.watcher));
        let mut receiving: Receiving = Box::pin(async move {
            let passage = Passage::read(from, manager.node_id(), &bytes);
            let outcome = manager.receive(from, bytes).await;
            watcher.decided(&passage, outcome.as_ref().copied());
        });
        let first_try = poll_fn(|context| Poll::Ready(receiving.as_mut().poll(context))).await;
        if first_try.is_pending() {
            if waiting.len() >= MAX_WAITING {
                waiting.join_next().await;
            }
            waiting.spawn(receiving);
        }
    }

    fn disconnected(&self, peer_addr: String, reason: &str) {
        self.manager.handle_event(NodeEvent::PeerDisconnected {
            peer_addr,
            reason: reason.to_owned(),
        });
    }
}
