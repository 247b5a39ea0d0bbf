use crate::{
    chance::Chance,
    payer::Payer,
    relay::{LOOK_AGAIN, Relay, SHARE_MSAT, Status},
    truth::Truth,
    wallets::Wallets,
};
use blvm_mesh::NodeId;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    task::{JoinSet, yield_now},
    time::{sleep, timeout},
};

const PAYERS: usize = 3;
const TASKS_OF_EACH: usize = 3;

/// How many acknowledged proofs of earlier rounds are shown again after each kill.
const OLD_PROOFS: u64 = 10;

/// One start in so many is killed before it is finished.
const EARLY_KILLS: u64 = 5;

/// Everybody but the relay.
pub(crate) struct Scene {
    payers: Vec<Payer>,
    destination: Payer,
    relay: NodeId,
    truth: Arc<Truth>,
    wallets: Wallets,
    shown_again: u64,
    rounds: u64,
}

impl Scene {
    /// Starts everybody, the relay last, and waits until they are linked.
    pub(crate) async fn set(folder: &Path, store: &str, wallets: Wallets) -> (Self, Relay) {
        let truth = Arc::new(Truth::default());
        let start = async |number| Payer::start(number, folder, &truth, &wallets).await;
        let mut payers = Vec::new();
        for number in 0..PAYERS {
            payers.push(start(number).await);
        }
        let destination = start(PAYERS).await;
        let peers = payers.iter().chain([&destination]).map(Payer::address);
        let mut relay = Relay::new(
            folder,
            store,
            &wallets.of_relay(),
            &peers.collect::<Vec<_>>(),
        );
        relay.spawn();
        let id = relay.answers().await.unwrap().id;
        let (receiver, arrived) = (destination.clone(), Arc::clone(&truth));
        tokio::spawn(async move {
            loop {
                receiver.mesh().next_delivery().await;
                arrived.arrived();
            }
        });
        let scene = Self {
            payers,
            destination,
            relay: id,
            truth,
            wallets,
            shown_again: 0,
            rounds: 0,
        };
        scene.linked(&mut relay).await.unwrap();
        (scene, relay)
    }

    /// Works, kills, starts again, and checks.
    ///
    /// # Errors
    /// What is not as it has to be.
    pub(crate) async fn round(
        &mut self,
        relay: &mut Relay,
        work: Duration,
        chance: &mut Chance,
    ) -> Result<String, String> {
        self.rounds += 1;
        let (proofs, arrivals) = (self.truth.proofs(), self.truth.arrivals());
        let mut workers = JoinSet::new();
        for worker in 0..PAYERS * TASKS_OF_EACH {
            let payer = self.payers[worker % PAYERS].clone();
            let (relay, destination) = (self.relay, self.destination.mesh().node_id());
            let mut chance = Chance::new(chance.number());
            workers.spawn(async move {
                loop {
                    payer.work(relay, destination, &mut chance).await?;
                    // Without a link everything fails at once, and nothing would let this be stopped.
                    yield_now().await;
                }
            });
        }
        let ended: Option<Result<(), String>> = tokio::select! {
            () = sleep(work) => None,
            ended = workers.join_next() => ended.map(Result::unwrap),
        };
        self.truth.killed();
        relay.kill();
        workers.shutdown().await;
        ended.transpose()?;
        relay.verify()?;
        if chance.one_of(EARLY_KILLS) == 0 {
            relay.spawn();
            sleep(chance.up_to(Duration::from_millis(1_200))).await;
            relay.kill();
        }
        relay.spawn();
        self.linked(relay).await?;
        let (open, new) = self.settle_open_questions().await?;
        let again = self.show_old_proofs(proofs, chance).await?;
        self.wallets.disturb(chance)?;
        let (status, paid) = self.credited(relay).await?;
        self.check(status, paid)?;
        Ok(format!(
            "killed after {:>4} ms: {:>3} payments, {:>4} packets; unanswered {open:>2}, of which {new:>2} were not claimed; shown again {again:>2}",
            work.as_millis(),
            self.truth.proofs() - proofs,
            self.truth.arrivals() - arrivals,
        ))
    }

