use crate::{
    ComposeError, Composed, Draft, MeshManager,
    manager::{no_store, random},
    pending::Heard,
};
use mesh_protocol::SEAL_NONCE_LEN;
use mesh_types::{MeshError, NodeId};
use std::time::Duration;

/// How long the next block of numbers is waited for, where something is left of the last.
///
/// A second, because whoever waits for an answer waits longer, and a store that hangs must not hold up all answers.
const NUMBERS: Duration = Duration::from_secs(1);

impl MeshManager {
    /// Makes a packet of this node's own, with a number from the reserved block, or from the next one.
    pub(crate) async fn compose(&self, draft: Draft) -> Result<Composed, MeshError> {
        let nonce = random::<SEAL_NONCE_LEN>()?;
        let compose = |draft| {
            let now = self.shared.node_api.now();
            self.engine().compose(draft, nonce, now)
        };
        match compose(draft.clone()) {
            Err(ComposeError::OutOfNumbers) => {}
            composed => return Ok(composed?),
        }
        let more = async {
            let _numbering = self.shared.numbering.lock().await;
            match compose(draft.clone()) {
                Err(ComposeError::OutOfNumbers) => {}
                composed => return composed.map(Some).map_err(MeshError::from),
            }
            let block = self.shared.store.reserve_sequences(0).await;
            let block = block.map_err(no_store)?;
            self.engine().go_on_with(block, self.shared.node_api.now());
            Ok(None)
        };
        let is_answering = self.shared.store.is_answering();
        let wait = if is_answering {
            NUMBERS
        } else {
            Duration::ZERO
        };
        match tokio::time::timeout(wait, more).await {
            Ok(Ok(Some(composed))) => return Ok(composed),
            Ok(Ok(None)) => {}
            // What is left of the last block serves, though its time is over.
            Ok(Err(_)) | Err(_) if self.outlive() => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(MeshError::Busy("the store is slow".to_owned())),
        }
        Ok(compose(draft)?)
    }

    fn outlive(&self) -> bool {
        let now = self.shared.node_api.now();
        self.engine().numbering.outlive(now)
    }

    /// Sends a packet of this node's own and waits for the answer to it.
    pub(crate) async fn exchange(
        &self,
        draft: Draft,
        timeout: Duration,
    ) -> Result<(u64, Heard), MeshError> {
        let route = draft.route.clone();
        let Composed {
            sequence,
            next,
            bytes,
            ..
        } = self.compose(draft).await?;
        let mut awaited = self
            .pending()
            .expect(sequence, route.clone())
            .ok_or_else(|| MeshError::Busy("too many packets wait for an answer".to_owned()))?;
        self.transmit(next, bytes).await?;
        match tokio::time::timeout(timeout, awaited.heard()).await {
            Ok(Some(heard)) => Ok((sequence, heard)),
            Ok(None) | Err(_) => Err(MeshError::NetworkError(format!(
                "no answer from {} within {} seconds",
                route.destination(),
                timeout.as_secs_f32()
            ))),
        }
    }

    /// Hands bytes to the link of a peer.
    pub(crate) async fn transmit(&self, next: NodeId, bytes: Vec<u8>) -> Result<(), MeshError> {
        let address = self
            .engine()
            .routes()
            .peer_address(&next)
            .ok_or_else(|| MeshError::NetworkError(format!("no link to {next}")))?;
        self.shared
            .node_api
            .send_mesh_packet_to_peer(address.to_string(), bytes)
            .await
    }
}
