mod deposit;
mod ledger;
mod lightning;
mod surroundings;

pub(crate) use deposit::DepositArgs;
pub(crate) use ledger::{
    CompactArgs, ExportArgs, ImportArgs, LedgerArgs, LedgerCommand, List, SpentArgs, VerifyArgs,
};

pub(crate) use lightning::{LightningArgs, LightningCommand};
pub(crate) use surroundings::{PeersArgs, RoutesArgs, TopologyArgs};

use crate::{command_error::CommandError, commands, demo};
use blvm_mesh::{MAX_PAYLOAD_LEN, NodeId, PeerAddress};
use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// A node of a mesh that carries Bitcoin traffic free and everything else for sats.
#[derive(Debug, Parser)]
#[command(
    name = "blvm-mesh",
    bin_name = "blvm-mesh",
    version,
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
        blvm-mesh demo                                watch a paid packet cross three nodes\n  \
        blvm-mesh run --config mesh.toml              run a node until Ctrl-C\n  \
        blvm-mesh status                              look at the node of ./mesh.toml\n  \
        blvm-mesh topology                            see the mesh that it has learned of\n  \
        blvm-mesh routes 5f3c...e1                    see the ways to a node, and what they cost\n  \
        blvm-mesh send 5f3c...e1 --data \"hello\"       send through it (the node id in full)\n  \
        blvm-mesh price 5f3c...e1 --bytes 1200        ask what that costs, and pay nothing\n  \
        blvm-mesh quote 5f3c...e1 --amount 5000       let any wallet pay for that node's packets\n  \
        blvm-mesh deposit 5f3c...e1 --amount 50000    ask what to pay on the chain for credit at that node\n  \
        blvm-mesh refund 5f3c...e1                    get back what was not spent there\n  \
        blvm-mesh ledger                              see what it took, earned and owes\n  \
        blvm-mesh ledger spent                        see what it paid to others, and for what\n\n\
        Exit codes: 0 done, 1 it failed, 2 the command line or the configuration is wrong."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(DemoArgs),
    Run(RunArgs),
    Send(SendArgs),
    Price(PriceArgs),
    Quote(QuoteArgs),
    Deposit(DepositArgs),
    Refund(RefundArgs),
    Receive(ReceiveArgs),
    Status(StatusArgs),
    Peers(PeersArgs),
    Routes(RoutesArgs),
    Topology(TopologyArgs),
    Ledger(LedgerArgs),
    Lightning(LightningArgs),
}

/// Watch a packet being refused, quoted, paid for, carried over three nodes and delivered
///
/// Three nodes run in this process, linked over loopback TCP. A sandbox wallet pays, or with
/// --lightning three LDK nodes with channels on a chain of their own: no real money moves. Every line
/// is checked against what the nodes really did; the demo fails when it is not so.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        blvm-mesh demo\n  \
        blvm-mesh demo --durable\n  \
        blvm-mesh demo --lightning\n  \
        NO_COLOR=1 blvm-mesh demo | less"
)]
pub(crate) struct DemoArgs {
    /// Watch a relay being killed between the claim of a payment and the packet that it pays for
    #[arg(long)]
    pub(crate) durable: bool,

    /// Pay over the channels of three Lightning nodes, on a chain inside this program
    #[arg(long, conflicts_with = "durable")]
    pub(crate) lightning: bool,

    /// Be the relay of that story
    #[arg(long, hide = true, value_name = "PATH")]
    pub(crate) relay: Option<PathBuf>,
}

/// Run one node until Ctrl-C
///
/// The node's identity key and its money are in its store, made at the first start and readable by
/// its owner alone: back it up with blvm-mesh ledger export, while the node runs. Relative paths in
/// the configuration begin at the folder of its file, that of the store in the data folder. SIGHUP has
/// the file read again: prices, mode, limits and peers change at once, and the log names what cannot.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        blvm-mesh run --config mesh.toml\n  \
        blvm-mesh run --config mesh.toml --peer 5f3c...e1@relay.example:8334\n  \
        blvm-mesh run --config mesh.toml --check\n\n\
        A configuration to begin with:\n  \
        [mesh]\n  \
        mode = \"payment_gated\"              # or \"bitcoin_only\", or \"open\"\n  \
        listen_addr = \"0.0.0.0:8334\"\n  \
        network = \"regtest\"                 # the sandbox wallet works on no other\n  \
        price_per_packet_msat = 1000\n  \
        peers = []                          # \"<node id>@<host>:<port>\"; one is enough to learn of all others\n  \
        announce_addresses = []             # \"<host>:<port>\" where the whole mesh is told to find this node; or nowhere\n  \
        refunds = false                     # whether payers get back what they have not spent: docs/spending.md\n  \
        # [mesh.spending]                   # what the node may pay to others, in millisatoshi: docs/spending.md\n  \
        # per_packet_msat = 100000          # what a packet may cost\n  \
        # per_route_msat = 1000000          # what is deposited because of one packet\n  \
        # per_peer_per_day_msat = 5000000   # with one node, on one day\n  \
        # per_day_msat = 10000000           # with all, on one day\n  \
        # fee_share_permille = 20           # Lightning fees, in thousandths of a deposit\n  \
        # [[mesh.known_nodes]]              # holds whatever is announced: a node further away, whom it is linked with\n  \
        # node_id = \"<node id>\"\n  \
        # linked_with = [\"<node id>\"]\n\n  \
        [node]\n  \
        store = \"redb:store.redb\"           # the money: a file in the data folder, or\n  \
        # store = \"postgres://USER:PASSWORD@HOST/DATABASE\"   one for several gateways\n\n  \
        [lightning]\n  \
        backend = \"sandbox\"                 # no real money; or cln, lnd, lnbits, ldk: docs/lightning.md; or none\n  \
        path = \"/tmp/mesh-sandbox\"          # shared by all sandbox wallets; no real money\n\n  \
        # [chain]                           # a Bitcoin node, to verify payments on the chain: docs/chain.md\n  \
        # address = \"127.0.0.1:18443\"\n  \
        # cookie = \"/home/bitcoin/.bitcoin/regtest/.cookie\""
)]
pub(crate) struct RunArgs {
    /// The configuration file
    #[arg(long, value_name = "PATH", default_value = "mesh.toml")]
    pub(crate) config: PathBuf,

