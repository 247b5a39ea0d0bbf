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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watcher::Unwatched;
    use async_trait::async_trait;
    use blvm_mesh::{
        Attempt, Clock, ControlMessage, IdentityKey, Incoming, InvoiceRequest, LightningError,
        LightningInfo, LightningNode, MeshConfig, MeshError, MeshEvent, Msat, Network, NodeAPI,
        Outgoing, PacketView, PaidInvoice, PayLimits, Route, SystemClock, UnixTime,
    };
    use std::{net::SocketAddr, time::Duration};
    use tokio::time::timeout;

    const DEADLINE: Duration = Duration::from_secs(30);
    const PING: &str = "fabfb5da70696e6700000000000000000800000078f5ff4a6d65642d6873656d";

    /// A node whose packets go to a queue, and whose wallet never answers.
    struct Alone {
        id: NodeId,
        sent: mpsc::UnboundedSender<Vec<u8>>,
    }

    struct DeadWallet;

    #[async_trait]
    impl NodeAPI for Alone {
        fn get_node_id(&self) -> NodeId {
            self.id
        }
        async fn send_mesh_packet_to_peer(
            &self,
            _: String,
            data: Vec<u8>,
        ) -> Result<(), MeshError> {
            let _ = self.sent.send(data);
            Ok(())
        }
        async fn publish_event(&self, _: MeshEvent) -> Result<(), MeshError> {
            Ok(())
        }
        fn lightning(&self) -> Option<Arc<dyn LightningNode>> {
            Some(Arc::new(DeadWallet))
        }
    }

    impl Clock for Alone {
        fn now(&self) -> UnixTime {
            SystemClock.now()
        }
    }

    #[async_trait]
    impl LightningNode for DeadWallet {
        async fn info(&self) -> Result<LightningInfo, LightningError> {
            Err(LightningError::Unreachable("dead".to_owned()))
        }
        async fn create_invoice(&self, _: InvoiceRequest) -> Result<String, LightningError> {
            std::future::pending().await
        }
        async fn pay_invoice(&self, _: &str, _: PayLimits) -> Result<PaidInvoice, LightningError> {
            std::future::pending().await
        }
        async fn incoming(&self, _: [u8; 32]) -> Result<Incoming, LightningError> {
            std::future::pending().await
        }
        async fn outgoing(&self, _: [u8; 32]) -> Result<Outgoing, LightningError> {
            std::future::pending().await
        }
    }

    async fn manager(seed: u8) -> (MeshManager, mpsc::UnboundedReceiver<Vec<u8>>) {
        let identity = IdentityKey::from_secret_bytes([seed; 32]).unwrap();
        let (sent, packets) = mpsc::unbounded_channel();
        let id = identity.node_id();
        let config = MeshConfig {
            network: Network::Regtest,
            ..MeshConfig::default()
        };
        let manager = MeshManager::start(config, identity, Arc::new(Alone { id, sent }));
        (manager.await.unwrap(), packets)
    }

    /// The next packet with this payload; there are others, which the mesh sends by itself.
    async fn next(packets: &mut mpsc::UnboundedReceiver<Vec<u8>>, payload: &[u8]) -> Vec<u8> {
        loop {
            let bytes = packets.recv().await.unwrap();
            if PacketView::parse(&bytes).unwrap().payload() == payload {
                return bytes;
            }
        }
    }

    #[tokio::test]
    async fn a_wallet_that_does_not_answer_holds_up_nobody_else() {
        let (source, mut packets) = manager(1).await;
        let (destination, _replies) = manager(2).await;
        let route = Route::new(vec![source.node_id(), destination.node_id()]).unwrap();
        source.handle_event(NodeEvent::PeerConnected {
            peer_addr: "there".to_owned(),
            peer_node_id: Some(destination.node_id()),
        });
        let (asking, way) = (source.clone(), route.clone());
        tokio::spawn(async move {
            let _ = asking
                .request_quote(&way, 1, Msat::from_msat(1_000), DEADLINE)
                .await;
        });
        let question = ControlMessage::QuoteRequest {
            amount: Msat::from_msat(1_000),
        };
        let quote_request = next(&mut packets, &question.encode().unwrap()).await;
        let (sending, ping) = (source.clone(), blvm_mesh::from_hex::<32>(PING).unwrap());
        tokio::spawn(async move {
            let attempt = Attempt {
                route,
                payload: ping.to_vec(),
                fee: Msat::ZERO,
                proof: None,
                is_sealed: false,
                timeout: DEADLINE,
            };
            let _ = sending.attempt(attempt).await;
        });
        let packet = next(&mut packets, &ping).await;

        let (events, receiver) = mpsc::channel(8);
        let pump = Pump {
            manager: destination.clone(),
            peers: Arc::default(),
            watcher: Arc::new(Unwatched),
        };
        let pumping = tokio::spawn(pump.run(receiver));
        let from = source.node_id();
        let up = LinkEvent::Up {
            node_id: from,
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            outbound: false,
        };
        for event in [
            up,
            LinkEvent::Packet {
                from,
                bytes: quote_request,
            },
            LinkEvent::Packet {
                from,
                bytes: packet,
            },
        ] {
            events.send(event).await.unwrap();
        }
        let delivery = timeout(DEADLINE, destination.next_delivery()).await;
        assert_eq!(delivery.unwrap().payload, ping);
        assert!(!pumping.is_finished());
        pumping.abort();
    }
}
