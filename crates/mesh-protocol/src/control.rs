mod fields;

use crate::{
    GossipError, RefusalCode,
    gossip::{self, read_gossip, write_gossip},
    wire::{MAX_INVOICE_LEN, MAX_PAYLOAD_LEN, MAX_REQUEST_ID_LEN, MAX_SEQUENCE, Reader},
};
use fields::{Writer, invoice, msat, network, non_zero, request_id, script, sequence, u8};
use mesh_types::{GossipMessage, Msat, Network, Price};
use std::num::NonZeroU32;
use thiserror::Error;

/// The most bytes of one control message: as many announcements as a packet carries.
pub const MAX_CONTROL_LEN: usize = MAX_PAYLOAD_LEN;

/// The most bytes of a script that has to be paid.
///
/// 42, because no address stands for a longer one: a version, a length, and a witness program of 40 bytes (BIP-141).
pub const MAX_SCRIPT_LEN: usize = 42;

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
    /// Asks a node what has to be paid on the chain for so much credit there.
    OnChainQuoteRequest {
        /// How much.
        amount: Msat,
    },
    /// Answers a [`ControlMessage::OnChainQuoteRequest`].
    OnChainQuote {
        /// The request's sequence number.
        sequence: u64,
        /// On which chain.
        network: Network,
        /// How many blocks deep the payment has to be in order to count, its own block included.
        least_depth: NonZeroU32,
        /// The script that has to be paid, 1 to [`MAX_SCRIPT_LEN`] bytes.
        script_pubkey: Vec<u8>,
        /// The text of the quote, which the payment has to name.
        payment_request_id: String,
    },
    /// The destination has the packet; sent when the source wanted a receipt.
    Delivered {
        /// The delivered packet's sequence number.
        sequence: u64,
    },
    /// About announcements; between linked nodes only.
    Gossip(GossipMessage),
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
    /// The byte stands for no network.
    #[error("unknown network {found}")]
    Network {
        /// The byte.
        found: u8,
    },
    /// A payment that is no block deep would count.
    #[error("a depth of no blocks")]
    Depth,
    /// The script is empty or longer than [`MAX_SCRIPT_LEN`].
    #[error("a script to pay has 1 to {MAX_SCRIPT_LEN} bytes, not {found}")]
    ScriptLength {
        /// Its length.
        found: usize,
    },
    /// The payment request's id is empty or longer than [`MAX_REQUEST_ID_LEN`].
    #[error("a payment request id has 1 to {MAX_REQUEST_ID_LEN} bytes, not {found}")]
    RequestIdLength {
        /// Its length.
        found: usize,
    },
    /// The payment request's id is not UTF-8.
    #[error("the payment request id is not UTF-8")]
    RequestIdText,
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
    pub(super) const ON_CHAIN_QUOTE_REQUEST: u8 = 15;
    pub(super) const ON_CHAIN_QUOTE: u8 = 16;
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
            tag::ON_CHAIN_QUOTE_REQUEST => Self::OnChainQuoteRequest {
                amount: msat(&mut reader)?,
            },
            tag::ON_CHAIN_QUOTE => Self::OnChainQuote {
                sequence: sequence(&mut reader)?,
                network: network(&mut reader)?,
                least_depth: non_zero(&mut reader)?,
                script_pubkey: script(&mut reader)?,
                payment_request_id: request_id(&mut reader)?,
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
    /// [`ControlError`] when a sequence number is too high, or an invoice, a script or an id is empty, too long or no text.
    pub fn encode(&self) -> Result<Vec<u8>, ControlError> {
        let text_len = match self {
            Self::PaymentRequired { invoice, .. } | Self::Quote { invoice, .. } => {
                invoice.as_ref().map_or(0, String::len)
            }
            Self::RefundRequest { invoice } => invoice.len(),
            Self::OnChainQuote {
                script_pubkey,
                payment_request_id,
                ..
            } => script_pubkey.len().saturating_add(payment_request_id.len()),
            _ => 0,
        };
        let mut writer = Writer(Vec::with_capacity(FIXED_LEN + text_len));
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
            Self::OnChainQuoteRequest { amount } => {
                writer.u8(tag::ON_CHAIN_QUOTE_REQUEST);
                writer.msat(*amount);
            }
            Self::OnChainQuote {
                sequence,
                network,
                least_depth,
                script_pubkey,
                payment_request_id,
            } => {
                writer.u8(tag::ON_CHAIN_QUOTE);
                writer.sequence(*sequence)?;
                writer.network(*network);
                writer.non_zero(*least_depth);
                writer.script(script_pubkey)?;
                writer.request_id(payment_request_id)?;
            }
        }
        Ok(writer.0)
    }
}
