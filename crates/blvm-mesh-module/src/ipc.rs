mod state;

pub use state::IpcState;

use crate::events::wanted;
use blvm_mesh::ChainError;
use blvm_node::module::{
    ipc::{
        ModuleIpcClient,
        protocol::{
            CorrelationId, InvocationResultMessage, InvocationType, MessageType, ModuleMessage,
            RequestMessage, RequestPayload, ResponsePayload,
        },
    },
    traits::ModuleError,
};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout},
};

/// How long a node's socket has to be there before it is connected to.
///
/// Three seconds, because a released node serves one connection at a time, and its spawner makes one a tenth of a second
/// after it has started a module, with which it waits for ever: if ours came first, the node would not finish its start.
const SETTLED: Duration = Duration::from_secs(3);

/// How often is looked whether the socket is there.
const LOOK: Duration = Duration::from_millis(500);

/// How long a greeting may take before it is told that somebody else is served.
///
/// Nothing ends then: a connection that ends before it is greeted ends the IPC of a released node with it.
const GREETING: Duration = Duration::from_secs(10);

/// How long one answer may take; then the connection is made anew.
const ANSWER: Duration = Duration::from_secs(30);

/// How long the next question waits after one: 80 a second, because the node takes 100 and ends the connection for more.
const PACE: Duration = Duration::from_micros(12_500);

/// The pauses between two connections: the first, and the longest that it grows to.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// Questions that wait for the one before them.
///
/// 64, because each is asked by a payment that is being verified, and there are fewer of those at a time.
const MOST_ASKING: usize = 64;

/// Who a module is, and where its node is.
#[derive(Debug, Clone)]
pub struct NodeSocket {
    /// The node's socket for modules.
    pub path: PathBuf,
    /// The name that the node has given to this module.
    pub module_id: String,
}

/// A module's side of the connection to its node. The connection is made again and again.
#[derive(Debug, Clone)]
pub(crate) struct IpcLink {
    saying: mpsc::Sender<Say>,
    state: watch::Receiver<IpcState>,
}

/// What other modules ask of this one, by the node.
pub(crate) struct Call {
    pub(crate) asked: InvocationType,
    pub(crate) correlation_id: CorrelationId,
    /// The connection by which it came; its answer belongs there.
    pub(crate) connection: u64,
}

/// Where events and calls go. What finds its place full is lost.
pub(crate) struct Heard {
    pub(crate) events: mpsc::Sender<ModuleMessage>,
    pub(crate) calls: mpsc::Sender<Call>,
}

enum Say {
    Ask(Question),
    Answer {
        result: InvocationResultMessage,
        connection: u64,
    },
}

struct Question {
    payload: RequestPayload,
    answer: oneshot::Sender<Result<ResponsePayload, ChainError>>,
}

impl IpcLink {
    /// A link, and the work that keeps it.
    pub(crate) fn to(socket: NodeSocket, heard: Heard) -> (Self, impl Future<Output = ()> + Send) {
        let (saying, said) = mpsc::channel(MOST_ASKING);
        let (state, watched) = watch::channel(IpcState::Away {
            reason: "not connected yet".to_owned(),
        });
        let keeper = Keeper {
            socket,
            heard,
            said,
            state,
            connection: 0,
        };
        let link = Self {
            saying,
            state: watched,
        };
        (link, keeper.keep())
    }

    /// Asks the node.
    ///
    /// # Errors
    /// When the node is away, says no, or ends the connection.
    pub(crate) async fn ask(&self, payload: RequestPayload) -> Result<ResponsePayload, ChainError> {
        if !self.state.borrow().is_served() {
            return Err(away());
        }
        let (answer, answered) = oneshot::channel();
        let question = Question { payload, answer };
        let asked = async {
            self.saying
                .send(Say::Ask(question))
                .await
                .map_err(|_| away())?;
            answered.await.map_err(|_| away())?
        };
        timeout(ANSWER, asked).await.unwrap_or_else(|_| Err(away()))
    }

    /// Waits until the node serves this module.
    pub(crate) async fn served(&self) {
        // Whoever waits ends together with the work that keeps the link.
        let _ = self.state.clone().wait_for(IpcState::is_served).await;
    }

    /// Answers a call, where the connection is still the one by which it came.
    pub(crate) async fn answer(&self, connection: u64, result: InvocationResultMessage) {
        let _ = self.saying.send(Say::Answer { result, connection }).await;
    }

