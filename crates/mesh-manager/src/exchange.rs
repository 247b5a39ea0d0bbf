use crate::{
    ComposeError, Composed, Draft, MeshManager, MessageId,
    manager::{no_store, random},
    pending::{Awaited, Heard},
    send::refused,
};
use mesh_protocol::{RefusalCode, SEAL_NONCE_LEN};
use mesh_types::{MeshError, NodeId};
use std::time::Duration;

/// How long the next block of numbers is waited for, where something is left of the last.
///
/// A second, because whoever waits for an answer waits longer, and a store that hangs must not hold up all answers.
const NUMBERS: Duration = Duration::from_secs(1);

/// Why something that was asked or sent has no answer.
#[derive(Debug, Clone)]
pub(crate) enum NoAnswer {
    /// Nothing was heard in time.
    Silence {
        /// Whose answer was waited for.
        of: NodeId,
        waited: Duration,
    },
    /// The node that was asked refuses.
    Refused { by: NodeId, code: RefusalCode },
    /// A node on the way does not let the question pass.
    Stopped { by: NodeId, code: RefusalCode },
    /// The first link did not take it.
    Unsent(MeshError),
    /// The answer is none to this question.
    Odd(MeshError),
    /// It could not be sent for a reason of this node's own.
    Own(MeshError),
}

impl From<NoAnswer> for MeshError {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Silence { of, waited } => Self::NetworkError(format!(
                "no answer from {of} within {} seconds",
                waited.as_secs_f32()
            )),
            NoAnswer::Refused { by, code } => refused(by, code),
            // What a node on the way says is about the way, never about what the node at its end has.
            NoAnswer::Stopped { by, code } => {
                Self::NetworkError(format!("{by} does not let it pass: {code}"))
            }
            NoAnswer::Unsent(error) | NoAnswer::Odd(error) | NoAnswer::Own(error) => error,
        }
    }
}

/// A packet on its way, whose answer can be waited for.
#[derive(Debug)]
pub(crate) struct UnderWay<'m> {
    pub(crate) sequence: u64,
    pub(crate) message: MessageId,
    pub(crate) awaited: Awaited<'m>,
}

impl MeshManager {
    /// Makes a packet of this node's own, with a number from the reserved block, or from the next one.
    pub(crate) async fn compose(&self, draft: Draft) -> Result<Composed, MeshError> {
        self.compose_copy(draft, None).await
    }

    async fn compose_copy(
        &self,
        draft: Draft,
        message: Option<MessageId>,
    ) -> Result<Composed, MeshError> {
        let nonce = random::<SEAL_NONCE_LEN>()?;
        let compose = |draft| {
            let now = self.shared.node_api.now();
            self.engine().compose_copy(draft, message, nonce, now)
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

    /// Sends a packet of this node's own: something new, or `message` once more.
    pub(crate) async fn dispatch(
        &self,
        draft: Draft,
        message: Option<MessageId>,
    ) -> Result<UnderWay<'_>, NoAnswer> {
        let route = draft.route.clone();
        let composed = self.compose_copy(draft, message).await;
        let Composed {
            sequence,
            message,
            next,
            bytes,
        } = composed.map_err(NoAnswer::Own)?;
        let awaited = self.pending().expect(sequence, route).ok_or_else(|| {
            NoAnswer::Own(MeshError::Busy(
                "too many packets wait for an answer".to_owned(),
            ))
        })?;
        let sent = self.transmit(next, bytes).await;
        sent.map_err(NoAnswer::Unsent)?;
        Ok(UnderWay {
            sequence,
            message,
            awaited,
        })
    }

    /// Sends a packet of this node's own and waits for the answer to it.
    pub(crate) async fn exchange(
        &self,
        draft: Draft,
        timeout: Duration,
    ) -> Result<(u64, Heard), NoAnswer> {
        let of = draft.route.destination();
        let mut sent = self.dispatch(draft, None).await?;
        match tokio::time::timeout(timeout, sent.awaited.heard()).await {
            Ok(Some(heard)) => Ok((sent.sequence, heard)),
            Ok(None) | Err(_) => Err(NoAnswer::Silence {
                of,
                waited: timeout,
            }),
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
