mod table;
mod traffic;

use crate::regtest::{BitcoinPeer, DEADLINE, NOBODY, RealHome, RealNode, RegtestError, Settings};
use std::{
    io::{self, Write as _},
    path::Path,
    time::Duration,
};
use table::Samples;
use thiserror::Error;
use tokio::time::{Instant, sleep};
use traffic::{PACKETS_A_SECOND, Traffic};

/// Pings that wait for their answers one by one, in each round.
const ONE_BY_ONE: u64 = 1_000;

/// Pings that are sent as fast as they are answered, in each round, and how many of them are unanswered at one time.
const AT_FULL_SPEED: u64 = 10_000;
const AT_ONCE: u64 = 32;

/// Blocks that are relayed in each round.
const BLOCKS: u32 = 4;

/// How long nothing is asked of the nodes, in each round.
const REST: Duration = Duration::from_secs(1);

/// How long a block may take, before it counts as lost and the next is mined.
const BLOCK_PATIENCE: Duration = Duration::from_secs(2);

/// How often is looked whether a block has arrived.
const LOOK: Duration = Duration::from_millis(1);

/// What is measured.
#[derive(Debug, Clone, Copy)]
struct Variant {
    /// Whether the two nodes have the mesh inside, linked, or one that is not enabled.
    has_mesh: bool,
    /// Whether the mesh carries paid packets meanwhile over the two nodes that have it: where others are measured, that takes as
    /// much of the machine, and nothing of theirs.
    is_carrying: bool,
}

impl Variant {
    const ALL: [Self; 4] = [
        Self::of(false, false),
        Self::of(true, false),
        Self::of(false, true),
        Self::of(true, true),
    ];

    const fn of(has_mesh: bool, is_carrying: bool) -> Self {
        Self {
            has_mesh,
            is_carrying,
        }
    }
}

/// Why nothing was measured.
#[derive(Debug, Error)]
pub enum RelayCostError {
    /// A node did not do what it should.
    #[error(transparent)]
    Regtest(#[from] RegtestError),
    /// There is no folder for the nodes.
    #[error("a folder for the nodes: {0}")]
    Folder(io::Error),
    /// There are no packets to be carried.
    #[error("the packets of the mesh: {0}")]
    Traffic(String),
}

/// Measures what the mesh costs a node's own relay, and prints it beside a node without.
///
/// Two pairs of real nodes on regtest run all the time, one without the mesh and one with it. In each round each is pinged over the
/// Bitcoin protocol, relays blocks, and is left alone for a moment, one after the other.
///
/// - `program`: blvm-mesh-full-node.
///
/// # Errors
/// [`RelayCostError`], when something is not as it should be; a `pong` with other bytes than the protocol has is so, too.
pub async fn relay_cost(program: &Path, rounds: u32) -> Result<(), RelayCostError> {
    let root = tempfile::tempdir().map_err(RelayCostError::Folder)?;
    let home = |name| RealHome::new(root.path(), name);
    let (plain_near, plain_far) = (home("plain-near")?, home("plain-far")?);
    let (near, far) = (home("mesh-near")?, home("mesh-far")?);
    for home in [&plain_near, &plain_far] {
        home.configure(Settings {
            peer: None,
            mesh: "enabled = false",
            ..Settings::default()
        })?;
    }
    near.configure(Settings {
        peer: None,
        mesh: traffic::PRICES,
        ..Settings::default()
    })?;
    far.configure(Settings {
        peer: Some(&near),
        mesh: traffic::PRICES,
        ..Settings::default()
    })?;
    let mut plain = Pair::connected(
        RealNode::start_without_mesh(program, &plain_near).await?,
        RealNode::start_without_mesh(program, &plain_far).await?,
    )
    .await?;
    let mut with_mesh = Pair::connected(
        RealNode::start(program, &near).await?,
        RealNode::start(program, &far).await?,
    )
    .await?;
    let traffic = Traffic::between(root.path(), &near, &far).await?;

    let mut samples = Variant::ALL.map(|_| Samples::default());
    for round in 1..=rounds {
        for (samples, variant) in samples.iter_mut().zip(Variant::ALL) {
            let pair = match variant.has_mesh {
                true => &mut with_mesh,
                false => &mut plain,
            };
            let flow = variant.is_carrying.then(|| traffic.flow());
            if flow.is_some() {
                sleep(REST).await;
            }
            pair.measure(samples).await?;
            if let Some(flow) = flow {
                samples.carried.push(flow.stop().await);
            }
        }
        tell(&format!("round {round} of {rounds}"));
    }
    tell(&table::of(&samples));
    Ok(())
}

/// Two nodes that are connected by the Bitcoin protocol, and a peer that pings one of them.
struct Pair {
    near: RealNode,
    far: RealNode,
    peer: BitcoinPeer,
}

impl Pair {
    /// Connects them, and has blocks relayed until they are.
    async fn connected(mut near: RealNode, far: RealNode) -> Result<Self, RegtestError> {
        near.connect(&far).await?;
        let peer = BitcoinPeer::of(&near).await?;
        let mut pair = Self { near, far, peer };
        let end = Instant::now() + DEADLINE;
        while pair.relay_block().await?.is_none() && Instant::now() < end {}
        Ok(pair)
    }

    async fn measure(&mut self, samples: &mut Samples) -> Result<(), RegtestError> {
        let (began, before) = (Instant::now(), self.near.cpu_time()?);
        self.peer.ping(ONE_BY_ONE, 1).await?;
        samples.one_by_one.push(per(began.elapsed(), ONE_BY_ONE));
        let began = Instant::now();
        self.peer.ping(AT_FULL_SPEED, AT_ONCE).await?;
        samples
            .at_full_speed
            .push(per(began.elapsed(), AT_FULL_SPEED));
        let worked = self.near.cpu_time()?.saturating_sub(before);
        samples.work.push(per(worked, ONE_BY_ONE + AT_FULL_SPEED));

        for _ in 0..BLOCKS {
            match self.relay_block().await? {
                Some(took) => samples.block.push(took.as_secs_f64() * 1e6),
                None => samples.lost += 1.0,
            }
        }

        let before = self.near.cpu_time()? + self.far.cpu_time()?;
        let began = Instant::now();
        sleep(REST).await;
        let worked = (self.near.cpu_time()? + self.far.cpu_time()?).saturating_sub(before);
        let share = worked.as_secs_f64() / began.elapsed().as_secs_f64();
        samples.rest.push(share * 100.0 / 2.0);
        Ok(())
    }

    /// Has the near node make a block, and says how long it took until the far one had it; `None` when it did not get it.
    async fn relay_block(&mut self) -> Result<Option<Duration>, RegtestError> {
        let height = self.near.rpc.height().await? + 1;
        let began = Instant::now();
        self.near.rpc.mine(1, NOBODY).await?;
        while self.far.rpc.height().await? < height {
            if began.elapsed() > BLOCK_PATIENCE {
                return Ok(None);
            }
            sleep(LOOK).await;
        }
        Ok(Some(began.elapsed()))
    }
}

/// Microseconds for each of so many.
fn per(took: Duration, count: u64) -> f64 {
    took.div_f64(count.max(1) as f64).as_secs_f64() * 1e6
}

fn tell(what: &str) {
    // A reader that has gone away is no reason to stop.
    let _ = writeln!(io::stdout(), "{what}");
}
