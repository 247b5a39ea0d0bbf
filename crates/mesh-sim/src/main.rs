//! The simulator's command; `cargo xtask sim` runs it.

mod cost;
mod plot;

use clap::Parser;
use cost::{Cost, Measured};
use mesh_sim::{Plan, Report, Sabotage, Topology, USUAL_QUIET, USUAL_STORM, run};
use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

/// Simulates a mesh, and checks at every step that nothing happens that must not.
#[derive(Debug, Parser)]
#[command(name = "mesh-sim", verbatim_doc_comment)]
struct Cli {
    /// How many nodes
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=16_000))]
    nodes: u32,

    /// line, ring, grid, geometric, small-world, scale-free
    #[arg(long, default_value_t = Topology::SmallWorld)]
    topology: Topology,

    /// How many of a hundred nodes lie
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=100))]
    liars: u32,

    /// What all chance is drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How many seeds to run, from the first one on
    #[arg(long, default_value_t = 1)]
    seeds: u64,

    /// How many minutes links fail, nodes come and go, and packets are sent
    #[arg(long, value_name = "MINUTES", default_value_t = USUAL_STORM.as_secs_f64() / 60.0, value_parser = minutes)]
    storm: f64,

    /// How many minutes nothing happens then, before routes are checked
    #[arg(long, value_name = "MINUTES", default_value_t = USUAL_QUIET.as_secs_f64() / 60.0, value_parser = minutes)]
    quiet: f64,

    /// Begin as a mesh that has run for long, and not with nodes that know nobody
    #[arg(long)]
    warm: bool,

    /// How many more nodes all know and hear of, that are not simulated
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=14_000))]
    strangers: u32,

    /// Let every node do something wrong: forget-claims, debit-twice, debit-uncarried, carry-twice, send-anew, forget-links
    #[arg(long)]
    sabotage: Option<Sabotage>,

    /// Print the report as JSON, one line for each seed
    #[arg(long)]
    json: bool,

    /// Print what the machine needed for it, as one line of JSON for --plot
    #[arg(long, conflicts_with = "json")]
    cost: bool,

    /// Read lines that --cost printed, and write a plot as SVG; the table goes to standard output
    #[arg(long, value_names = ["LINES", "SVG"], num_args = 2)]
    plot: Option<Vec<std::path::PathBuf>>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.plot {
        Some(files) => plot::write(files),
        None => simulate(&cli),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How many seeds it takes until somebody who waits is told.
const TOLD_EVERY: u64 = 20;

/// Up to a day.
fn minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse::<f64>().map_err(|error| error.to_string())?;
    match (0.0..=1_440.0).contains(&minutes) {
        true => Ok(minutes),
        false => Err("0 to 1440 minutes".to_owned()),
    }
}

/// Whether every property held for every seed.
fn simulate(cli: &Cli) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let mut failed = 0;
    for seed in cli.seed..cli.seed.saturating_add(cli.seeds) {
        let plan = Plan {
            storm: Duration::from_secs_f64(cli.storm * 60.0),
            quiet: Duration::from_secs_f64(cli.quiet * 60.0),
            is_warm: cli.warm,
            strangers: cli.strangers,
            sabotage: cli.sabotage,
            ..Plan::new(cli.nodes, cli.topology, cli.liars, seed)
        };
        let (report, measured) = run_measured(&plan, cli.seeds == 1);
        failed += u64::from(report.violation.is_some());
        let done = seed - cli.seed + 1;
        if cli.seeds > 1 && done.is_multiple_of(TOLD_EVERY) {
            eprintln!(
                "{}: {done} of {} seeds, {failed} failed",
                cli.topology, cli.seeds
            );
        }
        if cli.json {
            writeln!(out, "{}", serde_json::to_string(&report)?)?;
        } else if cli.cost {
            let cost = Cost::of(&report, &measured);
            writeln!(out, "{}", serde_json::to_string(&cost)?)?;
        } else if cli.seeds == 1 {
            writeln!(out, "{}", in_words(&report))?;
        }
        if let Some(violation) = &report.violation {
            eprintln!("{} of {} nodes\n{violation}", report.topology, report.nodes);
        }
    }
    if cli.seeds > 1 && !cli.json {
        let (topology, seeds) = (cli.topology, cli.seeds);
        writeln!(
            out,
            "{topology}: {} of {seeds} seeds held every property",
            seeds - failed
        )?;
    }
    Ok(failed == 0)
}

fn run_measured(plan: &Plan, is_shown: bool) -> (Report, Measured) {
    let mut measured = Measured::default();
    let report = run(plan, |progress| {
        measured.note(progress.stage);
        let minutes = progress.virtual_time.as_secs() / 60;
        if is_shown && plan.nodes > 200 {
            eprintln!(
                "{:?}: minute {minutes}, {} events",
                progress.stage, progress.events
            );
        }
    });
    (report, measured)
}

fn in_words(report: &Report) -> String {
    let liars = report
        .liars
        .iter()
        .map(|(trade, count)| format!("{count} {trade}"));
    let liars: Vec<String> = liars.collect();
    let (traffic, quiet, pairs) = (&report.traffic, &report.quiet, &report.pairs);
    let learned = report.converged_secs.map_or_else(
        || "it was not seen that all know all".to_owned(),
        |secs| format!("all know all {secs} s after the last start"),
    );
    [
        format!("nodes        {} in a {}, {} links, seed {}", report.nodes, report.topology, report.links, report.seed),
        format!("liars        {}", if liars.is_empty() { "none".to_owned() } else { liars.join(", ") }),
        format!("learned      {learned}"),
        format!(
            "sent         {} things: {} delivered, {} given up, {} without a route",
            traffic.errands, traffic.delivered, traffic.undelivered, traffic.unroutable
        ),
        format!(
            "packets      {} carried, {} refused, {} swallowed by black holes",
            traffic.carried, traffic.refused, traffic.swallowed
        ),
        format!(
            "attacks      {} packets replayed, {} proofs stolen, {} invoices asked for in floods",
            traffic.replayed, traffic.proofs_stolen, traffic.floods
        ),
        format!(
            "money        {} msat paid = {} credit + {} earned + {} not shown + {} void",
            report.paid_msat,
            report.credit_msat,
            report.earned_msat,
            report.unshown_msat,
            report.void_msat
        ),
        format!(
            "quiet        {} messages and {} bytes a node and hour",
            quiet.messages_per_node_hour, quiet.bytes_per_node_hour
        ),
        format!(
            "routes       {} pairs checked, {} reachable over honest nodes, {} with a route, each the cheapest",
            pairs.checked, pairs.reachable, pairs.found
        ),
    ]
    .join("\n")
}
