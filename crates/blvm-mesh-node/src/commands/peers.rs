use super::ask::{ask, connect, print, print_json};
use crate::{
    cli::PeersArgs,
    command_error::CommandError,
    control::{Answer, FaultWord, NeighbourReport, Request, StandingReport},
    text::{amount, counted},
    utc::Utc,
};
use blvm_mesh::UnixTime;

/// Shows the nodes that links are up with.
pub(crate) async fn peers(args: &PeersArgs) -> Result<(), CommandError> {
    let mut client = connect(&args.control).await?;
    let Answer::Peers(peers) = ask(&mut client, Request::Peers {}).await? else {
        return Err(CommandError::Unexpected);
    };
    if args.control.json {
        return print_json(&peers);
    }
    let count = u64::try_from(peers.len()).unwrap_or(u64::MAX);
    let lines = peers.iter().map(said);
    print(&format!(
        "{}\n{}",
        counted(count, "peer"),
        lines.collect::<String>()
    ))
}

fn said(peer: &NeighbourReport) -> String {
    let mut text = format!("\n{}\n", peer.node_id);
    let mut line = |label: &str, value: String| text += &format!("  {label:<10}{value}\n");
    line("address", peer.address.clone());
    if !peer.announced.is_empty() {
        line("announces", peer.announced.join(", "));
    }
    let latency = peer.latency_ms;
    let latency = latency.map_or("not measured yet".to_owned(), |ms| {
        format!("{ms} ms there and back")
    });
    line("latency", latency);
    let (packet, kib) = (peer.price.per_packet_msat, peer.price.per_kib_msat);
    line(
        "price",
        format!("{} a packet, {} a KiB on top", amount(packet), amount(kib)),
    );
    let credit = peer.credit_msat;
    let credit = credit.map_or("the store does not answer".to_owned(), |credit| {
        format!("{} that it has not spent here", amount(credit))
    });
    line("credit", credit);
    line("score", standing(&peer.standing));
    if peer.withheld {
        line(
            "withheld",
            "it owes or does not pay: its link is not announced".to_owned(),
        );
    }
    if peer.muted {
        line("muted", "it handed on forged announcements".to_owned());
    }
    text
}

/// A score with its reasons: `0.57, left out of routes: no answer 15:58:15`.
pub(super) fn standing(standing: &StandingReport) -> String {
    let score = standing.score_permille;
    let mut text = format!("{}.{:02}", score / 1_000, score % 1_000 / 10);
    if standing.left_out {
        text += ", left out of routes";
    }
    let reasons = standing.reasons.iter().map(|reason| {
        let at = Utc::from(UnixTime::from_secs(reason.at));
        format!("{} {}", fault(reason.fault), at.iso())
    });
    let reasons: Vec<_> = reasons.collect();
    if !reasons.is_empty() {
        text += &format!(": {}", reasons.join(", "));
    }
    text
}

const fn fault(fault: FaultWord) -> &'static str {
    match fault {
        FaultWord::Silence => "no answer",
        FaultWord::Late => "a late answer",
        FaultWord::NoLink => "no link, though announced",
        FaultWord::Busy => "busy",
        FaultWord::Dearer => "dearer than announced",
        FaultWord::Other => "refused",
    }
}
