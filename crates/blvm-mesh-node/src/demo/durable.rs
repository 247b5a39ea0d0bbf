use super::{
    check::{differs, same},
    error::Cause,
    journey::arrived,
    narrator::Narrator,
    payment::doing,
    process::{Life, RelayProcess},
    stage::{Actor, PATIENCE, RELAY_PRICE, priced},
};
use crate::text::{ends, msat, short};
use blvm_mesh::{
    Attempt, MeshConfig, MeshMode, Msat, NodeId, PaidQuote, ProofForHop, RefusalCode, Reply, Route,
};
use std::io::Write;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// What is offered for each packet; 30 % of it are the relay's.
const FEE: Msat = Msat::from_msat(10_000);
const PAYLOAD: &[u8] = b"Worth more than one life of a process.";

/// How many packets the source pays ahead for.
const PACKETS: u64 = 2;

/// The three nodes of the story: the relay is a process of its own, that it can be killed.
struct Scene {
    source: Actor,
    destination: Actor,
    relay: RelayProcess,
    _folder: TempDir,
}

/// Tells of a relay that is killed between the claim of a payment and the packet that it paid for.
pub(super) async fn tell(narrator: &mut Narrator<impl Write>) -> Result<(), Cause> {
    narrator.heading(
        "A relay is killed between the claim and the forward",
        "The relay is a process of its own, with its money in a file; it gets no chance to tidy up.\n\
         Sandbox wallets pay: the invoices are real BOLT11, but no real money moves.",
    );
    let mut scene = Scene::set().await?;
    scene.who_is_here(narrator)?;
    let paid = scene.pay(narrator).await?;
    let waiting = scene.killed_at_the_claim(&paid, narrator).await?;
    waiting.abort();
    scene.started_again(narrator).await?;
    scene.same_proof(&paid, narrator).await?;
    scene.without_a_proof(narrator).await?;
    scene.books_agree(narrator).await?;
    scene.leave().await;
    narrator.ending(
        "Each line above was checked against what the nodes really did.\n\
         To see it happen at random moments, over and over: cargo xtask crash",
    );
    Ok(())
}

impl Scene {
    async fn set() -> Result<Self, Cause> {
        let folder = tempfile::tempdir()?;
        let open = || MeshConfig {
            mode: MeshMode::Open,
            ..priced(Msat::ZERO)
        };
        let start = |name| {
            let place = folder.path();
            Actor::start(name, place, open(), super::sandbox(place, name))
        };
        let mut source = start("source").await?;
        let mut destination = start("destination").await?;
        let peers = [source.address()?, destination.address()?];
        let mut relay = RelayProcess::new(folder.path(), &peers)?;
        relay.start(Life::UntilTheFirstClaim).await?;
        source.expect_link().await?;
        destination.expect_link().await?;
        relay.linked(2).await?;
        Ok(Self {
            source,
            destination,
            relay,
            _folder: folder,
        })
    }

    fn who_is_here(&self, narrator: &mut Narrator<impl Write>) -> Result<(), Cause> {
        narrator.step("Who is here");
        for (name, id, what) in [
            (self.source.name, self.source.id(), "in this process"),
            (
                self.destination.name,
                self.destination.id(),
                "in this process",
            ),
        ] {
            narrator.show(name, &format!("{}  {what}", short(&id)));
        }
        narrator.show(
            "relay",
            &format!(
                "{}  process {}: {} a packet, its money in a redb file",
                short(&self.relay.id()),
                self.pid(),
                msat(RELAY_PRICE)
            ),
        );
        Ok(())
    }

    /// The source pays the relay for two packets.
    async fn pay(&self, narrator: &mut Narrator<impl Write>) -> Result<PaidQuote, Cause> {
        narrator.step("The source pays the relay for two packets");
        let amount = RELAY_PRICE.checked_mul(PACKETS).unwrap_or(Msat::MAX);
        let mesh = self.source.mesh();
        let quoted = mesh.request_quote(&self.way()?, 1, amount, PATIENCE).await;
        let quoted = quoted.map_err(doing("asking the relay for a quote"))?;
        let invoice = quoted.invoice;
        let invoice = invoice.ok_or_else(|| differs("the quote", "an invoice", "none"))?;
        let paid = mesh.pay(self.relay.id(), &invoice, amount).await;
        let paid = paid.map_err(doing("paying the relay"))?;
        same("what was paid", paid.amount, amount)?;
        narrator.show(
            "paid",
            &format!(
                "{} to the relay's sandbox wallet (no real money)",
                msat(amount)
            ),
        );
        Ok(paid)
    }

