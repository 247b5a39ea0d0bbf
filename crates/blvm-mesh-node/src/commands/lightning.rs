use super::ask::{ask, connect, print, print_json};
use crate::{
    cli::{LightningArgs, LightningCommand},
    command_error::CommandError,
    control::{
        Answer, ChannelReport, LightningCall, LightningReport, OpenCall, Request, WalletReport,
    },
    text::{ends, sats, thousands},
};

/// How much of a channel's id is shown: enough to name it.
const SHOWN_ID: usize = 16;

/// Looks after the Lightning node inside a running node.
pub(crate) async fn lightning(args: &LightningArgs) -> Result<(), CommandError> {
    let (control, call) = match &args.command {
        LightningCommand::Status(args) => (&args.control, LightningCall::Status {}),
        LightningCommand::Address(args) => (&args.control, LightningCall::Address {}),
        LightningCommand::Open(args) => {
            let call = OpenCall {
                peer: args.peer.node_id.clone(),
                address: args.peer.address.clone(),
                amount_sats: args.amount,
                push_sats: args.push,
                private: args.private,
            };
            (&args.control, LightningCall::Open(call))
        }
        LightningCommand::Close(args) => {
            let call = LightningCall::Close {
                channel: args.channel.clone(),
                force: args.force,
            };
            (&args.control, call)
        }
    };
    let mut client = connect(control).await?;
    let Answer::Lightning(report) = ask(&mut client, Request::Lightning(call)).await? else {
        return Err(CommandError::Unexpected);
    };
    if control.json {
        return print_json(&report);
    }
    print(&match report {
        LightningReport::Status(wallet) => said(&wallet),
        LightningReport::Address { address } => address + "\n",
        LightningReport::Opened { channel } => format!(
            "channel     {channel}\nits transaction is sent; it can be used some blocks from now: blvm-mesh lightning status\n"
        ),
        LightningReport::Closing {} => {
            "it is being closed; its money comes to the chain: blvm-mesh lightning status\n"
                .to_owned()
        }
    })
}

fn said(wallet: &WalletReport) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: String| text += &format!("{label:<13}{value}\n");
    line("node", wallet.node_id.clone());
    if let Some(alias) = &wallet.alias {
        line("name", alias.clone());
    }
    line(
        "listening",
        match wallet.listening.as_slice() {
            [] => "nowhere: it has to open its channels itself".to_owned(),
            listening => listening.join(", "),
        },
    );
    line(
        "chain",
        format!("known up to block {}", thousands(wallet.height.into())),
    );
    line("on chain", on_chain(wallet));
    line(
        "in channels",
        format!("{} sats", thousands(wallet.in_channels_sats)),
    );
    let usable = || wallet.channels.iter().filter(|channel| channel.usable);
    let sum = |amounts: &mut dyn Iterator<Item = u64>| amounts.fold(0, u64::saturating_add);
    let can_send = sum(&mut usable().map(|channel| channel.can_send_msat));
    let can_receive = sum(&mut usable().map(|channel| channel.can_receive_msat));
    line("can pay", format!("{} sats", sats(can_send)));
    line(
        "can be paid",
        match can_receive {
            0 => "nothing: it takes a channel that somebody else has put money into".to_owned(),
            amount => format!("{} sats", sats(amount)),
        },
    );
    line("channels", thousands(count(&wallet.channels)));
    for channel in &wallet.channels {
        text += &format!("  {}\n", of_channel(channel));
    }
    text
}

fn on_chain(wallet: &WalletReport) -> String {
    let mut text = format!(
        "{} sats, {} of them can be spent",
        thousands(wallet.on_chain_sats),
        thousands(wallet.spendable_sats)
    );
    if wallet.reserved_sats > 0 {
        let reserved = thousands(wallet.reserved_sats);
        text += &format!(", {reserved} are kept for the closing of channels");
    }
    if wallet.closing_sats > 0 {
        let closing = thousands(wallet.closing_sats);
        text += &format!("; {closing} are on their way from closed channels");
    }
    text
}

fn of_channel(channel: &ChannelReport) -> String {
    let state = match (channel.usable, channel.ready, channel.confirmations_needed) {
        (true, _, _) => "usable".to_owned(),
        (false, true, _) => "its peer is away".to_owned(),
        (false, false, Some(needed)) => {
            format!("{} of {needed} confirmations", channel.confirmations)
        }
        (false, false, None) => "not agreed on yet".to_owned(),
    };
    let known = if channel.announced {
        "announced"
    } else {
        "private"
    };
    let id: String = channel.id.chars().take(SHOWN_ID).collect();
    format!(
        "{id}  {} sats with {}  pays {}, is paid {}; {state}, {known}",
        thousands(channel.capacity_sats),
        ends(&channel.peer),
        sats(channel.can_send_msat),
        sats(channel.can_receive_msat)
    )
}

fn count<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> ChannelReport {
        ChannelReport {
            id: "5d38409a078386a8c0a1".to_owned(),
            peer: "02bcb173836489e7d5c9".to_owned(),
            capacity_sats: 500_000,
            can_send_msat: 1_500,
            can_receive_msat: 490_000_000,
            ready: false,
            usable: false,
            announced: true,
            confirmations: 1,
            confirmations_needed: Some(6),
        }
    }

    #[test]
    fn a_wallet_is_told_in_plain_words() {
        let mut wallet = WalletReport {
            node_id: "02ab".to_owned(),
            alias: None,
            listening: Vec::new(),
            height: 812_345,
            on_chain_sats: 1_000_000,
            spendable_sats: 975_000,
            reserved_sats: 25_000,
            in_channels_sats: 0,
            closing_sats: 7,
            channels: vec![channel()],
        };
        let text = said(&wallet);
        for part in [
            "known up to block 812,345",
            "1,000,000 sats, 975,000 of them can be spent, 25,000 are kept for the closing of channels; 7 are on",
            "can be paid  nothing",
            "5d38409a078386a8  500,000 sats with 02bcb173..d5c9",
            "1 of 6 confirmations, announced",
        ] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        wallet.channels[0].usable = true;
        let text = said(&wallet);
        assert!(text.contains("can be paid  490,000.000 sats"), "{text}");
        assert!(
            text.contains("pays 1.500, is paid 490,000.000; usable"),
            "{text}"
        );
    }
}
