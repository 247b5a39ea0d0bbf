use super::{
    ask::{ask, connect, print, print_json},
    deposit::say_to_pay,
};
use crate::{
    cli::QuoteArgs,
    command_error::CommandError,
    control::{Answer, Client, LedgerCall, LedgerReport, Lines, OnChainCall, QuoteReport, Request},
    qr,
    text::{may_be_coloured, sats, thousands},
};
use blvm_mesh::{Clock, SystemClock, UnixTime};
use std::time::Duration;
use tokio::time::sleep;

/// How often the ledger is asked whether the quote is paid.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// How long behind the invoice's end a payment may still be told of.
const GRACE: Duration = Duration::from_secs(60);

/// How many of the last deposits are looked through.
const LAST: u16 = 1_000;

/// Offers credit, to be paid by any wallet.
pub(crate) async fn quote(args: &QuoteArgs) -> Result<(), CommandError> {
    let mut client = connect(&args.control).await?;
    if args.on_chain {
        let call = OnChainCall::Quote {
            payer: args.payer,
            amount_sats: args.amount,
        };
        return say_to_pay(&mut client, call, args.control.json).await;
    }
    let request = Request::Quote {
        payer: args.payer,
        amount_sats: args.amount,
    };
    let Answer::Quoted(quoted) = ask(&mut client, request).await? else {
        return Err(CommandError::Unexpected);
    };
    if args.control.json {
        print_json(&quoted)?;
    } else {
        print(&said(&quoted))?;
    }
    if args.wait {
        wait(&mut client, &quoted).await?;
        if !args.control.json {
            print(&format!("credited    {} sat\n", sats(quoted.amount_msat)))?;
        }
    }
    Ok(())
}

/// Waits until the ledger has the deposit.
async fn wait(client: &mut Client, quoted: &QuoteReport) -> Result<(), CommandError> {
    let end = UnixTime::from_secs(quoted.expires_at).plus(GRACE);
    loop {
        let deposits = LedgerCall::Deposits(Lines::First { most: LAST });
        let Answer::Ledger(report) = ask(client, Request::Ledger(deposits)).await? else {
            return Err(CommandError::Unexpected);
        };
        let LedgerReport::Deposits(deposits) = *report else {
            return Err(CommandError::Unexpected);
        };
        if deposits.iter().any(|it| it.key == quoted.payment_hash) {
            return Ok(());
        }
        if SystemClock.now() > end {
            return Err(CommandError::NotPaid);
        }
        sleep(ASK_AGAIN).await;
    }
}

fn said(quoted: &QuoteReport) -> String {
    let left = quoted
        .expires_at
        .saturating_sub(SystemClock.now().to_secs());
    let mut text = format!("credit      {} sat\n", sats(quoted.amount_msat));
    text += &format!("for         {}\n", quoted.payer);
    text += &format!(
        "to be paid  within {} seconds, by any Lightning wallet\n",
        thousands(left)
    );
    if quoted.sandbox {
        text += "sandbox     NO REAL MONEY: only sandbox wallets of the same folder can pay it\n";
    }
    text += &format!("\n{}\n\n", quoted.invoice);
    // Upper case is shorter in a QR code, and BOLT11 reads the same.
    let link = format!("LIGHTNING:{}", quoted.invoice.to_uppercase());
    let code = qr::draw(&link, may_be_coloured(&std::io::stdout()));
    text += &code.unwrap_or_else(|| "(too long for a QR code)\n".to_owned());
    text
}
