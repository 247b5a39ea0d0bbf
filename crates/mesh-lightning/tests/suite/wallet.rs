//! The wallet behind a double: what it issued and paid, and how it is to misbehave.

use bitcoin::hashes::{Hash as _, sha256};
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret};
use mesh_types::{Msat, to_hex};
use secp256k1::{PublicKey, Secp256k1, SecretKey};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};
use tokio::sync::{Notify, watch};

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    Info,
    Create,
    Incoming,
    Outgoing,
    /// What paying would cost, where that is a request of its own.
    Fee,
    Pay,
    /// The list of invoices that are settled, or the wait for one.
    Settled,
}

/// How a double misbehaves, once it has read a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never answers; time flies.
    Silent,
    /// It closes the connection and does nothing.
    Closes,
    /// It does what it was asked, and closes the connection.
    LosesAnswer,
    /// It speaks another protocol.
    Garbage,
    /// It stops in the middle of its answer.
    Truncated,
    /// It answers without end.
    Huge,
    /// It answers with an error that repeats the request.
    Echoes,
}

/// What comes of the next payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pays { fee: u64 },
    Fails,
    Hangs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Open,
    Held,
    Paid,
    Over,
}

#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) text: String,
    pub(crate) memo: String,
    pub(crate) amount: u64,
    pub(crate) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payment {
    Pending,
    Failed,
    Paid { fee: u64 },
}

/// What a wallet tells those who listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Issued([u8; 32]),
    /// With its number among the settled ones, from 1.
    Settled([u8; 32], u64),
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) invoices: HashMap<[u8; 32], Issued>,
    /// All that happened to invoices, the oldest first.
    pub(crate) events: Vec<Event>,
    pub(crate) payments: HashMap<[u8; 32], (Payment, u64)>,
    pub(crate) preimages: HashMap<[u8; 32], [u8; 32]>,
    pub(crate) faults: HashMap<Op, Fault>,
    pub(crate) outcome: Outcome,
    /// Requests to pay that were acted on.
    pub(crate) paid: usize,
    /// Whether it issues invoices for a thousandth of what it is asked.
    pub(crate) cheats: bool,
    /// What it was asked, in its protocol's words.
    pub(crate) asked: Vec<String>,
}

/// A wallet of regtest, in memory.
#[derive(Debug)]
pub(crate) struct Wallet {
    state: Mutex<State>,
    /// Rings at each event.
    pub(crate) rings: Notify,
    /// Counts those who have begun to wait for an event, as far as the protocol lets them wait.
    pub(crate) waiting: watch::Sender<usize>,
    key: SecretKey,
}

