//! The project's own tools. `cargo xtask --help` lists them; each has a file here, beside what they
//! share.

/// Prints a line; a reader that has gone away (`| head`) is no reason to stop.
macro_rules! say {
    ($($arg:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($arg)*);
    }};
}

mod bench;
mod bitcoind;
mod blvm_node;
mod ci;
mod crash;
mod deny;
mod error;
mod fuzz;
mod graph;
mod shell;
mod sim;
mod source;
mod stopwatch;
mod test;
mod tidy;
mod tree;
mod vectors;
mod workspace;

use clap::{Parser, Subcommand};
use error::Error;
use std::process::ExitCode;

/// The project's own tools.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    Ci(ci::Args),
    Test(test::Args),
    Graph(graph::Args),
    Tidy(tidy::Args),
    Deny(deny::Args),
    Vectors(vectors::Args),
    Bench(bench::Args),
    Fuzz(fuzz::Args),
    Crash(crash::Args),
    Sim(sim::Args),
    Bitcoind(bitcoind::Args),
    BlvmNode(blvm_node::Args),
}

fn main() -> ExitCode {
    match run(&Cli::parse().tool) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(tool: &Tool) -> Result<(), Error> {
    match tool {
        Tool::Ci(args) => ci::run(args),
        Tool::Test(args) => test::run(args),
        Tool::Graph(args) => graph::run(args),
        Tool::Tidy(args) => tidy::run(args),
        Tool::Deny(args) => deny::run(args),
        Tool::Vectors(args) => vectors::run(args),
        Tool::Bench(args) => bench::run(args),
        Tool::Fuzz(args) => fuzz::run(args),
        Tool::Crash(args) => crash::run(args),
        Tool::Sim(args) => sim::run(args),
        Tool::Bitcoind(args) => bitcoind::run(args),
        Tool::BlvmNode(args) => blvm_node::run(args),
    }
}
