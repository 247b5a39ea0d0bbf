use super::line::{Hex, Line};
use crate::record::PaymentLine;
use mesh_types::{
    DaySpent, Msat, NodeId, PaymentOutcome, PaymentReason, Route, RouteError, Spent, UnixTime,
};
use serde::{Deserialize, Serialize};

/// What a payment was made for, as an export says it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum WrittenReason {
    Manual {},
    Packet { sequence: u64, route: WrittenRoute },
    TopUp { sequence: u64, route: WrittenRoute },
}

/// A route, checked as it is read.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Vec<NodeId>", into = "Vec<NodeId>")]
pub(super) struct WrittenRoute(Route);

impl TryFrom<Vec<NodeId>> for WrittenRoute {
    type Error = RouteError;

    fn try_from(nodes: Vec<NodeId>) -> Result<Self, RouteError> {
        Route::new(nodes).map(Self)
    }
}

impl From<WrittenRoute> for Vec<NodeId> {
    fn from(WrittenRoute(route): WrittenRoute) -> Self {
        route.to_vec()
    }
}

/// What became of a payment, as an export says it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum WrittenOutcome {
    Unknown {},
    Paid { at_ms: UnixTime },
    Failed { at_ms: UnixTime },
}

/// Sums over payments, as an export says them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenSums {
    payments: u64,
    amount_msat: Msat,
    fee_msat: Msat,
}

impl From<WrittenReason> for PaymentReason {
    fn from(written: WrittenReason) -> Self {
        match written {
            WrittenReason::Manual {} => Self::Manual,
            WrittenReason::Packet { sequence, route } => Self::Packet {
                route: route.0,
                sequence,
            },
            WrittenReason::TopUp { sequence, route } => Self::TopUp {
                route: route.0,
                sequence,
            },
        }
    }
}

impl From<PaymentReason> for WrittenReason {
    fn from(reason: PaymentReason) -> Self {
        match reason {
            PaymentReason::Manual => Self::Manual {},
            PaymentReason::Packet { route, sequence } => Self::Packet {
                sequence,
                route: WrittenRoute(route),
            },
            PaymentReason::TopUp { route, sequence } => Self::TopUp {
                sequence,
                route: WrittenRoute(route),
            },
        }
    }
}

impl From<WrittenOutcome> for PaymentOutcome {
    fn from(written: WrittenOutcome) -> Self {
        match written {
            WrittenOutcome::Unknown {} => Self::Unknown,
            WrittenOutcome::Paid { at_ms } => Self::Paid { at: at_ms },
            WrittenOutcome::Failed { at_ms } => Self::Failed { at: at_ms },
        }
    }
}

impl From<PaymentOutcome> for WrittenOutcome {
    fn from(outcome: PaymentOutcome) -> Self {
        match outcome {
            PaymentOutcome::Unknown => Self::Unknown {},
            PaymentOutcome::Paid { at } => Self::Paid { at_ms: at },
            PaymentOutcome::Failed { at } => Self::Failed { at_ms: at },
        }
    }
}

impl From<WrittenSums> for Spent {
    fn from(written: WrittenSums) -> Self {
        Self {
            payments: written.payments,
            amount: written.amount_msat,
            fee: written.fee_msat,
        }
    }
}

impl From<Spent> for WrittenSums {
    fn from(spent: Spent) -> Self {
        Self {
            payments: spent.payments,
            amount_msat: spent.amount,
            fee_msat: spent.fee,
        }
    }
}

impl From<PaymentLine> for Line {
    fn from(PaymentLine { serial, payment }: PaymentLine) -> Self {
        Self::Payment {
            serial,
            at_ms: payment.at,
            payee: payment.payee,
            payment_hash: Hex(payment.payment_hash),
            amount_msat: payment.amount,
            fee_msat: payment.fee,
            reason: payment.reason.into(),
            outcome: payment.outcome.into(),
        }
    }
}

impl From<DaySpent> for Line {
    fn from(day: DaySpent) -> Self {
        Self::Spent {
            day_ms: day.day,
            payee: day.payee,
            sums: day.spent.into(),
            folded: day.folded.into(),
        }
    }
}
