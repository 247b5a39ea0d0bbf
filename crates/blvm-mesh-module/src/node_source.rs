use crate::{
    api::{API_VERSION, METHODS, MeshApi},
    ipc::IpcLink,
};
use blvm_mesh::ChainError;
use blvm_node::{
    Block, Transaction,
    module::{
        ipc::protocol::{EventPayload, RequestPayload, ResponsePayload},
        manager::ModuleManager,
        traits::{EventType, ModuleError, NodeAPI, TxBlockMetadata},
    },
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, OnceCell},
    time::sleep,
};

/// What a node lets its modules ask.
type NodeApi = Arc<dyn NodeAPI + Send + Sync>;

/// A hash as the node has it, in internal byte order.
type Hash = [u8; 32];

/// The most transactions of the mempool that are looked through in one process with the node.
///
/// 20,000, because that takes some tens of milliseconds.
const MOST_IN_MEMPOOL_INSIDE: usize = 20_000;

/// The same over IPC: 500, because each is a question, and the node takes a hundred a second.
const MOST_IN_MEMPOOL_BESIDE: usize = 500;

/// How often is looked whether the node that is this process has started: it tells nobody.
const LOOK: Duration = Duration::from_millis(200);

/// Where the node's answers come from: the one place where a mesh inside a node and one beside it differ.
#[derive(Debug)]
pub(crate) enum NodeSource {
    /// The node is this process.
    Inside(Inside),
    /// The node is another process.
    Beside(IpcLink),
}

impl NodeSource {
    /// Takes the module manager of a node that has this mesh inside.
    pub(crate) fn inside(manager: Arc<Mutex<ModuleManager>>) -> Self {
        Self::Inside(Inside {
            manager,
            api: OnceCell::new(),
        })
    }

    pub(crate) async fn block_height(&self) -> Result<u64, ChainError> {
        match self {
            Self::Inside(node) => node.api().await?.get_block_height().await.map_err(said),
            Self::Beside(link) => match link.ask(RequestPayload::GetBlockHeight).await? {
                ResponsePayload::U64(height) => Ok(height),
                _ => Err(strange()),
            },
        }
    }

    pub(crate) async fn chain_tip(&self) -> Result<Hash, ChainError> {
        match self {
            Self::Inside(node) => node.api().await?.get_chain_tip().await.map_err(said),
            Self::Beside(link) => match link.ask(RequestPayload::GetChainTip).await? {
                ResponsePayload::Hash(hash) => Ok(hash),
                _ => Err(strange()),
            },
        }
    }

    pub(crate) async fn block(&self, height: u64) -> Result<Option<Block>, ChainError> {
        match self {
            Self::Inside(node) => {
                let api = node.api().await?;
                api.get_block_by_height(height).await.map_err(said)
            }
            Self::Beside(link) => {
                match link
                    .ask(RequestPayload::GetBlockByHeight { height })
                    .await?
                {
                    ResponsePayload::BlockByHeight(block) => Ok(block),
                    _ => Err(strange()),
                }
            }
        }
    }

    /// What the node's index of transactions says, which is a hint at most.
    pub(crate) async fn indexed(&self, txid: Hash) -> Result<Option<TxBlockMetadata>, ChainError> {
        match self {
            Self::Inside(node) => {
                let api = node.api().await?;
                api.get_tx_metadata(&txid).await.map_err(said)
            }
            Self::Beside(link) => match link.ask(RequestPayload::GetTxMetadata { txid }).await? {
                ResponsePayload::TxMetadata(found) => Ok(found),
                _ => Err(strange()),
            },
        }
    }

    /// What waits in the mempool; `None` where that is more than can be looked through, or the node does not let it be seen.
    pub(crate) async fn mempool(&self) -> Result<Option<Vec<Hash>>, ChainError> {
        let (waiting, most) = match self {
            Self::Inside(node) => {
                let waiting = node.api().await?.get_mempool_transactions().await;
                (waiting.map_err(said)?, MOST_IN_MEMPOOL_INSIDE)
            }
            Self::Beside(link) if !link.may_do_more_than_read() => return Ok(None),
            Self::Beside(link) => match link.ask(RequestPayload::GetMempoolTransactions).await? {
                ResponsePayload::MempoolTransactions(waiting) => (waiting, MOST_IN_MEMPOOL_BESIDE),
                _ => return Err(strange()),
            },
        };
        Ok((waiting.len() <= most).then_some(waiting))
    }

