use crate::{Engine, Refusal, Ticket, arrival::Arrival};
use mesh_types::{NodeId, UnixTime};
use parking_lot::{Mutex, MutexGuard};

/// The messages whose delivery here is decided and not carried out: the inbox may still be full.
///
/// Until then nobody may say of a copy that its message has arrived. A vector, because there are as many as threads that
/// deliver.
#[derive(Debug, Default)]
pub(crate) struct InHand(Mutex<Vec<(NodeId, u64)>>);

/// The messages in hand, while none is added and none taken out.
pub(crate) struct Held<'h>(MutexGuard<'h, Vec<(NodeId, u64)>>);

impl InHand {
    pub(crate) fn hold(&self) -> Held<'_> {
        Held(self.0.lock())
    }
}

impl Held<'_> {
    pub(crate) fn has(&self, source: &NodeId, message: u64) -> bool {
        self.0.contains(&(*source, message))
    }

    pub(crate) fn add(&mut self, source: NodeId, message: u64) {
        self.0.push((source, message));
    }

    pub(crate) fn remove(&mut self, source: &NodeId, message: u64) {
        self.0.retain(|held| *held != (*source, message));
    }
}

impl Engine {
    /// Takes the packet's number, the last thing that can fail: of two that are the same only one gets past here.
    pub(crate) fn mark<'e>(
        &'e self,
        ticket: Ticket<'e>,
        arrival: Arrival<'_>,
        now: UnixTime,
    ) -> Result<Ticket<'e>, Refusal> {
        let packet = arrival.packet;
        self.windows
            .mark(&packet.source(), packet.sequence(), now)?;
        Ok(ticket.marked(None))
    }

    /// As [`Engine::mark`], at the destination, which takes the number of the original as well. So whichever of a packet and
    /// its copies is first, over whatever route, is delivered, and none of the others is.
    pub(crate) fn mark_delivery<'e>(
        &'e self,
        ticket: Ticket<'e>,
        arrival: Arrival<'_>,
        now: UnixTime,
    ) -> Result<Ticket<'e>, Refusal> {
        let packet = arrival.packet;
        let (source, sequence) = (packet.source(), packet.sequence());
        let message = packet.copy_of().unwrap_or(sequence);
        // Held until the numbers are taken: whoever finds one taken so knows that its packet has been carried.
        let mut in_hand = self.in_hand.hold();
        if in_hand.has(&source, message) {
            return Err(Refusal::InHand);
        }
        self.windows.mark(&source, message, now)?;
        if message != sequence
            && let Err(error) = self.windows.mark(&source, sequence, now)
        {
            self.windows.unmark(&source, message);
            return Err(error.into());
        }
        in_hand.add(source, message);
        Ok(ticket.marked(Some(message)))
    }
}
