use crate::{
    NodeConfig, Service,
    config::SettingError,
    node::{Node, StartError},
};
use blvm_mesh::{MeshConfig, PeerAddress};
use mesh_link::DialError;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

/// Each setting with its name, as `mesh.mode`.
type Settings = BTreeMap<String, Value>;

/// What became of the settings that are others than before, by their names in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// They are in force.
    pub taken: Vec<String>,
    /// They are as before until the next start.
    pub kept: Vec<String>,
}

/// Why a changed configuration was not taken. Nothing has changed then.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// A setting is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The mesh does not take its settings, or one of its peers cannot be dialled.
    #[error(transparent)]
    Node(#[from] StartError),
}

impl Service {
    /// Takes what of a changed configuration can change while the node runs: mode, prices, refunds, the free lane, spending,
    /// and which addresses are announced and which peers dialled. Links that are not with a peer that was struck stay.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed then.
    pub fn reload(&self, config: &NodeConfig) -> Result<Reloaded, ReloadError> {
        config.check()?;
        let mut in_force = self.in_force.lock();
        let next = NodeConfig {
            mesh: changed(&in_force.mesh, &config.mesh),
            ..in_force.clone()
        };
        let (before, after) = (settings(&in_force)?, settings(&next)?);
        let mut done = Reloaded {
            taken: differences(&before, &after),
            kept: differences(&after, &settings(config)?),
        };
        // A password is no part of what is compared.
        let store = "node.store".to_owned();
        if next.node.store != config.node.store && !done.kept.contains(&store) {
            done.kept.push(store);
        }
        let node = self.node();
        if let Some(own) = next.mesh.peers.iter().find(|it| is_own(node, it)) {
            return Err(StartError::peer(own, DialError::OwnId).into());
        }
        let reloaded = node.manager().reload(&next.mesh);
        reloaded.map_err(StartError::Mesh)?;
        dial(node, &in_force.mesh.peers, &next.mesh.peers);
        *in_force = next;
        Ok(done)
    }
}

/// Has the configuration read again whenever the process is told SIGHUP, for ever, and says in the log what has changed.
///
/// - `reload`: reads it, and hands it to [`Service::reload`].
pub async fn reload_on_hangup<E: fmt::Display>(reload: impl Fn() -> Result<Reloaded, E>) {
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => {
            tracing::warn!(%error, "SIGHUP is not heard: a changed configuration needs a restart");
            return std::future::pending().await;
        }
    };
    while hangups.recv().await.is_some() {
        say(reload());
    }
}

fn say(outcome: Result<Reloaded, impl fmt::Display>) {
    match outcome {
        Ok(Reloaded { taken, kept }) => {
            let names = |names: &[String]| names.join(", ");
            if !kept.is_empty() {
                tracing::warn!(settings = %names(&kept), "these need a restart, and are as before until then");
            }
            tracing::info!(changed = %names(&taken), "the configuration was read again");
        }
        Err(error) => tracing::error!(%error, "the configuration stays as it was"),
    }
}

/// The settings in force with what of `new` can change while a node runs.
fn changed(in_force: &MeshConfig, new: &MeshConfig) -> MeshConfig {
    let new = new.clone();
    MeshConfig {
        mode: new.mode,
        price_per_packet_msat: new.price_per_packet_msat,
        price_per_kib_msat: new.price_per_kib_msat,
        refunds: new.refunds,
        free_lane: new.free_lane,
        spending: new.spending,
        announce_addresses: new.announce_addresses,
        peers: new.peers,
        ..in_force.clone()
    }
}

/// The names of the settings that are not the same.
fn differences(a: &Settings, b: &Settings) -> Vec<String> {
    let names: BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name));
    differ.cloned().collect()
}

fn settings(config: &NodeConfig) -> Result<Settings, SettingError> {
    let tree = serde_json::to_value(config);
    let tree = tree.map_err(|error| SettingError::NotText(error.to_string()))?;
    let mut settings = Settings::new();
    let mut to_enter = vec![(String::new(), tree)];
    while let Some((name, value)) = to_enter.pop() {
        match value {
            Value::Object(table) => to_enter.extend(table.into_iter().map(|(key, value)| {
                let dot = if name.is_empty() { "" } else { "." };
                (format!("{name}{dot}{key}"), value)
            })),
            value => {
                settings.insert(name, value);
            }
        }
    }
    Ok(settings)
}

fn is_own(node: &Node, peer: &PeerAddress) -> bool {
    peer.node_id == node.manager().node_id()
}

/// Leaves the peers that are listed no more, and dials the new ones.
fn dial(node: &Node, before: &[PeerAddress], now: &[PeerAddress]) {
    let links = node.links();
    for peer in before {
        if now.iter().all(|it| it.node_id != peer.node_id) {
            links.forget(&peer.node_id);
            links.disconnect(&peer.node_id);
        }
    }
    for peer in now.iter().filter(|it| !before.contains(it)) {
        if let Err(error) = links.dial(peer.clone()) {
            tracing::warn!(%peer, %error, "a peer is not dialled");
        }
    }
}
