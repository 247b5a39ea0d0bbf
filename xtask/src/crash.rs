use crate::{
    error::Error,
    shell::{cargo, run as run_command},
};

/// Kills a real node at random moments, and checks its books each time.
///
/// A relay runs as a process of its own; payers are linked with it, deposit and send; it is killed
/// with SIGKILL, started again and asked. It exits 0 only if every acknowledged claim is still
/// claimed, no proof was taken twice, every deposit minus the packets carried is there, and the
/// ledger verifies, after every single round. PostgreSQL is started by the test itself; where it is
/// not installed, that is said and nothing is run.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  cargo xtask crash --rounds 20\n  \
        cargo xtask crash --rounds 500 --store postgres --seed 7"
)]
pub(crate) struct Args {
    /// How many times to kill
    #[arg(long, default_value_t = ROUNDS_IN_CI)]
    rounds: u32,

    /// The store under the node: redb, or postgres
    #[arg(long, value_parser = ["redb", "postgres"], default_value = "redb")]
    store: String,

    /// What the moments and the work are drawn from; drawn itself when it is left out
    #[arg(long)]
    seed: Option<u64>,
}

/// Twenty rounds take about a minute for each store.
const ROUNDS_IN_CI: u32 = 20;

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let package = ["--locked", "-p", "blvm-mesh-node"];
    run_command(cargo().arg("build").args(package))?;
    let mut command = cargo();
    command
        .arg("run")
        .args(package)
        .args(["--example", "crash", "--"])
        .args(["--rounds", &args.rounds.to_string()])
        .args(["--store", &args.store]);
    if let Some(seed) = args.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    run_command(&mut command)
}

/// Both stores, as often as CI has time for.
pub(crate) fn both() -> Result<(), Error> {
    ["redb", "postgres"].into_iter().try_for_each(|store| {
        run(&Args {
            rounds: ROUNDS_IN_CI,
            store: store.to_owned(),
            seed: None,
        })
    })
}
