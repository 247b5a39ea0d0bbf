use crate::{
    error::Error,
    shell::{cargo, program, root, run as run_command},
    workspace::Workspace,
};
use clap::Subcommand;
use std::process::Command;

/// Works on the mesh inside a real blvm-node, and beside one.
///
/// crates/blvm-mesh-module is no member of the workspace: it has a lock file of its own, and is
/// built in target/blvm-node. The first build takes three to four minutes on two cores.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  cargo xtask blvm-node demo\n  cargo xtask blvm-node test -- covenant"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Builds blvm-mesh-full-node and blvm-mesh-module, with optimisations
    Build,
    /// Runs the tests, most of them on real nodes on regtest
    Test {
        /// Pay over real channels, too: builds three LDK nodes, which takes minutes the first time
        #[arg(long)]
        lightning: bool,
        /// Arguments for the test programs: a part of the names to run, say
        #[arg(last = true)]
        filter: Vec<String>,
    },
    /// Starts three real nodes on regtest, and sends a paid packet across the middle one
    Demo,
    /// Measures what the mesh costs the node's own relay, on four real nodes on regtest
    Bench {
        /// With optimisations, which takes six minutes more to build the first time
        #[arg(long)]
        release: bool,
    },
}

pub(crate) fn run(Args { what }: &Args) -> Result<(), Error> {
    match what {
        What::Build => run_command(cargo_there("build").args(["--release", "--bins"])),
        What::Test { lightning, filter } => test(*lightning, filter),
        What::Demo => run_command(&mut full_node("demo", false)),
        What::Bench { release } => run_command(&mut full_node("bench", *release)),
    }
}

/// Format, lints (they compile the example), tests and the demo.
pub(crate) fn all() -> Result<(), Error> {
    run_command(cargo().args(["fmt", "--check", "--manifest-path", MANIFEST]))?;
    let lints = ["--all-targets", "--", "-D", "warnings"];
    run_command(cargo_there("clippy").args(lints))?;
    test(true, &[])?;
    // The one that the tests have run. Cargo would build the node once more, for the features that only tests need.
    let built = root().join("target/blvm-node/debug/blvm-mesh-full-node");
    run_command(program(built).arg("demo"))
}

/// - `has_channels`: whether there are channels to pay over. blvm-node and LDK cannot be built into one program, so those are
///   in one of the workspace.
fn test(has_channels: bool, filter: &[String]) -> Result<(), Error> {
    let mut command = cargo_there("test");
    command.arg("--").args(filter);
    if has_channels {
        let program = ["--features", "lightning", "--bin", "regtest-lightning"];
        run_command(
            cargo()
                .args(["build", "--locked", "-p", "mesh-regtest"])
                .args(program),
        )?;
        let built = Workspace::load()?.target_directory.join("debug");
        command.env("REGTEST_LIGHTNING", built.join("regtest-lightning"));
    }
    run_command(&mut command)
}

pub(crate) const MANIFEST: &str = "crates/blvm-mesh-module/Cargo.toml";

fn full_node(what: &str, is_optimised: bool) -> Command {
    let mut command = cargo_there("run");
    command.args(["--bin", "blvm-mesh-full-node"]);
    command.args(is_optimised.then_some("--release"));
    command.args(["--", what]);
    command
}

fn cargo_there(what: &str) -> Command {
    let mut command = cargo();
    command.args([what, "--locked", "--target-dir", "target/blvm-node"]);
    command.args(["--manifest-path", MANIFEST]);
    command
}
