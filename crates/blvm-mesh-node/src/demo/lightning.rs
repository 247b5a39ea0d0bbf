use super::{
    check::differs,
    error::Cause,
    narrator::Narrator,
    purse::asking,
    stage::{Actor, Money, PATIENCE, Stage},
    story,
};
use crate::{
    config::LightningSection,
    text::{ends, thousands},
};
use bitcoin::{Address, Amount};
use blvm_mesh::{InvoiceRequest, LightningError, LightningNode, MeshMode, Msat, to_hex};
use lightning_invoice::Bolt11Invoice;
use mesh_lightning::{
    BitcoindConfig, ChainConfig, Ldk, LdkConfig, LdkStatus, LightningConfig, OpenChannel,
    SecretFrom,
};
use mesh_regtest::{Chain, RpcServer};
use std::{
    fs::OpenOptions,
    io::{self, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::{interval, timeout};

/// What each node gets on the chain, and what of it goes into a channel.
const DEPOSIT_SATS: u64 = 1_000_000;
const CHANNEL_SATS: u64 = 500_000;

/// What of that is given to the relay: it pays the destination with it, and a share that is too small for an output of its own
/// counts for nothing when a channel's money is added up.
const PUSHED_SATS: u64 = 100_000;

/// The blocks after which a channel is ready and told to others.
const CONFIRMATIONS: u32 = 6;

/// How often is looked whether something has happened on another node.
const LOOK: Duration = Duration::from_millis(50);

/// The chain of the story, and how it is asked.
struct Ground {
    chain: Chain,
    rpc: RpcServer,
    password: PathBuf,
    _folder: TempDir,
}

/// Tells the story on three LDK nodes.
pub(super) async fn tell(narrator: &mut Narrator<impl Write>) -> Result<(), Cause> {
    narrator.heading(
        "A paid packet crosses the mesh, paid for over Lightning channels",
        "Three nodes, linked over loopback TCP, each with an LDK node inside, on a chain that this program mines:\n\
         the channels, the payments and their routing are real, but regtest money is worth nothing.",
    );
    narrator.step("A chain, three Lightning nodes, and channels between them");
    let ground = Ground::new()?;
    narrator.show(
        "chain",
        &format!(
            "regtest, {} blocks; answers as a Bitcoin node does at {}",
            ground.chain.height(),
            ground.rpc.access().address
        ),
    );
    let mut stage = Stage::set(MeshMode::PaymentGated, Money::Lightning, |folder, name| {
        ground.wallet(folder, name)
    })
    .await?;
    ground.prepare(&stage, narrator).await?;
    let before = in_channels(&stage).await?;
    story(&mut stage, narrator).await?;
    channels_agree(&stage, before, narrator).await?;
    narrator.ending(super::ENDING);
    stage.leave().await;
    Ok(())
}

impl Ground {
    fn new() -> Result<Self, Cause> {
        let chain = Chain::new().map_err(of_chain)?;
        let rpc = RpcServer::start(chain.clone())?;
        let folder = tempfile::tempdir()?;
        let password = folder.path().join("password");
        let mut file = OpenOptions::new();
        let mut file = file
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&password)?;
        file.write_all(rpc.access().password.as_bytes())?;
        Ok(Self {
            chain,
            rpc,
            password,
            _folder: folder,
        })
    }

    /// The settings of a node's wallet. It listens at a port that was free a moment ago; where it is not any more, the node
    /// says so.
    fn wallet(&self, folder: &Path, name: &str) -> LightningSection {
        let access = self.rpc.access();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listening = free.and_then(|free| free.local_addr());
        LightningSection::Node(LightningConfig::Ldk(LdkConfig {
            folder: folder.join(format!("{name}-lightning")),
            seed: None,
            chain: ChainConfig::Bitcoind(BitcoindConfig {
                address: access.address.to_string(),
                cookie: None,
                user: Some(access.user.clone()),
                password: Some(SecretFrom::File(self.password.clone())),
            }),
            listening_addresses: listening.map(|at| at.to_string()).into_iter().collect(),
            alias: Some(name.to_owned()),
        }))
    }

    /// Gives the nodes money, opens their channels, and waits until these can be used.
    async fn prepare(
        &self,
        stage: &Stage,
        narrator: &mut Narrator<impl Write>,
    ) -> Result<(), Cause> {
        let actors = [&stage.source, &stage.relay, &stage.destination];
        for actor in actors {
            let status = ldk(actor)?.status().await.map_err(asking)?;
            let listening = status.listening.join(", ");
            let id = ends(&to_hex(&status.node_id));
            narrator.show(
                actor.name,
                &format!("LDK node {id}, listens at {listening}"),
            );
        }
        self.fund(actors).await?;
        narrator.show(
            "deposits",
            &format!("{} sats on the chain for each", thousands(DEPOSIT_SATS)),
        );
        for actor in [&stage.source, &stage.destination] {
            self.open(actor, &stage.relay, narrator).await?;
        }
        self.mine(CONFIRMATIONS, actors).await?;
        for (actor, channels) in [
            (&stage.source, 1),
            (&stage.relay, 2),
            (&stage.destination, 1),
        ] {
            usable(actor, channels).await?;
        }
        reachable(&stage.destination).await?;
        let height = thousands(self.chain.height().into());
        narrator.show(
            "confirmed",
            &format!("{CONFIRMATIONS} blocks later, at block {height}: all channels can be used"),
        );
        Ok(())
    }

    async fn fund(&self, actors: [&Actor; 3]) -> Result<(), Cause> {
        for actor in actors {
            let text = ldk(actor)?.deposit_address().await.map_err(asking)?;
            let address: Result<Address<_>, _> = text.parse();
            let address = address.ok().and_then(|address| {
                let address = address.require_network(bitcoin::Network::Regtest);
                address.ok()
            });
            let address =
                address.ok_or_else(|| differs("a deposit address", "one of regtest", &text))?;
            let amount = Amount::from_sat(DEPOSIT_SATS);
            let funded = self.chain.fund(address.script_pubkey(), amount);
            funded.map_err(of_chain)?;
        }
        self.mine(1, actors).await?;
        for actor in actors {
            let has_money = |status: &LdkStatus| status.spendable_sats == DEPOSIT_SATS;
            until(actor, "its deposit on the chain", has_money).await?;
        }
        Ok(())
    }

    async fn open(
        &self,
        from: &Actor,
        to: &Actor,
        narrator: &mut Narrator<impl Write>,
    ) -> Result<(), Cause> {
        let peer = ldk(to)?.status().await.map_err(asking)?;
        let address = peer.listening.first().cloned().unwrap_or_default();
        let open = OpenChannel {
            peer: peer.node_id,
            address,
            amount_sats: CHANNEL_SATS,
            push_sats: PUSHED_SATS,
            is_private: false,
        };
        let channel = ldk(from)?.open_channel(open).await.map_err(asking)?;
        let channel = ends(&to_hex(&channel));
        let amount = thousands(CHANNEL_SATS);
        let pushed = thousands(PUSHED_SATS);
        let (from, to) = (from.name, to.name);
        narrator.show(
            "channel",
            &format!(
                "{channel}  {from} -> {to}, {amount} sats, {pushed} of them given to the {to}"
            ),
        );
        Ok(())
    }

    async fn mine(&self, blocks: u32, actors: [&Actor; 3]) -> Result<(), Cause> {
        self.chain.mine(blocks).map_err(of_chain)?;
        for actor in actors {
            let height = self.chain.height();
            let knows = |status: &LdkStatus| status.height == height;
            until(actor, "the newest block", knows).await?;
        }
        Ok(())
    }
}

/// The money in the channels of source, relay and destination, in whole satoshi.
async fn in_channels(stage: &Stage) -> Result<[u64; 3], Cause> {
    let mut sums = [0; 3];
    let actors = [&stage.source, &stage.relay, &stage.destination];
    for (sum, actor) in sums.iter_mut().zip(actors) {
        *sum = ldk(actor)?.status().await.map_err(asking)?.in_channels_sats;
    }
    Ok(sums)
}

/// Compares what the channels hold with what was paid.
async fn channels_agree(
    stage: &Stage,
    before: [u64; 3],
    narrator: &mut Narrator<impl Write>,
) -> Result<(), Cause> {
    narrator.step("What the channels hold, in satoshi");
    let mut routing = Msat::ZERO;
    for (_, hash) in &stage.source.payments {
        let fee = stage.source.paid_for(*hash).await?.fee;
        routing = routing.checked_add(fee).unwrap_or(Msat::MAX);
    }
    let sent = stage.source.sent().await?;
    let spent = sent.checked_add(routing).unwrap_or(Msat::MAX);
    let relay = stage.relay.books().await?.deposited;
    let relay = relay.checked_add(routing).unwrap_or(Msat::MAX);
    let destination = stage.destination.books().await?.deposited;
    let [source_sats, relay_sats, destination_sats] = before;
    let rows = [
        (
            &stage.source,
            source_sats,
            source_sats.checked_sub(spent.to_sats_floor()),
            "- what it deposited, and the routing fee",
        ),
        (
            &stage.relay,
            relay_sats,
            relay_sats.checked_add(relay.to_sats_floor()),
            "+ its deposit, and the routing fee",
        ),
        (
            &stage.destination,
            destination_sats,
            destination_sats.checked_add(destination.to_sats_floor()),
            "+ its deposit",
        ),
    ];
    for (actor, before, expected, why) in rows {
        let is_so = |status: &LdkStatus| Some(status.in_channels_sats) == expected;
        let now = until(actor, "its money where it should be", is_so).await?;
        let (before, now) = (thousands(before), thousands(now.in_channels_sats));
        narrator.show(actor.name, &format!("{before:>9} -> {now:>9}  {why}"));
    }
    Ok(())
}

async fn usable(actor: &Actor, channels: usize) -> Result<(), Cause> {
    let are_usable = |status: &LdkStatus| {
        let usable = status.channels.iter().filter(|channel| channel.is_usable);
        usable.count() == channels
    };
    until(actor, "channels that can be used", are_usable)
        .await
        .map(drop)
}

/// Waits until a node is as it should be, looking at the chain each time.
async fn until(
    actor: &Actor,
    what: &'static str,
    is_so: impl Fn(&LdkStatus) -> bool,
) -> Result<LdkStatus, Cause> {
    let ldk = ldk(actor)?;
    let looking = async {
        let mut ticks = interval(LOOK);
        loop {
            ticks.tick().await;
            ldk.sync().await?;
            let status = ldk.status().await?;
            if is_so(&status) {
                return Ok::<_, LightningError>(status);
            }
        }
    };
    match timeout(PATIENCE, looking).await {
        Ok(found) => found.map_err(asking),
        Err(_) => Err(unseen(actor, what)),
    }
}

/// Waits until invoices of a node say over whom it is reached, which its peer tells a moment after the channel is ready.
async fn reachable(actor: &Actor) -> Result<(), Cause> {
    let ldk = ldk(actor)?;
    let looking = async {
        let mut ticks = interval(LOOK);
        for number in 0..=u8::MAX {
            ticks.tick().await;
            let request = InvoiceRequest {
                amount: Msat::from_msat(1_000),
                preimage: [number; 32],
                description: "nobody is given this one".to_owned(),
                expiry: Duration::from_secs(1),
            };
            let text = ldk.create_invoice(request).await?;
            let invoice = text.parse::<Bolt11Invoice>();
            if invoice.is_ok_and(|invoice| !invoice.route_hints().is_empty()) {
                return Ok::<_, LightningError>(true);
            }
        }
        Ok(false)
    };
    match timeout(PATIENCE, looking).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Err(error)) => Err(asking(error)),
        Ok(Ok(false)) | Err(_) => Err(unseen(actor, "how its channel is to be used")),
    }
}

fn unseen(actor: &Actor, what: &'static str) -> Cause {
    Cause::Unseen {
        who: actor.name,
        what,
        within: PATIENCE,
    }
}

fn ldk(actor: &Actor) -> Result<&Ldk, Cause> {
    let ldk = actor.node.embedded().ldk();
    ldk.ok_or_else(|| differs("the node's wallet", "an LDK node", "another"))
}

fn of_chain(error: mesh_regtest::ChainError) -> Cause {
    io::Error::other(error.to_string()).into()
}