    /// Keep a link with this node, too; may be said several times
    #[arg(long = "peer", value_name = "NODE-ID@HOST:PORT")]
    pub(crate) peers: Vec<PeerAddress>,

    /// Check the configuration, print it with all defaults, and stop
    #[arg(long)]
    pub(crate) check: bool,

    /// Log every packet that is refused, too
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// Send a packet through a running node, and wait until its destination has confirmed it
///
/// The node finds the way, asks the nodes on it for their prices, and pays those with whom it has
/// no credit. Where a way fails, it tries the next best, within the limit and the deadline; over
/// however many ways, the packet is delivered once at most. Bitcoin messages ride free. What is paid
/// and not used stays as credit for the next.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        blvm-mesh send 5f3c...e1 --data \"hello\"\n  \
        blvm-mesh send 5f3c...e1 --file invoice.pdf --limit-sats 200\n  \
        blvm-mesh send 5f3c...e1 --data \"now or never\" --timeout 2 --deadline 5\n  \
        blvm-mesh send 5f3c...e1 --hex 00ff7a --json\n\
        The node id is 64 characters; blvm-mesh status shows a node's own."
)]
pub(crate) struct SendArgs {
    /// The destination, 64 characters of hex
    #[arg(value_name = "NODE-ID")]
    pub(crate) destination: NodeId,

    #[command(flatten)]
    pub(crate) payload: PayloadArgs,

    /// The most to pay for it, over all ways
    #[arg(long, value_name = "SATS", default_value_t = 1_000)]
    pub(crate) limit_sats: u64,

    /// How many packets of this size each payment shall cover
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) packets_ahead: u32,

    /// How long to wait for each answer on the way, in seconds
    #[arg(long, value_name = "SECS", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub(crate) timeout: u32,

    /// How long all of it may take, in seconds
    #[arg(long, value_name = "SECS", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=120))]
    pub(crate) deadline: u32,

    /// Do not seal the payload: every node on the way can read it
    #[arg(long)]
    pub(crate) in_clear: bool,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Ask what sending a packet costs, before anything is paid
///
/// Every node of the route is asked for its price. What a packet offers is split: 60 % for the
/// destination, 30 % for the relays in equal parts, 10 % for its source. The price is the least that
/// gives each node what it asks.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        blvm-mesh price 5f3c...e1\n  \
        blvm-mesh price 5f3c...e1 --bytes 1200 --json"
)]
pub(crate) struct PriceArgs {
    /// The destination, 64 characters of hex
    #[arg(value_name = "NODE-ID")]
    pub(crate) destination: NodeId,

    /// How many bytes of payload
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(..=MAX_PAYLOAD_LEN as i64))]
    pub(crate) bytes: u32,

    /// How long to wait for each answer, in seconds
    #[arg(long, value_name = "SECS", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) timeout: u32,

    /// As for a payload that is not sealed, and 40 bytes shorter for it
    #[arg(long)]
    pub(crate) in_clear: bool,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// What to carry.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PayloadArgs {
    /// Carry this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) data: Option<String>,

    /// Carry these bytes
    #[arg(long, value_name = "HEX")]
    pub(crate) hex: Option<String>,

    /// Carry this file, 55 KiB at most
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
}

