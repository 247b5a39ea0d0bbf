use super::{books::Books, overview::sums, rows::utc};
use crate::{
    cli::VerifyArgs,
    command_error::CommandError,
    commands::ask::{print, print_json},
    control::{
        DifferenceReport, LedgerCall, LedgerReport, SpentDifferenceReport, SumsReport,
        VerdictReport,
    },
    text::{counted, sats, thousands},
};

/// The most differences that are shown to a person; `--json` has up to a thousand.
const SHOWN: usize = 20;

/// Has the books checked against their journal; a difference is an error.
pub(super) async fn verify(args: &VerifyArgs) -> Result<(), CommandError> {
    let mut books = Books::open(&args.control).await?;
    let asked = books.ask(LedgerCall::Verify {}).await;
    books.close().await;
    let LedgerReport::Verdict(verdict) = asked? else {
        return Err(CommandError::Unexpected);
    };
    if args.control.json {
        print_json(&verdict)?;
    } else {
        print(&said(&verdict))?;
    }
    if verdict.right {
        return Ok(());
    }
    Err(CommandError::WrongLedger)
}

fn said(verdict: &VerdictReport) -> String {
    if verdict.right && verdict.totals.accounts == 0 {
        return "right: the ledger is empty\n".to_owned();
    }
    if verdict.right {
        let accounts = counted(verdict.totals.accounts, "account");
        let each = if verdict.totals.accounts == 1 {
            "is"
        } else {
            "are each"
        };
        return format!(
            "right: {accounts} {each} what the journal of deposits and debits comes to\n\n{}",
            sums(&verdict.totals)
        );
    }
    let mut text = String::new();
    match verdict.differences {
        0 => {}
        1 => text += "WRONG: 1 account is not what the journal comes to\n",
        many => {
            let many = thousands(many);
            text += &format!("WRONG: {many} accounts are not what the journal comes to\n");
        }
    }
    for difference in verdict.listed.iter().take(SHOWN) {
        text += &shown(difference);
    }
    if verdict.listed.len() > SHOWN {
        text += "and more: see --json\n";
    }
    if verdict.claimed_twice > 0 {
        let claims = counted(verdict.claimed_twice, "claim");
        text += &format!("WRONG: {claims} too many, of payments that had been claimed before\n");
        for payment in verdict.twice.iter().take(SHOWN) {
            text += &format!("  payment {payment}\n");
        }
    }
    if verdict.spent_differences > 0 {
        let sums = counted(verdict.spent_differences, "sum");
        text += &format!(
            "WRONG: {sums} of what was spent, by day and peer, not what the payments come to\n"
        );
        for difference in verdict.spent_listed.iter().take(SHOWN) {
            text += &spent_shown(difference);
        }
    }
    text
}

fn spent_shown(difference: &SpentDifferenceReport) -> String {
    let SpentDifferenceReport {
        day_unix_ms,
        payee,
        sums,
        payments,
    } = difference;
    let said = |sums: &SumsReport| {
        let (amount, fee) = (sats(sums.amount_msat), sats(sums.fee_msat));
        format!(
            "{amount} sats and {fee} of fees in {}",
            thousands(sums.payments)
        )
    };
    format!(
        "  {} to {payee}\n    the sum says {}, the payments {}\n",
        utc(*day_unix_ms),
        said(sums),
        said(payments)
    )
}

fn shown(difference: &DifferenceReport) -> String {
    let DifferenceReport {
        payer,
        account,
        journal,
    } = difference;
    let Some(account) = account else {
        let deposits = counted(journal.deposits, "deposit");
        let packets = counted(journal.packets, "packet");
        return format!(
            "payer {payer}\n  the journal has {deposits} and {packets} of it, and there is no account\n"
        );
    };
    let unspent = journal.deposited_msat.checked_sub(journal.spent_msat);
    let credit = match unspent.and_then(|unspent| unspent.checked_sub(journal.refunded_msat)) {
        Some(credit) => sats(credit),
        None => "less than nothing".to_owned(),
    };
    let lines = [
        ("", "account".to_owned(), "journal".to_owned()),
        (
            "deposits",
            thousands(account.deposits),
            thousands(journal.deposits),
        ),
        (
            "deposited sats",
            sats(account.deposited_msat),
            sats(journal.deposited_msat),
        ),
        (
            "packets",
            thousands(account.packets),
            thousands(journal.packets),
        ),
        (
            "earned sats",
            sats(account.earned_msat),
            sats(journal.spent_msat),
        ),
        (
            "refunded sats",
            sats(account.refunded_msat),
            sats(journal.refunded_msat),
        ),
        ("credit sats", sats(account.credit_msat), credit),
        (
            "frozen sats",
            sats(account.frozen_msat),
            sats(journal.frozen_msat),
        ),
    ];
    let mut text = format!("payer {payer}\n");
    for (label, said, comes_to) in lines {
        let mark = if said == comes_to || label.is_empty() {
            ""
        } else {
            "  <--"
        };
        text += &format!("  {label:<15}{said:>22}{comes_to:>22}{mark}\n");
    }
    text
}
