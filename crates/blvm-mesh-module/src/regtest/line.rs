use super::{NOBODY, RealHome, RealNode, RegtestError, Settings};
use blvm_mesh_node::control::{Answer, Request, SendCall, SentReport};
use std::{path::Path, time::Duration};
use tokio::time::Instant;

/// How long the others have for the first block before the next is mined; for each that follows they have twice as long.
///
/// A node that has missed a block catches up for some fifteen seconds, and hears of no block meanwhile: one every few
/// seconds would keep it behind for ever.
const FIRST_BLOCK: Duration = Duration::from_secs(3);

/// Homes of three nodes in a line, by the Bitcoin protocol and by links. The middle and the far one are paid.
#[derive(Debug)]
pub struct Line {
    /// Who sends.
    pub near: RealHome,
    /// Who carries, for [`Line::MIDDLE_MSAT`] a packet.
    pub middle: RealHome,
    /// Who receives, for [`Line::FAR_MSAT`] a packet.
    pub far: RealHome,
}

impl Line {
    /// What the middle node asks for a packet.
    pub const MIDDLE_MSAT: u64 = 3_000;
    /// What the far node asks for a packet.
    pub const FAR_MSAT: u64 = 6_000;

    /// Makes the homes, in `root`, with wallets of the sandbox.
    ///
    /// # Errors
    /// When their files cannot be written.
    pub fn new(root: &Path) -> Result<Self, RegtestError> {
        Self::with_wallets(root, None)
    }

    /// The same with wallets of Core Lightning, whose sockets, `near`, `middle` and `far`, are in a folder.
    ///
    /// # Errors
    /// When their files cannot be written.
    pub fn with_wallets(root: &Path, sockets: Option<&Path>) -> Result<Self, RegtestError> {
        let line = Self {
            near: RealHome::new(root, "near")?,
            middle: RealHome::new(root, "middle")?,
            far: RealHome::new(root, "far")?,
        };
        let wallet = |home: &RealHome| sockets.map(|folder| folder.join(&home.name));
        let price = |msat| format!("price_per_packet_msat = {msat}\nprice_per_kib_msat = 0");
        line.middle.configure(Settings {
            peer: None,
            mesh: &price(Self::MIDDLE_MSAT),
            wallet: wallet(&line.middle).as_deref(),
        })?;
        line.far.configure(Settings {
            peer: Some(&line.middle),
            mesh: &price(Self::FAR_MSAT),
            wallet: wallet(&line.far).as_deref(),
        })?;
        let knows_far = format!(
            "mode = \"open\"\n[[mesh.known_nodes]]\nnode_id = \"{}\"\nlinked_with = [\"{}\"]",
            line.far.id(),
            line.middle.id()
        );
        line.near.configure(Settings {
            peer: Some(&line.middle),
            mesh: &knows_far,
            wallet: wallet(&line.near).as_deref(),
        })?;
        Ok(line)
    }

    /// Starts all three, near to far, and waits until they are linked and connected.
    ///
    /// # Errors
    /// When one of them does not start.
    pub async fn start(&self, program: &Path) -> Result<[RealNode; 3], RegtestError> {
        let (near, middle, far) = tokio::try_join!(
            RealNode::start(program, &self.near),
            RealNode::start(program, &self.middle),
            RealNode::start(program, &self.far),
        )?;
        let mut nodes = [near, middle, far];
        let [near, middle, far] = &mut nodes;
        for node in [near, far] {
            node.connect(middle).await?;
        }
        let linked = async |middle: &RealNode| Ok(middle.status().await?.peers.len() == 2);
        middle.until("the links", linked).await?;
        Ok(nodes)
    }

    /// Has the near node mine until the others have its blocks, and answers with the height.
    ///
    /// A node that does not get them is connected anew: its connection may be one on which nothing is heard.
    ///
    /// # Errors
    /// When they do not get them.
    pub async fn mine(&self, nodes: &mut [RealNode; 3]) -> Result<u64, RegtestError> {
        let [near, middle, far] = nodes;
        let mut next = Instant::now();
        let mut pause = FIRST_BLOCK;
        let mut height = 0;
        near.until("the blocks of the others", async |near: &RealNode| {
            if Instant::now() >= next {
                if height > 0 && middle.rpc.height().await? < height {
                    near.reconnect(middle).await?;
                } else if height > 0 {
                    far.reconnect(middle).await?;
                }
                near.rpc.mine(1, NOBODY).await?;
                next = Instant::now() + pause;
                pause *= 2;
            }
            height = near.rpc.height().await?;
            Ok(middle.rpc.height().await? == height && far.rpc.height().await? == height)
        })
        .await?;
        Ok(height)
    }

    /// Has the near node send a text to the far one, and pay for it.
    ///
    /// # Errors
    /// When it is not confirmed.
    pub async fn send(&self, near: &RealNode, text: &str) -> Result<SentReport, RegtestError> {
        let call = SendCall {
            destination: self.far.id(),
            payload_hex: blvm_mesh::to_hex(text.as_bytes()),
            limit_sats: 1_000,
            packets_ahead: 10,
            timeout_secs: 30,
            deadline_secs: 60,
            in_clear: false,
        };
        match near.ask(Request::Send(call)).await? {
            Answer::Sent(sent) => Ok(sent),
            other => Err(RegtestError::Answer(format!("{other:?}"))),
        }
    }
}
