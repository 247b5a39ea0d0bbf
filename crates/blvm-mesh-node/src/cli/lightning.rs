use super::ControlArgs;
use blvm_mesh::from_hex;
use clap::{Args, Subcommand};
use std::str::FromStr;

/// Look after the Lightning node inside this one: its money on the chain, and its channels
///
/// For [lightning] backend = "ldk", while the node runs. Every other back end has tools of its own.
/// To be paid takes a channel with room to receive, and to pay takes one with money in it.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
        blvm-mesh lightning status                    its balances and channels\n  \
        blvm-mesh lightning address                   where to send money for channels\n  \
        blvm-mesh lightning open 02ab...cd@203.0.113.7:9735 --amount 500000\n  \
        blvm-mesh lightning close 5d38409a078386a8"
)]
pub(crate) struct LightningArgs {
    #[command(subcommand)]
    pub(crate) command: LightningCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LightningCommand {
    Status(WalletArgs),
    Address(AddressArgs),
    Open(OpenArgs),
    Close(CloseArgs),
}

/// See its id, what it has on the chain and in channels, and what can be paid and received
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  blvm-mesh lightning status\n  blvm-mesh lightning status --json"
)]
pub(crate) struct WalletArgs {
    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Get a new address to which money for channels can be sent
///
/// What is sent can be used after its first confirmation. 25,000 sats for each channel stay on the
/// chain, to pay for its closing.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Example: blvm-mesh lightning address"
)]
pub(crate) struct AddressArgs {
    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Open a channel with another Lightning node
///
/// It waits until the channel's transaction is sent; the channel can be used some blocks later. An
/// announced channel needs alias and listening_addresses in [lightning].
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        blvm-mesh lightning open 02ab...cd@203.0.113.7:9735 --amount 500000\n  \
        blvm-mesh lightning open 02ab...cd@203.0.113.7:9735 --amount 500000 --push 250000 --private\n\
        The node id has 66 characters of hex."
)]
pub(crate) struct OpenArgs {
    /// The other node, <node id>@<host>:<port>
    #[arg(value_name = "NODE-ID@HOST:PORT")]
    pub(crate) peer: LightningPeer,

    /// What to put into it
    #[arg(long, value_name = "SATS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) amount: u64,

    /// What of that to give to the other node for good, so that it can pay over the channel
    #[arg(long, value_name = "SATS", default_value_t = 0)]
    pub(crate) push: u64,

    /// Tell nobody else of it: nobody routes over it
    #[arg(long)]
    pub(crate) private: bool,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Close a channel; its money comes to the chain
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  blvm-mesh lightning close 5d38409a078386a8\n  \
        blvm-mesh lightning close 5d38409a078386a8 --force"
)]
pub(crate) struct CloseArgs {
    /// The id of the channel, or how it begins, 8 characters at least
    #[arg(value_name = "CHANNEL")]
    pub(crate) channel: String,

    /// Do it without the other node: the money comes a day or more later, and it costs more
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// A Lightning node and where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LightningPeer {
    pub(crate) node_id: String,
    pub(crate) address: String,
}

impl FromStr for LightningPeer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "expected <node id>@<host>:<port>, with 66 characters of hex for the node id";
        let (node_id, address) = text.split_once('@').ok_or(wrong)?;
        let node_id = node_id.to_ascii_lowercase();
        let has_port = address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if from_hex::<33>(&node_id).is_err() || !has_port {
            return Err(wrong);
        }
        Ok(Self {
            node_id,
            address: address.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_node_id_and_an_address() {
        let id = format!("02{}", "aB".repeat(32));
        let peer: LightningPeer = format!("{id}@[::1]:9735").parse().unwrap();
        assert_eq!(peer.node_id, id.to_ascii_lowercase());
        assert_eq!(peer.address, "[::1]:9735");
        for wrong in [
            id.clone(),
            format!("{id}@host"),
            format!("{id}@:9735"),
            format!("{id}@host:99999"),
            format!("{}@host:9735", &id[2..]),
        ] {
            assert!(wrong.parse::<LightningPeer>().is_err(), "{wrong}");
        }
    }
}
