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
    /// The node inside this program, where it is one: its channels are managed through it, and it has to be closed.
    #[cfg(feature = "ldk")]
    pub embedded: Option<Arc<crate::Ldk>>,
}

/// A wallet of the kind that was chosen.
struct Chosen {
    node: Arc<dyn LightningNode>,
    warning: Option<String>,
    #[cfg(feature = "ldk")]
    embedded: Option<Arc<crate::Ldk>>,
}

/// Opens the wallet that the settings choose, reads its secrets, and asks it once who it is.
///
/// - `network`: the network of this node. Invoices of another are neither issued nor paid.
///
/// # Errors
/// [`OpenError`], when waiting does not help. A wallet that cannot be reached is no error here: see [`Opened::info`].
pub async fn open(config: &LightningConfig, network: Network) -> Result<Opened, OpenError> {
    let chosen = choose(config, network).await?;
    let node = chosen.node;
    if let Some(warning) = &chosen.warning {
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
        warning: chosen.warning,
        #[cfg(feature = "ldk")]
        embedded: chosen.embedded,
    })
}

async fn choose(config: &LightningConfig, network: Network) -> Result<Chosen, OpenError> {
    match config {
        #[cfg(feature = "cln")]
        LightningConfig::Cln(config) => Ok(Chosen::new(crate::Cln::new(config, network), None)),
        #[cfg(feature = "lnd")]
        LightningConfig::Lnd(config) => {
            let (node, warning) = crate::Lnd::open(config, network)?;
            Ok(Chosen::new(node, warning))
        }
        #[cfg(feature = "lnbits")]
        LightningConfig::Lnbits(config) => {
            Ok(Chosen::new(crate::Lnbits::open(config, network)?, None))
        }
        #[cfg(feature = "ldk")]
        LightningConfig::Ldk(config) => {
            let (node, warning) = crate::Ldk::open(config, network).await?;
            let node = Arc::new(node);
            Ok(Chosen {
                node: node.clone(),
                warning,
                embedded: Some(node),
            })
        }
        #[cfg(not(all(feature = "cln", feature = "lnd", feature = "lnbits", feature = "ldk")))]
        other => Err(OpenError::NotBuilt(other.backend())),
    }
}

impl Chosen {
    #[cfg(any(feature = "cln", feature = "lnd", feature = "lnbits"))]
    fn new(node: impl LightningNode + 'static, warning: Option<String>) -> Self {
        Self {
            node: Arc::new(node),
            warning,
            #[cfg(feature = "ldk")]
            embedded: None,
        }
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