    /// Shows each proof whose fate is not known until it is: claimed before the kill, or now.
    async fn settle_open_questions(&self) -> Result<(usize, usize), String> {
        let open = self.truth.open_questions();
        let mut new = 0;
        for number in &open {
            let payer = &self.payers[self.truth.shown(*number).payer];
            if payer.deposit(self.relay, *number).await? {
                new += 1;
            }
        }
        match self.truth.open_questions().len() {
            0 => Ok((open.len(), new)),
            left => Err(format!("{left} proofs get no answer")),
        }
    }

    /// Every proof of this round and some of earlier ones have to be refused as used.
    async fn show_old_proofs(&mut self, before: usize, chance: &mut Chance) -> Result<u64, String> {
        let mut numbers: Vec<_> = (before..self.truth.proofs()).collect();
        if before > 0 {
            numbers.extend((0..OLD_PROOFS).map(|_| chance.one_of(before as u64) as usize));
        }
        let mut again = 0;
        for number in numbers {
            let payer = &self.payers[number % PAYERS];
            let mut tries = 0;
            while payer.is_used(self.relay, number).await?.is_none() {
                tries += 1;
                if tries > 3 {
                    return Err(format!("proof {number} gets no answer"));
                }
            }
            again += 1;
        }
        self.shown_again += again;
        Ok(again)
    }

    /// Waits until the relay's wallet has told of what nobody has shown; answers with what was paid, too.
    async fn credited(&self, relay: &Relay) -> Result<(Status, u64), String> {
        let mut why = String::new();
        for _ in 0..600 {
            let status = relay.status().ok_or("the relay does not answer")?;
            let paid = self.wallets.paid_msat(self.truth.paid_msat())?;
            why = match paid {
                Some(paid) if status.deposited >= paid => return Ok((status, paid)),
                Some(paid) => format!(
                    "{paid} msat were paid, and {} are deposited",
                    status.deposited
                ),
                None => "payments are still on their way".to_owned(),
            };
            sleep(LOOK_AGAIN).await;
        }
        Err(format!("after a minute {why}"))
    }

    fn check(&self, status: Status, paid: u64) -> Result<(), String> {
        let Status {
            deposited,
            credit,
            reserved,
            earned,
            ..
        } = status;
        if deposited != paid {
            return Err(format!(
                "{paid} msat were paid, and {deposited} are deposited"
            ));
        }
        if deposited != credit + reserved + earned {
            return Err(format!(
                "deposited {deposited} is not credit {credit} + reserved {reserved} + earned {earned}"
            ));
        }
        let (least, most) = self.truth.carried();
        if earned > most * SHARE_MSAT {
            return Err(format!(
                "{earned} msat are earned, and {most} packets were sent at {SHARE_MSAT}"
            ));
        }
        if earned < least * SHARE_MSAT {
            return Err(format!(
                "{earned} msat are earned, and {least} packets were carried whose debits had to be booked"
            ));
        }
        Ok(())
    }

    /// Waits until the relay answers and all are linked with it.
    async fn linked(&self, relay: &mut Relay) -> Result<(), String> {
        let everybody = PAYERS + 1;
        let all = async {
            loop {
                let status = relay.answers().await?;
                let nodes = self.payers.iter().chain([&self.destination]);
                let are_linked = nodes.map(|payer| payer.is_linked(&self.relay));
                if status.links == everybody && are_linked.fold(true, |all, it| all & it) {
                    return Ok(());
                }
                sleep(LOOK_AGAIN).await;
            }
        };
        timeout(Duration::from_secs(60), all)
            .await
            .unwrap_or_else(|_| Err("not all are linked within a minute".to_owned()))
    }

    pub(crate) fn summary(&self) -> String {
        let (payments, half, most) = self.truth.payments();
        format!(
            "{} kills: {payments} payments (half of them took up to {half:.1?}, 95 % {most:.1?}), each credited once; {} packets \
             carried; {} proofs shown again and refused; no more than {} debits could be forgotten",
            self.rounds,
            self.truth.arrivals(),
            self.shown_again,
            self.truth.forgivable()
        )
    }
}
