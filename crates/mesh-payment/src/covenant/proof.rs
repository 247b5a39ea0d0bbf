use super::{CovenantKind, KindError, TemplateError};
use crate::Quote;
use bitcoin::{
    Transaction,
    consensus::{deserialize, serialize},
    taproot::ControlBlock,
};
use thiserror::Error;

/// The version of the encoding.
const VERSION: u8 = 1;

/// The bytes that stand for the kinds.
mod kind {
    pub(super) const CTV_BARE: u8 = 0;
    pub(super) const CTV_WITNESS_SCRIPT: u8 = 1;
    pub(super) const CTV_LEAF: u8 = 2;
    pub(super) const TEMPLATE_HASH_LEAF: u8 = 3;
}

/// A covenant as its payer shows it: what `covenant_proof` of an instant settlement holds.
///
/// The coin that it is made of is the previous output of the template's one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CovenantProof {
    /// How the coin is bound to the template.
    pub kind: CovenantKind,
    /// What is paid.
    pub quote: Quote,
    /// The transaction that can spend the coin, without a witness.
    pub template: Transaction,
}

/// Why bytes are no covenant that counts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CovenantError {
    /// The bytes end before the template begins.
    #[error("the covenant proof ends early")]
    Truncated,
    /// Another version of the encoding.
    #[error("the covenant proof has version {found}, and this node knows version {VERSION}")]
    Version {
        /// The version.
        found: u8,
    },
    /// No kind of covenant that is known.
    #[error("unknown kind of covenant {found}: expected 0 to 3")]
    Kind {
        /// The byte.
        found: u8,
    },
    /// What stands in the quote's place is none.
    #[error("the covenant proof's quote is out of range")]
    Quote,
    /// What stands in the control block's place is none.
    #[error("the covenant proof's control block is malformed")]
    ControlBlock,
    /// The template is not a transaction, or not in its one encoding without a witness.
    #[error("the covenant proof's template is not a transaction without witness")]
    Template,
    /// A path to a block header was shown.
    #[error("the merkle path has to be empty: the chain is asked instead")]
    MerklePath,
    /// The coin could be spent otherwise.
    #[error(transparent)]
    Bound(#[from] KindError),
    /// The template cannot be mined at once, or not with this coin alone.
    #[error(transparent)]
    Unminable(#[from] TemplateError),
}

impl CovenantProof {
    /// Reads the encoding. All bytes that are accepted are exactly what [`CovenantProof::to_bytes`] writes.
    ///
    /// # Errors
    /// [`CovenantError`] when the bytes are anything else.
    ///
    /// # Source
    /// docs/payment.md, "Covenants".
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CovenantError> {
        let (&[version, kind], rest) = bytes
            .split_first_chunk::<2>()
            .ok_or(CovenantError::Truncated)?;
        if version != VERSION {
            return Err(CovenantError::Version { found: version });
        }
        let (quote, rest) = rest.split_first_chunk().ok_or(CovenantError::Truncated)?;
        let quote = Quote::from_bytes(quote).ok_or(CovenantError::Quote)?;
        let (kind, rest) = match kind {
            kind::CTV_BARE => (CovenantKind::CtvBare, rest),
            kind::CTV_WITNESS_SCRIPT => (CovenantKind::CtvWitnessScript, rest),
            kind::CTV_LEAF => {
                let (control, rest) = split_control(rest)?;
                (CovenantKind::CtvLeaf { control }, rest)
            }
            kind::TEMPLATE_HASH_LEAF => {
                let (control, rest) = split_control(rest)?;
                (CovenantKind::TemplateHashLeaf { control }, rest)
            }
            found => return Err(CovenantError::Kind { found }),
        };
        let template: Transaction = deserialize(rest).map_err(|_| CovenantError::Template)?;
        let has_witness = template.input.iter().any(|it| !it.witness.is_empty());
        if has_witness || serialize(&template) != rest {
            return Err(CovenantError::Template);
        }
        Ok(Self {
            kind,
            quote,
            template,
        })
    }

    /// The transaction that takes what the covenant pays: the template, with what its coin asks for. Anybody may send it.
    pub fn spend(&self) -> Transaction {
        let mut spend = self.template.clone();
        let witness = self.kind.witness(&self.template);
        if let [input] = spend.input.as_mut_slice() {
            input.witness = witness;
        }
        spend
    }

    /// Writes the encoding: version, kind, quote, for a leaf its control block behind two bytes of length, and the
    /// template.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, control) = match &self.kind {
            CovenantKind::CtvBare => (kind::CTV_BARE, None),
            CovenantKind::CtvWitnessScript => (kind::CTV_WITNESS_SCRIPT, None),
            CovenantKind::CtvLeaf { control } => (kind::CTV_LEAF, Some(control)),
            CovenantKind::TemplateHashLeaf { control } => (kind::TEMPLATE_HASH_LEAF, Some(control)),
        };
        let mut bytes = vec![VERSION, kind];
        bytes.extend_from_slice(&self.quote.to_bytes());
        if let Some(control) = control {
            let control = control.serialize();
            // A control block has 33 bytes and 32 for each of at most 128 branches.
            let len = u16::try_from(control.len()).unwrap_or(u16::MAX);
            bytes.extend_from_slice(&len.to_be_bytes());
            bytes.extend_from_slice(&control);
        }
        bytes.extend_from_slice(&serialize(&self.template));
        bytes
    }
}

fn split_control(bytes: &[u8]) -> Result<(ControlBlock, &[u8]), CovenantError> {
    let (len, rest) = bytes.split_first_chunk().ok_or(CovenantError::Truncated)?;
    let len = usize::from(u16::from_be_bytes(*len));
    let (control, rest) = rest.split_at_checked(len).ok_or(CovenantError::Truncated)?;
    let control = ControlBlock::decode(control).map_err(|_| CovenantError::ControlBlock)?;
    Ok((control, rest))
}
