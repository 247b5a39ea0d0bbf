use mesh_types::{NodeId, PaymentOutcome, PaymentReason, Route, UnixTime};

/// What a payment was made for, in columns: the kind, the packet, and the nodes of the route, 32 bytes each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReasonParts {
    pub(crate) kind: u8,
    pub(crate) sequence: u64,
    pub(crate) route: Vec<u8>,
}

const MANUAL: u8 = 0;
const PACKET: u8 = 1;
const TOP_UP: u8 = 2;

impl ReasonParts {
    pub(crate) fn of(reason: &PaymentReason) -> Self {
        let (kind, sequence, route) = match reason {
            PaymentReason::Manual => (MANUAL, 0, None),
            PaymentReason::Packet { route, sequence } => (PACKET, *sequence, Some(route)),
            PaymentReason::TopUp { route, sequence } => (TOP_UP, *sequence, Some(route)),
        };
        let nodes = route.into_iter().flat_map(|route| route.iter());
        Self {
            kind,
            sequence,
            route: nodes.flat_map(|node| node.to_bytes()).collect(),
        }
    }

    /// `None` when there is no such reason.
    pub(crate) fn reason(&self) -> Option<PaymentReason> {
        let sequence = self.sequence;
        match self.kind {
            MANUAL if self.route.is_empty() && sequence == 0 => Some(PaymentReason::Manual),
            PACKET => Some(PaymentReason::Packet {
                route: self.route()?,
                sequence,
            }),
            TOP_UP => Some(PaymentReason::TopUp {
                route: self.route()?,
                sequence,
            }),
            _ => None,
        }
    }

    fn route(&self) -> Option<Route> {
        let (nodes, rest) = self.route.as_chunks::<32>();
        let nodes = nodes.iter().copied().map(NodeId::from_bytes).collect();
        Route::new(nodes).ok().filter(|_| rest.is_empty())
    }
}

/// What became of a payment, in two columns: the kind, and when it was known.
pub(crate) const fn outcome_parts(outcome: PaymentOutcome) -> (u8, UnixTime) {
    match outcome {
        PaymentOutcome::Unknown => (0, UnixTime::from_millis(0)),
        PaymentOutcome::Paid { at } => (1, at),
        PaymentOutcome::Failed { at } => (2, at),
    }
}

/// `None` when there is no such outcome.
pub(crate) const fn outcome(kind: u8, at: UnixTime) -> Option<PaymentOutcome> {
    match kind {
        0 => Some(PaymentOutcome::Unknown),
        1 => Some(PaymentOutcome::Paid { at }),
        2 => Some(PaymentOutcome::Failed { at }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_and_outcomes_are_read_as_they_were_written_and_nothing_else_is() {
        let nodes = (0..16).map(|byte| NodeId::from_bytes([byte; 32]));
        let route = Route::new(nodes.collect()).unwrap();
        let sequence = u64::MAX;
        let packet = PaymentReason::Packet {
            route: route.clone(),
            sequence,
        };
        for reason in [
            PaymentReason::Manual,
            packet.clone(),
            PaymentReason::TopUp { route, sequence },
        ] {
            assert_eq!(ReasonParts::of(&reason).reason(), Some(reason));
        }
        for change in [
            |parts: &mut ReasonParts| parts.kind = MANUAL,
            |parts: &mut ReasonParts| parts.kind = 3,
            |parts: &mut ReasonParts| parts.route.truncate(95),
            |parts: &mut ReasonParts| parts.route.truncate(32),
        ] {
            let mut parts = ReasonParts::of(&packet);
            change(&mut parts);
            assert_eq!(parts.reason(), None, "{parts:?}");
        }
        let at = UnixTime::from_secs(7);
        for said in [
            PaymentOutcome::Unknown,
            PaymentOutcome::Paid { at },
            PaymentOutcome::Failed { at },
        ] {
            let (kind, at) = outcome_parts(said);
            assert_eq!(outcome(kind, at), Some(said));
        }
        assert_eq!(outcome(3, at), None);
    }
}
