use super::{book::Hash, core::Core};
use ldk_node::{
    ChannelDetails, NodeError, UserChannelId,
    bitcoin::secp256k1::PublicKey,
    lightning::{ln::msgs::SocketAddress, routing::gossip::NodeAlias},
};
use mesh_types::{LightningError, to_hex};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a peer may take to agree on a new channel: half a minute, because a healthy one takes a second, and an
/// operator waits.
pub const OPENING_PATIENCE: Duration = Duration::from_secs(30);

/// The shortest beginning of a channel's id that names it: eight letters are not met twice by chance.
const MIN_NAME: usize = 8;

/// How a node inside this program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdkStatus {
    /// Its public key.
    pub node_id: [u8; 33],
    /// Where it listens.
    pub listening: Vec<String>,
    /// Its name, where it has one.
    pub alias: Option<String>,
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
    /// What of it is on its way from closed channels to the chain.
    pub closing_sats: u64,
    /// Its channels.
    pub channels: Vec<LdkChannel>,
}

/// A channel of a node inside this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdkChannel {
    /// Its id.
    pub id: [u8; 32],
    /// The node at its other end.
    pub peer: [u8; 33],
    /// All that is in it.
    pub capacity_sats: u64,
    /// What can be paid over it now.
    pub can_send_msat: u64,
    /// What can be received over it now.
    pub can_receive_msat: u64,
    /// Whether it has its confirmations.
    pub is_ready: bool,
    /// Whether it is ready, and its peer there.
    pub is_usable: bool,
    /// Whether others route over it.
    pub is_announced: bool,
    /// The confirmations that it has.
    pub confirmations: u32,
    /// The confirmations that it needs, once that is agreed on.
    pub confirmations_needed: Option<u32>,
}

/// A channel to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenChannel {
    /// The public key of the node at its other end.
    pub peer: [u8; 33],
    /// The host and the port of that node.
    pub address: String,
    /// What is put into it.
    pub amount_sats: u64,
    /// What of that is given to the peer.
    pub push_sats: u64,
    /// Whether nobody else is told of it.
    pub is_private: bool,
}

pub(super) fn status(core: &Core) -> LdkStatus {
    let node = &core.node;
    let balances = node.list_balances();
    let closing = balances.pending_balances_from_channel_closures.iter();
    let listening = node.listening_addresses().unwrap_or_default();
    LdkStatus {
        node_id: node.node_id().serialize(),
        listening: listening.iter().map(SocketAddress::to_string).collect(),
        alias: node.node_alias().map(|alias: NodeAlias| alias.to_string()),
        height: node.status().current_best_block.height,
        on_chain_sats: balances.total_onchain_balance_sats,
        spendable_sats: balances.spendable_onchain_balance_sats,
        reserved_sats: balances.total_anchor_channels_reserve_sats,
        in_channels_sats: balances.total_lightning_balance_sats,
        closing_sats: closing.map(amount_of).fold(0, u64::saturating_add),
        channels: node.list_channels().iter().map(channel).collect(),
    }
}

fn amount_of(balance: &ldk_node::PendingSweepBalance) -> u64 {
    use ldk_node::PendingSweepBalance::{
        AwaitingThresholdConfirmations, BroadcastAwaitingConfirmation, PendingBroadcast,
    };
    match balance {
        PendingBroadcast {
            amount_satoshis, ..
        }
        | BroadcastAwaitingConfirmation {
            amount_satoshis, ..
        }
        | AwaitingThresholdConfirmations {
            amount_satoshis, ..
        } => *amount_satoshis,
    }
}

fn channel(details: &ChannelDetails) -> LdkChannel {
    LdkChannel {
        id: details.channel_id.0,
        peer: details.counterparty_node_id.serialize(),
        capacity_sats: details.channel_value_sats,
        can_send_msat: details.next_outbound_htlc_limit_msat,
        can_receive_msat: details.inbound_capacity_msat,
        is_ready: details.is_channel_ready,
        is_usable: details.is_usable,
        is_announced: details.is_announced,
        confirmations: details.confirmations.unwrap_or(0),
        confirmations_needed: details.confirmations_required,
    }
}

pub(super) fn address(core: &Core) -> Result<String, LightningError> {
    let address = core.node.onchain_payment().new_address();
    let address = address.map_err(|error| refused(&error.to_string()))?;
    Ok(address.to_string())
}

