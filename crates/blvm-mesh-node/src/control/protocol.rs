use super::{
    LedgerCall, LedgerReport, LightningCall, LightningReport, MAX_LEDGER_LINES, NeighbourReport,
    NotSentReport, OnChainCall, OnChainReport, PriceCall, RoutePriceReport, RoutesCall,
    RoutesReport, StatusReport, TopologyReport, TriedReport,
};
use blvm_mesh::{MAX_PACKET_AGE, MAX_PAYLOAD_LEN, MeshError, NodeId};
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// The one version of the protocol that this program speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// The most bytes of a line with a call: the longest payload in hex, and 4 KiB for all the rest.
pub const MAX_CALL_BYTES: usize = 2 * MAX_PAYLOAD_LEN + 4_096;

/// The most deliveries that one call takes.
pub const MAX_TAKEN: u16 = 64;

/// The most bytes of a line with a reply: [`MAX_TAKEN`] of the longest payloads in hex, and 512 bytes beside each.
pub const MAX_REPLY_BYTES: usize = MAX_TAKEN as usize * (2 * MAX_PAYLOAD_LEN + 512);

/// What is asked of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Has to be [`PROTOCOL_VERSION`].
    pub version: u32,
    /// What is asked.
    pub request: Request,
}

/// What can be asked of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How the node is.
    Status {},
    /// The nodes that links are up with.
    Peers {},
    /// The routes that packets would take.
    Routes(RoutesCall),
    /// The graph that routes are searched in.
    Topology {},
    /// To send a packet and wait until its destination has confirmed it.
    Send(SendCall),
    /// To ask what sending costs.
    Price(PriceCall),
    /// To offer credit at this node, to be paid by whomever.
    Quote {
        /// Whose credit it becomes.
        payer: NodeId,
        /// How much, in satoshi.
        amount_sats: u64,
    },
    /// To pay, or be paid, on the chain.
    OnChain(OnChainCall),
    /// To hand over packets that have arrived. They stay the node's until [`Request::Taken`] is said on the same
    /// connection; when that ends before, they wait for the next who asks.
    Receive {
        /// At most so many, 1 to [`MAX_TAKEN`].
        max: u16,
        /// How long to wait for the first.
        wait_secs: u32,
    },
    /// What was handed over has been taken for good.
    Taken {},
    /// To ask another node for the credit there back, over Lightning.
    Refund(RefundCall),
    /// What the books say.
    Ledger(LedgerCall),
    /// To look after the Lightning node inside this one.
    Lightning(LightningCall),
}

/// A packet to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendCall {
    /// Where to.
    pub destination: NodeId,
    /// What to carry, lower-case hex.
    pub payload_hex: String,
    /// The most to pay for it, in satoshi.
    pub limit_sats: u64,
    /// How many packets of this size a payment shall cover.
    pub packets_ahead: u32,
    /// How long to wait for each answer.
    pub timeout_secs: u32,
    /// How long all of it may take, 120 at most: no node takes an older packet.
    pub deadline_secs: u32,
    /// Not to seal the payload.
    pub in_clear: bool,
}

/// Credit to be asked back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundCall {
    /// The node that has it.
    pub node: NodeId,
    /// How much, in satoshi; all that there is less the most that routing may cost, where that is not said.
    pub amount_sats: Option<u64>,
    /// How long to wait until it is paid.
    pub timeout_secs: u32,
}

/// What a node answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The version that the node speaks.
    pub version: u32,
    /// The answer.
    pub answer: Answer,
}

/// The answers to a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// To [`Request::Status`].
    Status(Box<StatusReport>),
    /// To [`Request::Peers`].
    Peers(Vec<NeighbourReport>),
    /// To [`Request::Routes`].
    Routes(RoutesReport),
    /// To [`Request::Topology`].
    Topology(Box<TopologyReport>),
    /// To [`Request::Send`]: the destination has the packet.
    Sent(SentReport),
    /// To [`Request::Send`], where its destination has not confirmed it.
    NotSent(Box<NotSentReport>),
    /// To [`Request::Price`].
    Priced(RoutePriceReport),
    /// To [`Request::Quote`].
    Quoted(Box<QuoteReport>),
    /// To [`Request::OnChain`].
    OnChain(Box<OnChainReport>),
    /// To [`Request::Receive`].
    Deliveries(Vec<DeliveryReport>),
    /// To [`Request::Taken`].
    Done {},
    /// To [`Request::Refund`].
    Refunded(RefundReport),
    /// To [`Request::Ledger`].
    Ledger(Box<LedgerReport>),
    /// To [`Request::Lightning`].
    Lightning(LightningReport),
    /// What was asked did not happen.
    Failed(Failure),
}

