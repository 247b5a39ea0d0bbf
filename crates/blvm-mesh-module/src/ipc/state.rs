/// How it stands with the connection to the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IpcState {
    /// There is no connection.
    Away {
        /// Why not.
        reason: String,
    },
    /// The node has taken the connection and says nothing.
    Unanswered,
    /// The node answers.
    Served {
        /// Its version.
        node_version: String,
        /// Whether it lets this module do what its manifest asks for, and not only read.
        as_manifest: bool,
    },
}

impl IpcState {
    pub(super) const fn is_served(&self) -> bool {
        matches!(self, Self::Served { .. })
    }

    /// What a mesh has to do without, one sentence each, and why.
    ///
    /// - `asks_ipc`: whether the chain is asked over this connection, and not over the JSON-RPC that `[chain]` names.
    pub fn missing(&self, asks_ipc: bool) -> Vec<String> {
        let busy = "until then payments on the chain are answered with busy";
        let mut missing = Vec::new();
        match self {
            Self::Away { reason } => {
                missing.push(format!("no events of the node are heard: {reason}"));
                if asks_ipc {
                    missing.push(format!("the node cannot be asked about the chain; {busy}"));
                }
            }
            Self::Unanswered => {
                missing.push("no events of the node are heard: it has taken the connection and does not answer, as blvm-node 0.1.83 does while another is served, its own spawner's first of all".to_owned());
                if asks_ipc {
                    missing.push(format!("the node cannot be asked about the chain; {busy}; name its JSON-RPC in [chain], and it can"));
                }
            }
            Self::Served {
                as_manifest: true, ..
            } => {}
            Self::Served {
                as_manifest: false, ..
            } => {
                missing.push("other modules are told no events of the mesh and cannot call it: the node lets this module do nothing but read".to_owned());
                if asks_ipc {
                    missing.push("covenants are refused: the node does not let this module see its mempool, where their coins may be spent; name its JSON-RPC in [chain], and it can".to_owned());
                }
            }
        }
        missing
    }
}
