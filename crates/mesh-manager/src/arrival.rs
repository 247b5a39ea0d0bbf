use crate::{Refusal, Refused, Tell};
use mesh_protocol::{ControlMessage, PacketView};
use mesh_replay::{SequenceError, SourceError};
use mesh_types::{NodeId, PacketKind, Route};

/// A packet at its place on the route, authenticated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'p> {
    pub(crate) packet: PacketView<'p>,
    pub(crate) position: usize,
}

impl Arrival<'_> {
    /// The way from this node back to the source.
    pub(crate) fn back(&self) -> Option<Route> {
        let passed = self.packet.route().get(..=self.position)?;
        Route::new(
            passed
                .iter()
                .rev()
                .map(|node| NodeId::from_bytes(*node))
                .collect(),
        )
        .ok()
    }

    /// A refusal of this packet.
    ///
    /// Of what has come before, or is in hand, its source hears once: else a relay could repeat a packet, keep back that it
    /// was delivered, and pass on that it was refused.
    pub(crate) fn refused(&self, refusal: Refusal) -> Refused {
        let is_answered = match &refusal {
            Refusal::InHand => true,
            Refusal::Sequence(SourceError::Sequence(SequenceError::Duplicate { sequence })) => {
                *sequence == self.packet.sequence()
            }
            _ => false,
        };
        let tell = if is_answered { None } else { self.tell() };
        Refused { refusal, tell }
    }

    /// Whom to tell. Replies are never answered, so that two meshes cannot refuse each other for ever.
    pub(crate) fn tell(&self) -> Option<Tell> {
        let waits = match self.packet.kind() {
            PacketKind::Data => true,
            // What is said about announcements is long, and never answered with a refusal.
            PacketKind::Control if ControlMessage::is_gossip(self.packet.payload()) => false,
            PacketKind::Control => matches!(
                ControlMessage::decode(self.packet.payload()),
                Ok(ControlMessage::QuoteRequest { .. }
                    | ControlMessage::OnChainQuoteRequest { .. }
                    | ControlMessage::RefundRequest { .. }
                    | ControlMessage::Deposit)
            ),
        };
        let back = if waits { self.back() } else { None };
        back.map(|back| Tell {
            back,
            sequence: self.packet.sequence(),
        })
    }
}

impl Refused {
    pub(crate) fn silently(refusal: Refusal) -> Self {
        Self {
            refusal,
            tell: None,
        }
    }
}
