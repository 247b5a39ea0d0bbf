use serde::{Deserialize, Serialize};

/// What is asked of the Lightning node inside this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LightningCall {
    /// Its money and its channels.
    Status {},
    /// A new address for money from the chain.
    Address {},
    /// To open a channel, and wait until its transaction is sent.
    Open(OpenCall),
    /// To close a channel.
    Close {
        /// The id of the channel, or how it begins.
        channel: String,
        /// To close it without its peer.
        force: bool,
    },
}

/// A channel to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenCall {
    /// The public key of the Lightning node at its other end, lower-case hex.
    pub peer: String,
    /// The host and the port of that node.
    pub address: String,
    /// What is put into it.
    pub amount_sats: u64,
    /// What of that is given to the peer.
    pub push_sats: u64,
    /// Whether nobody else is told of it.
    pub private: bool,
}

/// The answers to a [`LightningCall`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LightningReport {
    /// To [`LightningCall::Status`].
    Status(WalletReport),
    /// To [`LightningCall::Address`].
    Address {
        /// The address.
        address: String,
    },
    /// To [`LightningCall::Open`]: its transaction is sent.
    Opened {
        /// The id of the channel, lower-case hex.
        channel: String,
    },
    /// To [`LightningCall::Close`]: it is being closed.
    Closing {},
}

/// How the Lightning node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletReport {
    /// Its public key, lower-case hex.
    pub node_id: String,
    /// Its name, where it has one.
    pub alias: Option<String>,
    /// Where other Lightning nodes may connect.
    pub listening: Vec<String>,
    /// The block up to which it knows the chain.
    pub height: u32,
    /// All that it has on the chain.
    pub on_chain_sats: u64,
    /// What of that can be spent now.
    pub spendable_sats: u64,
    /// What of that is kept for the closing of channels.
    pub reserved_sats: u64,
    /// Its share of all channels.
    pub in_channels_sats: u64,
    /// What is on its way from closed channels to the chain.
    pub closing_sats: u64,
    /// Its channels.
    pub channels: Vec<ChannelReport>,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelReport {
    /// Its id, lower-case hex.
    pub id: String,
    /// The node at its other end, lower-case hex.
    pub peer: String,
    /// All that is in it.
    pub capacity_sats: u64,
    /// The largest payment that can be made over it now.
    pub can_send_msat: u64,
    /// What can be received over it now.
    pub can_receive_msat: u64,
    /// Whether it has its confirmations.
    pub ready: bool,
    /// Whether it is ready, and its peer there.
    pub usable: bool,
    /// Whether others route over it.
    pub announced: bool,
    /// The confirmations that it has.
    pub confirmations: u32,
    /// The confirmations that it needs, once that is agreed on.
    pub confirmations_needed: Option<u32>,
}