    /// The packet with the proof arrives at the relay, which claims it, and gets no further.
    async fn killed_at_the_claim(
        &mut self,
        paid: &PaidQuote,
        narrator: &mut Narrator<impl Write>,
    ) -> Result<JoinHandle<()>, Cause> {
        narrator.step("A packet brings the proof, and the relay is killed in the middle of it");
        let (mesh, attempt) = (self.source.mesh().clone(), self.attempt(Some(paid))?);
        // Nobody will answer it.
        let waiting = tokio::spawn(async move {
            let _ = mesh.attempt(attempt).await;
        });
        let payment = self.relay.claimed().await?;
        narrator.show(
            "relay",
            &format!("claimed payment {}: it is on disk", ends(&payment)),
        );
        let pid = self.pid();
        self.relay.kill().await?;
        narrator.show(
            "kill -9",
            &format!("process {pid}, before it could forward the packet"),
        );
        same(
            "what the destination has",
            self.destination.mesh().poll_deliveries(1),
            Vec::new(),
        )?;
        narrator.show("destination", "has nothing; the source has no answer");
        Ok(waiting)
    }

    async fn started_again(&mut self, narrator: &mut Narrator<impl Write>) -> Result<(), Cause> {
        narrator.step("The relay is started again on the same file");
        self.relay.start(Life::Long).await?;
        self.source.expect_link().await?;
        self.destination.expect_link().await?;
        self.relay.linked(2).await?;
        let books = self.relay.books().await?;
        let all = RELAY_PRICE.checked_mul(PACKETS).unwrap_or(Msat::MAX);
        same(
            "the relay's deposits, credit and earnings",
            (books.deposited, books.credit, books.earned),
            (all, all, Msat::ZERO),
        )?;
        narrator.show(
            "relay",
            &format!(
                "process {}: {} deposited, all of it still the source's credit",
                self.pid(),
                msat(books.deposited)
            ),
        );
        Ok(())
    }

    async fn same_proof(
        &self,
        paid: &PaidQuote,
        narrator: &mut Narrator<impl Write>,
    ) -> Result<(), Cause> {
        narrator.step("The same proof is refused, though its packet never arrived");
        let (by, code) = match self.send(Some(paid)).await? {
            Reply::Refused { by, code } => (by, code),
            other => return Err(differs("the answer", "a refusal", other)),
        };
        let expected = (self.relay.id(), RefusalCode::ProofReplayed);
        same("who refuses, and why", (by, code), expected)?;
        narrator.show("relay", &format!("refused as replayed: {code}"));
        Ok(())
    }

    async fn without_a_proof(&self, narrator: &mut Narrator<impl Write>) -> Result<(), Cause> {
        narrator.step("The credit is still there: the packet goes through without a proof");
        same("the answer", self.send(None).await?, Reply::Delivered)?;
        let delivery = arrived(&self.destination).await?;
        same("what was delivered", delivery.payload.as_slice(), PAYLOAD)?;
        let books = self.relay.books().await?;
        same(
            "the relay's credit and earnings",
            (books.credit, books.earned),
            (RELAY_PRICE, RELAY_PRICE),
        )?;
        narrator.show(
            "relay",
            &format!(
                "debited {}, credit left: {}",
                msat(RELAY_PRICE),
                msat(books.credit)
            ),
        );
        narrator.show("destination", &crate::text::payload(&delivery.payload, 80));
        Ok(())
    }

    async fn books_agree(&self, narrator: &mut Narrator<impl Write>) -> Result<(), Cause> {
        narrator.step("The books are recomputed from the journal");
        self.relay.booked().await?;
        let said = self.relay.verify().await?;
        for line in said.lines().filter(|line| !line.is_empty()) {
            narrator.show("", line);
        }
        Ok(())
    }

    async fn leave(mut self) {
        self.source.node.shutdown().await;
        self.destination.node.shutdown().await;
        // It has nothing left to say.
        let _ = self.relay.kill().await;
    }

    /// The relay's process, in words.
    fn pid(&self) -> String {
        self.relay
            .pid()
            .map_or_else(|| "gone".to_owned(), |pid| pid.to_string())
    }

    async fn send(&self, proof: Option<&PaidQuote>) -> Result<Reply, Cause> {
        let answered = self.source.mesh().attempt(self.attempt(proof)?).await;
        Ok(answered.map_err(doing("sending the packet"))?.1)
    }

    fn attempt(&self, proof: Option<&PaidQuote>) -> Result<Attempt, Cause> {
        Ok(Attempt {
            route: self.way()?,
            payload: PAYLOAD.to_vec(),
            fee: FEE,
            proof: proof.map(|paid| ProofForHop {
                hop: 1,
                proof: paid.proof.clone(),
            }),
            is_sealed: true,
            timeout: PATIENCE,
        })
    }

    fn way(&self) -> Result<Route, Cause> {
        let nodes: [NodeId; 3] = [self.source.id(), self.relay.id(), self.destination.id()];
        Route::new(nodes.to_vec()).map_err(|error| differs("the way", "a route", error))
    }
}
