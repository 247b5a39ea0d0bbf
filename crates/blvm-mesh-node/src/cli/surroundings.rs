use super::ControlArgs;
use blvm_mesh::{MAX_PAYLOAD_LEN, NodeId};
use clap::Args;

/// Look at the nodes that a running node has links with: latency, price, credit, score and its reasons
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  blvm-mesh peers\n  blvm-mesh peers --json")]
pub(crate) struct PeersArgs {
    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Look at the routes that a running node's packets would take: price, latency, hops
///
/// For one destination it shows the alternatives, too, and for each node on them what it asks and
/// how it has done so far. Nothing is sent, and nothing paid.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        blvm-mesh routes\n  \
        blvm-mesh routes 5f3c...e1 --bytes 20000\n  \
        blvm-mesh routes 5f3c...e1 --json\n\
        The node id is 64 characters; blvm-mesh topology --json shows those that are known."
)]
pub(crate) struct RoutesArgs {
    /// The destination, 64 characters of hex; all known ones, if none is named
    #[arg(value_name = "NODE-ID")]
    pub(crate) destination: Option<NodeId>,

    /// For a payload of how many bytes
    #[arg(long, value_name = "N", default_value_t = 1_200,
          value_parser = clap::value_parser!(u32).range(0..=MAX_PAYLOAD_LEN as i64))]
    pub(crate) bytes: u32,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Look at the mesh as a running node knows it: a drawing, or the whole graph for other programs
///
/// The drawing is a tree by hops from the node; links beside the tree are named at their later end.
/// A mesh of more than 48 nodes is summed up.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        blvm-mesh topology\n  \
        blvm-mesh topology --dot | dot -Tsvg > mesh.svg\n  \
        blvm-mesh topology --json"
)]
pub(crate) struct TopologyArgs {
    /// Print it for Graphviz
    #[arg(long, conflicts_with = "json")]
    pub(crate) dot: bool,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}
