use crate::settlement::Named;
use bitcoin::ScriptBuf;
use mesh_types::{HexError, Msat, NodeId, UnixTime, from_hex, to_hex};
use thiserror::Error;

/// Bytes of a quote's nonce.
///
/// Sixteen, because two quotes with equal fields must not meet in the lifetime of a key.
pub const NONCE_LEN: usize = 16;

const TAG_LEN: usize = 16;
/// Bytes of a quote with its tag.
pub(crate) const QUOTE_LEN: usize = FIELDS_LEN + TAG_LEN;

const FIELDS_LEN: usize = 32 + 32 + 8 + 8 + 4 + NONCE_LEN;
const TEXT_PREFIX: &str = "mesh-quote:1:";
const HEX_LEN: usize = 2 * QUOTE_LEN;

/// A node's offer to hold credit for a payer, as the description of its invoice carries it.
///
/// Quotes are authenticated and not stored: the tag is the node's own MAC over the fields, so that a node
/// recognises what it offered without having kept it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// Whose credit the payment becomes, whoever shows the proof.
    pub payer: NodeId,
    /// The node that offers.
    pub payee: NodeId,
    /// What has to be paid.
    pub amount: Msat,
    /// Until when it may be paid and shown, in whole seconds.
    pub expires_at: UnixTime,
    /// Which of the node's price lists it was made under.
    pub price_epoch: u32,
    /// What makes it unlike any other.
    pub nonce: [u8; NONCE_LEN],
    /// The payee's MAC over all of the above.
    pub(crate) tag: [u8; TAG_LEN],
}

/// Why a text is not a quote.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuoteError {
    /// It does not begin as a quote of this version does, or a field is out of range.
    #[error("expected \"{TEXT_PREFIX}\" and {HEX_LEN} hex characters")]
    Shape,
    /// What follows the prefix is not lower-case hex.
    #[error(transparent)]
    Hex(#[from] HexError),
}

impl Quote {
    /// Reads the text form. Every text that is accepted is exactly what [`Quote::to_text`] writes.
    ///
    /// # Errors
    /// [`QuoteError`] when the text is anything else.
    pub fn from_text(text: &str) -> Result<Self, QuoteError> {
        let hex = text.strip_prefix(TEXT_PREFIX).ok_or(QuoteError::Shape)?;
        let bytes: [u8; QUOTE_LEN] = from_hex(hex)?;
        Self::from_bytes(&bytes).ok_or(QuoteError::Shape)
    }

    /// Writes the text form: a prefix with the version, then the fields and the tag in hex.
    pub fn to_text(&self) -> String {
        format!("{TEXT_PREFIX}{}", to_hex(&self.to_bytes()))
    }

    /// What a transaction that pays this quote says in its only OP_RETURN output.
    pub fn id_on_chain(&self) -> [u8; 32] {
        Named::ByTransaction.name_of(self)
    }

    /// The output by which a transaction says that it pays this quote: the only OP_RETURN output that it may have.
    pub fn named_on_chain(&self) -> ScriptBuf {
        ScriptBuf::new_op_return(self.id_on_chain())
    }

    /// The output by which a covenant's template says that it pays this quote: the only OP_RETURN output that it may have.
    pub fn named_in_covenant(&self) -> ScriptBuf {
        ScriptBuf::new_op_return(Named::ByCovenant.name_of(self))
    }

    /// The fields and the tag, in network byte order.
    pub(crate) fn to_bytes(self) -> [u8; QUOTE_LEN] {
        let mut bytes = [0; QUOTE_LEN];
        let parts = self.fields().into_iter().chain(self.tag);
        for (slot, byte) in bytes.iter_mut().zip(parts) {
            *slot = byte;
        }
        bytes
    }

    /// Lays out the fields in network byte order: what the tag and the preimage are made of.
    pub(crate) fn fields(&self) -> [u8; FIELDS_LEN] {
        let parts = [
            self.payer.as_bytes().as_slice(),
            self.payee.as_bytes(),
            &self.amount.to_msat().to_be_bytes(),
            &self.expires_at.to_secs().to_be_bytes(),
            &self.price_epoch.to_be_bytes(),
            &self.nonce,
        ];
        let mut fields = [0; FIELDS_LEN];
        for (slot, byte) in fields.iter_mut().zip(parts.into_iter().flatten()) {
            *slot = *byte;
        }
        fields
    }

    /// Reads what [`Quote::to_bytes`] writes; `None` when a field is out of range.
    pub(crate) fn from_bytes(bytes: &[u8; QUOTE_LEN]) -> Option<Self> {
        let (payer, rest) = bytes.split_first_chunk()?;
        let (payee, rest) = rest.split_first_chunk()?;
        let (amount, rest) = rest.split_first_chunk()?;
        let (expires_at, rest) = rest.split_first_chunk()?;
        let (price_epoch, rest) = rest.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let expires_at_secs = u64::from_be_bytes(*expires_at);
        let quote = Self {
            payer: NodeId::from_bytes(*payer),
            payee: NodeId::from_bytes(*payee),
            amount: Msat::from_msat(u64::from_be_bytes(*amount)),
            expires_at: UnixTime::from_secs(expires_at_secs),
            price_epoch: u32::from_be_bytes(*price_epoch),
            nonce: *nonce,
            tag: rest.try_into().ok()?,
        };
        // Seconds beyond the clock's range would not be written back as they were read.
        (quote.expires_at.to_secs() == expires_at_secs).then_some(quote)
    }
}
