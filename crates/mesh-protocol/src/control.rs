use crate::{
    GossipError,
    gossip::{self, read_gossip, write_gossip},
    wire::{MAX_INVOICE_LEN, MAX_PAYLOAD_LEN, MAX_SEQUENCE, Reader},
};
use mesh_types::{GossipMessage, Msat, Price};
use thiserror::Error;

/// The most bytes of one control message: as many announcements as a packet carries.
pub const MAX_CONTROL_LEN: usize = MAX_PAYLOAD_LEN;

/// The most bytes before an invoice: a quote's tag, sequence, two prices and credit.
const FIXED_LEN: usize = 1 + 8 + 8 + 8 + 8;

/// What one mesh tells another, as the payload of a control packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlMessage {
    /// The packet was not carried, and nothing was debited for it.
    Refused {
        /// The refused packet's sequence number.
        sequence: u64,
        /// Why.
        code: RefusalCode,
    },
    /// The packet was not carried because the source's credit or its offer does not cover this hop's price.
    PaymentRequired {
        /// The refused packet's sequence number.
        sequence: u64,
        /// What this hop asks for that packet.
        price: Msat,
        /// How much credit the source lacks for it.
        missing: Msat,
        /// A BOLT11 invoice to pay, unless this hop cannot issue one now.
        invoice: Option<String>,
    },
    /// Asks a node for its price and an invoice.
    QuoteRequest {
        /// What the invoice is to ask for; zero asks for price and credit only.
        amount: Msat,
    },
    /// Answers a [`ControlMessage::QuoteRequest`].
    Quote {
        /// The request's sequence number.
        sequence: u64,
        /// What this node asks for carrying packets.
        price: Price,
        /// What the asking node has with this node.
        credit: Msat,
        /// A BOLT11 invoice for the amount asked for; none for an amount of zero.
        invoice: Option<String>,
    },
    /// Hands in the proof that stands in the packet itself.
    Deposit,
    /// Answers a proof that was accepted.
    Credited {
        /// The sequence number of the packet with the proof.
        sequence: u64,
        /// What the payer has with this node now.
        credit: Msat,
    },
    /// Asks a node to pay an invoice of the asking node's wallet out of what that node has with it.
    RefundRequest {
        /// The BOLT11 invoice.
        invoice: String,
    },
    /// Answers a [`ControlMessage::RefundRequest`]: it is paid.
    Refunded {
        /// The request's sequence number.
        sequence: u64,
        /// What was paid, routing fees excepted.
        amount: Msat,
        /// What routing cost, which is taken from the credit, too.
        fee: Msat,
        /// What the asking node has with this node now.
        credit: Msat,
    },
    /// The destination has the packet; sent when the source wanted a receipt.
    Delivered {
        /// The delivered packet's sequence number.
        sequence: u64,
    },
    /// About announcements; between linked nodes only.
    Gossip(GossipMessage),
}

/// Why a packet was not carried, as one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[repr(u8)]
pub enum RefusalCode {
    /// The sequence number was seen before.
    #[error("the packet was seen before")]
    Duplicate = 1,
    /// The sequence number lies behind the window.
    #[error("the packet's sequence number is too old")]
    TooOld = 2,
    /// The timestamp is too far from the node's clock.
    #[error("the packet's timestamp is too far from the node's clock")]
    OutOfTime = 3,
    /// The node's mode does not carry such traffic.
    #[error("the node does not carry such traffic")]
    Denied = 4,
    /// The next node of the route is not linked with this one.
    #[error("the node has no link to the next node of the route")]
    NoRoute = 5,
    /// A queue is full, or something the node needs is away; later may do.
    #[error("the node is busy")]
    Busy = 6,
    /// The free lane's budget is spent; it refills with time.
    #[error("the source's free-lane budget is spent")]
    FreeLaneSpent = 7,
    /// The proof of payment does not hold.
    #[error("the proof of payment does not hold")]
    ProofInvalid = 8,
    /// The payment was claimed before.
    #[error("the payment was claimed before")]
    ProofReplayed = 9,
    /// The node does not take this kind of proof, or does not offer what was asked for.
    #[error("the node does not offer this, or take this kind of proof")]
    NotEnabled = 10,
    /// The destination could not open or understand the packet.
    #[error("the destination could not open or understand the packet")]
    Undeliverable = 11,
    /// The payment is good and not deep enough in the chain yet; later it may do.
    #[error("the payment is not deep enough in the chain yet")]
    ProofPending = 12,
    /// The credit does not cover the refund with the most that routing may cost.
    #[error("the credit does not cover the refund and its fee")]
    CreditTooLow = 13,
    /// The invoice is none that is paid as a refund.
    #[error("the invoice is none that the node pays as a refund")]
    InvoiceRefused = 14,
    /// The refund could not be paid, and never will be with this invoice: the credit is what it was.
    #[error("the refund could not be paid, and the credit is what it was")]
    RefundFailed = 15,
}

