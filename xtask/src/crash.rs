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

    /// The wallets that pay: sandbox, or lightning, which are LDK nodes with real channels and take minutes to build
    #[arg(long, value_parser = ["sandbox", "lightning"], default_value = "sandbox")]
    wallet: String,

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
    command.arg("run").args(package);
    if args.wallet == "lightning" {
        command.args(["--features", "trials"]);
    }
    command
        .args(["--example", "crash", "--"])
        .args(["--rounds", &args.rounds.to_string()])
        .args(["--store", &args.store])
        .args(["--wallet", &args.wallet]);
    if let Some(seed) = args.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    run_command(&mut command)
}

/// Rounds with real payments in CI: each takes ten seconds.
const LIGHTNING_ROUNDS_IN_CI: u32 = 5;

/// Both stores, and real payments, as often as CI has time for.
pub(crate) fn all() -> Result<(), Error> {
    let kinds = [
        ("redb", "sandbox", ROUNDS_IN_CI),
        ("postgres", "sandbox", ROUNDS_IN_CI),
        ("redb", "lightning", LIGHTNING_ROUNDS_IN_CI),
    ];
    kinds.into_iter().try_for_each(|(store, wallet, rounds)| {
        run(&Args {
            rounds,
            store: store.to_owned(),
            wallet: wallet.to_owned(),
            seed: None,
        })
    })
}
