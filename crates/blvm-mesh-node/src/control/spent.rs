use blvm_mesh::{NodeId, PaymentOutcome, PaymentReason, Spent, to_hex};
use mesh_store::{PaymentLine, Spending, SpendingDifference};
use serde::{Deserialize, Serialize};

/// Which payments of the node's own are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpentCall {
    /// At most so many lines of each list, 1 to [`super::MAX_LEDGER_LINES`].
    pub most: u16,
    /// Those of the day of this time, UTC; of all days without.
    pub day_unix_ms: Option<u64>,
    /// Those to this node; to all without.
    pub payee: Option<NodeId>,
}

/// What a node has spent on others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpentReport {
    /// All that was asked for.
    pub total: SumsReport,
    /// By day, the newest first.
    pub days: Vec<DaySumsReport>,
    /// By payee, the most first.
    pub payees: Vec<PayeeSumsReport>,
    /// The last payments, the newest first.
    pub payments: Vec<PaymentReport>,
}

/// Sums over payments that were made or may still be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SumsReport {
    /// How many.
    pub payments: u64,
    /// How much, Lightning fees excepted.
    pub amount_msat: u64,
    /// Lightning fees; the most that they may be where a payment is under way.
    pub fee_msat: u64,
}

/// What was spent on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaySumsReport {
    /// When the day began, UTC.
    pub day_unix_ms: u64,
    /// How much.
    pub sums: SumsReport,
}

/// What was spent on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayeeSumsReport {
    /// The node.
    pub payee: NodeId,
    /// How much.
    pub sums: SumsReport,
}

/// A payment of the node's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentReport {
    /// Its place among them.
    pub serial: u64,
    /// When it was begun.
    pub at_unix_ms: u64,
    /// To whom.
    pub payee: NodeId,
    /// How much, Lightning fees excepted.
    pub amount_msat: u64,
    /// What Lightning asked for it; the most that it may while that is not known.
    pub fee_msat: u64,
    /// Its hash.
    pub payment_hash: String,
    /// What became of it.
    pub outcome: OutcomeWord,
    /// When that was known.
    pub known_at_unix_ms: Option<u64>,
    /// What it was for.
    pub reason: ReasonWord,
    /// The way of the packet that it was for, this node first.
    pub route: Vec<NodeId>,
    /// The number of that packet.
    pub sequence: Option<u64>,
}

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeWord {
    /// It is under way, or nobody knows.
    Unknown,
    /// It was made.
    Paid,
    /// It was not made.
    Failed,
}

/// What a payment was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonWord {
    /// Somebody asked for it.
    Manual,
    /// A packet could not go without.
    Packet,
    /// Credit was about to run out behind a packet.
    TopUp,
}

/// A day and a payee of which the sums are not what the payments come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpentDifferenceReport {
    /// When the day began, UTC.
    pub day_unix_ms: u64,
    /// The node.
    pub payee: NodeId,
    /// What the sums say.
    pub sums: SumsReport,
    /// What the payments come to.
    pub payments: SumsReport,
}

impl From<Spent> for SumsReport {
    fn from(spent: Spent) -> Self {
        Self {
            payments: spent.payments,
            amount_msat: spent.amount.to_msat(),
            fee_msat: spent.fee.to_msat(),
        }
    }
}

impl From<PaymentLine> for PaymentReport {
    fn from(PaymentLine { serial, payment }: PaymentLine) -> Self {
        let (outcome, known_at) = match payment.outcome {
            PaymentOutcome::Unknown => (OutcomeWord::Unknown, None),
            PaymentOutcome::Paid { at } => (OutcomeWord::Paid, Some(at)),
            PaymentOutcome::Failed { at } => (OutcomeWord::Failed, Some(at)),
        };
        let (reason, way) = match payment.reason {
            PaymentReason::Manual => (ReasonWord::Manual, None),
            PaymentReason::Packet { route, sequence } => {
                (ReasonWord::Packet, Some((route, sequence)))
            }
            PaymentReason::TopUp { route, sequence } => {
                (ReasonWord::TopUp, Some((route, sequence)))
            }
        };
        Self {
            serial,
            at_unix_ms: payment.at.to_millis(),
            payee: payment.payee,
            amount_msat: payment.amount.to_msat(),
            fee_msat: payment.fee.to_msat(),
            payment_hash: to_hex(&payment.payment_hash),
            outcome,
            known_at_unix_ms: known_at.map(blvm_mesh::UnixTime::to_millis),
            reason,
            sequence: way.as_ref().map(|(_, sequence)| *sequence),
            route: way.map_or_else(Vec::new, |(route, _)| route.to_vec()),
        }
    }
}

impl From<Spending> for SpentReport {
    fn from(spending: Spending) -> Self {
        let day = |(day, spent): (blvm_mesh::UnixTime, Spent)| DaySumsReport {
            day_unix_ms: day.to_millis(),
            sums: spent.into(),
        };
        let payee = |(payee, spent): (NodeId, Spent)| PayeeSumsReport {
            payee,
            sums: spent.into(),
        };
        Self {
            total: spending.total.into(),
            days: spending.days.into_iter().map(day).collect(),
            payees: spending.payees.into_iter().map(payee).collect(),
            payments: spending
                .payments
                .into_iter()
                .map(PaymentReport::from)
                .collect(),
        }
    }
}

impl From<SpendingDifference> for SpentDifferenceReport {
    fn from(difference: SpendingDifference) -> Self {
        Self {
            day_unix_ms: difference.day.to_millis(),
            payee: difference.payee,
            sums: difference.sums.into(),
            payments: difference.lines.into(),
        }
    }
}
