use super::spent::{SpentCall, SpentDifferenceReport, SpentReport};
use blvm_mesh::{NodeId, to_hex};
use mesh_store::{
    Account, Counts, Debit, Deposit, Difference, Exported, Journal, Overview, Period, Totals,
    Verdict, Watching,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The most lines of a ledger in one answer.
///
/// 10,000, because they fill less than half of the longest reply; who wants more asks from behind the last.
pub const MAX_LEDGER_LINES: u16 = 10_000;

/// What is asked of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LedgerCall {
    /// The sums, and the `most` first of each list.
    Overview {
        /// At most so many lines of each list, 1 to [`MAX_LEDGER_LINES`].
        most: u16,
    },
    /// Payments that were claimed.
    Deposits(Lines<u64>),
    /// What was spent, by period and payer.
    Debits(Lines<DebitPlace>),
    /// Accounts.
    Payers(Lines<NodeId>),
    /// What the node has spent on others.
    Spent(SpentCall),
    /// To recompute every account from the journal.
    Verify {},
    /// To write everything to a new file, which the node itself does.
    Export {
        /// Where: from the root on.
        path: PathBuf,
    },
}

/// Which lines of a list are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Lines<Place> {
    /// The newest, or those that most was earned from, first.
    First {
        /// At most so many, 1 to [`MAX_LEDGER_LINES`].
        most: u16,
    },
    /// In the order of the list, the oldest first.
    After {
        /// From behind this one; from the first on without.
        place: Option<Place>,
        /// At most so many, 1 to [`MAX_LEDGER_LINES`].
        most: u16,
    },
}

/// Where a debit stands in the order of debits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebitPlace {
    /// Its period.
    pub period_unix_ms: u64,
    /// Its payer.
    pub payer: NodeId,
}

/// What a ledger says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LedgerReport {
    /// To [`LedgerCall::Overview`].
    Overview(OverviewReport),
    /// To [`LedgerCall::Deposits`].
    Deposits(Vec<DepositReport>),
    /// To [`LedgerCall::Debits`].
    Debits(Vec<DebitReport>),
    /// To [`LedgerCall::Payers`].
    Payers(Vec<PayerReport>),
    /// To [`LedgerCall::Spent`].
    Spent(SpentReport),
    /// To [`LedgerCall::Verify`].
    Verdict(VerdictReport),
    /// To [`LedgerCall::Export`].
    Exported(ExportReport),
}

/// A ledger at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverviewReport {
    /// Sums over all payers.
    pub totals: Totals,
    /// The payments that a change of the chain can still undo.
    pub watching: Watching,
    /// The last deposits, the newest first.
    pub deposits: Vec<DepositReport>,
    /// The last periods in which something was spent, the newest first.
    pub periods: Vec<PeriodReport>,
    /// The payers that most was earned from.
    pub payers: Vec<PayerReport>,
}

/// A payment that was claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositReport {
    /// Its place in the journal.
    pub serial: u64,
    /// When it was claimed.
    pub at_unix_ms: u64,
    /// Whose credit it became.
    pub payer: NodeId,
    /// How much.
    pub amount_msat: u64,
    /// What was paid: of a Lightning payment its hash.
    pub key: String,
}

/// What one payer spent in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebitReport {
    /// When the period began: a full hour.
    pub period_unix_ms: u64,
    /// Whose credit it was.
    pub payer: NodeId,
    /// On how many packets.
    pub packets: u64,
    /// How much.
    pub amount_msat: u64,
}

/// What all payers spent in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeriodReport {
    /// When it began: a full hour.
    pub period_unix_ms: u64,
    /// How many payers.
    pub payers: u64,
    /// On how many packets.
    pub packets: u64,
    /// How much.
    pub amount_msat: u64,
}

/// A payer's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayerReport {
    /// Who.
    pub payer: NodeId,
    /// Payments that were claimed.
    pub deposits: u64,
    /// All that was ever deposited.
    pub deposited_msat: u64,
    /// Packets that were carried.
    pub packets: u64,
    /// What was earned by that.
    pub earned_msat: u64,
    /// What was given back, or may be, with what routing cost.
    pub refunded_msat: u64,
    /// What is not spent.
    pub credit_msat: u64,
    /// What nobody draws, because transactions that paid for it are not in the chain.
    pub frozen_msat: u64,
}

/// What a ledger comes to when it is recomputed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictReport {
    /// Whether all accounts are what the journal comes to.
    pub right: bool,
    /// Sums over all accounts.
    pub totals: Totals,
    /// Sums over the journal.
    pub journal: JournalReport,
    /// How many accounts are not what the journal comes to.
    pub differences: u64,
    /// The first of them.
    pub listed: Vec<DifferenceReport>,
    /// How many claims are too many, because their payments had been claimed before.
    pub claimed_twice: u64,
    /// The first of those payments.
    pub twice: Vec<String>,
    /// How many days and payees have sums of what the node spent that are not what its payments come to.
    pub spent_differences: u64,
    /// The first of them.
    pub spent_listed: Vec<SpentDifferenceReport>,
}

