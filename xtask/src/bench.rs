mod table;

use crate::{
    error::Error,
    shell::{cargo, run as run_command},
    workspace::Workspace,
};
use std::{fs, path::Path};

/// Runs the benches and prints their medians, with ratios to the floor they name.
///
/// Convention: a criterion group holds what belongs together; a function in it whose name
/// begins with `floor` measures what the work cannot be cheaper than, or what it is compared
/// with, in the same run. Each other function of the group is shown with its ratio to each
/// floor. Where functions take a parameter, those with the same one are compared.
///
/// So the group `claim at 1M` with the functions `ours` and `floor: hash map insert` shows what
/// a claim costs in hash map inserts.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  cargo xtask bench mesh-replay\n  cargo xtask bench --quick\n  cargo xtask bench --table"
)]
pub(crate) struct Args {
    /// Crates to bench; all that have benches when none is named
    crates: Vec<String>,

    /// Measure shortly: good for orders of magnitude, not for the documents
    #[arg(long)]
    quick: bool,

    /// Run nothing; print the table of all results that are there
    #[arg(long, conflicts_with_all = ["crates", "quick"])]
    table: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let workspace = Workspace::load()?;
    let results = workspace.target_directory.join("criterion");
    if args.table {
        say!("{}", table::read(&results, None)?);
        return Ok(());
    }
    let started = mark(&results)?;
    for package in workspace.select(&args.crates)? {
        let benches: Vec<_> = package.benches().collect();
        if benches.is_empty() {
            say!("bench: {} has no benches", package.name);
            continue;
        }
        // Named one by one: the library's own test program does not know criterion's arguments.
        let mut command = cargo();
        command.args(["bench", "-p", &package.name]);
        command.args(benches.iter().flat_map(|bench| ["--bench", bench]));
        if args.quick {
            command.args(["--", "--quick"]);
        }
        run_command(&mut command)?;
    }
    say!("\n{}", table::read(&results, Some(&started))?);
    Ok(())
}

/// Leaves a file whose time tells the results of this run from older ones.
fn mark(results: &Path) -> Result<fs::Metadata, Error> {
    let path = results.join(".started");
    let write = || {
        fs::create_dir_all(results)?;
        fs::write(&path, "")?;
        fs::metadata(&path)
    };
    write().map_err(|source| Error::File {
        path: path.clone(),
        source,
    })
}
