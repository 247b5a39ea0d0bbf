//! Kills a real node at random moments, over and over, and checks that nothing is lost and nothing spent twice.
//!
//! A relay runs as a process of its own, on a store; payers and a destination in this process are linked with it over
//! TCP, deposit and send, and note what the relay has said. Then the relay is killed with SIGKILL, started again, and
//! asked. `cargo xtask crash` builds the program and this, and runs it.

#![expect(
    clippy::print_stdout,
    reason = "a program that talks to whoever started it"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "it stops where something is not as it expects"
)]

mod chance;
mod payer;
#[path = "../../../mesh-store/tests/postgres/server.rs"]
mod postgres;
mod relay;
mod round;
mod truth;
mod wallets;

use chance::Chance;
use clap::{Parser, ValueEnum};
use round::Scene;
use std::{process::ExitCode, time::Duration};
use wallets::Wallets;

/// Kill a node at random moments and check its books each time.
#[derive(Debug, Parser)]
#[command(after_help = "Example: cargo xtask crash --rounds 20 --store redb --seed 7")]
struct Args {
    /// How many times to kill
    #[arg(long, default_value_t = 20)]
    rounds: u32,

    /// The store under the node
    #[arg(long, value_enum, default_value_t = Kind::Redb)]
    store: Kind,

    /// The wallets that pay: lightning takes the feature `trials`
    #[arg(long, value_enum, default_value_t = Purse::Sandbox)]
    wallet: Purse,

    /// What the moments and the work are drawn from; the same seed draws the same
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Redb,
    Postgres,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Purse {
    /// Play money in a folder
    Sandbox,
    /// LDK nodes with channels on a regtest chain, behind fronts of Core Lightning and LND
    Lightning,
}

/// How long the relay works before it is killed, at most.
const LONGEST_WORK: Duration = Duration::from_millis(1_500);

/// The same where each payment takes a good part of a second.
const LONGEST_LIGHTNING_WORK: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| getrandom::u64().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let server = match args.store {
        Kind::Redb => None,
        Kind::Postgres => match postgres::Server::start("") {
            Some(server) => Some(server),
            // It has said why.
            None => return ExitCode::SUCCESS,
        },
    };
    let store = server.as_ref().map_or_else(
        || "redb:store.redb".to_owned(),
        |server| server.database().to_string(),
    );
    println!(
        "crash: {} rounds on {:?}, paid by {:?}, seed {seed}",
        args.rounds, args.store, args.wallet
    );
    let (wallets, longest_work) = match args.wallet {
        Purse::Sandbox => (Wallets::sandbox(folder.path()), LONGEST_WORK),
        Purse::Lightning => (
            Wallets::lightning(folder.path()).await,
            LONGEST_LIGHTNING_WORK,
        ),
    };
    let mut chance = Chance::new(seed);
    let (mut scene, mut relay) = Scene::set(folder.path(), &store, wallets).await;
    for number in 1..=args.rounds {
        let work = chance.up_to(longest_work);
        let told = scene.round(&mut relay, work, &mut chance).await;
        match told {
            Ok(told) => println!("round {number:>4}  {told}"),
            Err(wrong) => {
                println!("round {number:>4}  FAILED: {wrong}");
                println!("again with: cargo xtask crash --rounds {number} --seed {seed}");
                println!("the relay's folder is kept: {}", folder.keep().display());
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{}", scene.summary());
    ExitCode::SUCCESS
}