    /// Whether the node lets this module do what its manifest asks for. A call that is not allowed ends the connection.
    pub(crate) fn may_do_more_than_read(&self) -> bool {
        matches!(
            *self.state.borrow(),
            IpcState::Served {
                as_manifest: true,
                ..
            }
        )
    }

    pub(crate) fn state(&self) -> watch::Receiver<IpcState> {
        self.state.clone()
    }
}

fn away() -> ChainError {
    ChainError("the node does not serve this module at the moment".to_owned())
}

/// Why a connection is no more.
enum End {
    /// The node has ended it when it was asked for more than it lets be read.
    ReadingOnly,
    Lost(String),
}

impl From<ModuleError> for End {
    fn from(error: ModuleError) -> Self {
        Self::Lost(error.to_string())
    }
}

/// Keeps the one connection: greets, subscribes, asks one question after another, and hears events meanwhile.
struct Keeper {
    socket: NodeSocket,
    heard: Heard,
    said: mpsc::Receiver<Say>,
    state: watch::Sender<IpcState>,
    /// The number of the connection.
    connection: u64,
}

impl Keeper {
    async fn keep(mut self) {
        let [first, longest] = PAUSES;
        let mut pause = first;
        let mut tries_manifest = true;
        loop {
            let begun = Instant::now();
            match self.serve(tries_manifest).await {
                Ok(()) => return,
                Err(End::ReadingOnly) => tries_manifest = false,
                Err(End::Lost(reason)) => {
                    // A node that ends it again and again has its reasons: each question that it cannot answer is one.
                    pause = if begun.elapsed() > longest {
                        first
                    } else {
                        longest.min(pause * 2)
                    };
                    // The next node may let more be done.
                    tries_manifest = true;
                    self.tell(IpcState::Away { reason });
                    // Whoever has asked is told now.
                    while self.said.try_recv().is_ok() {}
                    sleep(pause).await;
                }
            }
        }
    }

    /// Serves one connection until nobody has the link any more.
    async fn serve(&mut self, tries_manifest: bool) -> Result<(), End> {
        if tries_manifest {
            self.settled().await;
        }
        let client = ModuleIpcClient::connect(&self.socket.path).await?;
        self.connection += 1;
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut talk = Talk {
            client,
            pace,
            heard: &self.heard,
            connection: self.connection,
            has_heard: false,
        };
        let node_version = self.greet(&mut talk).await?;
        let events = RequestPayload::SubscribeEvents {
            event_types: wanted(),
        };
        talk.ask(events)
            .await?
            .map_err(|error| End::Lost(error.0))?;
        let as_manifest = tries_manifest && {
            // No call says what is allowed, and this is the first in the manifest that is not by default.
            let allowed = talk.ask(RequestPayload::GetMempoolSize).await;
            allowed.map_err(|_| End::ReadingOnly)?.is_ok()
        };
        self.tell(IpcState::Served {
            node_version,
            as_manifest,
        });
        loop {
            tokio::select! {
                said = self.said.recv() => match said {
                    None => return Ok(()),
                    // Whoever asked may have gone away meanwhile.
                    Some(Say::Ask(Question { payload, answer })) if !answer.is_closed() => {
                        let _ = answer.send(talk.ask(payload).await?);
                    }
                    Some(Say::Answer { result, connection }) if connection == talk.connection => {
                        talk.client.send_invocation_result(result).await?;
                    }
                    Some(_) => {}
                },
                message = talk.client.receive_message() => match message {
                    // So are calls of JSON-RPC names, which none is told that it may make.
                    Err(ModuleError::SerializationError(error)) => {
                        tracing::warn!(error, "the node said what cannot be read");
                    }
                    message => talk.hear(message?)?,
                },
            }
        }
    }

    /// Says how it stands, where that is news.
    fn tell(&self, now: IpcState) {
        self.state.send_if_modified(|state| {
            let is_news = *state != now;
            *state = now;
            is_news
        });
    }

    /// Waits until the same socket has been there for a while.
    async fn settled(&self) {
        let seen =
            |path: &Path| fs::metadata(path).map(|it| (it.ino(), it.ctime(), it.ctime_nsec()));
        loop {
            match seen(&self.socket.path) {
                Err(error) => {
                    let reason = format!("{}: {error}", self.socket.path.display());
                    self.tell(IpcState::Away { reason });
                    sleep(LOOK).await;
                }
                Ok(socket) => {
                    sleep(SETTLED).await;
                    if seen(&self.socket.path).is_ok_and(|again| again == socket) {
                        return;
                    }
                }
            }
        }
    }

