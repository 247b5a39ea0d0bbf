use super::ask::{ask, connect, print, print_json};
use crate::{
    cli::StatusArgs,
    command_error::CommandError,
    config::Backend,
    control::{Answer, LearningReport, MoneyReport, Request, StatusReport, TrafficReport},
    text::{amount, counted, thousands},
};
use blvm_mesh::MeshMode;

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
    line("store", store(status));
    line("earned", amount(status.money.earned_msat));
    line("spent", spent(&status.money));
    if status.money.uncredited > 0 {
        let payments = counted(status.money.uncredited, "payment");
        line(
            "waiting",
            format!("{payments} of this node on the chain, shown until credited"),
        );
    }
    line("deposits", deposits(&status.money));
    if status.money.watched > 0 {
        line("on chain", on_chain(&status.money));
    }
    line("packets", packets(&status.traffic));
    line("mesh", mesh(status.learning));
    text + &lists(status)
}

fn spent(money: &MoneyReport) -> String {
    let since_start = amount(money.spent_msat);
    match money.spent_today_msat {
        Some(today) => format!(
            "{since_start} since it started; today {} of {} that may be, fees included",
            amount(today),
            amount(money.day_limit_msat)
        ),
        None => format!("{since_start} since it started"),
    }
}

fn store(status: &StatusReport) -> String {
    let Some(store) = &status.store else {
        return "none: money is forgotten when the node stops".to_owned();
    };
    if let Some(error) = &status.store_error {
        return format!("{}, {error}; paid packets are refused", store.place);
    }
    if !store.reachable {
        return format!("{}, DOES NOT ANSWER; paid packets are refused", store.place);
    }
    match status.money.unbooked_msat {
        0 => format!("{}, everything is booked", store.place),
        unbooked => format!("{}, {} not booked yet", store.place, amount(unbooked)),
    }
}

fn deposits(money: &MoneyReport) -> String {
    let mut text = format!(
        "{} = credit {} + reserved {} + earned {}",
        amount(money.deposited_msat),
        amount(money.credit_msat),
        amount(money.reserved_msat),
        amount(money.earned_msat)
    );
    if money.refunded_msat > 0 {
        text += &format!(" + refunded {}", amount(money.refunded_msat));
    }
    text
}

fn on_chain(money: &MoneyReport) -> String {
    let watched = counted(money.watched, "payment");
    match money.frozen_msat {
        0 => format!("{watched} watched, nothing frozen"),
        frozen => format!(
            "{watched} watched, {} frozen: not in the chain",
            amount(frozen)
        ),
    }
}

fn packets(traffic: &TrafficReport) -> String {
    format!(
        "{} carried, {} of them delivered here, {} lost with a link; payments claimed: {}",
        thousands(traffic.carried),
        thousands(traffic.delivered),
        thousands(traffic.lost),
        thousands(traffic.claimed)
    )
}

fn mesh(learning: Option<LearningReport>) -> String {
    let Some(learning) = learning else {
        return "nothing is learned or told in this mode".to_owned();
    };
    let others = u64::try_from(learning.known_nodes.saturating_sub(1)).unwrap_or(u64::MAX);
    format!(
        "{} known by announcements; {} taken, {} forged, {} dropped",
        counted(others, "other node"),
        thousands(learning.taken),
        thousands(learning.forged),
        thousands(learning.dropped)
    )
}

fn lists(status: &StatusReport) -> String {
    let peers = status.peers.iter().map(|peer| {
        let direction = if peer.outbound {
            "we dialled"
        } else {
            "it dialled"
        };
        let (received, sent) = (thousands(peer.packets_in), thousands(peer.packets_out));
        let (node_id, address) = (peer.node_id, peer.address);
        format!("{node_id}  {address}  {direction}, {received} packets in, {sent} out")
    });
    let dialling = status.dialling.iter().map(|dial| {
        let why = dial.last_error.as_deref().unwrap_or("not tried yet");
        let (node_id, address) = (dial.node_id, &dial.address);
        format!("{node_id}  {address}  {} failures: {why}", dial.failures)
    });
    let credits = status
        .credits
        .iter()
        .map(|credit| format!("{}  {}", credit.payer, amount(credit.credit_msat)));
    let refusals = status
        .refusals
        .iter()
        .map(|(reason, count)| format!("{reason:<20}{}", thousands(*count)));
    [
        list("peers", peers),
        list("dialling", dialling),
        list("credits", credits),
        list("refusals", refusals),
    ]
    .concat()
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
    match status.mode {
        MeshMode::PaymentGated => format!(
            "{} a packet, {} a KiB on top",
            amount(status.price.per_packet_msat),
            amount(status.price.per_kib_msat)
        ),
        MeshMode::BitcoinOnly | MeshMode::Open => "nothing in this mode".to_owned(),
    }
}

/// The wallet in words; the sandbox is called what it is wherever it shows.
pub(super) fn lightning(backend: Backend) -> String {
    match backend {
        Backend::None => "none: neither quotes nor pays",
        Backend::Sandbox => "sandbox: NO REAL MONEY, its payments prove nothing",
        Backend::Cln => "Core Lightning",
        Backend::Lnd => "LND",
        Backend::Lnbits => "LNbits, whose operator holds the money",
        Backend::Ldk => "LDK, inside this program: blvm-mesh lightning status",
        Backend::Module => "the node's module blvm-lightning, which pays nobody",
    }
    .to_owned()
}
