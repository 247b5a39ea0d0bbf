use super::ask::{ask, connect, print, print_json};
use crate::{
    cli::ReceiveArgs,
    command_error::CommandError,
    control::{Answer, DeliveryReport, Request},
    hex::parse_hex,
    text::payload,
};
use blvm_mesh::MAX_PAYLOAD_LEN;

/// The most characters of a payload that are shown to a person; `--json` has all of it.
const SHOWN: usize = 2_000;

/// Takes packets that have arrived.
pub(crate) async fn receive(args: &ReceiveArgs) -> Result<(), CommandError> {
    let mut client = connect(&args.control).await?;
    let request = Request::Receive {
        max: args.max,
        wait_secs: args.wait,
    };
    let Answer::Deliveries(deliveries) = ask(&mut client, request).await? else {
        return Err(CommandError::Unexpected);
    };
    if args.control.json {
        print_json(&deliveries)?;
    } else {
        print(&listed(&deliveries))?;
    }
    // Only what was printed is taken: a reader that has gone away loses nothing.
    if !deliveries.is_empty() {
        ask(&mut client, Request::Taken {}).await?;
    }
    Ok(())
}

fn listed(deliveries: &[DeliveryReport]) -> String {
    if deliveries.is_empty() {
        return "nothing has arrived\n".to_owned();
    }
    let mut text = String::new();
    for delivery in deliveries {
        let bytes = parse_hex(&delivery.payload_hex, MAX_PAYLOAD_LEN).unwrap_or_default();
        let sealed = if delivery.sealed {
            "sealed"
        } else {
            "in clear"
        };
        text += &format!(
            "from {}  {} bytes  {sealed}\n  {}\n",
            delivery.source,
            bytes.len(),
            payload(&bytes, SHOWN)
        );
    }
    text
}