/// An account that is not what the journal comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DifferenceReport {
    /// Whose.
    pub payer: NodeId,
    /// What the account says; none when there is no account.
    pub account: Option<PayerReport>,
    /// What the journal comes to.
    pub journal: JournalReport,
}

/// Sums over lines of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalReport {
    /// Payments that were claimed.
    pub deposits: u64,
    /// What they brought.
    pub deposited_msat: u64,
    /// Packets that were carried.
    pub packets: u64,
    /// What was spent on them.
    pub spent_msat: u64,
    /// What refunds have taken.
    pub refunded_msat: u64,
    /// What the watched payments come to that are frozen.
    pub frozen_msat: u64,
}

/// A ledger in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportReport {
    /// The file.
    pub path: PathBuf,
    /// Sums over all accounts.
    pub totals: Totals,
    /// How many records of each kind.
    pub counts: Counts,
    /// SHA-256 of all lines before the last.
    pub sha256: String,
}

impl LedgerCall {
    /// How many lines are asked for, where lines are.
    pub(super) const fn most(&self) -> Option<u16> {
        match self {
            Self::Overview { most } => Some(*most),
            Self::Deposits(lines) => Some(lines.most()),
            Self::Debits(lines) => Some(lines.most()),
            Self::Payers(lines) => Some(lines.most()),
            Self::Spent(call) => Some(call.most),
            Self::Verify {} | Self::Export { .. } => None,
        }
    }
}

impl<Place> Lines<Place> {
    const fn most(&self) -> u16 {
        match self {
            Self::First { most } | Self::After { most, .. } => *most,
        }
    }
}

impl ExportReport {
    pub(crate) fn new(path: PathBuf, exported: Exported) -> Self {
        Self {
            path,
            totals: exported.totals,
            counts: exported.counts,
            sha256: to_hex(&exported.sha256),
        }
    }
}

impl From<Overview> for OverviewReport {
    fn from(overview: Overview) -> Self {
        let Overview {
            totals,
            watching,
            deposits,
            periods,
            payers,
        } = overview;
        Self {
            totals,
            watching,
            deposits: deposits.into_iter().map(DepositReport::from).collect(),
            periods: periods.into_iter().map(PeriodReport::from).collect(),
            payers: payers.into_iter().map(PayerReport::from).collect(),
        }
    }
}

impl From<Deposit> for DepositReport {
    fn from(deposit: Deposit) -> Self {
        Self {
            serial: deposit.serial,
            at_unix_ms: deposit.at.to_millis(),
            payer: deposit.payer,
            amount_msat: deposit.amount.to_msat(),
            key: to_hex(deposit.key.as_bytes()),
        }
    }
}

impl From<Debit> for DebitReport {
    fn from(debit: Debit) -> Self {
        Self {
            period_unix_ms: debit.period.to_millis(),
            payer: debit.payer,
            packets: debit.packets,
            amount_msat: debit.amount.to_msat(),
        }
    }
}

impl From<Period> for PeriodReport {
    fn from(period: Period) -> Self {
        Self {
            period_unix_ms: period.start.to_millis(),
            payers: period.payers,
            packets: period.packets,
            amount_msat: period.amount.to_msat(),
        }
    }
}

impl From<Account> for PayerReport {
    fn from(account: Account) -> Self {
        Self {
            payer: account.payer,
            deposits: account.deposits,
            deposited_msat: account.deposited.to_msat(),
            packets: account.packets,
            earned_msat: account.earned.to_msat(),
            refunded_msat: account.refunded.to_msat(),
            credit_msat: account.credit.to_msat(),
            frozen_msat: account.frozen.to_msat(),
        }
    }
}

impl From<Journal> for JournalReport {
    fn from(journal: Journal) -> Self {
        Self {
            deposits: journal.deposits,
            deposited_msat: journal.deposited.to_msat(),
            packets: journal.packets,
            spent_msat: journal.spent.to_msat(),
            refunded_msat: journal.refunded.to_msat(),
            frozen_msat: journal.frozen.to_msat(),
        }
    }
}

impl From<Difference> for DifferenceReport {
    fn from(difference: Difference) -> Self {
        Self {
            payer: difference.payer,
            account: difference.account.map(PayerReport::from),
            journal: difference.journal.into(),
        }
    }
}

impl From<Verdict> for VerdictReport {
    fn from(verdict: Verdict) -> Self {
        Self {
            right: verdict.is_right(),
            totals: verdict.totals,
            journal: verdict.journal.into(),
            differences: verdict.differences,
            listed: verdict
                .listed
                .into_iter()
                .map(DifferenceReport::from)
                .collect(),
            claimed_twice: verdict.twice.count,
            twice: verdict
                .twice
                .listed
                .iter()
                .map(|key| to_hex(key.as_bytes()))
                .collect(),
            spent_differences: verdict.spending.differences,
            spent_listed: verdict
                .spending
                .listed
                .into_iter()
                .map(SpentDifferenceReport::from)
                .collect(),
        }
    }
}
