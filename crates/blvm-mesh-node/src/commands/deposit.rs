use super::ask::{ask, connect, print, print_json};
use crate::{
    cli::DepositArgs,
    command_error::CommandError,
    control::{
        Answer, Client, OnChainCall, OnChainReport, Request, ShowCall, ShownReport, ToPayReport,
    },
    text::{amount, bitcoins, counted, thousands},
    utc::Utc,
};
use blvm_mesh::UnixTime;

/// Asks another node what to pay on the chain, or shows it a payment.
pub(crate) async fn deposit(args: &DepositArgs) -> Result<(), CommandError> {
    let is_json = args.control.json;
    let call = match (args.amount, &args.quote, &args.txid) {
        (None, Some(quote), Some(txid)) => OnChainCall::Show(ShowCall {
            node: args.node,
            quote: quote.clone(),
            txid: txid.clone(),
            paid_sats: args.paid,
            timeout_secs: args.timeout,
        }),
        (Some(amount_sats), None, None) => OnChainCall::Ask {
            node: args.node,
            amount_sats,
            timeout_secs: args.timeout,
        },
        _ => {
            let usage = "deposit takes --amount, or --quote and --txid";
            return Err(CommandError::Usage(usage.to_owned()));
        }
    };
    let mut client = connect(&args.control).await?;
    if args.amount.is_some() {
        return say_to_pay(&mut client, call, is_json).await;
    }
    let OnChainReport::Shown(shown) = ask_on_chain(&mut client, call).await? else {
        return Err(CommandError::Unexpected);
    };
    if is_json {
        return print_json(&shown);
    }
    print(&said(&shown))
}

/// Asks what has to be paid, and prints it.
pub(super) async fn say_to_pay(
    client: &mut Client,
    call: OnChainCall,
    is_json: bool,
) -> Result<(), CommandError> {
    let OnChainReport::ToPay(to_pay) = ask_on_chain(client, call).await? else {
        return Err(CommandError::Unexpected);
    };
    if is_json {
        return print_json(&to_pay);
    }
    print(&to_pay_text(&to_pay))
}

async fn ask_on_chain(
    client: &mut Client,
    call: OnChainCall,
) -> Result<OnChainReport, CommandError> {
    match ask(client, Request::OnChain(call)).await? {
        Answer::OnChain(report) => Ok(*report),
        _ => Err(CommandError::Unexpected),
    }
}

fn to_pay_text(to_pay: &ToPayReport) -> String {
    let ToPayReport {
        payer,
        payee,
        network,
        address,
        amount_sats,
        op_return,
        least_depth,
        expires_at,
        quote,
        bitcoin_cli,
    } = to_pay;
    let depth = counted((*least_depth).into(), "block");
    let mut text = format!("credit      {} sat\n", thousands(*amount_sats));
    text += &format!("at          {payee}\n");
    text += &format!("for         {payer}\n");
    text += &format!(
        "to be paid  on {network}, by one transaction with these two outputs, and change, and no other OP_RETURN:\n"
    );
    text += &format!("address     {address}\n");
    text += &format!("amount      {} BTC\n", bitcoins(*amount_sats));
    text += &format!("OP_RETURN   {op_return}\n");
    text += &format!(
        "until       {}: {depth} deep, and shown, by then\n",
        utc(*expires_at)
    );
    text += &format!("\nBitcoin Core pays it with:\n{bitcoin_cli}\n");
    text += &format!(
        "\nThen, at the node {payer}, with the id of the transaction:\n\
         blvm-mesh deposit {payee} --quote {quote} --txid TXID\n"
    );
    text
}

fn said(shown: &ShownReport) -> String {
    match shown {
        ShownReport::Credited { payee, credit_msat } => format!(
            "credited    {} of credit are there now\nat          {payee}\n",
            amount(*credit_msat)
        ),
        ShownReport::Waits {
            payee,
            reason,
            expires_at,
        } => format!(
            "waits       {reason}\nat          {payee}\n\
             kept        and shown again by itself until it is credited, or {}\n",
            utc(*expires_at)
        ),
    }
}

fn utc(unix_secs: u64) -> String {
    format!("{} UTC", Utc::from(UnixTime::from_secs(unix_secs)))
}
