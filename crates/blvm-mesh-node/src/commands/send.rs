use super::ask::{ask, connect, print, print_json};
use crate::{
    cli::{PayloadArgs, SendArgs},
    command_error::CommandError,
    control::{Answer, Request, SendCall, SentReport},
    hex::parse_hex,
    text::{msat, short},
};
use blvm_mesh::{MAX_PAYLOAD_LEN, Msat, to_hex};
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
        in_clear: args.in_clear,
    };
    let mut client = connect(&args.control).await?;
    let Answer::Sent(sent) = ask(&mut client, Request::Send(call)).await? else {
        return Err(CommandError::Unexpected);
    };
    if args.control.json {
        return print_json(&sent);
    }
    print(&said(&sent, payload.len()))
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
    let route: Vec<_> = sent.route.iter().map(short).collect();
    let fee = match sent.fee_msat {
        0 => "free".to_owned(),
        fee => msat(Msat::from_msat(fee)),
    };
    let mut text = format!("delivered   {bytes} bytes, packet {}\n", sent.sequence);
    text += &format!("route       {}\n", route.join(" -> "));
    text += &format!("fee         {fee}\n");
    if sent.deposited_msat > 0 {
        let deposited = msat(Msat::from_msat(sent.deposited_msat));
        text +=
            &format!("deposited   {deposited}, of which the rest is credit for the next packets\n");
    }
    text
}
