use crate::{Engine, free_lane::Lane};
use mesh_payment::Reservation;
use mesh_types::{Msat, NodeId, UnixTime};
use std::fmt;

/// A decision to carry one packet, good for one hand-over.
///
/// [`Ticket::carried`] books it: the debit becomes earnings. Dropped instead, for whatever reason, it leaves no trace:
/// the credit, the free-lane budget and the sequence number are as before, so the packet may come again.
#[must_use = "a ticket that is dropped undoes the decision"]
pub struct Ticket<'e> {
    engine: &'e Engine,
    source: NodeId,
    sequence: u64,
    /// The number of what it carries, where this node is the destination.
    message: Option<u64>,
    charge: Charge,
    decided_at: UnixTime,
    is_marked: bool,
}

/// What carrying a packet takes from its source.
#[derive(Debug)]
pub(crate) enum Charge {
    /// Nothing.
    Nothing,
    /// Bytes of a lane that costs nothing.
    Lane { lane: Lane, bytes: u64 },
    /// Credit.
    Credit(Reservation),
}

impl<'e> Ticket<'e> {
    pub(crate) fn new(
        engine: &'e Engine,
        source: NodeId,
        sequence: u64,
        charge: Charge,
        decided_at: UnixTime,
    ) -> Self {
        Self {
            engine,
            source,
            sequence,
            message: None,
            charge,
            decided_at,
            is_marked: false,
        }
    }

    /// Says that the packet's number now stands in its source's window, and at the destination that of its `message`, which is
    /// in hand there; they have to be taken out if it is not carried.
    pub(crate) fn marked(mut self, message: Option<u64>) -> Self {
        self.message = message;
        self.is_marked = true;
        self
    }

    /// What the source pays for the packet here.
    pub fn price(&self) -> Msat {
        match &self.charge {
            Charge::Credit(reservation) => reservation.amount(),
            Charge::Nothing | Charge::Lane { .. } => Msat::ZERO,
        }
    }

    /// Books the packet as carried: to be called once the next link, or the application, has taken it.
    pub fn carried(mut self) {
        self.is_marked = false;
        self.let_go();
        if let Charge::Credit(reservation) = self.take_charge() {
            self.engine.accounts.commit(reservation);
            self.engine.debts.note(self.decided_at);
        }
        self.engine.traffic.count_carried();
    }

    fn let_go(&mut self) {
        if let Some(message) = self.message.take() {
            self.engine.in_hand.hold().remove(&self.source, message);
        }
    }

    fn take_charge(&mut self) -> Charge {
        std::mem::replace(&mut self.charge, Charge::Nothing)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.is_marked {
            let numbers = [Some(self.sequence), self.message];
            for number in numbers.into_iter().flatten() {
                self.engine.windows.unmark(&self.source, number);
            }
        }
        self.let_go();
        match self.take_charge() {
            Charge::Nothing => {}
            Charge::Lane { lane, bytes } => self.engine.lane(lane).give_back(&self.source, bytes),
            Charge::Credit(reservation) => self.engine.accounts.release(reservation),
        }
    }
}

impl fmt::Debug for Ticket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("source", &self.source)
            .field("sequence", &self.sequence)
            .field("charge", &self.charge)
            .finish_non_exhaustive()
    }
}
