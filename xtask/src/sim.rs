use crate::{
    error::Error,
    shell::{cargo, run as run_command, run_unsaid},
};
use std::{path::PathBuf, process::Command};

/// Simulates a mesh of many nodes in virtual time, and checks at every step that nothing happens that
/// must not.
///
/// Each node decides with the code of a real one; links, the Lightning network and liars are played.
/// The same seed gives the same report, byte for byte. It exits 0 only if every property held; the
/// first that did not is printed with its seed, its time and its nodes. docs/scale.md says what is
/// checked, and what a mesh costs.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  cargo xtask sim --nodes 100 --topology geometric --liars 10 --seed 7\n  \
        cargo xtask sim --nodes 50 --topology ring --seeds 200\n  \
        cargo xtask sim --nodes 40 --sabotage debit-twice\n  \
        cargo xtask sim --nodes 1000 --liars 0 --storm 0 --quiet 30 --cost >> docs/scale.jsonl\n  \
        cargo xtask sim --plot docs/scale.jsonl docs/scale.svg"
)]
pub(crate) struct Args {
    /// How many nodes [default: 100]
    #[arg(long)]
    nodes: Option<u32>,

    /// line, ring, grid, geometric, small-world or scale-free [default: small-world]
    #[arg(long)]
    topology: Option<String>,

    /// How many of a hundred nodes lie [default: 10]
    #[arg(long, value_name = "PERCENT")]
    liars: Option<u32>,

    /// What all chance is drawn from [default: 1]
    #[arg(long)]
    seed: Option<u64>,

    /// How many seeds to run, from that one on [default: 1]
    #[arg(long, value_name = "COUNT")]
    seeds: Option<u64>,

    /// How long links fail, nodes come and go, and packets are sent [default: 10]
    #[arg(long, value_name = "MINUTES")]
    storm: Option<f64>,

    /// How long nothing happens then, before routes are checked [default: 70]
    #[arg(long, value_name = "MINUTES")]
    quiet: Option<f64>,

    /// Begin as a mesh that has run for long, and not with nodes that know nobody
    #[arg(long)]
    warm: bool,

    /// How many more nodes all know and hear of, that are not simulated [default: 0]
    #[arg(long, value_name = "COUNT")]
    strangers: Option<u32>,

    /// What every node does wrong: forget-claims, debit-twice, debit-uncarried, carry-twice, send-anew, forget-links
    #[arg(long)]
    sabotage: Option<String>,

    /// Print the report as JSON, one line for each seed
    #[arg(long)]
    json: bool,

    /// Print what the machine needed, as one line of JSON for --plot
    #[arg(long)]
    cost: bool,

    /// Read lines that --cost printed, write a plot of them, and print them as a table
    #[arg(long, value_names = ["LINES", "SVG"], num_args = 2)]
    plot: Option<Vec<PathBuf>>,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let mut command = simulator();
    let options = [
        ("--nodes", args.nodes.map(|it| it.to_string())),
        ("--topology", args.topology.clone()),
        ("--liars", args.liars.map(|it| it.to_string())),
        ("--seed", args.seed.map(|it| it.to_string())),
        ("--seeds", args.seeds.map(|it| it.to_string())),
        ("--storm", args.storm.map(|it| it.to_string())),
        ("--quiet", args.quiet.map(|it| it.to_string())),
        ("--strangers", args.strangers.map(|it| it.to_string())),
        ("--sabotage", args.sabotage.clone()),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            command.args([name, &value]);
        }
    }
    command.args(args.warm.then_some("--warm"));
    command.args(args.json.then_some("--json"));
    command.args(args.cost.then_some("--cost"));
    if let Some(files) = &args.plot {
        command.arg("--plot").args(files);
    }
    // What it prints may go to a file, so the command itself is not said.
    run_unsaid(&mut command)
}

/// What CI has time for: a large mesh once, and each topology with a few seeds.
pub(crate) fn all() -> Result<(), Error> {
    let sim = |options: &[&str]| run_command(simulator().args(options));
    for topology in [
        "line",
        "ring",
        "grid",
        "geometric",
        "small-world",
        "scale-free",
    ] {
        sim(&["--nodes", "40", "--seeds", "3", "--topology", topology])?;
    }
    sim(&["--nodes", "1000", "--storm", "3", "--quiet", "10"])
}

fn simulator() -> Command {
    let mut command = cargo();
    command.args(["run", "--locked", "--quiet", "--release"]);
    command.args(["-p", "mesh-sim", "--"]);
    command
}