/// A packet that its destination has confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentReport {
    /// The number of the packet.
    pub sequence: u64,
    /// The way it took, source first.
    pub route: Vec<NodeId>,
    /// The fee that was offered for it.
    pub fee_msat: u64,
    /// What was deposited with nodes meanwhile.
    pub deposited_msat: u64,
    /// The ways that were tried, the one that delivered last.
    pub tries: Vec<TriedReport>,
}

/// Credit that came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundReport {
    /// The node that had it.
    pub node: NodeId,
    /// What was paid, routing fees excepted.
    pub amount_msat: u64,
    /// What routing cost, which was taken from the credit, too.
    pub fee_msat: u64,
    /// What is left there.
    pub credit_msat: u64,
    /// Whether this node's wallet says, too, that it has arrived.
    pub arrived: bool,
}

/// An invoice that buys credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuoteReport {
    /// Whose credit it becomes, whoever pays.
    pub payer: NodeId,
    /// How much.
    pub amount_msat: u64,
    /// The BOLT11 invoice.
    pub invoice: String,
    /// Its payment hash, by which the ledger names the deposit.
    pub payment_hash: String,
    /// Until when it can be paid, Unix seconds.
    pub expires_at: u64,
    /// Whether it is of a sandbox wallet: then no real money pays it.
    pub sandbox: bool,
}

/// A packet that has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryReport {
    /// Who sent it, authenticated.
    pub source: NodeId,
    /// The source's number for it.
    pub sequence: u64,
    /// Whether it came sealed, so that nobody on the way has read it.
    pub sealed: bool,
    /// What it carried, lower-case hex.
    pub payload_hex: String,
}

/// Why something did not happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The kind, for programs.
    pub kind: FailureKind,
    /// The reason, for people.
    pub message: String,
}

/// The kinds of [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The call was not understood.
    Call,
    /// A peer is away, or an answer did not come.
    Network,
    /// A payment is missing, too dear, or not accepted.
    Payment,
    /// The proof or the packet was seen before.
    Replay,
    /// There is no way to the destination.
    Routing,
    /// The packet is not one that can be sent.
    Packet,
    /// A node on the way does not carry such traffic.
    Denied,
    /// Later may do.
    Busy,
    /// A setting is wrong.
    Config,
    /// The wallet refused or failed.
    Lightning,
    /// The store does not answer, or the books cannot be written where they shall.
    Store,
    /// None of the others.
    Other,
}

/// Why a line is not a [`Call`].
#[derive(Debug, Error)]
pub enum CallError {
    /// It is of another version.
    #[error(
        "protocol version {found}, and this node speaks {PROTOCOL_VERSION}; use the same blvm-mesh for both"
    )]
    Version {
        /// The version.
        found: u32,
    },
    /// It is not a call of this version.
    #[error("not a call: {0}")]
    Syntax(#[from] serde_json::Error),
    /// A number is out of range.
    #[error("{field} = {found}: expected {least} to {most}")]
    Range {
        /// The field.
        field: &'static str,
        /// Its value.
        found: u64,
        /// The least that it may be.
        least: u64,
        /// The most that it may be.
        most: u64,
    },
}

/// The longest that a call may have the node wait, in seconds: an hour, because a connection holds its place so long.
const MAX_WAIT_SECS: u32 = 3_600;

/// The longest that a packet may be tried to be sent, in seconds.
const MAX_DEADLINE_SECS: u32 = MAX_PACKET_AGE.as_secs() as u32;

/// The largest payload that a route is looked for.
const MAX_BYTES: u32 = MAX_PAYLOAD_LEN as u32;

/// The most packets that one payment may cover.
const MAX_PACKETS_AHEAD: u32 = 1_000_000;