    /// A transaction of the mempool; none, too, where the node does not let it be seen.
    pub(crate) async fn in_mempool(
        &self,
        tx_hash: Hash,
    ) -> Result<Option<Transaction>, ChainError> {
        match self {
            Self::Inside(node) => {
                let api = node.api().await?;
                api.get_mempool_transaction(&tx_hash).await.map_err(said)
            }
            Self::Beside(link) if !link.may_do_more_than_read() => Ok(None),
            Self::Beside(link) => {
                let question = RequestPayload::GetMempoolTransaction { tx_hash };
                match link.ask(question).await? {
                    ResponsePayload::MempoolTransaction(found) => Ok(found),
                    _ => Err(strange()),
                }
            }
        }
    }

    pub(crate) async fn submit(
        &self,
        tx: Transaction,
        witnesses: Vec<Vec<Vec<u8>>>,
    ) -> Result<(), ChainError> {
        let witnesses = Some(witnesses);
        match self {
            Self::Inside(node) => {
                let api = node.api().await?;
                let submitted = api.submit_mempool_transaction(tx, witnesses).await;
                submitted.map(drop).map_err(said)
            }
            Self::Beside(link) => {
                reading_only(link)?;
                let question = RequestPayload::SubmitMempoolTransaction { tx, witnesses };
                match link.ask(question).await? {
                    ResponsePayload::MempoolTransactionSubmitted(_) => Ok(()),
                    _ => Err(strange()),
                }
            }
        }
    }

    /// Waits until the node can be asked.
    pub(crate) async fn started(&self) {
        match self {
            Self::Inside(node) => {
                while node.api().await.is_err() {
                    sleep(LOOK).await;
                }
            }
            Self::Beside(link) => link.served().await,
        }
    }

    /// Has the node route calls of its other modules to the mesh.
    pub(crate) async fn register(&self, mesh: Arc<MeshApi>) -> Result<(), ChainError> {
        match self {
            Self::Inside(node) => {
                let api = node.api().await?;
                api.register_module_api(mesh).await.map_err(said)
            }
            Self::Beside(link) => {
                reading_only(link)?;
                let question = RequestPayload::RegisterModuleApi {
                    methods: METHODS.map(str::to_owned).to_vec(),
                    api_version: API_VERSION,
                };
                link.ask(question).await.map(drop)
            }
        }
    }

    /// Calls another module of the node.
    pub(crate) async fn call_module(
        &self,
        module: &str,
        method: &str,
        params: Vec<u8>,
    ) -> Result<Vec<u8>, ModuleError> {
        let away = |error: ChainError| ModuleError::IpcError(error.0);
        match self {
            Self::Inside(node) => {
                let api = node.api().await.map_err(away)?;
                api.call_module(Some(module), method, params).await
            }
            Self::Beside(link) => {
                reading_only(link).map_err(away)?;
                let question = RequestPayload::CallModule {
                    target_module_id: Some(module.to_owned()),
                    method: method.to_owned(),
                    params,
                };
                match link.ask(question).await.map_err(away)? {
                    ResponsePayload::ModuleApiResponse(answer) => Ok(answer),
                    _ => Err(away(strange())),
                }
            }
        }
    }

    pub(crate) async fn publish(
        &self,
        event_type: EventType,
        payload: EventPayload,
    ) -> Result<(), ChainError> {
        match self {
            Self::Inside(node) => {
                let api = node.api().await?;
                api.publish_event(event_type, payload).await.map_err(said)
            }
            Self::Beside(link) => {
                reading_only(link)?;
                let question = RequestPayload::PublishEvent {
                    event_type,
                    payload,
                };
                link.ask(question).await.map(drop)
            }
        }
    }
}

/// The node that this process is. It answers only some time after its start.
pub(crate) struct Inside {
    manager: Arc<Mutex<ModuleManager>>,
    api: OnceCell<NodeApi>,
}

impl Inside {
    /// # Errors
    /// While the node is starting.
    async fn api(&self) -> Result<&NodeApi, ChainError> {
        let starting = || ChainError("the node is still starting".to_owned());
        let api = self.api.get_or_try_init(async || {
            let hub = self.manager.lock().await.api_hub_arc();
            let hub = hub.ok_or_else(starting)?;
            Ok(hub.lock().await.node_api())
        });
        api.await
    }
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inside")
            .field("answers", &self.api.initialized())
            .finish_non_exhaustive()
    }
}

/// A call that is not allowed ends the connection, so it is not made.
fn reading_only(link: &IpcLink) -> Result<(), ChainError> {
    if link.may_do_more_than_read() {
        Ok(())
    } else {
        Err(ChainError(
            "the node lets this module do nothing but read".to_owned(),
        ))
    }
}

fn said(error: ModuleError) -> ChainError {
    ChainError(error.to_string())
}

fn strange() -> ChainError {
    ChainError("the node answered another question".to_owned())
}
