use super::{
    books::Books,
    rows::{Row, utc},
};
use crate::{
    cli::LedgerArgs,
    command_error::CommandError,
    commands::ask::{print, print_json},
    control::{DepositReport, LedgerCall, LedgerReport, OverviewReport, PayerReport, PeriodReport},
    text::{counted, sats, thousands},
};
use mesh_store::{Totals, Watching};

/// How many lines of each list are shown where nobody says how many.
const SHOWN: u16 = 5;

/// Prints the sums, and the first lines of each list.
pub(super) async fn overview(args: &LedgerArgs) -> Result<(), CommandError> {
    let mut books = Books::open(&args.control).await?;
    let most = args.last.unwrap_or(SHOWN);
    let asked = books.ask(LedgerCall::Overview { most }).await;
    books.close().await;
    let LedgerReport::Overview(report) = asked? else {
        return Err(CommandError::Unexpected);
    };
    if args.control.json {
        return print_json(&report);
    }
    print(&said(&report))
}

fn said(report: &OverviewReport) -> String {
    if report.totals.accounts == 0 {
        return "nothing was deposited yet: the ledger is empty\n\nwhat was paid to others: blvm-mesh ledger spent\n".to_owned();
    }
    let mut text = sums(&report.totals);
    text += &watching(&report.watching);
    text += &list(
        "last deposits",
        &DepositReport::heads(),
        report.deposits.iter().map(Row::line),
    );
    text += &list(
        "spent by hour",
        &format!(
            "{:<19}  {:>18}  {:>14}  {:>8}",
            "hour from (UTC)", "sats", "packets", "payers"
        ),
        report.periods.iter().map(hour),
    );
    text += &list(
        "payers, by what was earned from them",
        &PayerReport::heads(),
        report.payers.iter().map(Row::line),
    );
    text + "\nmore: blvm-mesh ledger --deposits, --debits or --payers, with --last N or --all; what was paid to others: blvm-mesh ledger spent\n"
}

/// Sums over all payers, for people.
pub(super) fn sums(totals: &Totals) -> String {
    let mut text = String::new();
    let mut line = |label: &str, msat: u64, what: String| {
        text += &format!("{label:<10}{:>20} sats  {what}\n", sats(msat));
    };
    let payers = counted(totals.accounts, "payer");
    let deposits = counted(totals.deposits, "payment");
    line(
        "deposited",
        totals.deposited.to_msat(),
        format!("in {deposits}, by {payers}"),
    );
    line(
        "earned",
        totals.earned.to_msat(),
        format!("on {}", counted(totals.packets, "packet")),
    );
    if totals.refunded.to_msat() > 0 {
        let refunded = totals.refunded.to_msat();
        line("refunded", refunded, "given back, routing included".into());
    }
    let credit = totals.credit.to_msat();
    line("credit", credit, "not spent yet: still the payers'".into());
    text
}

/// What the chain can still undo, for people; nothing where it can undo nothing.
fn watching(watching: &Watching) -> String {
    if watching.payments == 0 {
        return String::new();
    }
    let payments = counted(watching.payments, "payment");
    format!(
        "{:<10}{:>20} sats  of {} sats in {payments} on the chain that are watched\n",
        "frozen",
        sats(watching.frozen.to_msat()),
        sats(watching.amount.to_msat())
    )
}

fn hour(period: &PeriodReport) -> String {
    format!(
        "{:<19}  {:>18}  {:>14}  {:>8}",
        utc(period.period_unix_ms),
        sats(period.amount_msat),
        thousands(period.packets),
        thousands(period.payers)
    )
}

fn list(label: &str, heads: &str, lines: impl ExactSizeIterator<Item = String>) -> String {
    if lines.len() == 0 {
        return format!("\n{label}: none\n");
    }
    let lines: String = lines.map(|line| format!("  {line}\n")).collect();
    format!("\n{label}\n  {heads}\n{lines}")
}