/// Offer credit at this node for any wallet to pay: prints the invoice, and a QR code of it
///
/// The credit becomes that of the node named, whoever pays, and appears by itself when it is paid:
/// no proof has to be sent, and a restart in between loses nothing. With --on-chain it is a Bitcoin
/// transaction that pays: what that has to be is printed instead, and blvm-mesh deposit shows it.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        blvm-mesh quote 5f3c...e1 --amount 5000\n  \
        blvm-mesh quote 5f3c...e1 --amount 5000 --wait\n  \
        blvm-mesh quote 5f3c...e1 --amount 5000 --json\n  \
        blvm-mesh quote 5f3c...e1 --amount 50000 --on-chain\n\
        The node id is 64 characters: that of the node which is to send packets over this one."
)]
pub(crate) struct QuoteArgs {
    /// Whose credit it becomes, 64 characters of hex
    #[arg(value_name = "NODE-ID")]
    pub(crate) payer: NodeId,

    /// How much
    #[arg(long, value_name = "SATS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) amount: u64,

    /// Wait until it is paid and credited
    #[arg(long, conflicts_with = "on_chain")]
    pub(crate) wait: bool,

    /// To be paid on the chain; 1,000 sats at least
    #[arg(long)]
    pub(crate) on_chain: bool,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Ask a node for what this one has not spent there, over Lightning, where that node offers it
///
/// This node's wallet makes an invoice, and the other node pays it out of the credit there, once. The
/// fee of routing it is taken from the credit, too: 2 % at most, or 1 sat where that is more.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        blvm-mesh refund 5f3c...e1\n  \
        blvm-mesh refund 5f3c...e1 --amount 200 --json\n\
        Without --amount it is the whole balance, less the most that routing may cost, in whole sats."
)]
pub(crate) struct RefundArgs {
    /// The node that has the credit, 64 characters of hex
    #[arg(value_name = "NODE-ID")]
    pub(crate) node: NodeId,

    /// How much
    #[arg(long, value_name = "SATS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) amount: Option<u64>,

    /// How long to wait until it is paid, in seconds
    #[arg(long, value_name = "SECS", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub(crate) timeout: u32,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Take packets that have arrived at a running node
///
/// Each packet is handed out once: when this command has printed it, the node forgets it.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  blvm-mesh receive\n  blvm-mesh receive --wait 60 --max 1 --json"
)]
pub(crate) struct ReceiveArgs {
    /// At most so many packets
    #[arg(long, value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) max: u16,

    /// How long to wait for the first, in seconds
    #[arg(long, value_name = "SECS", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(0..=3_600))]
    pub(crate) wait: u32,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Look at a running node: links, prices, credits, earnings, refusals by reason
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  blvm-mesh status\n  blvm-mesh status --config /srv/mesh/mesh.toml --json"
)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Which node to talk to.
#[derive(Debug, Args)]
pub(crate) struct ControlArgs {
    /// The configuration file of the running node, which says where its control socket is
    #[arg(long, value_name = "PATH", default_value = "mesh.toml")]
    pub(crate) config: PathBuf,

    /// The control socket itself
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    pub(crate) control: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the program: reads the command line, does what it says, and answers with the exit code.
pub fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit_code()
        }
    }
}

/// How long the program waits for what cannot be stopped, such as a name that is being looked up.
const LAST_WAIT: Duration = Duration::from_millis(200);

fn run(command: Command) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CommandError::Runtime)?;
    let done = runtime.block_on(async {
        match command {
            Command::Demo(DemoArgs {
                relay: Some(relay), ..
            }) => demo::stand_still(&relay).await,
            Command::Demo(args) => demo::run(&args).await,
            Command::Run(args) => commands::run(&args).await,
            Command::Send(args) => commands::send(&args).await,
            Command::Price(args) => commands::price(&args).await,
            Command::Quote(args) => commands::quote(&args).await,
            Command::Deposit(args) => commands::deposit(&args).await,
            Command::Refund(args) => commands::refund(&args).await,
            Command::Receive(args) => commands::receive(&args).await,
            Command::Status(args) => commands::status(&args).await,
            Command::Peers(args) => commands::peers(&args).await,
            Command::Routes(args) => commands::routes(&args).await,
            Command::Topology(args) => commands::topology(&args).await,
            Command::Ledger(args) => commands::ledger(&args).await,
            Command::Lightning(args) => commands::lightning(&args).await,
        }
    });
    runtime.shutdown_timeout(LAST_WAIT);
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_configuration_in_the_help_of_run_is_one() {
        let command = Cli::command();
        let help = command.find_subcommand("run").unwrap().get_after_help();
        let help = help.unwrap().to_string();
        let (_, text) = help.split_once("A configuration to begin with:").unwrap();
        crate::NodeConfig::parse(text, std::path::Path::new("/srv/mesh")).unwrap();
    }

    #[test]
    fn every_command_has_help_with_an_example() {
        let program = Cli::command();
        let nested = program.get_subcommands().flat_map(|command| {
            let name = command.get_name();
            let inner = command.get_subcommands();
            let inner = inner.map(move |inner| (format!("{name} {}", inner.get_name()), inner));
            std::iter::once((name.to_owned(), command)).chain(inner)
        });
        for (name, command) in nested {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            assert!(help.contains(&format!("blvm-mesh {name}")), "{name}");
            assert!(command.get_about().is_some());
        }
    }
}
