use super::{
    ask::{ask, connect, print, print_json},
    peers::standing,
};
use crate::{
    cli::RoutesArgs,
    command_error::CommandError,
    control::{Answer, Request, RouteReport, RoutesCall, RoutesReport},
    text::{amount, counted, short, thousands},
};
use blvm_mesh::NodeId;

/// Shows the routes that packets would take.
pub(crate) async fn routes(args: &RoutesArgs) -> Result<(), CommandError> {
    let call = RoutesCall {
        destination: args.destination,
        payload_bytes: args.bytes,
    };
    let mut client = connect(&args.control).await?;
    let Answer::Routes(routes) = ask(&mut client, Request::Routes(call)).await? else {
        return Err(CommandError::Unexpected);
    };
    if args.control.json {
        return print_json(&routes);
    }
    let text = match args.destination {
        Some(destination) => alternatives(&destination, &routes),
        None => all(&routes),
    };
    print(&text)
}

/// Each way to one destination, hop by hop.
fn alternatives(destination: &NodeId, report: &RoutesReport) -> String {
    if report.routes.is_empty() {
        return format!("no route to {destination} is known\n");
    }
    let mut text = format!("to {destination}, {}\n", with(report));
    for (number, route) in (1..).zip(&report.routes) {
        text += &format!("\n{number:>2}  {}\n", costs(route));
        for hop in &route.hops {
            let price = &hop.price;
            let (packet, kib) = (price.per_packet_msat, price.per_kib_msat);
            text += &format!(
                "    {}  {} a packet, {} a KiB; score {}\n",
                short(&hop.node_id),
                amount(packet),
                amount(kib),
                standing(&hop.standing)
            );
        }
    }
    text
}

/// The best way to each destination, in a line.
fn all(report: &RoutesReport) -> String {
    let count = u64::try_from(report.routes.len()).unwrap_or(u64::MAX);
    let mut text = format!("{}, {}\n", counted(count, "route"), with(report));
    for route in &report.routes {
        let Some((destination, relays)) = route.hops.split_last() else {
            continue;
        };
        text += &format!("{}  {}", destination.node_id, costs(route));
        if !relays.is_empty() {
            let relays: Vec<_> = relays.iter().map(|hop| short(&hop.node_id)).collect();
            text += &format!(" over {}", relays.join(", "));
        }
        text += "\n";
    }
    if report.unlisted > 0 {
        let unlisted = u64::try_from(report.unlisted).unwrap_or(u64::MAX);
        text += &format!("and {} further away: name one\n", counted(unlisted, "node"));
    }
    text
}

fn with(report: &RoutesReport) -> String {
    let bytes = u64::from(report.payload_bytes);
    format!("for a payload of {}", counted(bytes, "byte"))
}

fn costs(route: &RouteReport) -> String {
    let hops = u64::try_from(route.hops.len()).unwrap_or(u64::MAX);
    format!(
        "{}, {} ms, {}",
        amount(route.price_msat),
        thousands(route.latency_ms.into()),
        counted(hops, "hop")
    )
}
