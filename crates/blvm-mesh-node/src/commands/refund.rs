use super::ask::{ask, connect, print, print_json};
use crate::{
    cli::RefundArgs,
    command_error::CommandError,
    control::{Answer, RefundCall, RefundReport, Request},
    text::amount,
};

/// Asks another node for credit back.
pub(crate) async fn refund(args: &RefundArgs) -> Result<(), CommandError> {
    let call = RefundCall {
        node: args.node,
        amount_sats: args.amount,
        timeout_secs: args.timeout,
    };
    let mut client = connect(&args.control).await?;
    let Answer::Refunded(refunded) = ask(&mut client, Request::Refund(call)).await? else {
        return Err(CommandError::Unexpected);
    };
    if args.control.json {
        return print_json(&refunded);
    }
    print(&said(&refunded))
}

fn said(refunded: &RefundReport) -> String {
    let mut text = format!("refunded    {}\n", amount(refunded.amount_msat));
    text += &format!("fee         {}\n", amount(refunded.fee_msat));
    text += &format!("left there  {}\n", amount(refunded.credit_msat));
    if !refunded.arrived {
        text += "arrived     NOT YET: this node's wallet does not say that it has it\n";
    }
    text
}
