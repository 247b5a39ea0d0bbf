mod check;
mod durable;
mod error;
mod free_lane;
mod journey;
#[cfg(feature = "ldk")]
mod lightning;
mod narrator;
mod opening;
mod payment;
mod process;
mod purse;
mod stage;
mod takings;
mod witness;

pub(crate) use error::DemoError;
pub(crate) use process::stand_still;

use crate::{
    cli::DemoArgs, command_error::CommandError, config::LightningSection, text::may_be_coloured,
};
use blvm_mesh::MeshMode;
use error::Cause;
use narrator::Narrator;
use opening::Way;
use stage::{Money, Stage};
use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};
use tokio::time::{error::Elapsed, timeout};

/// How long the whole demo may take.
///
/// Half a minute, because it takes a second on a slow machine, and whoever watches should not wait for a dead one.
const LIMIT: Duration = Duration::from_secs(30);

/// How long the demo on a chain may take: three minutes, because a slow machine starts three Lightning nodes in it.
#[cfg(feature = "ldk")]
const LIGHTNING_LIMIT: Duration = Duration::from_secs(180);

/// Tells on the standard output the story that is asked for.
pub(crate) async fn run(args: &DemoArgs) -> Result<(), CommandError> {
    let out = io::stdout();
    let is_styled = may_be_coloured(&out);
    let mut narrator = Narrator::new(out, is_styled);
    if args.lightning {
        return over_lightning(narrator).await;
    }
    if args.durable {
        let told = timeout(LIMIT, durable::tell(&mut narrator)).await;
        let told = in_time(told, LIMIT).map_err(|cause| narrator.failed(cause));
        return Ok(told?);
    }
    Ok(play(narrator, MeshMode::PaymentGated).await?)
}

#[cfg(feature = "ldk")]
async fn over_lightning(mut narrator: Narrator<impl Write>) -> Result<(), CommandError> {
    let told = timeout(LIGHTNING_LIMIT, lightning::tell(&mut narrator)).await;
    let told = in_time(told, LIGHTNING_LIMIT).map_err(|cause| narrator.failed(cause));
    Ok(told?)
}

#[cfg(not(feature = "ldk"))]
async fn over_lightning(_: Narrator<impl Write>) -> Result<(), CommandError> {
    Err(CommandError::Usage(
        "this program was built without LDK; cargo run --release -p blvm-mesh-node --features ldk -- demo --lightning"
            .to_owned(),
    ))
}

/// Tells the story of a relay in this mode; in any but `payment_gated` it has to fail.
async fn play(mut narrator: Narrator<impl Write>, relay_mode: MeshMode) -> Result<(), DemoError> {
    let told = timeout(LIMIT, tell(&mut narrator, relay_mode)).await;
    in_time(told, LIMIT).map_err(|cause| narrator.failed(cause))
}

fn in_time(told: Result<Result<(), Cause>, Elapsed>, limit: Duration) -> Result<(), Cause> {
    told.unwrap_or(Err(Cause::TooLong { limit }))
}

async fn tell(narrator: &mut Narrator<impl Write>, relay_mode: MeshMode) -> Result<(), Cause> {
    narrator.heading(
        "A paid packet crosses the mesh",
        "Three nodes, linked over loopback TCP, pay each other with sandbox wallets:\n\
         the invoices are real BOLT11, but no real money moves.",
    );
    let mut stage = Stage::set(relay_mode, Money::Sandbox, sandbox).await?;
    story(&mut stage, narrator).await?;
    narrator.ending(ENDING);
    stage.leave().await;
    Ok(())
}

/// What is said when everything went as it was told.
const ENDING: &str = "Each line above was checked against what the nodes really did.\n\
     To run a node of your own: blvm-mesh run --help";

/// The wallet of a node of the story, as its configuration names it.
fn sandbox(folder: &Path, _: &str) -> LightningSection {
    LightningSection::Sandbox {
        path: folder.join("sandbox"),
    }
}

/// What happens once the nodes are linked, whatever they pay with.
async fn story(stage: &mut Stage, narrator: &mut Narrator<impl Write>) -> Result<(), Cause> {
    opening::who_is_here(stage, narrator).await?;
    let way = opening::the_way(stage, narrator).await?;
    let paid = pay_the_way(stage, &way, narrator).await?;
    let carried = journey::with_proof(stage, &way, &paid, narrator).await?;
    journey::same_proof(stage, &way, &paid, narrator).await?;
    journey::same_packet(stage, &carried, narrator).await?;
    free_lane::ping(stage, &way, narrator).await?;
    free_lane::junk(stage, &way, narrator).await?;
    takings::table(stage, &way, narrator).await
}

async fn pay_the_way(
    stage: &mut Stage,
    way: &Way,
    narrator: &mut Narrator<impl Write>,
) -> Result<payment::Paid, Cause> {
    let invoice = payment::refusal(stage, way, narrator).await?;
    let paid = payment::relay(stage, invoice, narrator).await?;
    payment::destination(stage, way, narrator).await?;
    Ok(paid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_story_is_told_when_the_nodes_do_what_it_says() {
        let mut text = Vec::new();
        let told = play(Narrator::new(&mut text, false), MeshMode::PaymentGated).await;
        assert!(told.is_ok(), "{told:?}");
        let text = String::from_utf8(text).unwrap();
        assert!(text.lines().count() <= 62, "{} lines", text.lines().count());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_relay_that_asks_no_payment_makes_the_demo_fail_where_it_should_have_refused() {
        let mut text = Vec::new();
        let told = play(Narrator::new(&mut text, false), MeshMode::Open).await;
        let error = told.unwrap_err().to_string();
        assert!(error.starts_with("the demo failed at step 1 "), "{error}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_relay_that_carries_only_bitcoin_makes_the_demo_fail() {
        let mut text = Vec::new();
        let told = play(Narrator::new(&mut text, false), MeshMode::BitcoinOnly).await;
        assert!(told.is_err());
    }
}
