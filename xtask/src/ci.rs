use crate::{
    blvm_node, crash, deny,
    error::Error,
    graph,
    shell::{cargo, run as run_command},
    sim,
    stopwatch::Stopwatch,
    test, tidy, vectors,
};

/// Runs everything that CI runs, in the same order.
///
/// Format, crate graph, tidy, licences and sources, lints (benches are compiled for them), each
/// crate's tests (golden vectors and fuzz corpora among them), documentation, independent encoders,
/// demo, simulated meshes, kill tests, the mesh inside a real blvm-node. All steps run even when one
/// fails; the table at the end says which did.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = "Example: cargo xtask ci")]
pub(crate) struct Args {}

type Step = fn() -> Result<(), Error>;

/// What CI runs, in order: cheap before dear.
const STEPS: &[(&str, Step)] = &[
    ("format", format),
    ("graph", || graph::run(&graph::Args::default())),
    ("tidy", || tidy::run(&tidy::Args {})),
    ("deny", || deny::run(&deny::Args {})),
    ("lints", lints),
    ("tests", test::all),
    ("documentation", documentation),
    ("vectors", || vectors::run(&vectors::Args {})),
    ("demo", demo),
    ("simulation", sim::all),
    ("crash", crash::all),
    ("blvm-node", blvm_node::all),
];

pub(crate) fn run(Args {}: &Args) -> Result<(), Error> {
    let mut table = Vec::new();
    for (name, step) in STEPS {
        say!("\n== {name}");
        let stopwatch = Stopwatch::start();
        let outcome = step();
        let took = stopwatch.stop();
        if let Err(error) = &outcome {
            say!("== {name} failed: {error}");
        }
        say!("== {name}: {took}");
        table.push((*name, outcome.is_ok(), took));
    }
    say!("\n== summary");
    for (name, ok, took) in &table {
        say!(
            "{name:<16} {:<8} {took:>9}",
            if *ok { "ok" } else { "FAILED" }
        );
    }
    let failed = table.iter().filter(|(_, ok, _)| !ok);
    let names: Vec<_> = failed.map(|(name, _, _)| (*name).to_owned()).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::Parts { tool: "ci", names })
}

fn format() -> Result<(), Error> {
    run_command(cargo().args(["fmt", "--all", "--check"]))
}

/// Benches and examples are compiled here too, and the crates with features that are off by default.
fn lints() -> Result<(), Error> {
    let parts: [&[&str]; 4] = [
        &["--workspace"],
        &["-p", "mesh-regtest", "--all-features"],
        &["-p", "mesh-lightning", "--all-features"],
        &["-p", "blvm-mesh-node", "--all-features"],
    ];
    for part in parts {
        let mut command = cargo();
        command.args(["clippy", "--locked", "--all-targets"]);
        run_command(command.args(part).args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

fn documentation() -> Result<(), Error> {
    let args = ["doc", "--locked", "--workspace", "--no-deps"];
    run_command(cargo().args(args).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Without LDK: the demo on real channels is among the tests.
fn demo() -> Result<(), Error> {
    run_command(cargo().args(["run", "--locked", "-p", "blvm-mesh-node", "--", "demo"]))
}
