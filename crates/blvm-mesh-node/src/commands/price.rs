use super::ask::{ask, connect, print, print_json};
use crate::{
    cli::PriceArgs,
    command_error::CommandError,
    control::{Answer, PriceCall, Request, RoutePriceReport},
    text::{amount, short, way},
};

/// Asks what sending a packet costs, and pays nothing.
pub(crate) async fn price(args: &PriceArgs) -> Result<(), CommandError> {
    let call = PriceCall {
        destination: args.destination,
        bytes: args.bytes,
        timeout_secs: args.timeout,
        in_clear: args.in_clear,
    };
    let mut client = connect(&args.control).await?;
    let Answer::Priced(price) = ask(&mut client, Request::Price(call)).await? else {
        return Err(CommandError::Unexpected);
    };
    if args.control.json {
        return print_json(&price);
    }
    print(&said(&price))
}

fn said(price: &RoutePriceReport) -> String {
    let mut text = format!("route       {}\n", way(&price.route));
    text += &format!(
        "price       {} for a packet with {} bytes\n",
        amount(price.total_msat),
        price.packet_bytes
    );
    let kept = amount(price.source_msat);
    text += &format!("source      {kept} of it, kept\n");
    let last = price.nodes.len().saturating_sub(1);
    for (at, node) in price.nodes.iter().enumerate() {
        let role = if at == last { "destination" } else { "relay" };
        text += &format!(
            "{role:<11} {} for {}, which asks {} and has {} of credit\n",
            amount(node.share_msat),
            short(&node.node),
            amount(node.asks_msat),
            amount(node.credit_msat)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::NodePriceReport;
    use blvm_mesh::NodeId;

    #[test]
    fn each_party_and_its_share_is_told() {
        let node = |seed, asks_msat, share_msat| NodePriceReport {
            node: NodeId::from_bytes([seed; 32]),
            asks_msat,
            share_msat,
            credit_msat: 500,
        };
        let price = RoutePriceReport {
            route: [1, 2, 3]
                .map(|seed| NodeId::from_bytes([seed; 32]))
                .to_vec(),
            packet_bytes: 1_240,
            total_msat: 10_000,
            source_msat: 1_000,
            nodes: vec![node(2, 3_000, 3_000), node(3, 6_000, 6_000)],
        };
        assert_eq!(
            said(&price),
            "route       01010101..0101 -> 02020202..0202 -> 03030303..0303\n\
             price       10,000 msat for a packet with 1240 bytes\n\
             source      1,000 msat of it, kept\n\
             relay       3,000 msat for 02020202..0202, which asks 3,000 msat and has 500 msat of credit\n\
             destination 6,000 msat for 03030303..0303, which asks 6,000 msat and has 500 msat of credit\n"
        );
    }
}
