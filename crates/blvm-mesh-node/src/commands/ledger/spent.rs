use super::{books::Books, rows::utc};
use crate::{
    cli::SpentArgs,
    command_error::CommandError,
    commands::ask::{print, print_json},
    control::{
        LedgerCall, LedgerReport, OutcomeWord, PaymentReport, ReasonWord, SpentCall, SpentReport,
        SumsReport,
    },
    text::{counted, ends, sats, short, thousands},
};

/// Prints what the node has spent on others.
pub(super) async fn spent(args: &SpentArgs) -> Result<(), CommandError> {
    let mut books = Books::open(&args.control).await?;
    let call = SpentCall {
        most: args.last,
        day_unix_ms: args.day.map(|day| day.0.to_millis()),
        payee: args.peer,
    };
    let asked = books.ask(LedgerCall::Spent(call)).await;
    books.close().await;
    let LedgerReport::Spent(report) = asked? else {
        return Err(CommandError::Unexpected);
    };
    if args.control.json {
        return print_json(&report);
    }
    print(&said(&report))
}

fn said(report: &SpentReport) -> String {
    if report.payments.is_empty() && report.total.payments == 0 {
        return "nothing was spent: no payment is in the ledger\n".to_owned();
    }
    let mut text = format!(
        "spent {} sats and {} sats of Lightning fees in {}\n",
        sats(report.total.amount_msat),
        sats(report.total.fee_msat),
        counted(report.total.payments, "payment")
    );
    text += &format!("\nby day (UTC)\n  {}\n", sums_heads("day"));
    for day in &report.days {
        let iso = utc(day.day_unix_ms).iso();
        let date = iso.split('T').next().unwrap_or_default();
        text += &format!("  {}\n", sums_line(date, &day.sums));
    }
    text += &format!("\nby peer\n  {}\n", sums_heads("node"));
    for payee in &report.payees {
        text += &format!("  {}\n", sums_line(&payee.payee.to_string(), &payee.sums));
    }
    text += &format!(
        "\nlast payments\n  {:<19}  {:>18}  {:>12}  {:<7}  {:<14}  {:<14}  for\n",
        "when (UTC)", "sats", "fee sats", "outcome", "to", "payment"
    );
    for payment in &report.payments {
        text += &format!("  {}\n", line(payment));
    }
    text
}

fn sums_heads(label: &str) -> String {
    format!(
        "{:>18}  {:>12}  {:>9}  {label}",
        "sats", "fee sats", "payments"
    )
}

fn sums_line(label: &str, sums: &SumsReport) -> String {
    format!(
        "{:>18}  {:>12}  {:>9}  {label}",
        sats(sums.amount_msat),
        sats(sums.fee_msat),
        thousands(sums.payments)
    )
}

fn line(payment: &PaymentReport) -> String {
    let outcome = match payment.outcome {
        OutcomeWord::Unknown => "UNKNOWN",
        OutcomeWord::Paid => "paid",
        OutcomeWord::Failed => "failed",
    };
    let what = match payment.reason {
        ReasonWord::Manual => "by hand".to_owned(),
        ReasonWord::Packet => format!("packet {}", to(payment)),
        ReasonWord::TopUp => format!("top-up behind packet {}", to(payment)),
    };
    format!(
        "{:<19}  {:>18}  {:>12}  {outcome:<7}  {:<14}  {:<14}  {what}",
        utc(payment.at_unix_ms),
        sats(payment.amount_msat),
        sats(payment.fee_msat),
        short(&payment.payee),
        ends(&payment.payment_hash),
    )
}

/// The packet that a payment was for, and its destination.
fn to(payment: &PaymentReport) -> String {
    let sequence = payment.sequence.unwrap_or_default();
    match payment.route.last() {
        Some(destination) => format!("{sequence} to {}", short(destination)),
        None => sequence.to_string(),
    }
}
