use super::ControlArgs;
use blvm_mesh::NodeId;
use clap::Args;

/// Pay another node on the chain for credit there: first ask it what to pay, then show it the payment
///
/// With --amount the node is asked over the mesh. Its answer is checked and printed, for any Bitcoin
/// wallet that can add an OP_RETURN output. With --quote and --txid the payment is shown: this node
/// keeps it, and shows it again by itself until it is deep enough in the chain and credited, or the
/// quote is over; a restart in between loses nothing. Saying it again tells how it stands.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        blvm-mesh deposit 5f3c...e1 --amount 50000\n  \
        blvm-mesh deposit 5f3c...e1 --quote mesh-quote:1:... --txid 8ab2...07\n\
        The first prints the second, all but the id of the transaction. The node id is 64 characters."
)]
pub(crate) struct DepositArgs {
    /// The node to be paid, 64 characters of hex
    #[arg(value_name = "NODE-ID")]
    pub(crate) node: NodeId,

    /// Ask what to pay for so much credit; 1,000 sats at least
    #[arg(long, value_name = "SATS", value_parser = clap::value_parser!(u64).range(1..),
          required_unless_present = "txid", conflicts_with_all = ["quote", "txid", "paid"])]
    pub(crate) amount: Option<u64>,

    /// Show a payment: the quote that it pays
    #[arg(long, value_name = "TEXT", requires = "txid")]
    pub(crate) quote: Option<String>,

    /// The transaction that pays it, as wallets write it
    #[arg(long, value_name = "TXID", requires = "quote")]
    pub(crate) txid: Option<String>,

    /// What it pays, where that is more than was asked for
    #[arg(long, value_name = "SATS", requires = "txid", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) paid: Option<u64>,

    /// How long to wait for the answer, in seconds
    #[arg(long, value_name = "SECS", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub(crate) timeout: u32,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}
