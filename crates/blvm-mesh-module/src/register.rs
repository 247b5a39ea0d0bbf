use crate::{api::MeshApi, node_source::NodeSource};
use std::sync::Arc;

/// Waits until the node has started, and has it route calls of its other modules to the mesh, where it does that.
///
/// The names of JSON-RPC are not among them: a node sends such calls to modules over their sockets, and the mesh is inside.
pub(crate) async fn register(node: Arc<NodeSource>, api: Arc<MeshApi>) {
    node.started().await;
    match node.register(api).await {
        Ok(()) => tracing::info!("other modules can call the mesh"),
        Err(error) => tracing::info!(
            %error,
            "this node takes neither a module API nor RPC names of what runs inside it: its other modules cannot call the mesh"
        ),
    }
}