/// Asks the peer for a channel; answers with the number that this node gives it.
pub(super) fn begin_opening(core: &Core, open: &OpenChannel) -> Result<u128, LightningError> {
    let peer = PublicKey::from_slice(&open.peer).map_err(|_| refused("the node id is none"))?;
    let address: SocketAddress = open
        .address
        .parse()
        .map_err(|_| refused("the address is no host and port"))?;
    if open.push_sats > open.amount_sats {
        return Err(refused(
            "more would be given to the peer than is put into the channel",
        ));
    }
    let push_msat = open.push_sats.saturating_mul(1_000);
    let push_msat = (push_msat > 0).then_some(push_msat);
    let (node, amount) = (&core.node, open.amount_sats);
    if !open.is_private && (node.node_alias().is_none() || node.listening_addresses().is_none()) {
        return Err(refused(
            "a channel is announced only by a node with `alias` and `listening_addresses`: set them, or open it with --private",
        ));
    }
    let opened = if open.is_private {
        node.open_channel(peer, address, amount, push_msat, None)
    } else {
        node.open_announced_channel(peer, address, amount, push_msat, None)
    };
    match opened {
        Ok(number) => Ok(number.0),
        Err(NodeError::InsufficientFunds) => {
            let balances = node.list_balances();
            Err(refused(&format!(
                "{} sats on the chain can be spent, and the channel takes {amount} and a reserve; deposit more, or wait \
                 for confirmations",
                balances.spendable_onchain_balance_sats
            )))
        }
        Err(NodeError::ConnectionFailed) => {
            Err(refused("no connection to that node at that address"))
        }
        Err(error) => Err(refused(&error.to_string())),
    }
}

/// Waits until the channel's transaction is out; answers with the channel's id.
pub(super) async fn opened(core: &Core, number: u128) -> Result<Hash, LightningError> {
    let until = Instant::now()
        .checked_add(OPENING_PATIENCE)
        .unwrap_or_else(Instant::now);
    let mut happened = core.happened();
    loop {
        let channels = core.node.list_channels();
        let found = channels
            .iter()
            .find(|channel| channel.user_channel_id.0 == number);
        match found {
            Some(channel) if channel.funding_txo.is_some() => return Ok(channel.channel_id.0),
            Some(_) => {}
            None => {
                let why = core.closures.why(&number);
                let why = why.unwrap_or_else(|| "it does not say why".to_owned());
                return Err(refused(&format!(
                    "the peer does not take the channel: {why}"
                )));
            }
        }
        if !matches!(timeout_at(until, happened.changed()).await, Ok(Ok(()))) {
            let seconds = OPENING_PATIENCE.as_secs();
            return Err(LightningError::Unknown(format!(
                "the peer has not agreed within {seconds} s; the status tells whether it does later"
            )));
        }
    }
}

/// Closes the channel whose id begins so.
pub(super) fn close(core: &Core, name: &str, is_forced: bool) -> Result<(), LightningError> {
    let name = name.to_ascii_lowercase();
    if name.len() < MIN_NAME {
        return Err(refused(&format!(
            "a channel is named by {MIN_NAME} letters of its id at least"
        )));
    }
    let channels = core.node.list_channels();
    let mut named = channels
        .iter()
        .filter(|channel| to_hex(&channel.channel_id.0).starts_with(&name));
    let channel = match (named.next(), named.next()) {
        (Some(channel), None) => channel,
        (None, _) => return Err(refused("there is no such channel; the status lists them")),
        (Some(_), Some(_)) => return Err(refused("more than one channel's id begins so")),
    };
    let (number, peer) = (
        UserChannelId(channel.user_channel_id.0),
        channel.counterparty_node_id,
    );
    let closed = if is_forced {
        core.node.force_close_channel(&number, peer, None)
    } else if channel.is_channel_ready && !channel.is_usable {
        return Err(refused(
            "its peer is not there, or it is being closed already; wait, or close it with --force",
        ));
    } else {
        core.node.close_channel(&number, peer)
    };
    closed.map_err(|error| refused(&error.to_string()))
}

fn refused(why: &str) -> LightningError {
    LightningError::Refused(why.to_owned())
}
