use crate::regtest::{Line, RegtestError};
use std::{
    fmt,
    io::{self, Write as _},
    path::Path,
};
use thiserror::Error;
use tokio::time::Instant;

/// Why the demo did not come to its end.
#[derive(Debug, Error)]
pub enum DemoError {
    /// A node did not do what it should.
    #[error(transparent)]
    Regtest(#[from] RegtestError),
    /// There is no folder for the nodes.
    #[error("a folder for the nodes: {0}")]
    Folder(io::Error),
    /// What happened is not what was promised.
    #[error("that should have been otherwise: {0}")]
    Otherwise(String),
}

const TEXT: &str = "a paid packet, through real nodes";

/// Starts three real nodes on regtest, sends a paid packet across the middle one, and tells what happens.
///
/// - `program`: blvm-mesh-full-node.
///
/// # Errors
/// [`DemoError`] when something is otherwise than told.
pub async fn demo(program: &Path) -> Result<(), DemoError> {
    let story = Story(Instant::now());
    let root = tempfile::tempdir().map_err(DemoError::Folder)?;
    let line = Line::new(root.path())?;
    story.tell("three blvm-nodes on regtest, each with the mesh inside: near - middle - far");
    story.tell("Lightning is the SANDBOX here: real invoices, no real money");
    let mut nodes = line.start(program).await?;
    story.tell(
        "all three have started, and are connected as Bitcoin nodes and linked as mesh nodes",
    );

    let height = line.mine(&mut nodes).await?;
    story.tell(format_args!(
        "near has mined up to height {height}, and middle and far have the blocks"
    ));

    let [near, middle, far] = &nodes;
    let sent = line.send(near, TEXT).await?;
    let (fee, paid) = (sats(sent.fee_msat), sats(sent.deposited_msat));
    story.tell(format_args!(
        "near has sent a packet to far by {} nodes: it offers {fee}, and has deposited {paid} on the way",
        sent.route.len()
    ));
    let delivery = far.receive().await?;
    let is_it = delivery.payload_hex == blvm_mesh::to_hex(TEXT.as_bytes());
    if !(is_it && delivery.sealed && delivery.source == line.near.id()) {
        return Err(DemoError::Otherwise(format!("{delivery:?}")));
    }
    story.tell(format_args!("far has received {TEXT:?}, sealed, from near"));
    for (name, node, price) in [
        ("middle", middle, Line::MIDDLE_MSAT),
        ("far", far, Line::FAR_MSAT),
    ] {
        let money = node.status().await?.money;
        if money.earned_msat != price {
            return Err(DemoError::Otherwise(format!("{name}: {money:?}")));
        }
        let (earned, credit) = (sats(money.earned_msat), sats(money.credit_msat));
        story.tell(format_args!(
            "{name} has earned {earned}, and near has {credit} of credit left there"
        ));
    }
    let [near, middle, far] = nodes;
    tokio::try_join!(near.stop(), middle.stop(), far.stop())?;
    story.tell("all three have stopped");
    Ok(())
}

fn sats(msat: u64) -> String {
    format!("{} sat", msat / 1_000)
}

struct Story(Instant);

impl Story {
    fn tell(&self, what: impl fmt::Display) {
        let seconds = self.0.elapsed().as_secs_f32();
        // A reader that has gone away is no reason to stop.
        let _ = writeln!(io::stdout(), "[{seconds:5.1} s] {what}");
    }
}
