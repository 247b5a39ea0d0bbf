use mesh_types::Network;
use thiserror::Error;

/// Why a wallet cannot be opened with these settings, now or later.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The program was built without this back end.
    #[error(
        "this program was built without the Lightning back end \"{0}\": build it with that feature"
    )]
    NotBuilt(&'static str),
    /// The wallet's money is of another network.
    #[error(
        "the Lightning back end is on {found}, and this node on {expected}: choose the other wallet, or the other network"
    )]
    WrongNetwork {
        /// The network of this node.
        expected: Network,
        /// The network of the wallet.
        found: Network,
    },
}
