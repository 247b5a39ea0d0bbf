use super::Learning;
use crate::{conditions::Conditions, setup::wrong_setting};
use mesh_protocol::MAX_PAYLOAD_LEN;
use mesh_routing::{OwnWords, RoutingTable};
use mesh_types::{AnnouncementError, CarryLimits, MeshConfig, MeshError, MeshMode, UnixTime};

impl Learning {
    /// Has the node say of itself what these settings say, and tell and hear of the mesh, or not, as they have it.
    ///
    /// # Errors
    /// [`MeshError::ConfigError`] when an address that is to be announced is none; nothing is changed then.
    pub(crate) fn reload(
        &self,
        config: &MeshConfig,
        routes: &RoutingTable,
        now: UnixTime,
    ) -> Result<(), MeshError> {
        let (words, is_on) = (words(config)?, Conditions::of(config).learns());
        self.with(routes, |state| {
            state.gossip.say(words, now).map_err(wrong_address)?;
            if is_on == state.is_on {
                return Ok(());
            }
            state.is_on = is_on;
            for (peer, _) in routes.direct_peers() {
                if is_on {
                    self.enter(state, peer, now);
                } else {
                    state.strike(&peer, now);
                }
            }
            Ok(())
        })
    }
}

/// What the node says of itself, besides its links.
pub(super) fn words(config: &MeshConfig) -> Result<OwnWords, MeshError> {
    for address in &config.announce_addresses {
        let parts = address.rsplit_once(':');
        let is_right = parts.is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if !is_right {
            return Err(wrong_setting(format!(
                "announce_addresses: {address:?}: expected <host>:<port>"
            )));
        }
    }
    let free_bytes_per_second = match config.mode {
        MeshMode::Open => u32::MAX,
        MeshMode::BitcoinOnly | MeshMode::PaymentGated => {
            config.free_lane.bytes_per_second_per_source
        }
    };
    Ok(OwnWords {
        price: Conditions::of(config).price,
        limits: CarryLimits {
            max_payload_bytes: u32::try_from(MAX_PAYLOAD_LEN).unwrap_or(u32::MAX),
            free_bytes_per_second,
        },
        addresses: config.announce_addresses.clone(),
    })
}

pub(super) fn wrong_address(error: AnnouncementError) -> MeshError {
    wrong_setting(format!("announce_addresses: {error}"))
}