/// Why a control message cannot be decoded or encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ControlError {
    /// The bytes end before the last field does.
    #[error("the control message ends early")]
    Truncated,
    /// Bytes stand behind the last field.
    #[error("{extra} bytes stand behind the control message")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// The first byte names no message.
    #[error("unknown control message {found}")]
    Tag {
        /// The byte.
        found: u8,
    },
    /// The refusal's code is not one that we know.
    #[error("unknown refusal code {found}")]
    Code {
        /// The code.
        found: u8,
    },
    /// A sequence number is above [`MAX_SEQUENCE`].
    #[error("sequence number {found} is above the highest, {MAX_SEQUENCE}")]
    Sequence {
        /// The number.
        found: u64,
    },
    /// The invoice is empty where it should be absent, or longer than [`MAX_INVOICE_LEN`].
    #[error("an invoice has 1 to {MAX_INVOICE_LEN} characters, not {found}")]
    InvoiceLength {
        /// Its length.
        found: usize,
    },
    /// The invoice is not ASCII.
    #[error("the invoice is not ASCII")]
    InvoiceText,
    /// A message about announcements is wrong.
    #[error(transparent)]
    Gossip(#[from] GossipError),
}

/// The bytes that stand for the messages.
mod tag {
    pub(super) const REFUSED: u8 = 1;
    pub(super) const PAYMENT_REQUIRED: u8 = 2;
    pub(super) const QUOTE_REQUEST: u8 = 3;
    pub(super) const QUOTE: u8 = 4;
    pub(super) const DEPOSIT: u8 = 5;
    pub(super) const CREDITED: u8 = 6;
    pub(super) const DELIVERED: u8 = 7;
    pub(super) const REFUND_REQUEST: u8 = 13;
    pub(super) const REFUNDED: u8 = 14;
}

impl ControlMessage {
    /// Whether bytes, if they are a message, are one about announcements, by the first of them: what follows may be long.
    pub fn is_gossip(bytes: &[u8]) -> bool {
        matches!(bytes, [gossip::tag::HAVE..=gossip::tag::FIND, ..])
    }

    /// Decodes a message from its one encoding.
    ///
    /// # Errors
    /// [`ControlError`] names what is wrong.
    ///
    /// # Source
    /// docs/wire-format.md, "Control messages".
    pub fn decode(bytes: &[u8]) -> Result<Self, ControlError> {
        let mut reader = Reader::new(bytes);
        let message = match u8(&mut reader)? {
            tag::REFUSED => Self::Refused {
                sequence: sequence(&mut reader)?,
                code: RefusalCode::try_from(u8(&mut reader)?)?,
            },
            tag::PAYMENT_REQUIRED => Self::PaymentRequired {
                sequence: sequence(&mut reader)?,
                price: msat(&mut reader)?,
                missing: msat(&mut reader)?,
                invoice: invoice(&mut reader)?,
            },
            tag::QUOTE_REQUEST => Self::QuoteRequest {
                amount: msat(&mut reader)?,
            },
            tag::QUOTE => Self::Quote {
                sequence: sequence(&mut reader)?,
                price: Price {
                    per_packet: msat(&mut reader)?,
                    per_kib: msat(&mut reader)?,
                },
                credit: msat(&mut reader)?,
                invoice: invoice(&mut reader)?,
            },
            tag::DEPOSIT => Self::Deposit,
            tag::CREDITED => Self::Credited {
                sequence: sequence(&mut reader)?,
                credit: msat(&mut reader)?,
            },
            tag::DELIVERED => Self::Delivered {
                sequence: sequence(&mut reader)?,
            },
            tag::REFUND_REQUEST => Self::RefundRequest {
                invoice: invoice(&mut reader)?.ok_or(ControlError::Truncated)?,
            },
            tag::REFUNDED => Self::Refunded {
                sequence: sequence(&mut reader)?,
                amount: msat(&mut reader)?,
                fee: msat(&mut reader)?,
                credit: msat(&mut reader)?,
            },
            found => {
                let message = read_gossip(found, &mut reader);
                Self::Gossip(message.ok_or(ControlError::Tag { found })??)
            }
        };
        if bytes.len() > MAX_CONTROL_LEN {
            return Err(GossipError::Length { found: bytes.len() }.into());
        }
        match reader.take_rest().len() {
            0 => Ok(message),
            extra => Err(ControlError::Trailing { extra }),
        }
    }

