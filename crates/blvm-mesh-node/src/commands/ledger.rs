mod books;
mod lists;
mod moving;
mod overview;
mod rows;
mod spent;
mod verdict;

use crate::{
    cli::{LedgerArgs, LedgerCommand},
    command_error::CommandError,
};

/// Reads, checks, moves or compacts the books of a node.
pub(crate) async fn ledger(args: &LedgerArgs) -> Result<(), CommandError> {
    match &args.command {
        Some(LedgerCommand::Spent(args)) => spent::spent(args).await,
        Some(LedgerCommand::Verify(args)) => verdict::verify(args).await,
        Some(LedgerCommand::Export(args)) => moving::export(args).await,
        Some(LedgerCommand::Import(args)) => moving::import(args).await,
        Some(LedgerCommand::Compact(args)) => moving::compact(args).await,
        None => match args.list() {
            Some(list) => lists::list(args, list).await,
            None => overview::overview(args).await,
        },
    }
}
