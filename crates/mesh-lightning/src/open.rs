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
    /// What its operator should change, though it works: a key that can do more than it needs, say.
    pub warning: Option<String>,
}

/// Opens the wallet that the settings choose, reads its secrets, and asks it once who it is.
///
/// - `network`: the network of this node. Invoices of another are neither issued nor paid.
///
/// # Errors
/// [`OpenError`], when waiting does not help. A wallet that cannot be reached is no error here: see [`Opened::info`].
pub async fn open(config: &LightningConfig, network: Network) -> Result<Opened, OpenError> {
    let (node, warning) = choose(config, network)?;
    if let Some(warning) = &warning {
        tracing::warn!(backend = config.backend(), "{warning}");
    }
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
    Ok(Opened {
        node,
        info,
        warning,
    })
}

fn choose(
    config: &LightningConfig,
    network: Network,
) -> Result<(Arc<dyn LightningNode>, Option<String>), OpenError> {
    match config {
        #[cfg(feature = "cln")]
        LightningConfig::Cln(config) => Ok((Arc::new(crate::Cln::new(config, network)), None)),
        #[cfg(feature = "lnd")]
        LightningConfig::Lnd(config) => {
            let (node, warning) = crate::Lnd::open(config, network)?;
            Ok((Arc::new(node), warning))
        }
        #[cfg(feature = "lnbits")]
        LightningConfig::Lnbits(config) => {
            Ok((Arc::new(crate::Lnbits::open(config, network)?), None))
        }
        #[cfg(not(all(feature = "cln", feature = "lnd", feature = "lnbits")))]
        other => Err(OpenError::NotBuilt(other.backend())),
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("info", &self.info)
            .field("warning", &self.warning)
            .finish_non_exhaustive()
    }
}