    /// Encodes the message, in at most [`MAX_CONTROL_LEN`] bytes.
    ///
    /// # Errors
    /// [`ControlError`] when a sequence number is too high, or an invoice is empty, too long or not ASCII.
    pub fn encode(&self) -> Result<Vec<u8>, ControlError> {
        let invoice_len = match self {
            Self::PaymentRequired { invoice, .. } | Self::Quote { invoice, .. } => {
                invoice.as_ref().map_or(0, String::len)
            }
            Self::RefundRequest { invoice } => invoice.len(),
            _ => 0,
        };
        let mut writer = Writer(Vec::with_capacity(FIXED_LEN + invoice_len));
        match self {
            Self::Refused { sequence, code } => {
                writer.u8(tag::REFUSED);
                writer.sequence(*sequence)?;
                writer.u8(u8::from(*code));
            }
            Self::PaymentRequired {
                sequence,
                price,
                missing,
                invoice,
            } => {
                writer.u8(tag::PAYMENT_REQUIRED);
                writer.sequence(*sequence)?;
                writer.msat(*price);
                writer.msat(*missing);
                writer.invoice(invoice.as_deref())?;
            }
            Self::QuoteRequest { amount } => {
                writer.u8(tag::QUOTE_REQUEST);
                writer.msat(*amount);
            }
            Self::Quote {
                sequence,
                price,
                credit,
                invoice,
            } => {
                writer.u8(tag::QUOTE);
                writer.sequence(*sequence)?;
                writer.msat(price.per_packet);
                writer.msat(price.per_kib);
                writer.msat(*credit);
                writer.invoice(invoice.as_deref())?;
            }
            Self::Deposit => writer.u8(tag::DEPOSIT),
            Self::Credited { sequence, credit } => {
                writer.u8(tag::CREDITED);
                writer.sequence(*sequence)?;
                writer.msat(*credit);
            }
            Self::Delivered { sequence } => {
                writer.u8(tag::DELIVERED);
                writer.sequence(*sequence)?;
            }
            Self::Gossip(message) => write_gossip(message, &mut writer.0)?,
            Self::RefundRequest { invoice } => {
                writer.u8(tag::REFUND_REQUEST);
                writer.invoice(Some(invoice))?;
            }
            Self::Refunded {
                sequence,
                amount,
                fee,
                credit,
            } => {
                writer.u8(tag::REFUNDED);
                writer.sequence(*sequence)?;
                writer.msat(*amount);
                writer.msat(*fee);
                writer.msat(*credit);
            }
        }
        Ok(writer.0)
    }
}

impl RefusalCode {
    /// All codes, in the order of their bytes.
    pub const ALL: [Self; 15] = [
        Self::Duplicate,
        Self::TooOld,
        Self::OutOfTime,
        Self::Denied,
        Self::NoRoute,
        Self::Busy,
        Self::FreeLaneSpent,
        Self::ProofInvalid,
        Self::ProofReplayed,
        Self::NotEnabled,
        Self::Undeliverable,
        Self::ProofPending,
        Self::CreditTooLow,
        Self::InvoiceRefused,
        Self::RefundFailed,
    ];
}

impl From<RefusalCode> for u8 {
    fn from(code: RefusalCode) -> Self {
        code as Self
    }
}

impl TryFrom<u8> for RefusalCode {
    type Error = ControlError;

    fn try_from(found: u8) -> Result<Self, ControlError> {
        Self::ALL
            .into_iter()
            .find(|code| u8::from(*code) == found)
            .ok_or(ControlError::Code { found })
    }
}

fn u8(reader: &mut Reader<'_>) -> Result<u8, ControlError> {
    reader.u8().ok_or(ControlError::Truncated)
}

fn msat(reader: &mut Reader<'_>) -> Result<Msat, ControlError> {
    let msat = reader.u64().ok_or(ControlError::Truncated)?;
    Ok(Msat::from_msat(msat))
}

fn sequence(reader: &mut Reader<'_>) -> Result<u64, ControlError> {
    check_sequence(reader.u64().ok_or(ControlError::Truncated)?)
}

fn check_sequence(found: u64) -> Result<u64, ControlError> {
    if found > MAX_SEQUENCE {
        return Err(ControlError::Sequence { found });
    }
    Ok(found)
}

/// Takes the invoice, which is all the rest; no rest is no invoice.
fn invoice(reader: &mut Reader<'_>) -> Result<Option<String>, ControlError> {
    let bytes = reader.take_rest();
    if bytes.is_empty() {
        return Ok(None);
    }
    check_invoice(bytes)?;
    let text = str::from_utf8(bytes).map_err(|_| ControlError::InvoiceText)?;
    Ok(Some(text.to_owned()))
}

fn check_invoice(invoice: &[u8]) -> Result<(), ControlError> {
    let found = invoice.len();
    if !(1..=MAX_INVOICE_LEN).contains(&found) {
        return Err(ControlError::InvoiceLength { found });
    }
    if !invoice.is_ascii() {
        return Err(ControlError::InvoiceText);
    }
    Ok(())
}

struct Writer(Vec<u8>);

impl Writer {
    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn msat(&mut self, value: Msat) {
        self.0.extend_from_slice(&value.to_msat().to_be_bytes());
    }

    fn sequence(&mut self, value: u64) -> Result<(), ControlError> {
        self.0
            .extend_from_slice(&check_sequence(value)?.to_be_bytes());
        Ok(())
    }

    fn invoice(&mut self, invoice: Option<&str>) -> Result<(), ControlError> {
        if let Some(text) = invoice {
            check_invoice(text.as_bytes())?;
            self.0.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }
}
