use std::collections::HashMap;

/// What the node around the mesh hands it at start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleContext {
    /// The name of this instance.
    pub module_id: String,
    /// The node's IPC socket; empty where there is none.
    pub socket_path: String,
    /// The folder where the mesh keeps its state, the identity key first of all.
    pub data_dir: String,
    /// Settings, flat: the keys of `[mesh]`.
    pub config: HashMap<String, String>,
}

impl ModuleContext {
    /// Puts the four parts together.
    pub fn new(
        module_id: String,
        socket_path: String,
        data_dir: String,
        config: HashMap<String, String>,
    ) -> Self {
        Self {
            module_id,
            socket_path,
            data_dir,
            config,
        }
    }
}
