use crate::{
    api::MeshApi,
    ipc::{Call, IpcLink},
    rpc_server::RpcMethods,
};
use blvm_node::{
    module::ipc::protocol::{InvocationResultMessage, InvocationResultPayload, InvocationType},
    rpc::errors::RpcError,
};
use serde_json::Value;
use std::sync::Arc;
use tokio::{sync::mpsc, task::JoinSet};

/// Answers what other modules ask by the node, many at a time; the mesh refuses what is too many.
pub(crate) async fn answer_calls(
    link: IpcLink,
    mut called: mpsc::Receiver<Call>,
    mesh: Arc<MeshApi>,
) {
    let mut answering = JoinSet::new();
    while let Some(call) = called.recv().await {
        while answering.try_join_next().is_some() {}
        let (link, mesh) = (link.clone(), Arc::clone(&mesh));
        answering.spawn(async move {
            let answered = answer(call.asked, &mesh).await;
            let (payload, error) = match answered {
                Ok(payload) => (Some(payload), None),
                Err(error) => (None, Some(error)),
            };
            let result = InvocationResultMessage {
                correlation_id: call.correlation_id,
                success: error.is_none(),
                payload,
                error,
            };
            link.answer(call.connection, result).await;
        });
    }
}

async fn answer(asked: InvocationType, mesh: &MeshApi) -> Result<InvocationResultPayload, String> {
    match asked {
        InvocationType::ModuleApi {
            method,
            params,
            caller_module_id,
        } => {
            let answered = mesh.handle(&method, &params, &caller_module_id).await;
            let answered = answered.map_err(|error| error.to_string())?;
            Ok(InvocationResultPayload::ModuleApi(answered))
        }
        InvocationType::Rpc { method, params } => {
            let answered = mesh.call(&method, params).await;
            let answered = answered.map_err(|error| error.to_string())?;
            Ok(InvocationResultPayload::Rpc(answered))
        }
        InvocationType::Cli { .. } => Err(
            "the commands are those of the program blvm-mesh, with --control <data folder>/control/node.sock"
                .to_owned(),
        ),
    }
}

#[async_trait::async_trait]
impl RpcMethods for MeshApi {
    async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        Self::call(self, method, params).await
    }
}
