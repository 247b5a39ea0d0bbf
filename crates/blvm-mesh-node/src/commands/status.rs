use super::ask::{ask, connect, print, print_json};
use crate::{
    cli::StatusArgs,
    command_error::CommandError,
    config::Backend,
    control::{Answer, MoneyReport, Request, StatusReport},
    text::{msat, thousands},
};
use blvm_mesh::{MeshMode, Msat};

/// The most lines of each list that are shown to a person; `--json` has all of them.
const SHOWN: usize = 20;

/// Looks at a running node.
pub(crate) async fn status(args: &StatusArgs) -> Result<(), CommandError> {
    let mut client = connect(&args.control).await?;
    let Answer::Status(status) = ask(&mut client, Request::Status {}).await? else {
        return Err(CommandError::Unexpected);
    };
    if args.control.json {
        return print_json(&status);
    }
    print(&said(&status))
}

fn said(status: &StatusReport) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: String| text += &format!("{label:<12}{value}\n");
    line("node", status.node_id.to_string());
    line("mode", format!("{}, on {}", status.mode, status.network));
    line("price", price(status));
    if let Some(address) = status.listen_addr {
        line("listening", address.to_string());
    }
    line("lightning", lightning(status.lightning));
    let MoneyReport {
        deposited_msat,
        credit_msat,
        reserved_msat,
        earned_msat,
        spent_msat,
        ..
    } = status.money;
    let amount = |sum| msat(Msat::from_msat(sum));
    line("earned", amount(earned_msat));
    line("spent", amount(spent_msat));
    line(
        "deposits",
        format!(
            "{} = credit {} + reserved {} + earned {}",
            amount(deposited_msat),
            amount(credit_msat),
            amount(reserved_msat),
            amount(earned_msat)
        ),
    );
    let traffic = status.traffic;
    line(
        "packets",
        format!(
            "{} carried, {} of them delivered here, {} lost with a link; {} payments claimed",
            thousands(traffic.carried),
            thousands(traffic.delivered),
            thousands(traffic.lost),
            thousands(traffic.claimed)
        ),
    );
    text += &list(
        "peers",
        status.peers.iter().map(|peer| {
            let direction = if peer.outbound {
                "we dialled"
            } else {
                "it dialled"
            };
            let (received, sent) = (thousands(peer.packets_in), thousands(peer.packets_out));
            format!(
                "{}  {}  {direction}, {received} packets in, {sent} out",
                peer.node_id, peer.address
            )
        }),
    );
    text += &list(
        "dialling",
        status.dialling.iter().map(|dial| {
            let why = dial.last_error.as_deref().unwrap_or("not tried yet");
            format!(
                "{}  {}  {} failures: {why}",
                dial.node_id, dial.address, dial.failures
            )
        }),
    );
    text += &list(
        "credits",
        status
            .credits
            .iter()
            .map(|credit| format!("{}  {}", credit.payer, amount(credit.credit_msat))),
    );
    text += &list(
        "refusals",
        status
            .refusals
            .iter()
            .map(|(reason, count)| format!("{reason:<20}{}", thousands(*count))),
    );
    text
}

/// A label, how many there are, and a line for each.
fn list(label: &str, lines: impl ExactSizeIterator<Item = String>) -> String {
    let count = lines.len();
    if count == 0 {
        return format!("{label:<12}none\n");
    }
    let mut text = format!("{label:<12}{count}\n");
    for line in lines.take(SHOWN) {
        text += &format!("  {line}\n");
    }
    if count > SHOWN {
        text += &format!("  and {} more: see --json\n", count - SHOWN);
    }
    text
}

fn price(status: &StatusReport) -> String {
    let of = |sum| msat(Msat::from_msat(sum));
    match status.mode {
        MeshMode::PaymentGated => format!(
            "{} a packet, {} a KiB on top",
            of(status.price.per_packet_msat),
            of(status.price.per_kib_msat)
        ),
        MeshMode::BitcoinOnly | MeshMode::Open => "nothing in this mode".to_owned(),
    }
}

/// The wallet in words; the sandbox is called what it is wherever it shows.
pub(super) fn lightning(backend: Backend) -> String {
    match backend {
        Backend::None => "none: neither quotes nor pays",
        Backend::Sandbox => "sandbox: NO REAL MONEY, its payments prove nothing",
    }
    .to_owned()
}