    /// Waits for the greeting however long it takes.
    async fn greet(&self, talk: &mut Talk<'_>) -> Result<String, End> {
        let correlation_id = talk.client.next_correlation_id();
        let payload = RequestPayload::Handshake {
            module_id: self.socket.module_id.clone(),
            module_name: crate::MODULE_NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut greeting = pin!(talk.client.request(RequestMessage {
            correlation_id,
            request_type: MessageType::Handshake,
            payload,
        }));
        let answer = match timeout(GREETING, &mut greeting).await {
            Ok(answer) => answer,
            Err(_) => {
                self.tell(IpcState::Unanswered);
                greeting.await
            }
        };
        match answer?.payload {
            Some(ResponsePayload::HandshakeAck { node_version }) => Ok(node_version),
            _ => Err(End::Lost("the node did not greet back".to_owned())),
        }
    }
}

/// A connection that has been greeted.
struct Talk<'k> {
    client: ModuleIpcClient,
    pace: Interval,
    heard: &'k Heard,
    connection: u64,
    has_heard: bool,
}

impl Talk<'_> {
    /// # Errors
    /// [`End`] when the connection is of no use any more; inside, what the node said instead of an answer.
    async fn ask(
        &mut self,
        payload: RequestPayload,
    ) -> Result<Result<ResponsePayload, ChainError>, End> {
        self.pace.tick().await;
        let late = |_| End::Lost("the node did not answer in time".to_owned());
        timeout(ANSWER, self.exchange(payload))
            .await
            .map_err(late)?
    }

    async fn exchange(
        &mut self,
        payload: RequestPayload,
    ) -> Result<Result<ResponsePayload, ChainError>, End> {
        let correlation_id = self.client.next_correlation_id();
        let request = RequestMessage {
            correlation_id,
            request_type: kind(&payload),
            payload,
        };
        let response = match self.client.request(request).await {
            Ok(response) => response,
            // The node's client gives up, and loses an event, when that comes before the answer; the answer is behind it.
            Err(ModuleError::IpcError(_)) => loop {
                match self.client.receive_message().await? {
                    Some(ModuleMessage::Response(response))
                        if response.correlation_id == correlation_id =>
                    {
                        break response;
                    }
                    other => self.hear(other)?,
                }
            },
            Err(error) => return Err(error.into()),
        };
        Ok(match (response.success, response.payload) {
            (true, Some(payload)) => Ok(payload),
            (_, _) => Err(ChainError(response.error.unwrap_or_default())),
        })
    }

    fn hear(&mut self, message: Option<ModuleMessage>) -> Result<(), End> {
        match message {
            Some(event @ ModuleMessage::Event(_)) => {
                if !self.has_heard {
                    tracing::info!("the node tells its events");
                    self.has_heard = true;
                }
                // Events are hints, and lossy on their way here too.
                let _ = self.heard.events.try_send(event);
                Ok(())
            }
            Some(ModuleMessage::Invocation(invocation)) => {
                // Its caller hears nothing then, and gives up.
                let _ = self.heard.calls.try_send(Call {
                    asked: invocation.invocation_type,
                    correlation_id: invocation.correlation_id,
                    connection: self.connection,
                });
                Ok(())
            }
            Some(_) => Ok(()),
            None => Err(End::Lost("the node ended the connection".to_owned())),
        }
    }
}

/// What the node's protocol calls a question; it looks at the question itself.
const fn kind(payload: &RequestPayload) -> MessageType {
    match payload {
        RequestPayload::SubscribeEvents { .. } => MessageType::SubscribeEvents,
        RequestPayload::GetBlockHeight => MessageType::GetBlockHeight,
        RequestPayload::GetChainTip => MessageType::GetChainTip,
        RequestPayload::GetBlockByHeight { .. } => MessageType::GetBlockByHeight,
        RequestPayload::GetTxMetadata { .. } => MessageType::GetTxMetadata,
        RequestPayload::GetMempoolSize => MessageType::GetMempoolSize,
        RequestPayload::GetMempoolTransactions => MessageType::GetMempoolTransactions,
        RequestPayload::GetMempoolTransaction { .. } => MessageType::GetMempoolTransaction,
        RequestPayload::SubmitMempoolTransaction { .. } => MessageType::SubmitMempoolTransaction,
        RequestPayload::PublishEvent { .. } => MessageType::PublishEvent,
        RequestPayload::RegisterModuleApi { .. } => MessageType::RegisterModuleApi,
        RequestPayload::CallModule { .. } => MessageType::CallModule,
        _ => MessageType::Response,
    }
}