impl Wallet {
    pub(crate) fn new() -> Self {
        let state = State {
            invoices: HashMap::new(),
            events: Vec::new(),
            payments: HashMap::new(),
            preimages: HashMap::new(),
            faults: HashMap::new(),
            outcome: Outcome::Pays { fee: 7 },
            paid: 0,
            cheats: false,
            asked: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            rings: Notify::new(),
            waiting: watch::Sender::new(0),
            key: SecretKey::from_slice(&[7; 32]).unwrap(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn payee_key(&self) -> [u8; 33] {
        PublicKey::from_secret_key(&Secp256k1::new(), &self.key).serialize()
    }

    /// Issues an invoice; `None` when there is one for the preimage.
    pub(crate) fn issue(
        &self,
        preimage: [u8; 32],
        msat: u64,
        memo: &str,
        expiry: u64,
    ) -> Option<Issued> {
        let hash = sha256::Hash::hash(&preimage).to_byte_array();
        let mut state = self.state();
        if state.invoices.contains_key(&hash) {
            return None;
        }
        let amount = if state.cheats { msat / 1_000 } else { msat };
        let issued = Issued {
            text: sign(
                &self.key,
                Currency::Regtest,
                preimage,
                Some(amount),
                memo,
                expiry,
            ),
            memo: memo.to_owned(),
            amount,
            stage: Stage::Open,
        };
        state.invoices.insert(hash, issued.clone());
        state.events.push(Event::Issued(hash));
        self.rings.notify_waiters();
        state.preimages.insert(hash, preimage);
        Some(issued)
    }

    /// What the next payment will cost.
    pub(crate) fn fee(&self) -> u64 {
        match self.state().outcome {
            Outcome::Pays { fee } => fee,
            Outcome::Fails | Outcome::Hangs => 0,
        }
    }

    /// Pays an invoice as the outcome has it.
    pub(crate) fn pay(&self, hash: [u8; 32], msat: u64, max_fee: u64) -> Payment {
        let mut state = self.state();
        state.paid += 1;
        let payment = match state.outcome {
            Outcome::Pays { fee } if fee <= max_fee => Payment::Paid { fee },
            Outcome::Pays { .. } | Outcome::Fails => Payment::Failed,
            Outcome::Hangs => Payment::Pending,
        };
        state.payments.insert(hash, (payment, msat));
        payment
    }

    pub(crate) fn preimage(&self, hash: &[u8; 32]) -> String {
        to_hex(&self.state().preimages[hash])
    }

    /// Another wallet's invoice, of which this wallet will learn the preimage by paying it.
    pub(crate) fn stranger_invoice(&self, number: u8, amount: Msat) -> (String, [u8; 32]) {
        let (text, preimage) = stranger(Currency::Regtest, number, Some(amount.to_msat()));
        let hash = hash_of(&preimage);
        self.state().preimages.insert(hash, preimage);
        (text, hash)
    }

    /// Notes a request, and gives the fault that it meets. The first such request alone meets it.
    pub(crate) fn meets(&self, op: Op, asked: &str) -> Option<Fault> {
        let mut state = self.state();
        state.asked.push(asked.to_owned());
        state.faults.remove(&op)
    }

    pub(crate) fn breaks(&self, op: Op, fault: Fault) {
        self.state().faults.insert(op, fault);
    }

    pub(crate) fn set_stage(&self, hash: &[u8; 32], stage: Stage) {
        let mut state = self.state();
        state.invoices.get_mut(hash).unwrap().stage = stage;
        if stage == Stage::Paid {
            let number = state.settled().last().map_or(1, |(_, number)| number + 1);
            state.events.push(Event::Settled(*hash, number));
            self.rings.notify_waiters();
        }
    }

    /// Waits until somebody waits for an event.
    pub(crate) async fn is_waited_for(&self) {
        let mut waiting = self.waiting.subscribe();
        waiting.wait_for(|count| *count > 0).await.unwrap();
    }
}

impl State {
    /// The settled invoices with their numbers, in their order.
    pub(crate) fn settled(&self) -> Vec<([u8; 32], u64)> {
        let settled = |event: &Event| match event {
            Event::Settled(hash, number) => Some((*hash, *number)),
            Event::Issued(_) => None,
        };
        self.events.iter().filter_map(settled).collect()
    }

    /// What is settled behind a number.
    pub(crate) fn settled_behind(&self, number: u64) -> Vec<([u8; 32], u64)> {
        let mut settled = self.settled();
        settled.retain(|(_, each)| *each > number);
        settled
    }
}

/// An invoice that another key signs.
pub(crate) fn stranger(currency: Currency, number: u8, msat: Option<u64>) -> (String, [u8; 32]) {
    let key = SecretKey::from_slice(&[9; 32]).unwrap();
    let preimage = [number; 32];
    (
        sign(&key, currency, preimage, msat, "a coffee", 3_600),
        preimage,
    )
}

pub(crate) fn hash_of(preimage: &[u8; 32]) -> [u8; 32] {
    sha256::Hash::hash(preimage).to_byte_array()
}

fn sign(
    key: &SecretKey,
    currency: Currency,
    preimage: [u8; 32],
    msat: Option<u64>,
    memo: &str,
    expiry: u64,
) -> String {
    let curve = Secp256k1::new();
    let builder = InvoiceBuilder::new(currency)
        .description(memo.to_owned())
        .payment_hash(sha256::Hash::hash(&preimage))
        .payment_secret(PaymentSecret([1; 32]))
        .duration_since_epoch(Duration::from_secs(1_700_000_000))
        .expiry_time(Duration::from_secs(expiry))
        .min_final_cltv_expiry_delta(18);
    let builder = match msat {
        Some(msat) => builder.amount_milli_satoshis(msat),
        None => builder,
    };
    let signed = builder.build_signed(|digest| curve.sign_ecdsa_recoverable(digest, key));
    signed.unwrap().to_string()
}