impl Call {
    /// Reads a line.
    ///
    /// # Errors
    /// [`CallError`] says what is wrong with it.
    pub fn from_line(line: &[u8]) -> Result<Self, CallError> {
        let call: Self =
            serde_json::from_slice(line).map_err(|error| other_version(line, error))?;
        if call.version != PROTOCOL_VERSION {
            return Err(CallError::Version {
                found: call.version,
            });
        }
        call.request.check()?;
        Ok(call)
    }

    /// Writes the call as a line, its end included.
    ///
    /// # Errors
    /// Never for a call that was read; serialising is fallible by type.
    pub fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        to_line(self)
    }
}

impl Request {
    fn check(&self) -> Result<(), CallError> {
        match self {
            Self::Status {}
            | Self::Peers {}
            | Self::Topology {}
            | Self::Taken {}
            | Self::Quote { .. }
            | Self::Lightning(_) => Ok(()),
            Self::Routes(call) => check_range("payload_bytes", call.payload_bytes, 0, MAX_BYTES),
            Self::Receive { max, wait_secs } => {
                check_range("max", *max, 1, MAX_TAKEN)?;
                check_range("wait_secs", *wait_secs, 0, MAX_WAIT_SECS)
            }
            Self::OnChain(call) => match call.timeout_secs() {
                Some(secs) => check_range("timeout_secs", secs, 1, MAX_WAIT_SECS),
                None => Ok(()),
            },
            Self::Refund(call) => check_range("timeout_secs", call.timeout_secs, 1, MAX_WAIT_SECS),
            Self::Ledger(call) => match call.most() {
                Some(most) => check_range("most", most, 1, MAX_LEDGER_LINES),
                None => Ok(()),
            },
            Self::Price(call) => {
                check_range("bytes", call.bytes, 0, MAX_BYTES)?;
                check_range("timeout_secs", call.timeout_secs, 1, MAX_WAIT_SECS)
            }
            Self::Send(call) => {
                check_range("timeout_secs", call.timeout_secs, 1, MAX_WAIT_SECS)?;
                check_range("deadline_secs", call.deadline_secs, 1, MAX_DEADLINE_SECS)?;
                check_range("packets_ahead", call.packets_ahead, 1, MAX_PACKETS_AHEAD)
            }
        }
    }
}

impl Reply {
    /// An answer in this version.
    pub const fn new(answer: Answer) -> Self {
        Self {
            version: PROTOCOL_VERSION,
            answer,
        }
    }

    /// Writes the reply as a line, its end included.
    ///
    /// # Errors
    /// Never for a reply that was read; serialising is fallible by type.
    pub fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        to_line(self)
    }
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: FailureKind, message: impl fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
        }
    }
}

impl From<MeshError> for Failure {
    fn from(error: MeshError) -> Self {
        let kind = match error {
            MeshError::NetworkError(_) => FailureKind::Network,
            MeshError::PaymentVerificationFailed(_) | MeshError::SpendingLimit(_) => {
                FailureKind::Payment
            }
            MeshError::ReplayDetected(_) => FailureKind::Replay,
            MeshError::RoutingError(_) => FailureKind::Routing,
            MeshError::InvalidPacket(_) => FailureKind::Packet,
            MeshError::Denied(_) => FailureKind::Denied,
            MeshError::Busy(_) => FailureKind::Busy,
            MeshError::ConfigError(_) => FailureKind::Config,
            MeshError::LightningError(_) => FailureKind::Lightning,
            _ => FailureKind::Other,
        };
        Self::new(kind, error)
    }
}

/// A line of another version may have fields that we do not know: then the version is what is wrong with it.
fn other_version(line: &[u8], error: serde_json::Error) -> CallError {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    match serde_json::from_slice(line) {
        Ok(Versioned { version }) if version != PROTOCOL_VERSION => {
            CallError::Version { found: version }
        }
        _ => CallError::Syntax(error),
    }
}

fn check_range<T: Into<u64> + Copy>(
    field: &'static str,
    found: T,
    least: u64,
    most: impl Into<u64>,
) -> Result<(), CallError> {
    let (found, most) = (found.into(), most.into());
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(CallError::Range {
        field,
        found,
        least,
        most,
    })
}

fn to_line(message: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}
