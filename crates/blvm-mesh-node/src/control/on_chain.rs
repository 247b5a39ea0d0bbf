use blvm_mesh::{Network, NodeId};
use serde::{Deserialize, Serialize};

/// What is asked about payments on the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OnChainCall {
    /// To offer credit at this node.
    Quote {
        /// Whose credit it becomes.
        payer: NodeId,
        /// How much, in satoshi.
        amount_sats: u64,
    },
    /// To ask another node what has to be paid for credit there.
    Ask {
        /// The node.
        node: NodeId,
        /// How much, in satoshi.
        amount_sats: u64,
        /// How long to wait for its answer.
        timeout_secs: u32,
    },
    /// To show another node that it was paid.
    Show(ShowCall),
}

impl OnChainCall {
    /// How long to wait for an answer, where another node is asked.
    pub(super) const fn timeout_secs(&self) -> Option<u32> {
        match self {
            Self::Quote { .. } => None,
            Self::Ask { timeout_secs, .. } | Self::Show(ShowCall { timeout_secs, .. }) => {
                Some(*timeout_secs)
            }
        }
    }
}

/// A payment that is to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowCall {
    /// The node that was paid.
    pub node: NodeId,
    /// The text of its quote.
    pub quote: String,
    /// The transaction that pays it, as explorers write it.
    pub txid: String,
    /// What that pays, in satoshi, where it is more than was quoted.
    pub paid_sats: Option<u64>,
    /// How long to wait for the answer.
    pub timeout_secs: u32,
}

/// The answers to an [`OnChainCall`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OnChainReport {
    /// To [`OnChainCall::Quote`] and [`OnChainCall::Ask`].
    ToPay(ToPayReport),
    /// To [`OnChainCall::Show`].
    Shown(ShownReport),
}

/// What has to be paid on the chain: one transaction with two outputs, and change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToPayReport {
    /// Whose credit it becomes, whoever pays.
    pub payer: NodeId,
    /// The node that is paid, and where the credit is.
    pub payee: NodeId,
    /// On which chain.
    pub network: Network,
    /// The address that has to be paid.
    pub address: String,
    /// What has to be paid there.
    pub amount_sats: u64,
    /// What the one OP_RETURN output has to hold, lower-case hex.
    pub op_return: String,
    /// How many blocks deep the payment has to be in order to count.
    pub least_depth: u32,
    /// Until when it has to be so deep, and shown, Unix seconds.
    pub expires_at: u64,
    /// The text of the quote, with which the payment is shown.
    pub quote: String,
    /// A command with which Bitcoin Core pays it.
    pub bitcoin_cli: String,
}

/// What became of a payment that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ShownReport {
    /// It is credit.
    Credited {
        /// The node that was paid.
        payee: NodeId,
        /// All the credit there now.
        credit_msat: u64,
    },
    /// It is kept, and shown again by itself.
    Waits {
        /// The node that was paid.
        payee: NodeId,
        /// Why it is not credited yet.
        reason: String,
        /// Until when it is shown, Unix seconds.
        expires_at: u64,
    },
}
