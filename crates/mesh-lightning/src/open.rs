use crate::{LightningConfig, OpenError};
use mesh_types::{LightningError, LightningInfo, LightningNode, Network};
use std::{fmt, sync::Arc};

/// A wallet, and what it said when it was opened.
pub struct Opened {
    /// The wallet.
    pub node: Arc<dyn LightningNode>,
    /// What it says about itself. An error is one sentence for the operator; the wallet is asked anew at each call, so it
    /// works as soon as the reason has gone.
    pub info: Result<LightningInfo, LightningError>,
}

/// Opens the wallet that the settings choose, reads its secrets, and asks it once who it is.
///
/// - `network`: the network of this node. Invoices of another are neither issued nor paid.
///
/// # Errors
/// [`OpenError`], when waiting does not help. A wallet that cannot be reached is no error here: see [`Opened::info`].
pub async fn open(config: &LightningConfig, network: Network) -> Result<Opened, OpenError> {
    let node = choose(config, network)?;
    let info = node.info().await;
    match &info {
        Ok(info) if info.network != network => {
            return Err(OpenError::WrongNetwork {
                expected: network,
                found: info.network,
            });
        }
        Ok(info) => tracing::info!(
            backend = config.backend(),
            %network,
            takes_preimages = info.takes_preimages,
            is_shared = info.is_shared,
            "the Lightning back end answers"
        ),
        Err(error) => {
            tracing::warn!(backend = config.backend(), %error, "no word from the Lightning back end");
        }
    }
    Ok(Opened { node, info })
}

fn choose(config: &LightningConfig, network: Network) -> Result<Arc<dyn LightningNode>, OpenError> {
    match config {
        #[cfg(feature = "cln")]
        LightningConfig::Cln(config) => Ok(Arc::new(crate::Cln::new(config, network))),
        #[allow(unreachable_patterns, reason = "with every feature there is no other")]
        other => Err(OpenError::NotBuilt(other.backend())),
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}
