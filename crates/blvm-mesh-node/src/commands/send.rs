use super::ask::{ask, connect, print, print_json};
use crate::{
    cli::{PayloadArgs, SendArgs},
    command_error::CommandError,
    control::{Answer, NotSentReport, Request, SendCall, SentReport, TriedReport, TriedWord},
    hex::parse_hex,
    text::{amount, way},
};
use blvm_mesh::{MAX_PAYLOAD_LEN, to_hex};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Sends one packet through a running node.
pub(crate) async fn send(args: &SendArgs) -> Result<(), CommandError> {
    let payload = payload(&args.payload)?;
    let call = SendCall {
        destination: args.destination,
        payload_hex: to_hex(&payload),
        limit_sats: args.limit_sats,
        packets_ahead: args.packets_ahead,
        timeout_secs: args.timeout,
        deadline_secs: args.deadline,
        in_clear: args.in_clear,
    };
    let mut client = connect(&args.control).await?;
    let sent = match ask(&mut client, Request::Send(call)).await? {
        Answer::Sent(sent) => sent,
        Answer::NotSent(report) => return not_sent(*report, args.control.json),
        _ => return Err(CommandError::Unexpected),
    };
    if args.control.json {
        return print_json(&sent);
    }
    print(&said(&sent, payload.len()))
}

/// Says what was tried, and fails.
fn not_sent(report: NotSentReport, is_json: bool) -> Result<(), CommandError> {
    if is_json {
        print_json(&report)?;
    } else {
        let mut text = tried(&report.tries);
        if report.may_have_arrived {
            text += "arrived     NOT KNOWN: what its destination has said nothing of may be delivered, or still be, once\n";
        }
        print(&text)?;
    }
    Err(CommandError::Answered(report.failure))
}

fn payload(args: &PayloadArgs) -> Result<Vec<u8>, CommandError> {
    let bytes = match args {
        PayloadArgs {
            data: Some(text), ..
        } => text.as_bytes().to_vec(),
        PayloadArgs { hex: Some(hex), .. } => parse_hex(hex, MAX_PAYLOAD_LEN)
            .map_err(|error| CommandError::Usage(format!("--hex: {error}")))?,
        PayloadArgs {
            file: Some(path), ..
        } => read(path)?,
        PayloadArgs { .. } => Vec::new(),
    };
    if bytes.len() > MAX_PAYLOAD_LEN {
        return Err(CommandError::Usage(format!(
            "a packet carries at most {MAX_PAYLOAD_LEN} bytes; send it in parts"
        )));
    }
    Ok(bytes)
}

/// Reads a file up to one byte more than a packet carries, which is then told.
fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let limit = u64::try_from(MAX_PAYLOAD_LEN).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let read: io::Result<_> = File::open(path)
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes));
    read.map_err(|source| CommandError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(bytes)
}

fn said(sent: &SentReport, bytes: usize) -> String {
    let fee = match sent.fee_msat {
        0 => "free".to_owned(),
        fee => amount(fee),
    };
    let mut text = String::new();
    if sent.tries.len() > 1 {
        text += &tried(&sent.tries);
    }
    text += &format!("delivered   {bytes} bytes, packet {}\n", sent.sequence);
    text += &format!("route       {}\n", way(&sent.route));
    text += &format!("fee         {fee}\n");
    if sent.deposited_msat > 0 {
        let deposited = amount(sent.deposited_msat);
        text +=
            &format!("deposited   {deposited}, of which the rest is credit for the next packets\n");
    }
    text
}

/// The ways that were tried, one a line, and below each how it ended.
fn tried(tries: &[TriedReport]) -> String {
    let mut text = String::new();
    for (number, one) in (1..).zip(tries) {
        text += &format!("try {number:<7} {}\n", way(&one.route));
        let end = match (one.end, &one.by) {
            // Where in the route the node stands says how far the packet came.
            (_, Some(by)) => {
                let position = one.route.iter().position(|node| node == by);
                let hops = one.route.len().saturating_sub(1);
                format!("{} (hop {} of {hops})", one.said, position.unwrap_or(hops))
            }
            (TriedWord::Silence, None) => format!("{} in time", one.said),
            (_, None) => one.said.clone(),
        };
        text += &format!(
            "            {end}; it cost {}, {} ms\n",
            amount(one.cost_msat),
            one.took_ms
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use blvm_mesh::NodeId;

    fn report(relay: u8, end: TriedWord, by: Option<u8>, said: &str) -> TriedReport {
        let node = |seed| NodeId::from_bytes([seed; 32]);
        TriedReport {
            route: vec![node(1), node(relay), node(3)],
            fee_msat: 10_000,
            cost_msat: 9_000,
            deposited_msat: 0,
            took_ms: 12,
            end,
            by: by.map(node),
            said: said.to_owned(),
        }
    }

    #[test]
    fn tries_are_told_where_one_was_not_enough() {
        let refused = report(2, TriedWord::Refused, Some(2), "it refuses");
        let delivered = report(4, TriedWord::Delivered, None, "delivered");
        let sent = |tries| SentReport {
            sequence: 7,
            route: vec![NodeId::from_bytes([1; 32]), NodeId::from_bytes([3; 32])],
            fee_msat: 10_000,
            deposited_msat: 0,
            tries,
        };
        let text = said(&sent(vec![refused, delivered.clone()]), 5);
        assert!(text.starts_with(
            "try 1       01010101..0101 -> 02020202..0202 -> 03030303..0303\n            \
             it refuses (hop 1 of 2); it cost 9,000 msat, 12 ms\ntry 2 "
        ));
        assert!(!said(&sent(vec![delivered]), 5).contains("try"));
    }
}
