use super::ControlArgs;
use crate::{control::MAX_LEDGER_LINES, utc::Date};
use blvm_mesh::NodeId;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// See what a node took, earned and owes; check it; move it to another store
///
/// Every payment that was claimed is a line of the journal, and so is what each payer spent in each
/// hour. The books are read from the node while it runs, and from its store when it does not.
/// Amounts are in sats, with the millisatoshi behind the point, and in millisatoshi where a column
/// says msat. Times are in UTC.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
        blvm-mesh ledger                              the sums, and the last of each list\n  \
        blvm-mesh ledger --payers --last 100          those that most was earned from\n  \
        blvm-mesh ledger --deposits --all --csv       every payment, for a spreadsheet\n  \
        blvm-mesh ledger spent                        what was paid to others, and for what\n  \
        blvm-mesh ledger verify                       recompute every balance from the journal\n  \
        blvm-mesh ledger export backup.jsonl          a backup, while the node runs"
)]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    pub(crate) command: Option<LedgerCommand>,

    #[command(flatten)]
    pub(crate) lists: ListArgs,

    /// Print so many lines of each list, the newest first: 20 of one list, or 5 of each
    #[arg(long, value_name = "N", conflicts_with = "all",
          value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_LEDGER_LINES)))]
    pub(crate) last: Option<u16>,

    /// Print the whole list, the oldest first, payers by their ids
    #[arg(long, requires = "ListArgs")]
    pub(crate) all: bool,

    /// Print CSV
    #[arg(long, requires = "ListArgs", conflicts_with = "json")]
    pub(crate) csv: bool,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Which list.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct ListArgs {
    /// List the payments that were claimed
    #[arg(long)]
    deposits: bool,

    /// List what was spent, by hour and payer
    #[arg(long)]
    debits: bool,

    /// List the payers: what was earned from each, and what each can still spend
    #[arg(long)]
    payers: bool,
}

/// A list of the ledger.
#[derive(Debug, Clone, Copy)]
pub(crate) enum List {
    Deposits,
    Debits,
    Payers,
}

impl LedgerArgs {
    /// The one list that is asked for; `None` for a look at all.
    pub(crate) const fn list(&self) -> Option<List> {
        match self.lists {
            ListArgs { deposits: true, .. } => Some(List::Deposits),
            ListArgs { debits: true, .. } => Some(List::Debits),
            ListArgs { payers: true, .. } => Some(List::Payers),
            ListArgs { .. } => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    Spent(SpentArgs),
    Verify(VerifyArgs),
    Export(ExportArgs),
    Import(ImportArgs),
    Compact(CompactArgs),
}

/// See what the node has paid to others, and for what
///
/// Every payment is a line: when, to whom, how much, what Lightning asked for it, what became of it,
/// and the packet that it was for. One whose outcome nobody knows yet counts with the most that it
/// may cost. Sums by day and by peer stay when the lines of old payments are dropped.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        blvm-mesh ledger spent\n  \
        blvm-mesh ledger spent --day 2026-11-25 --json\n  \
        blvm-mesh ledger spent --peer 5f3c...e1 --last 100      (the node id in full)"
)]
pub(crate) struct SpentArgs {
    /// Print so many lines of each list
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_LEDGER_LINES)))]
    pub(crate) last: u16,

    /// Only this day, UTC: 2026-11-25
    #[arg(long, value_name = "DATE")]
    pub(crate) day: Option<Date>,

    /// Only what was paid to this node
    #[arg(long, value_name = "NODE-ID")]
    pub(crate) peer: Option<NodeId>,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Recompute every account from the journal, and report each difference
///
/// What a payer deposited less what it spent, by the lines of the journal, has to be its credit, and
/// no payment may stand in the journal twice. The exit code is 1 when it is otherwise.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  blvm-mesh ledger verify\n  blvm-mesh ledger verify --json"
)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Write the whole ledger to a new file: a backup, or for a move to another store
///
/// It can be done while the node runs: the file is the ledger of one moment. The file holds the
/// node's SECRET KEY, so nobody but its owner can read it; a file that is there is not replaced.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        blvm-mesh ledger export backup.jsonl\n  \
        blvm-mesh ledger import backup.jsonl --check      is it whole?"
)]
pub(crate) struct ExportArgs {
    /// The file to make
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

/// Give the free space of the store's file back to the system
///
/// A running node uses the space of forgotten claims again, and gives it back by itself when it is
/// started and the file holds little; this is for a large one that has become much emptier for good.
/// Its node must not run. It takes about a second for each 50 MB that the file holds.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Example:\n  blvm-mesh ledger compact --config /etc/mesh.toml"
)]
pub(crate) struct CompactArgs {
    /// The configuration file of the node whose store is to become smaller
    #[arg(long, value_name = "PATH", default_value = "mesh.toml")]
    pub(crate) config: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Fill an empty store with an export, all or nothing, and compare what it then holds
///
/// The store is that of the configuration, and its node must not run. An export that was cut or
/// changed is refused. Import an export once: two nodes with one key and one ledger would each spend
/// what they both hold.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
        blvm-mesh ledger import backup.jsonl\n  \
        blvm-mesh ledger import backup.jsonl --check      only see whether it is whole\n\n\
        To move a node to PostgreSQL: stop it, export, set [node] store = \"postgres://...\", import, start it."
)]
pub(crate) struct ImportArgs {
    /// The export
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The configuration file of the node whose store is to be filled
    #[arg(long, value_name = "PATH", default_value = "mesh.toml")]
    pub(crate) config: PathBuf,

    /// Only check the export; no store is opened
    #[arg(long)]
    pub(crate) check: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
