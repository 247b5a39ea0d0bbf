use blvm_mesh::{Clock, PaymentProof, SystemClock, UnixTime};
use std::{sync::Mutex, time::Duration};

/// How long a debit may wait to be booked (the default of `debit_interval_ms`), and 800 ms for a machine that is busy with
/// other things between a packet's debit there and its arrival here, which is what can be seen.
const FORGIVABLE: Duration = Duration::from_millis(200 + 800);

/// What is known to be so, whatever the relay says.
#[derive(Debug, Default)]
pub(crate) struct Truth(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    proofs: Vec<Shown>,
    /// What was paid, in millisatoshi, with proofs that nobody shows.
    unshown_msat: u64,
    attempts: u64,
    arrivals: Vec<UnixTime>,
    /// Arrivals whose debits a crash may have forgotten.
    forgivable: u64,
}

/// A proof that was shown to the relay.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) payer: usize,
    pub(crate) proof: PaymentProof,
    pub(crate) amount_msat: u64,
    /// Whether the relay has said that it has it.
    pub(crate) is_acknowledged: bool,
}

impl Truth {
    /// Notes a proof before it is shown, and answers with its number.
    pub(crate) fn showing(&self, payer: usize, proof: PaymentProof, amount_msat: u64) -> usize {
        let mut known = self.0.lock().unwrap();
        known.proofs.push(Shown {
            payer,
            proof,
            amount_msat,
            is_acknowledged: false,
        });
        known.proofs.len() - 1
    }

    /// Notes a payment whose proof nobody shows.
    pub(crate) fn paid_unshown(&self, amount_msat: u64) {
        self.0.lock().unwrap().unshown_msat += amount_msat;
    }

    pub(crate) fn acknowledged(&self, number: usize) {
        self.0.lock().unwrap().proofs[number].is_acknowledged = true;
    }

    pub(crate) fn shown(&self, number: usize) -> Shown {
        self.0.lock().unwrap().proofs[number].clone()
    }

    pub(crate) fn proofs(&self) -> usize {
        self.0.lock().unwrap().proofs.len()
    }

    /// The proofs of which it is not known whether the relay has them.
    pub(crate) fn open_questions(&self) -> Vec<usize> {
        let known = self.0.lock().unwrap();
        let open = known.proofs.iter().enumerate();
        open.filter(|(_, shown)| !shown.is_acknowledged)
            .map(|(number, _)| number)
            .collect()
    }

    pub(crate) fn attempting(&self) {
        self.0.lock().unwrap().attempts += 1;
    }

    pub(crate) fn arrived(&self) {
        self.0.lock().unwrap().arrivals.push(SystemClock.now());
    }

    pub(crate) fn arrivals(&self) -> u64 {
        self.0.lock().unwrap().arrivals.len() as u64
    }

    /// Notes that the relay is killed: it may forget debits that lie within one interval. Those are the last ones, however
    /// long ago: while debits wait for a slow disk, no others are made.
    pub(crate) fn killed(&self) {
        let mut known = self.0.lock().unwrap();
        let Some(last) = known.arrivals.last().copied() else {
            return;
        };
        let late = known
            .arrivals
            .iter()
            .rev()
            .take_while(|arrival| arrival.plus(FORGIVABLE) >= last)
            .count();
        known.forgivable += late as u64;
    }

    /// All that was ever paid to the relay, with or without a proof that it was shown.
    pub(crate) fn paid_msat(&self) -> u64 {
        let known = self.0.lock().unwrap();
        let shown: u64 = known.proofs.iter().map(|shown| shown.amount_msat).sum();
        shown + known.unshown_msat
    }

    /// Least and most packets that the relay can rightly have been paid for.
    pub(crate) fn carried(&self) -> (u64, u64) {
        let known = self.0.lock().unwrap();
        let arrived = known.arrivals.len() as u64;
        (arrived.saturating_sub(known.forgivable), known.attempts)
    }

    pub(crate) fn forgivable(&self) -> u64 {
        self.0.lock().unwrap().forgivable
    }
}
