use crate::{
    Brought, Home, Node, StartError, Watcher,
    config::NodeConfig,
    control::{Server, SocketError},
};
use parking_lot::Mutex;
use std::sync::Arc;
use thiserror::Error;
use tokio::{sync::watch, task::JoinHandle};

/// A node that answers at its control socket: what `blvm-mesh run` runs, for programs that are more than that.
#[derive(Debug)]
pub struct Service {
    node: Arc<Node>,
    /// The settings, as they are in force.
    pub(crate) in_force: Mutex<NodeConfig>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// Why a service did not start.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The node did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It cannot be talked to.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

impl Service {
    /// Starts the node of a configuration, and answers at its control socket.
    ///
    /// - `brought`: what the program has for it, where it is part of one.
    ///
    /// # Errors
    /// [`ServiceError`] says what to do about it; nothing keeps running then.
    pub async fn start(
        config: &NodeConfig,
        watcher: Arc<dyn Watcher>,
        brought: Brought,
    ) -> Result<Self, ServiceError> {
        let home = Home::Durable(config.node.store.clone());
        let node = Arc::new(Node::start_in(config, home, watcher, brought).await?);
        let server = match Server::bind(&config.node.control_socket) {
            Ok(server) => server,
            Err(error) => {
                node.shutdown().await;
                return Err(error.into());
            }
        };
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(server.run(Arc::clone(&node), stopped));
        Ok(Self {
            node,
            in_force: Mutex::new(config.clone()),
            stop,
            serving,
        })
    }

    /// The node.
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Lets what was asked come to its end, and shuts the node down.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.serving.await {
            tracing::warn!(%error, "the control socket did not end well");
        }
        self.node.shutdown().await;
    }
}
